//! The files of messages: each content once, under an id that follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::campaign::Attachment;
use protocol::id::FileId;
use protocol::timestamp::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use super::{Store, StoreError};
use crate::text::message::Files;

/// The id of a content.
fn id_of(content: &[u8]) -> FileId {
    use std::fmt::Write as _;
    let mut id = FileId::PREFIX.to_owned();
    for byte in Sha256::digest(content) {
        let _ = write!(id, "{byte:02x}");
    }
    FileId::new(id)
}

impl Store {
    /// Keeps a file; where it is kept already, that one stays.
    pub async fn create_file(
        &self,
        content: Vec<u8>,
        now: Timestamp,
    ) -> Result<FileId, StoreError> {
        let id = id_of(&content);
        let n_bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
        sqlx::query(
            "INSERT INTO files (id, content, n_bytes, created_at_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(content)
        .bind(n_bytes)
        .bind(now.as_ms())
        .execute(&self.writer)
        .await?;
        Ok(id)
    }

    /// How many bytes a file has; `None` where it is not kept.
    pub async fn find_file_size(&self, id: &FileId) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query("SELECT n_bytes FROM files WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        let n_bytes: Option<i64> = row.map(|row| row.try_get("n_bytes")).transpose()?;
        Ok(n_bytes.map(|n| u64::try_from(n).unwrap_or(0)))
    }

    /// The contents of the files that go with a message.
    pub async fn load_files(&self, attached: &[Attachment]) -> Result<Files, StoreError> {
        let mut files = BTreeMap::new();
        for attachment in attached {
            let id = &attachment.file_id;
            if files.contains_key(id) {
                continue;
            }
            let row = sqlx::query("SELECT content FROM files WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.reader)
                .await?;
            if let Some(row) = row {
                let content: Vec<u8> = row.try_get("content")?;
                files.insert(id.clone(), Arc::new(content));
            }
        }
        Ok(files)
    }
}
