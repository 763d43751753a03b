//! Known outcomes that the database does not take, beside it: a file of one JSON line each, written through to
//! the disk. The next start writes them into the ledger before anything is put into doubt. It holds no secret.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use protocol::delivery::Event;
use protocol::id::DeliveryId;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::delivery::{Ended, Job};
use super::standing::Told;
use super::{Store, StoreError};

/// The file's name in the data folder.
pub const FILE: &str = "outcomes.jsonl";

/// One known outcome.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    delivery: DeliveryId,
    /// The fence.
    attempt: u32,
    event: Event,
    words: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wire_id: Option<String>,
    /// Missing in lines of versions that judged each refusal by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
    at: Timestamp,
}

/// The file, and whose lines in it are not in the ledger yet.
#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    waiting: Mutex<HashSet<(DeliveryId, u32)>>,
}

impl Aside {
    /// The file beside this database. Nothing is made before it is needed.
    pub(super) fn beside(database: &Path) -> Self {
        Self {
            path: database.with_file_name(FILE),
            waiting: Mutex::default(),
        }
    }

    /// Appends a line; it survives the machine when this has returned.
    fn append(&self, line: &[u8], key: (DeliveryId, u32)) -> std::io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)?;
        // An earlier line may have been torn by a full disk: this one begins on its own.
        file.write_all(b"\n")?;
        file.write_all(line)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        waiting.insert(key);
        Ok(())
    }

    /// What this line says is in the ledger; with the last one the file goes.
    fn forget(&self, key: &(DeliveryId, u32)) -> std::io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.remove(key) && waiting.is_empty() {
            self.remove()?;
        }
        Ok(())
    }

    fn remove(&self) -> std::io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The whole lines, in the order in which they were written. A torn one was never promised to anybody.
    fn read(&self) -> std::io::Result<Vec<Line>> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let lines = text.split(|byte| *byte == b'\n');
        Ok(lines
            .filter(|line| !line.is_empty())
            .filter_map(|line| match serde_json::from_slice(line) {
                Ok(line) => Some(line),
                Err(error) => {
                    tracing::warn!(%error, "a line of {FILE} cannot be read");
                    None
                }
            })
            .collect())
    }
}

impl Store {
    /// Keeps a known outcome beside the database, which does not take it now.
    pub async fn set_aside(
        &self,
        job: &Job,
        ended: &Ended,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let line = Line {
            delivery: job.id.clone(),
            attempt: job.attempt,
            event: ended.event.clone(),
            words: ended.words.clone(),
            wire_id: ended.wire_id.clone(),
            told: ended.told.clone(),
            at,
        };
        let bytes = super::to_json("outcome", &line)?.into_bytes();
        self.with_aside(move |aside| aside.append(&bytes, (line.delivery, line.attempt)))
            .await
    }

    /// The database has taken what was kept beside it.
    pub async fn forget_aside(&self, job: &Job) -> Result<(), StoreError> {
        let key = (job.id.clone(), job.attempt);
        self.with_aside(move |aside| aside.forget(&key)).await
    }

    /// Writes into the ledger what an earlier process could only keep beside it; answers how many. What is in the
    /// ledger already stays as it is.
    pub async fn replay_aside(&self) -> Result<u64, StoreError> {
        let lines = self.with_aside(Aside::read).await?;
        let mut n_written = 0;
        for line in lines {
            let ended = Ended {
                event: line.event,
                words: line.words,
                wire_id: line.wire_id,
                told: line.told,
            };
            match self
                .finish_attempt(&line.delivery, line.attempt, &ended, line.at)
                .await
            {
                Ok(()) => n_written += 1,
                Err(StoreError::FenceLost { .. } | StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.with_aside(Aside::remove).await?;
        Ok(n_written)
    }

    async fn with_aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Aside) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let aside = std::sync::Arc::clone(&self.aside);
        tokio::task::spawn_blocking(move || work(&aside))
            .await
            .map_err(|error| StoreError::Aside(std::io::Error::other(error)))?
            .map_err(StoreError::Aside)
    }
}
