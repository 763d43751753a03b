//! Inboxes: their connection, their credentials (sealed), and where reading goes on.

use protocol::budget::Budget;
use protocol::campaign::{Event as CampaignEvent, State as CampaignState};
use protocol::connection::{Connection, Effect, Event, Patience};
use protocol::id::{CampaignId, InboxId};
use protocol::inbox::{Address, MailServer};
use protocol::provider::ProviderId;
use protocol::sender::Sender;
use protocol::standing::Standing;
use protocol::timestamp::{Timestamp, duration_ms};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::budget::budget_from;
use super::clocks::{Moment, Of, update_clocks};
use super::conflict::Conflict;
use super::sender::sender_from;
use super::{Store, StoreError, alert, json, number, number_or_null, text, text_or_null, to_json};
use crate::record::{FolderPosition, organisation_of};
use crate::secret::random_text;

/// An inbox as it is stored, without its credentials.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// Its id.
    pub id: InboxId,
    /// Its address.
    pub address: Address,
    /// Whose servers they are.
    pub provider: ProviderId,
    /// Where it sends.
    pub smtp: MailServer,
    /// Where it reads.
    pub imap: MailServer,
    /// How fast it may send.
    pub budget: Budget,
    /// Whether it works.
    pub connection: Connection,
    /// Who signed in first; `None` before, and for passwords.
    pub identity: Option<Identity>,
    /// The user name of its password; `None` where it signs in at its provider, or never did.
    pub password_user: Option<String>,
    /// Raised at every change of its credentials.
    pub credentials_fence: i64,
    /// Where reading INBOX goes on; `None` before the first reading.
    pub read_position: Option<FolderPosition>,
    /// When INBOX was last read to its end.
    pub last_read_at: Option<Timestamp>,
    /// Whether something may have arrived that was not read.
    pub gap_open: bool,
    /// How often credentials were adopted: what was seen with earlier ones says nothing of these.
    pub adoption: i64,
    /// Of the first messages accepted since then, how many had a copy that the server made.
    pub copies_found: i64,
    /// And how many had none in the time in which it was looked for.
    pub copies_missing: i64,
    /// Whether its server is given time after a failure.
    pub is_resting: bool,
    /// Whether a failure is on record that nothing has ended yet.
    pub is_failing: bool,
    /// How it stands with its server.
    pub standing: Standing,
    /// How it presents itself.
    pub sender: Sender,
    /// The largest message that its server said it takes, in bytes; `None` where it did not say.
    pub size_at_most: Option<u64>,
}

/// Who puts copies of accepted messages into an inbox's sent folder, as far as it was seen with its present
/// credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopiedBy {
    /// It is not known yet.
    Unknown,
    /// The server.
    Server,
    /// Nobody but the client.
    Client,
}

impl Inbox {
    /// Who makes copies: two of the first three messages decide.
    pub fn copied_by(&self) -> CopiedBy {
        if self.copies_found >= DECIDING_COPIES {
            CopiedBy::Server
        } else if self.copies_missing >= DECIDING_COPIES {
            CopiedBy::Client
        } else {
            CopiedBy::Unknown
        }
    }
}

/// The greater part of three.
const DECIDING_COPIES: i64 = 2;

/// The pair that names a person at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The issuer.
    pub iss: String,
    /// The subject.
    pub sub: String,
}

/// What a new inbox is made of.
#[derive(Clone, Debug)]
pub struct NewInbox {
    /// Its address.
    pub address: Address,
    /// Whose servers they are.
    pub provider: ProviderId,
    /// Where it sends.
    pub smtp: MailServer,
    /// Where it reads.
    pub imap: MailServer,
    /// How fast it may send.
    pub budget: Budget,
}

/// Sealed credentials and the fence that belongs to them.
#[derive(Clone, Debug)]
pub struct SealedCredentials {
    /// The blob.
    pub sealed: String,
    /// Named by the write that replaces it.
    pub fence: i64,
}

const COLUMNS: &str = "id, address, provider, smtp, imap, gap_ms, connection, identity_iss, identity_sub, \
     password_user, credentials_fence, inbox_uid_validity, inbox_uid_next, last_read_at_ms, gap_open, adoption, copies_found, \
     copies_missing, daily_cap, resting, failing_since_ms, standing, sender, size_at_most";

