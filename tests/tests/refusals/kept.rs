//! What must be the same before and after a refusal: files with their modes, and rows of the database.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use sqlx::{AnyConnection, Connection as _, Row as _};

/// Every file below a folder: its mode and its content.
pub(crate) type Files = BTreeMap<String, (u32, Vec<u8>)>;

/// Every file below `folder`.
pub(crate) fn list_files(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // A relay's socket has nothing in it.
            let content = if path.is_file() {
                fs::read(&path)?
            } else {
                Vec::new()
            };
            let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
            let name = path.strip_prefix(folder)?.display().to_string();
            files.insert(name, (mode, content));
        }
    }
    Ok(files)
}

/// The number of rows in every table of a database that a relay may have open. Of the audit log those that have
/// not ended: what was tried is to be there.
pub(crate) async fn count_rows(database: &Path) -> Result<BTreeMap<String, i64>> {
    let mut connection = open(database, "ro").await?;
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(&mut connection)
        .await?;
    let mut counts = BTreeMap::new();
    for table in &tables {
        let table: String = table.try_get("name")?;
        // A name that the database itself gave.
        let counted = if table == "audit" {
            " WHERE outcome IS NULL"
        } else {
            ""
        };
        let count = format!("SELECT COUNT(*) AS n FROM \"{table}\"{counted}");
        let count = sqlx::AssertSqlSafe(count);
        let row = sqlx::query(count).fetch_one(&mut connection).await?;
        counts.insert(table, row.try_get("n")?);
    }
    connection.close().await?;
    Ok(counts)
}

/// Notes in a database that a migration of the future was made in it.
pub(crate) async fn make_newer(database: &Path) -> Result<()> {
    let mut connection = open(database, "rw").await?;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the future', TRUE, x'00', 0)",
    )
    .execute(&mut connection)
    .await?;
    Ok(connection.close().await?)
}

async fn open(database: &Path, mode: &str) -> Result<AnyConnection> {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}?mode={mode}", database.display());
    AnyConnection::connect(&url)
        .await
        .context("the relay's database cannot be looked into")
}
