//! Reconnects: every stage is committed before the next begins, and what they hold is sealed.

use protocol::connection::{Connection, Event};
use protocol::evidence::Evidence;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::{Stage, State};
use protocol::timestamp::Timestamp;
use sqlx::any::AnyRow;

use super::inbox::Identity;
use super::{Store, StoreError, inbox, json, number, text, text_or_null, to_json};
use crate::secret::random_text;

/// A reconnect as it is stored.
#[derive(Clone, Debug)]
pub struct Reconnect {
    /// Its id.
    pub id: ReconnectId,
    /// The inbox.
    pub inbox: InboxId,
    /// Where it stands.
    pub state: State,
    /// When it ends by itself if nothing was granted.
    pub expires_at: Timestamp,
    /// What the browser handed over, then the fresh credentials, sealed at rest; `None` before and after.
    pub payload: Option<String>,
    /// Who signed in; `None` before that is known, and for passwords.
    pub identity: Option<Identity>,
    /// Their name, where the provider told one; nothing is decided by it.
    pub signed_in_as: Option<String>,
}

/// Who signed in, as the provider told it.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// By what they are known again.
    pub identity: Identity,
    /// Their name; `None` where none was told.
    pub name: Option<String>,
}

/// A step of a reconnect that is to be made durable.
#[derive(Clone, Debug)]
pub struct Advance {
    /// The new stage.
    pub stage: Stage,
    /// What replaces the payload; `None` leaves it.
    pub payload: Option<String>,
    /// Who signed in; `None` leaves it.
    pub signed_in: Option<SignedIn>,
}

const COLUMNS: &str =
    "id, inbox_id, status, expires_at_ms, payload, identity_iss, identity_sub, signed_in_as";