impl Store {
    /// Adds an inbox that is not connected yet.
    pub async fn create_inbox(
        &self,
        new: NewInbox,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Inbox, StoreError> {
        let id = InboxId::new(format!("{}{}", InboxId::PREFIX, random_text()));
        let address = new.address.clone();
        let taken = StoreError::from(Conflict::AddressTaken { address });
        let mut tx = self.begin().await?;
        // No provider tells addresses apart by capital letters, and neither does the import of leads.
        let same = sqlx::query("SELECT id FROM inboxes WHERE LOWER(address) = LOWER($1)")
            .bind(new.address.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        if same.is_some() {
            return Err(taken);
        }
        let result = sqlx::query(
            "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, daily_cap, connection, connection_state, \
             credentials_fence, refresh_until_ms, gap_open, created_at_ms, organisation) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 1, $10, $11)",
        )
        .bind(id.to_string())
        .bind(new.address.to_string())
        .bind(new.provider.to_string())
        .bind(to_json("smtp", &new.smtp)?)
        .bind(to_json("imap", &new.imap)?)
        .bind(duration_ms(new.budget.distance))
        .bind(new.budget.daily_cap.map(i64::from))
        .bind(to_json("connection", connection)?)
        .bind(connection_state(connection))
        .bind(now.as_ms())
        .bind(organisation_of(&new.address))
        .execute(&mut *tx)
        .await;
        match result {
            Ok(_) => tx.commit().await?,
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(taken);
            }
            Err(error) => return Err(error.into()),
        }
        self.load_inbox(&id).await
    }

    /// The last changes of an inbox's connection, newest first: when, and what it was from then on.
    pub async fn list_changes(
        &self,
        id: &InboxId,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Connection)>, StoreError> {
        let rows = sqlx::query(
            "SELECT at_ms, body FROM transitions WHERE inbox_id = $1 ORDER BY at_ms DESC LIMIT $2",
        )
        .bind(id.to_string())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let at = Timestamp::from_ms(number(row, "at_ms")?);
                Ok((at, json(row, "body")?))
            })
            .collect()
    }

    /// Every inbox, by address.
    pub async fn list_inboxes(&self) -> Result<Vec<Inbox>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM inboxes ORDER BY address"
        )))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// One inbox.
    pub async fn load_inbox(&self, id: &InboxId) -> Result<Inbox, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM inboxes WHERE id = $1"
        )))
        .bind(id.to_string())
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref()
            .map(from_row)
            .transpose()?
            .ok_or_else(|| not_found(id))
    }

    /// Lets the connection decide about an event, and makes the outcome durable together with what
    /// follows from it: campaigns that cannot go on are paused in the same transaction, the change is noted once, and
    /// what people are told of it is written.
    pub async fn move_connection(
        &self,
        id: &InboxId,
        event: Event,
        now: Timestamp,
        patience: Patience,
    ) -> Result<(Connection, Vec<Effect>), StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        let before = load_connection(&mut tx, id).await?;
        let (after, effects) = before.clone().decide(event, now, patience);
        if after != before {
            put_connection(&mut tx, id, &before, &after, moment).await?;
        }
        for effect in &effects {
            if let Effect::Disconnect(cause) = effect {
                let mut paused = 0;
                for (campaign, status) in list_stranded(&mut tx, id).await? {
                    let event = CampaignEvent::Lost {
                        inbox: id.clone(),
                        cause: *cause,
                    };
                    if let Ok(next) = status.apply(event, now) {
                        super::campaign::put_status(&mut tx, &campaign, &next, moment).await?;
                        paused += 1;
                    }
                }
                alert::tell_lost(&mut tx, id, &after, paused, now).await?;
            }
        }
        tx.commit().await?;
        Ok((after, effects))
    }

    /// The sealed credentials; `None` before the first reconnect.
    pub async fn find_credentials(
        &self,
        id: &InboxId,
    ) -> Result<Option<SealedCredentials>, StoreError> {
        let row = sqlx::query("SELECT credentials, credentials_fence FROM inboxes WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?
            .ok_or_else(|| not_found(id))?;
        let fence = number(&row, "credentials_fence")?;
        Ok(text_or_null(&row, "credentials")?.map(|sealed| SealedCredentials { sealed, fence }))
    }

    /// Takes the right to refresh until `until`; `false` while somebody else has it.
    pub async fn claim_refresh(
        &self,
        id: &InboxId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE inboxes SET refresh_until_ms = $1 WHERE id = $2 AND refresh_until_ms <= $3",
        )
        .bind(until.as_ms())
        .bind(id.to_string())
        .bind(now.as_ms())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives the right to refresh back.
    pub async fn release_refresh(&self, id: &InboxId) -> Result<(), StoreError> {
        sqlx::query("UPDATE inboxes SET refresh_until_ms = 0 WHERE id = $1")
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Replaces the credentials that have this fence and gives the right to refresh back; `false` when
    /// newer ones have taken their place, which then stay.
    pub async fn update_credentials(
        &self,
        id: &InboxId,
        sealed: &str,
        fence: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE inboxes SET credentials = $1, credentials_fence = credentials_fence + 1, refresh_until_ms = 0 \
             WHERE id = $2 AND credentials_fence = $3",
        )
        .bind(sealed.to_owned())
        .bind(id.to_string())
        .bind(fence)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes how far INBOX was read on the way to its end: what is behind is not asked for again.
    pub async fn note_progress(
        &self,
        id: &InboxId,
        position: FolderPosition,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE inboxes SET inbox_uid_validity = $1, inbox_uid_next = $2 WHERE id = $3",
        )
        .bind(i64::from(position.uid_validity))
        .bind(i64::from(position.uid_next))
        .bind(id.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Notes how far INBOX was read, and that everything was that had come by `now`. The gap stays open until [`Store::close_gap`].
    pub async fn update_read_position(
        &self,
        id: &InboxId,
        position: FolderPosition,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE inboxes SET inbox_uid_validity = $1, inbox_uid_next = $2, last_read_at_ms = $3 WHERE id = $4",
        )
        .bind(i64::from(position.uid_validity))
        .bind(i64::from(position.uid_next))
        .bind(now.as_ms())
        .bind(id.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Everything that arrived was read: sending may begin.
    pub async fn close_gap(&self, id: &InboxId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE inboxes SET gap_open = 0 WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        update_clocks(&mut tx, Of::Inbox(id), self.moment(now)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Something may arrive unread from now on, for every inbox: at start, and after a lost connection.
    pub async fn open_gaps(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE inboxes SET gap_open = 1, refresh_until_ms = 0, resting = 0")
            .execute(&mut *tx)
            .await?;
        update_clocks(&mut tx, Of::Everybody, self.moment(now)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// So many more messages of the present credentials had a copy that the server made, and so many had none.
    pub async fn note_copies(
        &self,
        id: &InboxId,
        adoption: i64,
        found: i64,
        missing: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE inboxes SET copies_found = copies_found + $1, copies_missing = copies_missing + $2 \
             WHERE id = $3 AND adoption = $4",
        )
        .bind(found)
        .bind(missing)
        .bind(id.to_string())
        .bind(adoption)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

/// What a transaction notes of an inbox; `None` leaves what is there.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Something was tried through it: it keeps its distance to that.
    pub(super) tried: Option<Moment>,
    /// How it stands with its server, as JSON, and whether it rests because of that.
    pub(super) standing: Option<(String, bool)>,
}

/// Notes it in one statement. A try keeps the running time too, by a trigger.
pub(super) async fn note(
    tx: &mut AnyConnection,
    id: &InboxId,
    noted: Noted,
) -> Result<(), StoreError> {
    let (standing, rests) = noted.standing.unzip();
    sqlx::query(
        "UPDATE inboxes SET last_tried_at_ms = COALESCE($1, last_tried_at_ms), \
         last_tried_r_ms = COALESCE($2, last_tried_r_ms), standing = COALESCE($3, standing), \
         standing_rests = COALESCE($4, standing_rests) WHERE id = $5",
    )
    .bind(noted.tried.map(|now| now.at.as_ms()))
    .bind(noted.tried.map(|now| now.r_ms))
    .bind(standing)
    .bind(rests.map(i64::from))
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// Something was tried through an inbox.
pub(super) async fn note_tried(
    tx: &mut AnyConnection,
    id: &InboxId,
    now: Moment,
) -> Result<(), StoreError> {
    let tried = Some(now);
    let noted = Noted {
        tried,
        standing: None,
    };
    note(tx, id, noted).await
}

/// Refuses an inbox that is not there.
pub(super) async fn check_known(tx: &mut AnyConnection, id: &InboxId) -> Result<(), StoreError> {
    sqlx::query("SELECT 1 FROM inboxes WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?
        .map(drop)
        .ok_or_else(|| StoreError::NotFound {
            what: "inbox",
            id: id.to_string(),
        })
}

/// The connection of an inbox, read inside a transaction.
pub(super) async fn load_connection(
    tx: &mut AnyConnection,
    id: &InboxId,
) -> Result<Connection, StoreError> {
    let row = sqlx::query("SELECT connection FROM inboxes WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?
        .ok_or_else(|| not_found(id))?;
    json(&row, "connection")
}

/// Stores a connection, notes the change, and lets the clocks of the inbox's campaigns follow.
pub(super) async fn put_connection(
    tx: &mut AnyConnection,
    id: &InboxId,
    before: &Connection,
    after: &Connection,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE inboxes SET connection = $1, connection_state = $2 WHERE id = $3")
        .bind(to_json("connection", after)?)
        .bind(connection_state(after))
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    if connection_state(before) != connection_state(after) {
        sqlx::query("INSERT INTO transitions (id, inbox_id, at_ms, body) VALUES ($1, $2, $3, $4)")
            .bind(random_text())
            .bind(id.to_string())
            .bind(now.at.as_ms())
            .bind(to_json("connection", after)?)
            .execute(&mut *tx)
            .await?;
        update_clocks(tx, Of::Inbox(id), now).await?;
    }
    if let (Connection::Disconnected { since, .. }, Connection::Connected { .. }) = (before, after)
    {
        alert::tell_reconnected(tx, id, *since, now.at).await?;
    }
    Ok(())
}

/// Running campaigns that send through this inbox and through no other that is not disconnected.
async fn list_stranded(
    tx: &mut AnyConnection,
    id: &InboxId,
) -> Result<Vec<(CampaignId, CampaignState)>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.id AS id, c.status AS status FROM campaigns c \
         JOIN campaign_inboxes ci ON ci.campaign_id = c.id \
         WHERE ci.inbox_id = $1 AND c.state = 'running' AND NOT EXISTS ( \
           SELECT 1 FROM campaign_inboxes o JOIN inboxes i ON i.id = o.inbox_id \
           WHERE o.campaign_id = c.id AND o.inbox_id <> $1 AND i.connection_state <> 'disconnected')",
    )
    .bind(id.to_string())
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| Ok((CampaignId::new(text(row, "id")?), json(row, "status")?)))
        .collect()
}

fn connection_state(connection: &Connection) -> &'static str {
    match connection {
        Connection::Connected { .. } => "connected",
        Connection::Suspect { .. } => "suspect",
        Connection::Disconnected { .. } => "disconnected",
    }
}

pub(super) fn not_found(id: &InboxId) -> StoreError {
    StoreError::NotFound {
        what: "inbox",
        id: id.to_string(),
    }
}

fn from_row(row: &AnyRow) -> Result<Inbox, StoreError> {
    let instant =
        |column| Ok::<_, StoreError>(number_or_null(row, column)?.map(Timestamp::from_ms));
    let identity = match (
        text_or_null(row, "identity_iss")?,
        text_or_null(row, "identity_sub")?,
    ) {
        (Some(iss), Some(sub)) => Some(Identity { iss, sub }),
        _ => None,
    };
    Ok(Inbox {
        id: InboxId::new(text(row, "id")?),
        address: text(row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?,
        provider: ProviderId::new(text(row, "provider")?),
        smtp: json(row, "smtp")?,
        imap: json(row, "imap")?,
        budget: budget_from(row)?,
        connection: json(row, "connection")?,
        identity,
        password_user: text_or_null(row, "password_user")?,
        credentials_fence: number(row, "credentials_fence")?,
        read_position: position(row, "inbox_uid_validity", "inbox_uid_next")?,
        last_read_at: instant("last_read_at_ms")?,
        gap_open: number(row, "gap_open")? != 0,
        adoption: number(row, "adoption")?,
        copies_found: number(row, "copies_found")?,
        copies_missing: number(row, "copies_missing")?,
        is_resting: number(row, "resting")? != 0,
        is_failing: number_or_null(row, "failing_since_ms")?.is_some(),
        standing: super::standing::from_row(row)?,
        sender: sender_from(row)?,
        size_at_most: number_or_null(row, "size_at_most")?.and_then(|n| u64::try_from(n).ok()),
    })
}

/// A folder position of two columns; `None` where either is null.
pub(super) fn position(
    row: &AnyRow,
    uid_validity: &'static str,
    uid_next: &'static str,
) -> Result<Option<FolderPosition>, StoreError> {
    let uid = |column| match number_or_null(row, column)? {
        None => Ok(None),
        Some(value) => u32::try_from(value)
            .map(Some)
            .map_err(|_| StoreError::Corrupt { what: column }),
    };
    Ok(uid(uid_validity)?
        .zip(uid(uid_next)?)
        .map(|(uid_validity, uid_next)| FolderPosition {
            uid_validity,
            uid_next,
        }))
}
