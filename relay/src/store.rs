//! Everything that lasts, in one SQLite file. SQL stands only below this module, in one portable text
//! (TEXT and BIGINT, `$n`), so that PostgreSQL can take its place. What a transition *is* stands in
//! `protocol`; here it is made durable.
//!
//! One connection writes, so that transactions never wait for one another in the middle; a few read.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyConnection, AnyPool, Connection as _, Row as _};

use crate::clock::Clock;
use crate::ownership::make_folder;

pub mod access;
pub mod account;
pub mod addressed;
pub mod alert;
pub mod aside;
pub mod attention;
pub mod audit;
mod away;
pub mod backup;
pub mod budget;
pub mod campaign;
pub mod catch_up;
mod clocks;
pub mod conflict;
pub mod delivery;
pub mod doubt;
pub mod examine;
pub mod file;
pub mod folder;
pub mod held;
pub mod hold;
pub mod hosted;
pub mod inbox;
pub mod key;
pub mod lead;
pub mod owed;
pub mod passkey;
pub mod person;
pub mod plan;
pub mod receipt;
pub mod reconnect;
pub mod relay_keys;
pub mod reply;
pub mod restored;
pub mod resume;
pub mod runs;
pub mod sender;
pub mod sending;
pub mod servers;
pub mod session;
pub mod set_back;
mod shut;
pub mod stall;
pub mod standing;
mod stops;
mod why;

/// The tables, in the order in which they came.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");
/// The note in the database that names its key file.
pub const KEY_NOTE: &str = "key_id";
/// How every SQLite database begins (SQLite, "Database File Format", section 1.3.1).
const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";
/// Connections that read beside the one that writes.
const READERS: u32 = 4;

/// The open database. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    writer: AnyPool,
    reader: AnyPool,
    clock: Clock,
    /// What the clock had lived when the database was opened, and what all relays before had.
    lived_at_open: Duration,
    r_ms_at_open: i64,
    /// Known outcomes that the database did not take.
    aside: Arc<aside::Aside>,
    /// Whoever is not to be written to any more, outside the database.
    stops: stops::Stops,
    /// The attempts that are under way here.
    holds: hold::Holds,
    /// Campaigns that leads are being added to.
    importing: Arc<std::sync::Mutex<std::collections::HashSet<protocol::id::CampaignId>>>,
    /// Held for as long as the store lives: a second relay on the same file is refused.
    _lock: Arc<File>,
}

/// Why the database did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another relay has it.
    #[error(
        "another relay is using the database {path}: stop it first, or give this one a data folder of its own"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a newer version.
    #[error(
        "the database {path} was written by a newer version of unpause (its migration {found}, the newest known here {known}): install that version, or restore a backup"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The migration it has.
        found: i64,
        /// The newest this version has.
        known: i64,
    },
    /// It is a file of something else.
    #[error(
        "the file {path} is not an SQLite database: move it away, or set `data` to another folder"
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Pages are missing, or are not what SQLite wrote.
    #[error(
        "the database {path} is damaged ({words}): put a backup of the data folder back; what was sent since is looked for before anything leaves"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        words: String,
    },
    /// A folder or file could not be made or read.
    #[error("the database {path} cannot be opened")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the database {path} cannot be opened or migrated")]
    Sql {
        /// The file.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
}

