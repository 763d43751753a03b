//! Refusals of `unpause backup` and `unpause restore`: nothing is replaced, and nothing is half restored.

use std::fs;

use anyhow::Result;
use sqlx::{Connection as _, SqliteConnection};

use crate::home::Home;
use crate::kept::make_newer;
use crate::row::{Alone, Before, Change, How, Row};

const CONFIG: &str = "listen = \"127.0.0.1:0\"\n";
const BACKUP: &[&str] = &["backup", "--to", "a.backup"];
const CHECK: &[&str] = &["backup", "--check", "a.backup"];
const RESTORE: &[&str] = &["restore", "--from", "a.backup"];

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "backup where no relay has run",
        how: How::Alone(Alone {
            before: Before::Nothing,
            then: None,
            ..alone(BACKUP)
        }),
        code: "exit 1",
        place: "",
        words: "there is no database ~/.local/share/unpause/unpause.db, so there is nothing to back up: name the relay's configuration with --config",
    },
    Row {
        case: "backup in the place of a file",
        how: after(BACKUP, "there is a file a.backup", |home| {
            Box::pin(async move { write(home, b"a letter to Ann\n") })
        }),
        code: "exit 1",
        place: "",
        words: "there is a file a.backup already, and a backup takes no other's place: name another file",
    },
    Row {
        case: "backup into a folder that is not there",
        how: How::Alone(alone(&["backup", "--to", "nowhere/a.backup"])),
        code: "exit 1",
        place: "",
        words: "~/nowhere/a.backup is no name of a file: expected one in a folder that is there, as in `--to backups/unpause.backup`",
    },
    Row {
        case: "backup that is an empty file",
        how: after(CHECK, "a.backup is empty", |home| {
            Box::pin(async move { write(home, b"") })
        }),
        code: "exit 1",
        place: "",
        words: "the file a.backup is no backup of unpause: expected a file that `unpause backup` finished, found an empty one",
    },
    Row {
        case: "backup that is something else",
        how: after(CHECK, "a.backup is a letter", |home| {
            Box::pin(async move { write(home, b"a letter to Ann, who lives far away\n") })
        }),
        code: "exit 1",
        place: "",
        words: "the file a.backup is no backup of unpause: expected a file that `unpause backup` finished, found something that is not an SQLite database",
    },
    Row {
        case: "backup that is another program's database",
        how: after(RESTORE, "a.backup is another program's", |home| {
            Box::pin(async move {
                let name = home.path("a.backup").display().to_string();
                let url = format!("sqlite://{name}?mode=rwc");
                let mut connection = SqliteConnection::connect(&url).await?;
                sqlx::query("CREATE TABLE tunes (name TEXT)")
                    .execute(&mut connection)
                    .await?;
                Ok(connection.close().await?)
            })
        }),
        code: "exit 1",
        place: "",
        words: "the file a.backup is no backup of unpause: expected a file that `unpause backup` finished, found another program's database, or a copy that was never finished",
    },
    Row {
        case: "backup that is a plain copy of a database",
        how: after(RESTORE, "a.backup is a copy of unpause.db", |home| {
            Box::pin(async move {
                fs::copy(home.database(), home.path("a.backup"))?;
                Ok(())
            })
        }),
        code: "exit 1",
        place: "",
        words: "the file a.backup is no backup of unpause: expected a file that `unpause backup` finished, found a relay's database without the note of a finished backup",
    },
    Row {
        case: "backup that was cut short",
        how: after(RESTORE, "a backup was made and cut in half", |home| {
            Box::pin(async move {
                save(home)?;
                let file = fs::File::options()
                    .write(true)
                    .open(home.path("a.backup"))?;
                Ok(file.set_len(file.metadata()?.len() / 2)?)
            })
        }),
        code: "exit 1",
        place: "",
        words: "the file a.backup is damaged (…): nothing was changed; take another backup, or copy this one again",
    },
    Row {
        case: "restore where a relay runs",
        how: How::Alone(Alone {
            before: Before::Runs,
            then: Some(("a backup was made", |home| {
                Box::pin(async move { save(home) })
            })),
            ..alone(RESTORE)
        }),
        code: "exit 1",
        place: "",
        words: "another relay is using the database ~/.local/share/unpause/unpause.db: stop it first, or give this one a data folder of its own",
    },
    Row {
        case: "restore over a database",
        how: after(RESTORE, "a backup was made", |home| {
            Box::pin(async move { save(home) })
        }),
        code: "exit 1",
        place: "",
        words: "the data folder ~/.local/share/unpause is not empty (it has unpause.db), and a backup takes no other's place: set `data` to a folder that is empty, or move this one away",
    },
    Row {
        case: "restore without the key file",
        how: after(
            RESTORE,
            "a backup was made, data folder and key file were lost",
            |home| {
                Box::pin(async move {
                    save(home)?;
                    lose_data(home)?;
                    Ok(fs::remove_file(home.key_file())?)
                })
            },
        ),
        code: "exit 1",
        place: "",
        words: "the key file ~/.config/unpause/unpause.key is missing, and without it the credentials in the backup open nothing: put the file with the key … there (it is in no backup), then restore again",
    },
    Row {
        case: "restore with the key file of another relay",
        how: after(
            RESTORE,
            "a backup was made, the data folder was lost, the key file was replaced",
            |home| {
                Box::pin(async move {
                    save(home)?;
                    lose_data(home)?;
                    home.write_key("unpause-key-1\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n")
                })
            },
        ),
        code: "exit 1",
        place: "",
        words: "the key file ~/.config/unpause/unpause.key has the key …, and the backup needs the key …: put that one there, then restore again",
    },
    Row {
        case: "backup of a database of a newer version",
        how: after(
            BACKUP,
            "its database was migrated by a newer version",
            |home| Box::pin(async move { make_newer(&home.database()).await }),
        ),
        code: "exit 1",
        place: "",
        words: "the database ~/.local/share/unpause/unpause.db was written by a newer version of unpause (its migration 9999, the newest known here …): back it up with that version",
    },
    Row {
        case: "restore of a backup of a newer version",
        how: after(
            RESTORE,
            "a newer version made a backup, and the data folder was lost",
            |home| {
                Box::pin(async move {
                    save(home)?;
                    make_newer(&home.path("a.backup")).await?;
                    lose_data(home)
                })
            },
        ),
        code: "exit 1",
        place: "",
        words: "the backup a.backup was made by a newer version of unpause (…, its migration 9999, the newest known here …): install that version, and restore it there",
    },
];

const fn alone(arguments: &'static [&'static str]) -> Alone {
    Alone {
        arguments,
        config: CONFIG,
        variable: None,
        before: Before::Ran,
        then: None,
    }
}

const fn after(arguments: &'static [&'static str], what: &'static str, then: Change) -> How {
    How::Alone(Alone {
        then: Some((what, then)),
        ..alone(arguments)
    })
}

fn write(home: &Home, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(home.path("a.backup"), bytes)?)
}

fn save(home: &Home) -> Result<()> {
    home.run(BACKUP)
}

fn lose_data(home: &Home) -> Result<()> {
    Ok(fs::remove_dir_all(home.path(".local/share/unpause"))?)
}
