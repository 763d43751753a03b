//! Copies of the database in one file: made while a relay works on it, and read again. A copy bears a note of its own,
//! with a digest of the whole file; without it, it is not finished, and none of its bits can turn unnoticed. Which file
//! stands where is `backup`'s.
//!
//! The copy is SQLite's own (`VACUUM INTO`) from one snapshot, by a connection that only reads: in WAL mode that neither
//! waits for the one that writes nor lets it wait (SQLite, "Write-Ahead Logging", section 2.2). It may write all the same:
//! where no relay runs, the last connection takes the log and its index away, which one for reading would leave. The
//! statements are SQLite's; another database has a way of its own.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::{KEY_NOTE, MIGRATIONS, SQLITE_HEADER};

/// The note of a copy, in the table `meta`. The first start that finds it goes by the rules for restored data, and takes
/// it away.
pub(super) const NOTE: &str = "backup";
/// Hexadecimal digits of a SHA-256.
const DIGEST_CHARS: usize = 64;
/// How much of a file is held at a time.
const SLICE: usize = 1 << 20;
/// What SQLite says of pages that it did not write so: `SQLITE_CORRUPT` and `SQLITE_NOTADB` ("Result and Error Codes").
const DAMAGED: [u32; 2] = [11, 26];

/// What a copy says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    made_at: Timestamp,
    /// The version of the program.
    made_by: String,
    /// SHA-256 of the file, the digits of this digest read as zeros.
    sha256: String,
}

/// What is in a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// When it was begun.
    pub made_at: Timestamp,
    /// By which version.
    pub made_by: String,
    /// SHA-256 of the file, its own digits read as zeros.
    pub sha256: String,
    /// Its size.
    pub n_bytes: u64,
    /// The last migration that was made in it.
    pub schema: i64,
    /// The id of the key without which it opens nothing; `None` where no relay ever ran on it.
    pub key: Option<String>,
    /// Inboxes.
    pub inboxes: u64,
    /// Campaigns.
    pub campaigns: u64,
    /// Leads of all campaigns.
    pub leads: u64,
    /// Deliveries of all campaigns.
    pub deliveries: u64,
    /// Those that were accepted.
    pub accepted: u64,
    /// Accounts of people.
    pub accounts: u64,
}

/// Why there is no copy, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is nothing to copy.
    #[error(
        "there is no database {path}, so there is nothing to back up: name the relay's configuration with --config"
    )]
    NoDatabase {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file is something else.
    #[error(
        "the file {path} is no backup of unpause: expected a file that `unpause backup` finished, found {found}"
    )]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// It is not what was written.
    #[error(
        "the file {path} is damaged ({words}): nothing was changed; take another backup, or copy this one again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        words: String,
    },
    /// A newer version works on what is to be copied.
    #[error(
        "the database {path} was written by a newer version of unpause (its migration {found}, the newest known here {known}): back it up with that version"
    )]
    NewerDatabase {
        /// The file.
        path: PathBuf,
        /// The migration it has.
        found: i64,
        /// The newest this version has.
        known: i64,
    },
    /// A newer version made it.
    #[error(
        "the backup {path} was made by a newer version of unpause ({made_by}, its migration {found}, the newest known here {known}): install that version, and restore it there"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version.
        made_by: String,
        /// The migration it has.
        found: i64,
        /// The newest this version has.
        known: i64,
    },
    /// SQLite refused.
    #[error("the database {path} cannot be copied or read")]
    Sql {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The system refused.
    #[error("the file {path} cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Copies the database into `target`, which is there and empty, and checks what came of it. The disk has all of it when
/// this returns.
pub async fn copy(
    database: &Path,
    target: &Path,
    made_at: Timestamp,
) -> Result<Contents, CopyError> {
    if !database.exists() {
        return Err(CopyError::NoDatabase {
            path: database.to_owned(),
        });
    }
    let failed = |source| judge(database, source);
    let name = target.to_str().ok_or_else(|| {
        let words = "expected a path that is UTF-8";
        io(target)(std::io::Error::new(std::io::ErrorKind::InvalidInput, words))
    })?;
    let reading = SqliteConnectOptions::new()
        .filename(database)
        .disable_statement_logging();
    let mut reader = reading.connect().await.map_err(failed)?;
    let copied = copy_by(&mut reader, database, name).await;
    // What SQLite has beside a database goes with the last connection, where its end is waited for.
    reader.close().await.map_err(failed)?;
    copied?;
    write_note(target, made_at).await?;
    read(target).await
}

async fn copy_by(
    reader: &mut SqliteConnection,
    database: &Path,
    target: &str,
) -> Result<(), CopyError> {
    let failed = |source| judge(database, source);
    let found = load_schema(reader).await.map_err(failed)?;
    if let Some(known) = find_known_before(found) {
        return Err(CopyError::NewerDatabase {
            path: database.to_owned(),
            found,
            known,
        });
    }
    sqlx::query("VACUUM INTO $1")
        .bind(target)
        .execute(reader)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Writes the note, and the digest into it.
async fn write_note(target: &Path, made_at: Timestamp) -> Result<(), CopyError> {
    let failed = |source| judge(target, source);
    // Where the digest comes stands something first that stands nowhere else in the file.
    let place = format!("{0}{0}", crate::secret::random_text());
    let note = Note {
        made_at,
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        sha256: place.clone(),
    };
    let note = serde_json::to_string(&note).map_err(|error| io(target)(error.into()))?;
    let mut writer = SqliteConnectOptions::new()
        .filename(target)
        // Nothing is made beside it that a killed process would leave.
        .journal_mode(SqliteJournalMode::Memory)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(failed)?;
    // A copy that was put back and never started has one already.
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
    )
        .bind(NOTE)
        .bind(note)
        .execute(&mut writer)
        .await
        .map_err(failed)?;
    writer.close().await.map_err(failed)?;
    let (at, sha256) = digest(target, &place)?.ok_or_else(|| CopyError::Damaged {
        path: target.to_owned(),
        words: "its note is not where it was written".to_owned(),
    })?;
    let mut file = OpenOptions::new()
        .write(true)
        .open(target)
        .map_err(io(target))?;
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.write_all(sha256.as_bytes()))
        .and_then(|()| file.sync_all())
        .map_err(io(target))
}

