//! Reconnects: every stage is committed before the next begins, and what they hold is sealed. What may follow on
//! what is `protocol::reconnect`'s; every change of a row goes through it, in [`apply`].

use protocol::cause::Cause;
use protocol::connection::{Connection, Event as ConnectionEvent};
use protocol::evidence::Evidence;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::{Effect, Event, InvalidTransition, Stage, State};
use protocol::timestamp::Timestamp;
use sqlx::any::AnyRow;

use super::clocks::{Of, update_clocks};
use super::inbox::Identity;
use super::{Store, StoreError, inbox, json, number, standing, text, text_or_null, to_json};
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
    /// The account that signed in; `None` before that is known, and for passwords.
    pub identity: Option<Identity>,
    /// Their name, where the provider told one, or the user name of a password that had to be confirmed; nothing is
    /// decided by it.
    pub signed_in_as: Option<String>,
}

/// Who signed in, as the provider told it.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// By what they are known again; `None` for a password.
    pub identity: Option<Identity>,
    /// Their name; `None` where none was told.
    pub name: Option<String>,
}

/// A change that is on record. Whoever made it performs its effects.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The reconnect as it was.
    pub before: Reconnect,
    /// What follows.
    pub effects: Vec<Effect>,
}

/// Why a reconnect does not do what it was asked for. It stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its state does not take that.
    #[error(transparent)]
    Invalid(#[from] InvalidTransition),
    /// Its time is over.
    #[error("this reconnect ended at {at}; start another one")]
    TooLate {
        /// When it was.
        at: Timestamp,
    },
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
        let mut tx = self.begin().await?;
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
    pub async fn grant_reconnect(
        &self,
        id: &ReconnectId,
        payload: &str,
    ) -> Result<Changed, StoreError> {
        let put = Put {
            payload: Some(payload.to_owned()),
            ..Put::default()
        };
        self.change_reconnect(id, Event::Granted, put).await
    }

    /// Makes one step of the proof durable.
    pub async fn advance_reconnect(
        &self,
        id: &ReconnectId,
        advance: Advance,
    ) -> Result<(), StoreError> {
        let Advance {
            stage,
            payload,
            signed_in,
        } = advance;
        let put = Put {
            payload,
            signed_in,
            expires_at: None,
        };
        self.change_reconnect(id, Event::Reached { stage }, put)
            .await?;
        Ok(())
    }

    /// A sign-in that the inbox does not know works for it: somebody must say that it is meant, in time.
    pub async fn ask_to_confirm(
        &self,
        id: &ReconnectId,
        signed_in: SignedIn,
        expires_at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let put = Put {
            payload: None,
            signed_in: Some(signed_in),
            expires_at: Some(expires_at),
        };
        self.change_reconnect(id, Event::Questioned, put).await
    }

    /// It is meant: the proof goes on after the identity.
    pub async fn confirm_reconnect(
        &self,
        id: &ReconnectId,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let mut tx = self.begin().await?;
        check_unconfirmed(&mut tx, id, now).await?;
        let changed = apply(&mut tx, id, Event::Confirmed, Put::default()).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// It is not meant: the reconnect ends.
    pub async fn deny_reconnect(
        &self,
        id: &ReconnectId,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let mut tx = self.begin().await?;
        check_unconfirmed(&mut tx, id, now).await?;
        let changed = apply(&mut tx, id, refusal(evidence, now), Put::default()).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Puts a reconnect back before the window that it is in: the provider has used nothing up.
    pub async fn leave_window(&self, id: &ReconnectId) -> Result<(), StoreError> {
        self.change_reconnect(id, Event::Left, Put::default())
            .await?;
        Ok(())
    }

    /// Ends a reconnect without success; `None` where it was over already.
    pub async fn refuse_reconnect(
        &self,
        id: &ReconnectId,
        evidence: &Evidence,
        cause: Option<Cause>,
        now: Timestamp,
    ) -> Result<Option<Changed>, StoreError> {
        let refused = Event::Refused {
            evidence: Box::new(evidence.clone()),
            cause,
            at: now,
        };
        match self.change_reconnect(id, refused, Put::default()).await {
            Ok(changed) => Ok(Some(changed)),
            Err(StoreError::Reconnect(Refusal::Invalid(InvalidTransition::Over { .. }))) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn change_reconnect(
        &self,
        id: &ReconnectId,
        event: Event,
        put: Put,
    ) -> Result<Changed, StoreError> {
        let mut tx = self.begin().await?;
        let changed = apply(&mut tx, id, event, put).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// One transaction moves proven credentials to the inbox: it is connected again, and nothing is sent
    /// before what arrived meanwhile was read. `password_user` is the name that goes with them where they are a
    /// password. `by` is the event: the adoption of what was handed over, or the revival of what was on record.
    pub async fn adopt_reconnect(
        &self,
        id: &ReconnectId,
        by: Event,
        sealed_for_inbox: &str,
        password_user: Option<&str>,
        now: Timestamp,
        patience: protocol::connection::Patience,
    ) -> Result<Changed, StoreError> {
        let mut tx = self.begin().await?;
        let reconnect = load(&mut tx, id).await?;
        let before: Connection = inbox::load_connection(&mut tx, &reconnect.inbox).await?;
        let (after, _) = before
            .clone()
            .decide(ConnectionEvent::Verified, now, patience);
        // The outage is needed for the receipt; it is noted before the connection forgets it.
        let put = Put {
            payload: Some(to_json("outage", &super::resume::Outage::of(&before))?),
            ..Put::default()
        };
        let changed = apply(&mut tx, id, by, put).await?;
        let identity = reconnect.identity;
        sqlx::query(
            "UPDATE inboxes SET credentials = $1, credentials_fence = credentials_fence + 1, refresh_until_ms = 0, \
             gap_open = 1, adoption = adoption + 1, copies_found = 0, copies_missing = 0, identity_iss = COALESCE($2, identity_iss), identity_sub = COALESCE($3, identity_sub), \
             password_user = $4 WHERE id = $5",
        )
        .bind(sealed_for_inbox.to_owned())
        .bind(identity.as_ref().map(|identity| identity.iss.clone()))
        .bind(identity.map(|identity| identity.sub))
        .bind(password_user.map(str::to_owned))
        .bind(reconnect.inbox.to_string())
        .execute(&mut *tx)
        .await?;
        // After the gap was opened: the clocks of its campaigns stand until it is read.
        let now = self.moment(now);
        inbox::put_connection(&mut tx, &reconnect.inbox, &before, &after, now).await?;
        standing::renew(&mut tx, &reconnect.inbox, now).await?;
        update_clocks(&mut tx, Of::Inbox(&reconnect.inbox), now).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

/// What an event brings along for the row; `None` leaves what is there.
#[derive(Debug, Default)]
pub(super) struct Put {
    payload: Option<String>,
    signed_in: Option<SignedIn>,
    expires_at: Option<Timestamp>,
}

/// Puts an event on record: every change of a reconnect, and the only end that it has. What it held is deleted
/// there.
pub(super) async fn apply(
    tx: &mut sqlx::AnyConnection,
    id: &ReconnectId,
    event: Event,
    put: Put,
) -> Result<Changed, StoreError> {
    let before = load(tx, id).await?;
    let (after, effects) = before.state.clone().apply(event).map_err(Refusal::from)?;
    let is_over = after.is_over();
    let payload = put.payload.or_else(|| before.payload.clone());
    let (identity, name) = put
        .signed_in
        .map_or((None, None), |who| (who.identity, who.name));
    sqlx::query(
        "UPDATE reconnects SET status = $1, is_open = $2, payload = $3, expires_at_ms = $4, \
         identity_iss = COALESCE($5, identity_iss), identity_sub = COALESCE($6, identity_sub), \
         signed_in_as = COALESCE($7, signed_in_as) WHERE id = $8",
    )
    .bind(to_json("status", &after)?)
    .bind(i64::from(!is_over))
    .bind(payload.filter(|_| !is_over))
    .bind(put.expires_at.unwrap_or(before.expires_at).as_ms())
    .bind(identity.as_ref().map(|identity| identity.iss.clone()))
    .bind(identity.map(|identity| identity.sub))
    .bind(name)
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(Changed { before, effects })
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

/// A reconnect that is to be confirmed or denied waits for that, in its time.
async fn check_unconfirmed(
    tx: &mut sqlx::AnyConnection,
    id: &ReconnectId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let reconnect = load(tx, id).await?;
    if reconnect.state != State::Unconfirmed {
        let state = reconnect.state.name();
        return Err(Refusal::from(InvalidTransition::NothingToConfirm { state }).into());
    }
    if reconnect.expires_at <= now {
        let at = reconnect.expires_at;
        return Err(Refusal::TooLate { at }.into());
    }
    Ok(())
}

/// A refusal that this evidence shows.
fn refusal(evidence: &Evidence, at: Timestamp) -> Event {
    let evidence = Box::new(evidence.clone());
    Event::Refused {
        evidence,
        cause: None,
        at,
    }
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