/// Why something was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// A migration failed.
    #[error("a migration of the database failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row holds what this version does not understand.
    #[error("the {what} of a row in the database is not what was expected")]
    Corrupt {
        /// Which column or value.
        what: &'static str,
    },
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was asked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// What the database did not take could not be kept beside it either.
    #[error("the file of outcomes beside the database failed")]
    Aside(#[source] std::io::Error),
    /// The present state does not allow it.
    #[error("the present state does not allow it: {0:?}")]
    Conflict(conflict::Conflict),
    /// A reconnect's present state does not allow it.
    #[error(transparent)]
    Reconnect(#[from] reconnect::Refusal),
    /// Somebody else holds the attempt by now; what was to be written is not.
    #[error("attempt {attempt} of {delivery} is no longer ours")]
    FenceLost {
        /// The delivery.
        delivery: String,
        /// The attempt that was to be written.
        attempt: u32,
    },
}

/// SQLite's primary codes (SQLite, "Result and Error Codes") that say nothing of what was asked: BUSY and LOCKED,
/// somebody else writes; IOERR and FULL, the disk does not take it now.
const PASSING: [u32; 4] = [5, 6, 10, 13];

impl From<conflict::Conflict> for StoreError {
    fn from(conflict: conflict::Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl From<protocol::delivery::InvalidTransition> for StoreError {
    fn from(refused: protocol::delivery::InvalidTransition) -> Self {
        Self::Conflict(refused.into())
    }
}

impl StoreError {
    /// Whether the same may succeed a little later.
    pub fn passes(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::PoolTimedOut) => true,
            Self::Sql(sqlx::Error::Database(error)) => {
                let code = error.code().and_then(|code| code.parse::<u32>().ok());
                // The low byte of an extended code is the primary one.
                code.is_some_and(|code| PASSING.contains(&(code & 0xff)))
            }
            _ => false,
        }
    }
}

impl Store {
    /// Opens the file, creates and migrates it, and locks it for this process.
    /// `clock` tells what this process lives; dues are measured by that.
    pub async fn open(path: &Path, clock: &Clock) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        check_kind(path)?;
        keep_to_owner(path)?;
        let sql = |source: StoreError| OpenError::Sql {
            path: path.to_owned(),
            source,
        };
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=rwc", path.display());
        check_whole(path, &url).await?;
        let writer = connect(&url, 1).await.map_err(|error| sql(error.into()))?;
        if let Some((found, known)) = find_newer(&writer).await.map_err(sql)? {
            writer.close().await;
            return Err(OpenError::Newer {
                path: path.to_owned(),
                found,
                known,
            });
        }
        MIGRATIONS
            .run(&writer)
            .await
            .map_err(|error| sql(error.into()))?;
        let reader = connect(&url, READERS)
            .await
            .map_err(|error| sql(error.into()))?;
        let r_ms_at_open = Self::load_running_time(&writer).await.map_err(sql)?;
        let store = Self {
            writer,
            reader,
            clock: clock.clone(),
            lived_at_open: clock.lived(),
            r_ms_at_open,
            aside: Arc::new(aside::Aside::beside(path)),
            stops: stops::Stops::default(),
            holds: hold::Holds::default(),
            importing: Arc::default(),
            _lock: Arc::new(lock),
        };
        store.carry_clocks_over().await.map_err(sql)?;
        store.carry_organisations_over().await.map_err(sql)?;
        store.make_first_account().await.map_err(sql)?;
        store.carry_receipts_over().await.map_err(sql)?;
        Ok(store)
    }

    /// Takes a database for this process without opening it, so that no relay starts on it meanwhile.
    pub fn keep_unused(path: &Path) -> Result<File, OpenError> {
        lock(path)
    }

    /// Refuses a database that another relay has, without opening or making anything.
    pub fn check_unused(path: &Path) -> Result<(), OpenError> {
        match File::open(lock_path(path)).map(|file| file.try_lock()) {
            Ok(Err(TryLockError::WouldBlock)) => Err(OpenError::InUse {
                path: path.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Lets the database take no page more than it has, as a full disk does, or as many as it likes.
    #[cfg(test)]
    pub(crate) async fn limit(&self, is_full: bool) {
        // Below what is used already, SQLite takes what is used already: not a page more.
        let pragma = if is_full {
            "PRAGMA max_page_count = 1"
        } else {
            "PRAGMA max_page_count = 1000000"
        };
        sqlx::query(pragma).execute(&self.writer).await.unwrap();
    }

    /// Lets the database take no writes, as a file system that was mounted for reading does, or take them again.
    #[cfg(test)]
    pub(crate) async fn refuse_writes(&self, refuses: bool) {
        let pragma = if refuses {
            "PRAGMA query_only = 1"
        } else {
            "PRAGMA query_only = 0"
        };
        sqlx::query(pragma).execute(&self.writer).await.unwrap();
    }

    /// Waits for what is being written, and closes.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Begins a transaction of the one that writes. It has the right to write from its beginning: one that read first
    /// and then wanted to write would be refused at once, instead of waiting, where somebody else writes.
    async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Any>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    /// A note about the whole database.
    pub async fn find_meta(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| text(&row, "value")).transpose()
    }
}

/// Takes the lock file beside the database. The operating system gives it back when the process ends,
/// however it ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        // The ledger names everybody a campaign writes to: nobody else on the machine reads it.
        make_folder(folder).map_err(io)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(OWNERS)
        .open(lock_path(path))
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Who reads and writes the database: its owner.
const OWNERS: u32 = 0o600;

/// Makes the database its owner's alone, also where its folder is open to others: SQLite gives the files beside it the
/// same mode. One that others may read, as earlier versions made it, is mended and told of.
fn keep_to_owner(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(OWNERS)
        .open(path)
        .map_err(io)?;
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let file = PathBuf::from(name);
        let mode = match std::fs::metadata(&file) {
            Ok(metadata) => metadata.permissions().mode() & 0o777,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(source) => return Err(io(source)),
        };
        if mode & 0o077 != 0 {
            std::fs::set_permissions(&file, Permissions::from_mode(OWNERS)).map_err(io)?;
            tracing::warn!(
                path = %file.display(), mode = %format!("{mode:o}"),
                "others could read the database; it is its owner's alone now"
            );
        }
    }
    Ok(())
}

/// The lock file beside a database. It stays when the lock is given back.
pub fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Refuses a file that does not begin as an SQLite database does. None at all and an empty one are new.
fn check_kind(path: &Path) -> Result<(), OpenError> {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| {
        file.take(SQLITE_HEADER.len() as u64)
            .read_to_end(&mut first)
    });
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::Io {
            path: path.to_owned(),
            source,
        }),
        Ok(_) if first.is_empty() || first == SQLITE_HEADER => Ok(()),
        Ok(_) => Err(OpenError::NotADatabase {
            path: path.to_owned(),
        }),
    }
}

