//! Accepted messages of which no copy stands in the sent folder yet, where nobody but the relay makes one. Making them is
//! `worker::copying`'s.

use protocol::id::{DeliveryId, InboxId};
use protocol::timestamp::Timestamp;

use super::{Store, StoreError, number, text};

/// An accepted message that owes its copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The delivery.
    pub id: DeliveryId,
    /// What we wrote as `Message-ID`.
    pub message_id: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

impl Store {
    /// The messages of an inbox that owe their copies, oldest first.
    pub async fn list_owed(&self, inbox: &InboxId, limit: usize) -> Result<Vec<Owed>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, message_id, accepted_at_ms FROM deliveries WHERE inbox_id = $1 AND owes_copy = 1 \
             AND accepted_at_ms IS NOT NULL AND message_id IS NOT NULL ORDER BY accepted_at_ms LIMIT $2",
        )
        .bind(inbox.to_string())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Owed {
                    id: DeliveryId::new(text(row, "id")?),
                    message_id: text(row, "message_id")?,
                    accepted_at: Timestamp::from_ms(number(row, "accepted_at_ms")?),
                })
            })
            .collect()
    }

    /// A copy of it was seen or made, or is somebody else's to make.
    pub async fn note_copied(&self, id: &DeliveryId) -> Result<(), StoreError> {
        sqlx::query("UPDATE deliveries SET owes_copy = 0 WHERE id = $1")
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