/// Looks through a copy, and says what is in it. The file is not changed, and nothing is made beside it.
pub async fn read(path: &Path) -> Result<Contents, CopyError> {
    let failed = |source| judge(path, source);
    let not_a_backup = |found| {
        Err(CopyError::NotABackup {
            path: path.to_owned(),
            found,
        })
    };
    let mut head = Vec::new();
    let mut file = File::open(path).map_err(io(path))?;
    let n_bytes = file.metadata().map_err(io(path))?.len();
    std::io::Read::by_ref(&mut file)
        .take(SQLITE_HEADER.len() as u64)
        .read_to_end(&mut head)
        .map_err(io(path))?;
    if head.is_empty() {
        return not_a_backup("an empty one");
    }
    if head != SQLITE_HEADER {
        return not_a_backup("something that is not an SQLite database");
    }
    let reading = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(true)
        .disable_statement_logging();
    let mut reader = reading.connect().await.map_err(failed)?;
    let tables = sqlx::query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('meta', '_sqlx_migrations')",
    )
    .fetch_all(&mut reader)
    .await
    .map_err(failed)?;
    if tables.is_empty() {
        return not_a_backup("another program's database, or a copy that was never finished");
    }
    let found = load_schema(&mut reader).await.map_err(failed)?;
    let note = find_note(&mut reader, NOTE).await.map_err(failed)?;
    // Whatever else a newer one says of itself is not read.
    if let Some(known) = find_known_before(found) {
        let note = note.and_then(|note| serde_json::from_str::<serde_json::Value>(&note).ok());
        let made_by = note.and_then(|note| Some(note.get("made_by")?.as_str()?.to_owned()));
        return Err(CopyError::Newer {
            path: path.to_owned(),
            made_by: made_by.unwrap_or_default(),
            found,
            known,
        });
    }
    let Some(note) = note else {
        return not_a_backup("a relay's database without the note of a finished backup");
    };
    let Ok(note) = serde_json::from_str::<Note>(&note) else {
        return Err(CopyError::Damaged {
            path: path.to_owned(),
            words: "its note cannot be read".to_owned(),
        });
    };
    let digest = digest(path, &note.sha256)?.map(|(_, digest)| digest);
    if digest.as_ref() != Some(&note.sha256) {
        return Err(CopyError::Damaged {
            path: path.to_owned(),
            words: "its SHA-256 is not the one that was noted in it".to_owned(),
        });
    }
    let words: String = sqlx::query("PRAGMA integrity_check(1)")
        .fetch_one(&mut reader)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed)?;
    if words != "ok" {
        return Err(CopyError::Damaged {
            path: path.to_owned(),
            words,
        });
    }
    if let Some(words) = find_strange(&mut reader, found).await.map_err(failed)? {
        return Err(CopyError::Damaged {
            path: path.to_owned(),
            words,
        });
    }
    let mut counts = [0; 6];
    for (one, statement) in counts.iter_mut().zip([
        "SELECT COUNT(*) FROM inboxes",
        "SELECT COUNT(*) FROM campaigns",
        "SELECT COUNT(*) FROM leads",
        "SELECT COUNT(*) FROM deliveries",
        "SELECT COUNT(*) FROM deliveries WHERE state = 'accepted'",
        "SELECT COUNT(*) FROM accounts",
    ]) {
        let counted = count(&mut reader, statement).await.map_err(failed)?;
        *one = u64::try_from(counted).unwrap_or(0);
    }
    let key = find_note(&mut reader, KEY_NOTE).await.map_err(failed)?;
    reader.close().await.map_err(failed)?;
    let [inboxes, campaigns, leads, deliveries, accepted, accounts] = counts;
    Ok(Contents {
        made_at: note.made_at,
        made_by: note.made_by,
        sha256: note.sha256,
        n_bytes,
        schema: found,
        key,
        inboxes,
        campaigns,
        leads,
        deliveries,
        accepted,
        accounts,
    })
}

