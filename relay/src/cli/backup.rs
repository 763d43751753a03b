//! `unpause backup` and `unpause restore`: one file with everything but the keys, made while the relay runs, and put
//! back where there is nothing. Both work on the data folder itself, so a relay that is down is no matter.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use super::print::{Printer, while_people_wait};
use crate::backup;
use crate::clock::Clock;
use crate::config::Config;
use crate::secret::KeyFile;
use crate::store::backup::Contents;

#[derive(Debug, Args)]
#[group(required = true)]
pub(super) struct Arguments {
    /// Write the backup to this file, which is not there yet
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Look through a backup instead, and say what is in it
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub(super) check: Option<PathBuf>,
    /// What people look for and there is not: it is refused with what to do instead
    #[arg(long, hide = true, alias = "with-key")]
    with_keys: bool,
}

/// A backup that anybody can open is asked for.
#[derive(Debug, thiserror::Error)]
#[error(
    "a backup has no keys in it, so that whoever finds one opens nothing: keep a copy of {key_file} apart from it, as by `age -p {key_file}` or in a password manager (docs/backup.md); nothing was written"
)]
pub(super) struct NoKeys {
    key_file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// A backup, as programs are told of it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    file: &'a Path,
    #[serde(flatten)]
    contents: &'a Contents,
    /// The key file that the backup needs and does not have.
    key_file: &'a Path,
    /// Whether that file is there and has that key.
    key_is_there: bool,
}

pub(super) async fn back_up(
    arguments: Arguments,
    config: &Config,
    printer: &Printer,
) -> Result<(), CliError> {
    if arguments.with_keys {
        let key_file = config.key_file.clone();
        return Err(NoKeys { key_file }.into());
    }
    let (file, contents, is_new) = match (arguments.to, arguments.check) {
        (Some(to), _) => {
            let now = Clock::system().now();
            let saving = while_people_wait("Saving", backup::save(&config.data, &to, now));
            let contents = until_told(saving).await??;
            (to, contents, true)
        }
        (None, check) => {
            let file = check.unwrap_or_default();
            let contents = while_people_wait("Looking", backup::check(&file)).await?;
            (file, contents, false)
        }
    };
    let told = tell(config, &file, &contents);
    printer.answer(&told, |told| {
        let key = describe_key(told);
        let opening = if is_new {
            "Saved, looked through and found whole"
        } else {
            "Whole"
        };
        format!(
            "{opening}: {}\n{}\n{key}",
            file.display(),
            describe(&contents)
        )
    })?;
    Ok(())
}

pub(super) async fn restore(
    arguments: RestoreArguments,
    config: &Config,
    printer: &Printer,
) -> Result<(), CliError> {
    let putting = while_people_wait("Restoring", backup::restore(config, &arguments.from));
    let contents = until_told(putting).await??;
    let told = tell(config, &arguments.from, &contents);
    printer.answer(&told, |_| {
        format!(
            "Restored into {}: {}\n{}\n\
             Start the relay: `unpause serve`, or its unit. It looks first for what was sent after the backup; what nothing \
             shows it holds for you (`unpause status`, `unpause ledger show`).\n\
             Make sure that the relay of the lost machine never starts again.\n\
             Whoever was shut out after the backup is let in again: look at `unpause account list`, `unpause device list` \
             and `unpause suppression list`. Everybody signs in anew.",
            config.data.display(),
            arguments.from.display(),
            describe(&contents)
        )
    })?;
    Ok(())
}

/// A command that is told to end leaves nothing unfinished behind.
async fn until_told<T>(work: impl Future<Output = T>) -> Result<T, CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Signals)?;
    tokio::select! {
        done = work => Ok(done),
        _ = terminate.recv() => Err(CliError::Interrupted),
        _ = interrupt.recv() => Err(CliError::Interrupted),
    }
}

fn tell<'a>(config: &'a Config, file: &'a Path, contents: &'a Contents) -> Told<'a> {
    let needed = contents.key.as_deref().unwrap_or_default();
    let key = KeyFile::find(&config.key_file, needed);
    let key_is_there = key.is_ok_and(|key| key.id() == needed);
    Told {
        file,
        contents,
        key_file: &config.key_file,
        key_is_there,
    }
}

fn describe(contents: &Contents) -> String {
    format!(
        "made      {} by unpause {}, schema {}\n\
         size      {} bytes\n\
         SHA-256   {}\n\
         in it     inboxes: {}, campaigns: {}, leads: {}, messages: {} (accepted: {}), accounts: {}",
        contents.made_at,
        contents.made_by,
        contents.schema,
        contents.n_bytes,
        contents.sha256,
        contents.inboxes,
        contents.campaigns,
        contents.leads,
        contents.deliveries,
        contents.accepted,
        contents.accounts
    )
}

fn describe_key(told: &Told) -> String {
    let Some(needed) = &told.contents.key else {
        return "No relay has run on it yet: it needs no key.".to_owned();
    };
    let path = told.key_file.display();
    let place = if told.key_is_there {
        format!("Keep a copy of {path} somewhere else")
    } else {
        format!(
            "{path} is missing or has another key: find the right one, and keep a copy of it somewhere else"
        )
    };
    format!(
        "NOT in it: the key {needed}. Without it nothing of the inboxes' sign-ins opens. {place}, apart from this file."
    )
}

#[cfg(test)]
mod tests {
    use protocol::timestamp::Timestamp;

    use super::*;

    #[test]
    fn what_a_backup_lacks_is_told_with_its_place() {
        let contents = Contents {
            made_at: Timestamp::from_ms(0),
            made_by: "0.1.0".to_owned(),
            sha256: "0".repeat(64),
            n_bytes: 4_096,
            schema: 26,
            key: Some("abc".to_owned()),
            inboxes: 1,
            campaigns: 1,
            leads: 2,
            deliveries: 4,
            accepted: 3,
            accounts: 1,
        };
        let mut told = Told {
            file: Path::new("b.db"),
            contents: &contents,
            key_file: Path::new("/keys/unpause.key"),
            key_is_there: true,
        };
        let words = describe_key(&told);
        assert!(words.starts_with("NOT in it: the key abc."), "{words}");
        assert!(
            words.contains("Keep a copy of /keys/unpause.key"),
            "{words}"
        );
        told.key_is_there = false;
        let words = describe_key(&told);
        assert!(words.contains("is missing or has another key"), "{words}");
    }
}