/// Refuses a file that begins as a database and is none behind that, before a pool tries again and again to open it.
async fn check_whole(path: &Path, url: &str) -> Result<(), OpenError> {
    /// `SQLITE_CORRUPT` and `SQLITE_NOTADB` (SQLite, "Result and Error Codes").
    const DAMAGED: [&str; 2] = ["11", "26"];
    let looked = async {
        let mut connection = AnyConnection::connect(url).await?;
        let looked = sqlx::query("SELECT COUNT(*) FROM sqlite_master")
            .fetch_one(&mut connection)
            .await;
        // Also where it is damaged: a connection that is dropped leaves its log and its index behind.
        let closed = connection.close().await;
        looked.and(closed)
    };
    match looked.await {
        Err(sqlx::Error::Database(error))
            if error
                .code()
                .is_some_and(|code| DAMAGED.contains(&code.as_ref())) =>
        {
            Err(OpenError::Damaged {
                path: path.to_owned(),
                words: error.message().to_owned(),
            })
        }
        // Whatever else keeps it from being opened is told by the one that stays.
        _ => Ok(()),
    }
}

async fn connect(url: &str, n_connections: u32) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(n_connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // Full durability: a commit that was answered survives the machine.
                for pragma in [
                    "PRAGMA journal_mode = WAL",
                    "PRAGMA synchronous = FULL",
                    "PRAGMA foreign_keys = ON",
                    // What is deleted is overwritten where that costs no write of its own.
                    "PRAGMA secure_delete = FAST",
                    "PRAGMA busy_timeout = 5000",
                    // In KiB: the indexes of a long list stay in memory; a short one takes no more than it has.
                    "PRAGMA cache_size = -65536",
                ] {
                    sqlx::query(pragma).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
        .connect(url)
        .await
}

/// The newest migration of the database and of this version, where the database's is newer.
async fn find_newer(writer: &AnyPool) -> Result<Option<(i64, i64)>, StoreError> {
    let exists = sqlx::query(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_optional(writer)
    .await?;
    if exists.is_none() {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM _sqlx_migrations",
    )
    .fetch_one(writer)
    .await?;
    let found = number(&row, "version")?;
    let known = MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    Ok((found > known).then_some((found, known)))
}

fn text(row: &AnyRow, column: &'static str) -> Result<String, StoreError> {
    Ok(row.try_get(column)?)
}

fn text_or_null(row: &AnyRow, column: &'static str) -> Result<Option<String>, StoreError> {
    Ok(row.try_get(column)?)
}

fn number(row: &AnyRow, column: &'static str) -> Result<i64, StoreError> {
    Ok(row.try_get(column)?)
}

fn number_or_null(row: &AnyRow, column: &'static str) -> Result<Option<i64>, StoreError> {
    Ok(row.try_get(column)?)
}

/// A count or a small number, which the database keeps as BIGINT.
fn small<T: TryFrom<i64>>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    T::try_from(number(row, column)?).map_err(|_| StoreError::Corrupt { what: column })
}

/// A value that is stored as JSON.
fn json<T: serde::de::DeserializeOwned>(
    row: &AnyRow,
    column: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_str(&text(row, column)?).map_err(|_| StoreError::Corrupt { what: column })
}

fn to_json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt { what })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::borrow::Cow;

    use sqlx::migrate::Migrator;
    use sqlx::{AnyConnection, Connection as _};

    use super::*;

    /// A database as a version left it whose migrations went up to the one before `version`.
    pub(crate) async fn open_older(path: &Path, version: i64) -> AnyPool {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let pool = connect(&url, 1).await.unwrap();
        let older = MIGRATIONS.iter().filter(|one| one.version < version);
        Migrator {
            migrations: Cow::Owned(older.cloned().collect()),
            ..Migrator::DEFAULT
        }
        .run(&pool)
        .await
        .unwrap();
        pool
    }

    #[tokio::test]
    async fn a_busy_database_passes_and_a_refused_write_does_not() {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display());
        let mut first = AnyConnection::connect(&url).await.unwrap();
        let mut second = AnyConnection::connect(&url).await.unwrap();
        let make = "CREATE TABLE notes (name TEXT PRIMARY KEY)";
        sqlx::query(make).execute(&mut first).await.unwrap();
        for impatient in [&mut first, &mut second] {
            let pragma = sqlx::query("PRAGMA busy_timeout = 0");
            pragma.execute(impatient).await.unwrap();
        }
        let insert = "INSERT INTO notes (name) VALUES ('a')";
        let begin = sqlx::query("BEGIN IMMEDIATE");
        begin.execute(&mut first).await.unwrap();
        let busy = sqlx::query(insert).execute(&mut second).await.unwrap_err();
        assert!(StoreError::from(busy).passes());
        sqlx::query(insert).execute(&mut first).await.unwrap();
        let twice = sqlx::query(insert).execute(&mut first).await.unwrap_err();
        assert!(!StoreError::from(twice).passes());
        let missing = sqlx::query("INSERT INTO nothing (name) VALUES ('a')");
        let missing = missing.execute(&mut first).await.unwrap_err();
        assert!(!StoreError::from(missing).passes());
        assert!(!StoreError::Corrupt { what: "a value" }.passes());
    }
}