async fn find_note(
    reader: &mut SqliteConnection,
    name: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(name)
        .fetch_optional(reader)
        .await
}

async fn load_schema(reader: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    count(
        reader,
        "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations",
    )
    .await
}

/// What stands in the schema and was made by no migration, or differs from what they make: a trigger would act in the
/// relay's name, and a view in the place of a table may never end.
async fn find_strange(
    reader: &mut SqliteConnection,
    found: i64,
) -> Result<Option<String>, sqlx::Error> {
    let mut made = SqliteConnectOptions::new()
        .in_memory(true)
        .disable_statement_logging()
        .connect()
        .await?;
    for migration in MIGRATIONS.iter().filter(|one| one.version <= found) {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut made)
            .await?;
    }
    let expected = load_objects(&mut made).await?;
    made.close().await?;
    let objects = load_objects(reader).await?;
    let strange = objects.difference(&expected).next();
    if let Some((kind, name, _)) = strange {
        return Ok(Some(format!(
            "its {kind} {name} is not as unpause makes it"
        )));
    }
    let lacking = expected.difference(&objects).next();
    Ok(lacking.map(|(kind, name, _)| format!("its {kind} {name} is missing")))
}

/// Tables, indexes, views and triggers: kind, name and statement. Those that SQLite and the migrations keep for themselves
/// are not among them.
async fn load_objects(
    reader: &mut SqliteConnection,
) -> Result<BTreeSet<(String, String, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT type, name, COALESCE(sql, '') FROM sqlite_master \
         WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!' AND NOT (type = 'table' AND name = '_sqlx_migrations')",
    )
    .fetch_all(reader)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect()
}

/// The newest migration of this version, where that one is newer.
fn find_known_before(found: i64) -> Option<i64> {
    let known = MIGRATIONS.iter().map(|migration| migration.version);
    let known = known.max().unwrap_or(0);
    (found > known).then_some(known)
}

async fn count(reader: &mut SqliteConnection, statement: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(statement).fetch_one(reader).await
}

/// Where these digits stand in a file, and the SHA-256 of the file with zeros in their place; `None` where they stand
/// nowhere.
fn digest(path: &Path, digits: &str) -> Result<Option<(u64, String)>, CopyError> {
    let wanted = digits.as_bytes();
    if wanted.len() != DIGEST_CHARS {
        return Ok(None);
    }
    let Some(at) = find(path, wanted).map_err(io(path))? else {
        return Ok(None);
    };
    let mut file = File::open(path).map_err(io(path))?;
    let mut hash = Sha256::new();
    hash_some(&mut file, &mut hash, at).map_err(io(path))?;
    hash.update([b'0'; DIGEST_CHARS]);
    file.seek(SeekFrom::Start(at + DIGEST_CHARS as u64))
        .map_err(io(path))?;
    hash_some(&mut file, &mut hash, u64::MAX).map_err(io(path))?;
    let digits = hash
        .finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
            text
        });
    Ok(Some((at, digits)))
}

fn hash_some(file: &mut File, hash: &mut Sha256, n_bytes: u64) -> std::io::Result<()> {
    let mut slice = vec![0; SLICE];
    let mut rest = std::io::Read::by_ref(file).take(n_bytes);
    loop {
        let n_read = rest.read(&mut slice)?;
        if n_read == 0 {
            return Ok(());
        }
        hash.update(slice.get(..n_read).unwrap_or_default());
    }
}

fn find(path: &Path, wanted: &[u8]) -> std::io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let mut held = Vec::new();
    let mut from = 0;
    loop {
        let n_read = std::io::Read::by_ref(&mut file)
            .take(SLICE as u64)
            .read_to_end(&mut held)?;
        let mut windows = held.windows(wanted.len());
        if let Some(at) = windows.position(|window| window == wanted) {
            return Ok(Some(from + at as u64));
        }
        if n_read == 0 {
            return Ok(None);
        }
        // What was wanted may stand across two slices.
        let passed = held.len().saturating_sub(wanted.len() - 1);
        held.drain(..passed);
        from += passed as u64;
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> CopyError {
    move |source| CopyError::Io {
        path: path.to_owned(),
        source,
    }
}

fn judge(path: &Path, source: sqlx::Error) -> CopyError {
    let code = source
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let code = code.and_then(|code| code.parse::<u32>().ok());
    // The low byte of an extended code is the primary one.
    match (&source, code) {
        (sqlx::Error::Database(error), Some(code)) if DAMAGED.contains(&(code & 0xff)) => {
            CopyError::Damaged {
                path: path.to_owned(),
                words: error.message().to_owned(),
            }
        }
        _ => CopyError::Sql {
            path: path.to_owned(),
            source,
        },
    }
}
