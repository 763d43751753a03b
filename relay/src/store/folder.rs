//! Where reading goes on in the folders besides INBOX. INBOX's own place stands with its inbox.

use std::collections::HashMap;

use protocol::id::InboxId;
use protocol::timestamp::Timestamp;

use super::inbox::position;
use super::{Store, StoreError, number, text};
use crate::record::FolderPosition;

/// A folder as it was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where reading goes on.
    pub position: FolderPosition,
    /// When it was last read to its end.
    pub read_at: Timestamp,
}

impl Store {
    /// The folders of an inbox that were read before, by their names as the server writes them.
    pub async fn list_places(&self, id: &InboxId) -> Result<HashMap<String, Place>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, uid_validity, uid_next, read_at_ms FROM folders WHERE inbox_id = $1",
        )
        .bind(id.to_string())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let position = position(row, "uid_validity", "uid_next")?
                    .ok_or(StoreError::Corrupt { what: "uid_next" })?;
                let read_at = Timestamp::from_ms(number(row, "read_at_ms")?);
                Ok((text(row, "name")?, Place { position, read_at }))
            })
            .collect()
    }

    /// Notes how far a folder was read.
    pub async fn update_place(
        &self,
        id: &InboxId,
        name: &str,
        place: Place,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO folders (inbox_id, name, uid_validity, uid_next, read_at_ms) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (inbox_id, name) DO UPDATE SET \
             uid_validity = excluded.uid_validity, uid_next = excluded.uid_next, read_at_ms = excluded.read_at_ms",
        )
        .bind(id.to_string())
        .bind(name.to_owned())
        .bind(i64::from(place.position.uid_validity))
        .bind(i64::from(place.position.uid_next))
        .bind(place.read_at.as_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