impl Store {
    /// Starts a reconnect, or answers with the one that is open (`true`).
    pub async fn start_reconnect(
        &self,
        inbox: &InboxId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(Reconnect, bool), StoreError> {
        let mut tx = self.writer.begin().await?;
        inbox::load_connection(&mut tx, inbox).await?;
        let open = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM reconnects WHERE inbox_id = $1 AND is_open = 1"
        )))
        .bind(inbox.to_string())
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(row) = open {
            return Ok((from_row(&row)?, true));
        }
        let id = ReconnectId::new(format!("{}{}", ReconnectId::PREFIX, random_text()));
        let state = State::Started { expires_at };
        sqlx::query(
            "INSERT INTO reconnects (id, inbox_id, status, is_open, expires_at_ms, started_at_ms) \
             VALUES ($1, $2, $3, 1, $4, $5)",
        )
        .bind(id.to_string())
        .bind(inbox.to_string())
        .bind(to_json("status", &state)?)
        .bind(expires_at.as_ms())
        .bind(now.as_ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let reconnect = Reconnect {
            id,
            inbox: inbox.clone(),
            state,
            expires_at,
            payload: None,
            identity: None,
            signed_in_as: None,
        };
        Ok((reconnect, false))
    }

    /// One reconnect.
    pub async fn load_reconnect(&self, id: &ReconnectId) -> Result<Reconnect, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM reconnects WHERE id = $1"
        )))
        .bind(id.to_string())
        .fetch_optional(&self.reader)
        .await?
        .ok_or_else(|| StoreError::NotFound {
            what: "reconnect",
            id: id.to_string(),
        })?;
        from_row(&row)
    }

    /// Every reconnect that is not over.
    pub async fn list_open_reconnects(&self) -> Result<Vec<Reconnect>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM reconnects WHERE is_open = 1"
        )))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// Whether a reconnect of this inbox is past its grant, and does not wait for a person.
    pub async fn is_reconnecting(&self, inbox: &InboxId) -> Result<bool, StoreError> {
        let open = self.list_open_reconnects().await?;
        let waits = |state: &State| matches!(state, State::Started { .. } | State::Unconfirmed);
        Ok(open
            .iter()
            .any(|one| one.inbox == *inbox && !waits(&one.state)))
    }

    /// Takes what was handed over, once: a second hand-over finds the reconnect no longer waiting.
    pub async fn grant_reconnect(&self, id: &ReconnectId, payload: &str) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        let reconnect = load(&mut tx, id).await?;
        if !matches!(reconnect.state, State::Started { .. }) {
            let words = format!(
                "this reconnect is {}; it no longer waits for a sign-in",
                reconnect.state.name()
            );
            return Err(StoreError::Conflict(words));
        }
        sqlx::query("UPDATE reconnects SET status = $1, payload = $2 WHERE id = $3")
            .bind(to_json("status", &State::Granted)?)
            .bind(payload.to_owned())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes one step of the proof durable.
    pub async fn advance_reconnect(
        &self,
        id: &ReconnectId,
        advance: Advance,
    ) -> Result<(), StoreError> {
        let (identity, name) = advance
            .signed_in
            .map_or((None, None), |who| (Some(who.identity), who.name));
        let done = sqlx::query(
            "UPDATE reconnects SET status = $1, payload = COALESCE($2, payload), \
             identity_iss = COALESCE($3, identity_iss), identity_sub = COALESCE($4, identity_sub), \
             signed_in_as = COALESCE($5, signed_in_as) WHERE id = $6 AND is_open = 1",
        )
        .bind(to_json(
            "status",
            &State::Verifying {
                stage: advance.stage,
            },
        )?)
        .bind(advance.payload)
        .bind(identity.as_ref().map(|identity| identity.iss.clone()))
        .bind(identity.map(|identity| identity.sub))
        .bind(name)
        .bind(id.to_string())
        .execute(&self.writer)
        .await?;
        still_open(id, done.rows_affected())
    }

    /// Another person's sign-in works for the inbox: somebody must say that it is meant, in time.
    pub async fn ask_to_confirm(
        &self,
        id: &ReconnectId,
        signed_in: SignedIn,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE reconnects SET status = $1, identity_iss = $2, identity_sub = $3, signed_in_as = $4, \
             expires_at_ms = $5 WHERE id = $6 AND is_open = 1",
        )
        .bind(to_json("status", &State::Unconfirmed)?)
        .bind(signed_in.identity.iss)
        .bind(signed_in.identity.sub)
        .bind(signed_in.name)
        .bind(expires_at.as_ms())
        .bind(id.to_string())
        .execute(&self.writer)
        .await?;
        still_open(id, done.rows_affected())
    }

    /// It is meant: the proof goes on after the identity.
    pub async fn confirm_reconnect(
        &self,
        id: &ReconnectId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        load_unconfirmed(&mut tx, id, now).await?;
        let stage = Stage::Identified;
        sqlx::query("UPDATE reconnects SET status = $1 WHERE id = $2")
            .bind(to_json("status", &State::Verifying { stage })?)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// It is not meant: the reconnect ends, and what it held is deleted. Answers with the reconnect as it was.
    pub async fn deny_reconnect(
        &self,
        id: &ReconnectId,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Reconnect, StoreError> {
        let mut tx = self.writer.begin().await?;
        let denied = load_unconfirmed(&mut tx, id, now).await?;
        let state = State::Refused {
            cause: protocol::cause::classify(evidence),
            evidence: evidence.clone(),
            at: now,
        };
        sqlx::query("UPDATE reconnects SET status = $1, is_open = 0, payload = NULL WHERE id = $2")
            .bind(to_json("status", &state)?)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(denied)
    }

    /// Puts a reconnect back to what was handed over: the provider has not used it up.
    pub async fn regrant_reconnect(&self, id: &ReconnectId) -> Result<(), StoreError> {
        sqlx::query("UPDATE reconnects SET status = $1 WHERE id = $2 AND is_open = 1")
            .bind(to_json("status", &State::Granted)?)
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Ends a reconnect without success; what it held is deleted. Answers whether it was still open.
    pub async fn refuse_reconnect(
        &self,
        id: &ReconnectId,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let cause = protocol::cause::classify(evidence);
        let state = State::Refused {
            cause,
            evidence: evidence.clone(),
            at: now,
        };
        let done = sqlx::query(
            "UPDATE reconnects SET status = $1, is_open = 0, payload = NULL WHERE id = $2 AND is_open = 1",
        )
        .bind(to_json("status", &state)?)
        .bind(id.to_string())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// One transaction moves proven credentials to the inbox: it is connected again, and nothing is sent
    /// before what arrived meanwhile was read. `password_user` is the name that goes with them where they are a
    /// password.
    pub async fn adopt_reconnect(
        &self,
        id: &ReconnectId,
        sealed_for_inbox: &str,
        password_user: Option<&str>,
        now: Timestamp,
        patience: protocol::connection::Patience,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        let reconnect = load(&mut tx, id).await?;
        if reconnect.state.is_over() {
            return Err(over(id));
        }
        let before: Connection = inbox::load_connection(&mut tx, &reconnect.inbox).await?;
        let (after, _) = before.clone().decide(Event::Verified, now, patience);
        // The outage is needed for the receipt; it is noted before the connection forgets it.
        let outage = to_json("outage", &super::resume::Outage::of(&before))?;
        inbox::put_connection(&mut tx, &reconnect.inbox, &before, &after, now).await?;
        super::standing::renew(&mut tx, &reconnect.inbox, now).await?;
        let identity = reconnect.identity;
        sqlx::query(
            "UPDATE inboxes SET credentials = $1, credentials_fence = credentials_fence + 1, refresh_until_ms = 0, \
             gap_open = 1, identity_iss = COALESCE($2, identity_iss), identity_sub = COALESCE($3, identity_sub), \
             password_user = $4 WHERE id = $5",
        )
        .bind(sealed_for_inbox.to_owned())
        .bind(identity.as_ref().map(|identity| identity.iss.clone()))
        .bind(identity.map(|identity| identity.sub))
        .bind(password_user.map(str::to_owned))
        .bind(reconnect.inbox.to_string())
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE reconnects SET status = $1, payload = $2 WHERE id = $3")
            .bind(to_json(
                "status",
                &State::Verifying {
                    stage: Stage::Adopted,
                },
            )?)
            .bind(outage)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A reconnect, read inside a transaction.
pub(super) async fn load(
    tx: &mut sqlx::AnyConnection,
    id: &ReconnectId,
) -> Result<Reconnect, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM reconnects WHERE id = $1"
    )))
    .bind(id.to_string())
    .fetch_optional(tx)
    .await?
    .ok_or_else(|| StoreError::NotFound {
        what: "reconnect",
        id: id.to_string(),
    })?;
    from_row(&row)
}

/// A reconnect that waits to be confirmed, read inside a transaction.
async fn load_unconfirmed(
    tx: &mut sqlx::AnyConnection,
    id: &ReconnectId,
    now: Timestamp,
) -> Result<Reconnect, StoreError> {
    let reconnect = load(tx, id).await?;
    if reconnect.state != State::Unconfirmed {
        let words = format!(
            "this reconnect is {}; there is nothing to confirm",
            reconnect.state.name()
        );
        return Err(StoreError::Conflict(words));
    }
    if reconnect.expires_at <= now {
        let words = format!(
            "this reconnect ended at {}; start another one",
            reconnect.expires_at
        );
        return Err(StoreError::Conflict(words));
    }
    Ok(reconnect)
}

/// Whether a change met the one reconnect that it is for.
fn still_open(id: &ReconnectId, n_changed: u64) -> Result<(), StoreError> {
    if n_changed == 1 {
        Ok(())
    } else {
        Err(over(id))
    }
}

fn over(id: &ReconnectId) -> StoreError {
    StoreError::Conflict(format!("reconnect {id} is over"))
}

fn from_row(row: &AnyRow) -> Result<Reconnect, StoreError> {
    let identity = match (
        text_or_null(row, "identity_iss")?,
        text_or_null(row, "identity_sub")?,
    ) {
        (Some(iss), Some(sub)) => Some(Identity { iss, sub }),
        _ => None,
    };
    Ok(Reconnect {
        id: ReconnectId::new(text(row, "id")?),
        inbox: InboxId::new(text(row, "inbox_id")?),
        state: json(row, "status")?,
        expires_at: Timestamp::from_ms(number(row, "expires_at_ms")?),
        payload: text_or_null(row, "payload")?,
        identity,
        signed_in_as: text_or_null(row, "signed_in_as")?,
    })
}
