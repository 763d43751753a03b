//! An inbox whose servers are corrected, and one that is removed. Both are refused where something would be lost by it.

use protocol::connection::{Connection, Event, Patience};
use protocol::id::{CampaignId, InboxId};
use protocol::inbox::{Address, MailServer};
use protocol::reconnect::State;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::conflict::Conflict;
use super::inbox::{load_connection, not_found, put_connection};
use super::{Store, StoreError, alert, json, text, to_json};

/// What replaces the servers of an inbox; `None` leaves one as it is.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Where it sends.
    pub smtp: Option<MailServer>,
    /// Where it reads.
    pub imap: Option<MailServer>,
}

/// Nothing is probed by this event.
const NO_PATIENCE: Patience = Patience {
    slow_retry_after: std::time::Duration::ZERO,
    at_most: std::time::Duration::ZERO,
};

/// How many campaigns a refusal names.
const NAMED_MAX: usize = 3;

/// What is kept of an inbox beside its row, apart from what belongs to campaigns.
const KEPT_OF_INBOX: [&str; 6] = [
    "account_inboxes",
    "reconnects",
    "receipts",
    "transitions",
    "accepting_domains",
    "folders",
];

impl Store {
    /// Puts other servers on record for an inbox that is not connected. What was seen at the old ones, and the sign-in
    /// on record, are forgotten: the next reconnect proves all of it.
    pub async fn move_inbox(
        &self,
        id: &InboxId,
        servers: Servers,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        let before = load_connection(&mut tx, id).await?;
        if !matches!(before, Connection::Disconnected { .. }) {
            return Err(Conflict::Connected.into());
        }
        check_no_proof(&mut tx, id).await?;
        let (after, _) = before.clone().decide(Event::Moved, now, NO_PATIENCE);
        put_connection(&mut tx, id, &before, &after, moment).await?;
        let Servers { smtp, imap } = servers;
        sqlx::query(
            "UPDATE inboxes SET smtp = COALESCE($1, smtp), credentials = NULL, \
             credentials_fence = credentials_fence + 1, failing = NULL, failing_since_ms = NULL WHERE id = $2",
        )
        .bind(smtp.map(|smtp| to_json("smtp", &smtp)).transpose()?)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        if let Some(imap) = imap {
            // Positions of one server say nothing at another one; what arrived since is read by its date.
            sqlx::query(
                "UPDATE inboxes SET imap = $1, inbox_uid_validity = NULL, inbox_uid_next = NULL, gap_open = 1 \
                 WHERE id = $2",
            )
            .bind(to_json("imap", &imap)?)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
            sqlx::query("DELETE FROM folders WHERE inbox_id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Removes an inbox that no campaign has, with what is kept of it. Answers its address.
    pub async fn delete_inbox(&self, id: &InboxId) -> Result<Address, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query("SELECT address FROM inboxes WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(|| not_found(id))?;
        let address = text(&row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?;
        check_no_campaign(&mut tx, id).await?;
        check_no_proof(&mut tx, id).await?;
        sqlx::query(
            "DELETE FROM hosted_visits WHERE reconnect_id IN (SELECT id FROM reconnects WHERE inbox_id = $1)",
        )
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM receipt_lines WHERE receipt_id IN (SELECT id FROM receipts WHERE inbox_id = $1)",
        )
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        for table in KEPT_OF_INBOX {
            let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE inbox_id = $1"));
            sqlx::query(delete)
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        alert::end_loss(&mut tx, id, self.clock.now()).await?;
        sqlx::query("DELETE FROM inboxes WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(address)
    }
}

/// Refuses while a sign-in is being proved: it was handed over for the inbox as it is.
async fn check_no_proof(tx: &mut AnyConnection, id: &InboxId) -> Result<(), StoreError> {
    let open = sqlx::query("SELECT status FROM reconnects WHERE inbox_id = $1 AND is_open = 1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?;
    let Some(row) = open else { return Ok(()) };
    match json(&row, "status")? {
        State::Started { .. } => Ok(()),
        _ => Err(Conflict::Proving.into()),
    }
}

/// Refuses where a campaign has it, and where copies in its sent folder tell of messages that the database lacks: who got
/// them is known by this inbox alone.
async fn check_no_campaign(tx: &mut AnyConnection, id: &InboxId) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT c.id AS id, c.name AS name FROM campaigns c JOIN campaign_inboxes ci ON ci.campaign_id = c.id \
         WHERE ci.inbox_id = $1 ORDER BY c.created_at_ms",
    )
    .bind(id.to_string())
    .fetch_all(&mut *tx)
    .await?;
    if !rows.is_empty() {
        let mut named = Vec::new();
        for row in rows.iter().take(NAMED_MAX) {
            named.push((text(row, "name")?, CampaignId::new(text(row, "id")?)));
        }
        let n = rows.len();
        return Err(Conflict::InCampaigns { named, n }.into());
    }
    let stray = sqlx::query("SELECT 1 FROM strays WHERE inbox_id = $1 LIMIT 1")
        .bind(id.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    let canary = sqlx::query("SELECT 1 FROM canaries WHERE inbox_id = $1 LIMIT 1")
        .bind(id.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    if stray.is_some() || canary.is_some() {
        return Err(Conflict::SentThrough.into());
    }
    Ok(())
}
