//! The relay's files as somebody saves them while it runs, and puts them back.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::story::relay::Relay;

/// The database's file.
const DATABASE: &str = "unpause.db";

/// How the files are saved.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// As a snapshot of the file system has them: all of one moment.
    Stopped,
    /// The database by its own means, the rest as it stands.
    Vacuumed,
}

/// What is put back.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The data folder; keys and mark stay.
    Data,
    /// The database alone.
    Database,
    /// The machine: keys and mark too.
    Everything,
}

/// Saved files.
pub(super) struct Saved {
    folder: TempDir,
}

impl Saved {
    /// Saves the files of a relay that runs.
    pub(super) async fn take(relay: &Relay, how: How) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        match how {
            How::Stopped => {
                relay.suspend()?;
                let copied = copy(&relay.data(), &folder.path().join("data"))
                    .and_then(|()| copy(&keys(relay), &folder.path().join("keys")));
                relay.wake()?;
                copied?;
            }
            How::Vacuumed => {
                let data = folder.path().join("data");
                fs::create_dir_all(&data)?;
                copy(&keys(relay), &folder.path().join("keys"))?;
                let url = format!("sqlite://{}", relay.data().join(DATABASE).display());
                let mut connection = SqliteConnection::connect(&url).await?;
                let target = data.join(DATABASE);
                let target = target.to_str().context("a path that is not UTF-8")?;
                sqlx::query("VACUUM INTO $1")
                    .bind(target)
                    .execute(&mut connection)
                    .await?;
                connection.close().await?;
            }
        }
        Ok(Self { folder })
    }

    /// Puts them back where the relay has ended.
    pub(super) fn put_back(&self, relay: &Relay, what: What) -> Result<()> {
        let saved = self.folder.path().join("data");
        match what {
            What::Data => replace(&saved, &relay.data()),
            What::Everything => {
                replace(&saved, &relay.data())?;
                replace(&self.folder.path().join("keys"), &keys(relay))
            }
            What::Database => {
                for name in ["", "-wal", "-shm"] {
                    let name = format!("{DATABASE}{name}");
                    let (from, to) = (saved.join(&name), relay.data().join(&name));
                    if to.exists() {
                        fs::remove_file(&to)?;
                    }
                    // The index of the log is made anew.
                    if from.exists() && !name.ends_with("-shm") {
                        fs::copy(from, to)?;
                    }
                }
                Ok(())
            }
        }
    }
}

fn keys(relay: &Relay) -> PathBuf {
    relay.folder().join("keys")
}

fn replace(from: &Path, to: &Path) -> Result<()> {
    fs::remove_dir_all(to)?;
    copy(from, to)
}

/// Copies a folder of plain files.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let is_index = entry.file_name().to_string_lossy().ends_with("-shm");
        if entry.file_type()?.is_file() && !is_index {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
