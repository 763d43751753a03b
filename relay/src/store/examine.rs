//! A database looked at from outside, whether a relay works on it or not: it is read, and no row is changed.

use std::path::Path;

use protocol::inbox::{Address, MailServer};
use protocol::timestamp::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::{KEY_NOTE, MIGRATIONS};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// Its size.
    pub n_bytes: u64,
    /// The size of its log.
    pub wal_bytes: u64,
    /// The last migration that was made in it.
    pub schema: i64,
    /// The newest that this version has.
    pub known: i64,
    /// What is wrong with it, in SQLite's words.
    pub fault: Option<String>,
    /// The id of its key; `None` before a relay ran.
    pub key: Option<String>,
    /// The relay's last sign of life.
    pub beat_at: Option<Timestamp>,
    /// Its inboxes.
    pub inboxes: Vec<ExaminedInbox>,
}

/// An inbox.
#[derive(Clone, Debug)]
pub struct ExaminedInbox {
    /// Its address.
    pub address: Address,
    /// Where it sends.
    pub smtp: MailServer,
    /// Where it reads.
    pub imap: MailServer,
}

/// Reads a database; `None` where there is none.
pub async fn examine(path: &Path) -> Option<Examined> {
    let n_bytes = std::fs::metadata(path).ok()?.len();
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let known = MIGRATIONS.iter().map(|migration| migration.version);
    let mut examined = Examined {
        n_bytes,
        wal_bytes: std::fs::metadata(wal).map_or(0, |about| about.len()),
        known: known.max().unwrap_or(0),
        ..Examined::default()
    };
    if let Err(error) = read(path, &mut examined).await {
        examined.fault = Some(match error {
            sqlx::Error::Database(error) => error.message().to_owned(),
            error => error.to_string(),
        });
    }
    Some(examined)
}

async fn read(path: &Path, examined: &mut Examined) -> Result<(), sqlx::Error> {
    let mut reader = SqliteConnectOptions::new()
        .filename(path)
        .disable_statement_logging()
        .connect()
        .await?;
    let words: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut reader)
        .await?;
    if words != "ok" {
        examined.fault = Some(words);
        return Ok(());
    }
    examined.schema = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut reader)
        .await?;
    if examined.schema > examined.known {
        return Ok(());
    }
    examined.key = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(KEY_NOTE)
        .fetch_optional(&mut reader)
        .await?;
    let beat: Option<i64> = sqlx::query_scalar("SELECT at_ms FROM running_time WHERE id = 1")
        .fetch_one(&mut reader)
        .await?;
    examined.beat_at = beat.map(Timestamp::from_ms);
    examined.inboxes = list_inboxes(&mut reader).await?;
    reader.close().await
}

async fn list_inboxes(reader: &mut SqliteConnection) -> Result<Vec<ExaminedInbox>, sqlx::Error> {
    let rows = sqlx::query("SELECT address, smtp, imap FROM inboxes ORDER BY address")
        .fetch_all(reader)
        .await?;
    let mut inboxes = Vec::new();
    for row in rows {
        let address: String = row.try_get("address")?;
        let (smtp, imap): (String, String) = (row.try_get("smtp")?, row.try_get("imap")?);
        // What this version does not understand is the relay's to complain of.
        if let (Ok(address), Ok(smtp), Ok(imap)) = (
            address.parse(),
            serde_json::from_str(&smtp),
            serde_json::from_str(&imap),
        ) {
            inboxes.push(ExaminedInbox {
                address,
                smtp,
                imap,
            });
        }
    }
    Ok(inboxes)
}
