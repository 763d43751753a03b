//! Visits at a provider that the relay itself runs in a tab: a ticket, which becomes a visit when the tab is
//! opened, which ends with the provider's answer. Of ticket, state and cookie only hashes are kept.

use protocol::id::ReconnectId;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;

use super::{Store, StoreError, text};
use crate::secret::hash;

/// A visit under way.
#[derive(Clone, Debug)]
pub struct HostedVisit {
    /// For which reconnect.
    pub reconnect: ReconnectId,
    /// The hash of the cookie that its browser got.
    pub cookie_hash: String,
    /// What the answer needs, sealed at rest.
    pub payload: String,
}

impl Store {
    /// Keeps a ticket until it is used. Tickets and visits whose time is over are dropped, and an earlier ticket of this
    /// reconnect that nobody has used: who makes a new link does not mean the old one to work.
    pub async fn create_ticket(
        &self,
        ticket: &Secret,
        reconnect: &ReconnectId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "DELETE FROM hosted_visits \
             WHERE expires_at_ms <= $1 OR (reconnect_id = $2 AND cookie_hash IS NULL)",
        )
        .bind(now.as_ms())
        .bind(reconnect.to_string())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO hosted_visits (hash, reconnect_id, expires_at_ms) VALUES ($1, $2, $3)",
        )
        .bind(hash(ticket))
        .bind(reconnect.to_string())
        .bind(expires_at.as_ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The reconnect of a ticket that was not used.
    pub async fn find_ticket(&self, ticket: &Secret) -> Result<Option<ReconnectId>, StoreError> {
        let row = sqlx::query(
            "SELECT reconnect_id FROM hosted_visits WHERE hash = $1 AND cookie_hash IS NULL",
        )
        .bind(hash(ticket))
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| Ok(ReconnectId::new(text(&row, "reconnect_id")?)))
            .transpose()
    }

    /// Uses a ticket up: its visit begins. `false`: somebody was quicker.
    pub async fn begin_visit(
        &self,
        ticket: &Secret,
        state: &Secret,
        visit: &HostedVisit,
    ) -> Result<bool, StoreError> {
        let begun = sqlx::query(
            "UPDATE hosted_visits SET hash = $1, cookie_hash = $2, payload = $3 \
             WHERE hash = $4 AND cookie_hash IS NULL",
        )
        .bind(hash(state))
        .bind(visit.cookie_hash.clone())
        .bind(visit.payload.clone())
        .bind(hash(ticket))
        .execute(&self.writer)
        .await?;
        Ok(begun.rows_affected() == 1)
    }

    /// The visit that has this state and waits for its answer.
    pub async fn find_visit(&self, state: &Secret) -> Result<Option<HostedVisit>, StoreError> {
        let row = sqlx::query(
            "SELECT reconnect_id, cookie_hash, payload FROM hosted_visits \
             WHERE hash = $1 AND cookie_hash IS NOT NULL",
        )
        .bind(hash(state))
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            Ok(HostedVisit {
                reconnect: ReconnectId::new(text(&row, "reconnect_id")?),
                cookie_hash: text(&row, "cookie_hash")?,
                payload: text(&row, "payload")?,
            })
        })
        .transpose()
    }

    /// Ends a visit. `false`: another answer was quicker.
    pub async fn end_visit(&self, state: &Secret) -> Result<bool, StoreError> {
        let ended = sqlx::query("DELETE FROM hosted_visits WHERE hash = $1")
            .bind(hash(state))
            .execute(&self.writer)
            .await?;
        Ok(ended.rows_affected() == 1)
    }
}
