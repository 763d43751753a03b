//! The machine under the relay: its clock, its disk, the database and whose the files are.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use protocol::timestamp::Timestamp;

use super::finding::Finding;
use crate::config::Config;
use crate::ownership::{self, Closed};
use crate::secret::{KeyError, KeyFile};
use crate::store::examine::Examined;

/// Tokens and certificates have bounds in minutes; a second passes on the way.
const OFF_A_LITTLE: Duration = Duration::from_mins(1);
const OFF: Duration = Duration::from_mins(5);
/// Free space.
const LITTLE_BYTES: u64 = 500_000_000;
const FULL_BYTES: u64 = 50_000_000;
/// The log of a database that is checkpointed as it should be stays at some megabytes.
const LONG_WAL_BYTES: u64 = 256_000_000;

/// Clocks of others, by name: what they said and what was on the wall here when it came.
pub(super) type Heard = (String, Timestamp, Timestamp);

/// The clock on the wall. What nobody was there to compare it with is not known, and that is said.
pub(super) fn judge_clock(heard: &[Heard], beat_at: Option<Timestamp>, now: Timestamp) -> Finding {
    let check = "clock";
    let about = now.to_string();
    if let Some(beat_at) = beat_at.filter(|beat_at| *beat_at > now + OFF_A_LITTLE) {
        return Finding::warning(
            check,
            about,
            format!(
                "the relay's last sign of life in the database is of {beat_at}, which is still to come: the clock was set back"
            ),
            "see that a time service runs, as by `timedatectl`",
        );
    }
    let off = |(_, said, here): &Heard| said.since(*here).max(here.since(*said));
    // Most are right: the one in the middle is.
    let mut sorted: Vec<&Heard> = heard.iter().collect();
    sorted.sort_by_key(|heard| off(heard));
    let Some(middle) = sorted.get(sorted.len() / 2) else {
        return Finding::ok(
            check,
            about,
            "no provider told the time, so nothing was there to compare with",
        );
    };
    let (name, difference) = (&middle.0, off(middle));
    let found = format!("{} s off what {name} says", difference.as_secs());
    let action =
        "set the clock, and see that a time service keeps it, as by `timedatectl set-ntp true`";
    if difference > OFF {
        Finding::broken(check, about, found, action)
    } else if difference > OFF_A_LITTLE {
        Finding::warning(check, about, found, action)
    } else {
        Finding::ok(check, about, found)
    }
}

/// What is free where the data folder is.
pub(super) fn look_at_disk(folder: &Path, database_bytes: u64) -> Finding {
    // The nearest that is there: the relay may never have run.
    let there = folder.ancestors().find(|path| path.exists());
    let about = folder.display().to_string();
    let told = rustix::fs::statvfs(there.unwrap_or(Path::new("/")));
    match told {
        Ok(told) => judge_disk(
            about,
            told.f_bavail.saturating_mul(told.f_frsize),
            (told.f_files > 0).then_some(told.f_favail),
            database_bytes,
        ),
        Err(error) => Finding::warning(
            "disk",
            about,
            format!("the system does not tell what is free: {error}"),
            "look with `df`",
        ),
    }
}

fn judge_disk(
    about: String,
    free_bytes: u64,
    free_files: Option<u64>,
    database_bytes: u64,
) -> Finding {
    let found = format!("{} MB free", free_bytes / 1_000_000);
    let action = "make room: what the disk does not take is not sent";
    if free_files == Some(0) {
        return Finding::broken("disk", about, "no file can be made any more", action);
    }
    if free_bytes < FULL_BYTES {
        return Finding::broken("disk", about, found, action);
    }
    if free_bytes < LITTLE_BYTES.max(database_bytes.saturating_mul(2)) {
        return Finding::warning("disk", about, found, action);
    }
    Finding::ok("disk", about, found)
}

/// The database as it was read.
pub(super) fn judge_database(path: &Path, examined: &Examined, aside_bytes: u64) -> Finding {
    let about = path.display().to_string();
    let found = format!(
        "{} MB, migration {}",
        examined.n_bytes.div_ceil(1_000_000),
        examined.schema
    );
    if let Some(fault) = &examined.fault {
        return Finding::broken(
            "database",
            about,
            fault,
            "stop the relay and put the last backup back (docs/backup.md)",
        );
    }
    if examined.schema > examined.known {
        return Finding::broken(
            "database",
            about,
            format!("{found}, and the newest known here is {}", examined.known),
            "install the version of unpause that wrote it",
        );
    }
    if examined.wal_bytes > LONG_WAL_BYTES {
        return Finding::warning(
            "database",
            about,
            format!("{found}, its -wal {} MB", examined.wal_bytes / 1_000_000),
            "end whatever else has the database open, as an old `sqlite3` does",
        );
    }
    if aside_bytes > 0 {
        return Finding::warning(
            "database",
            about,
            format!("{found}; known outcomes that it did not take stand beside it"),
            "restart the relay, which writes them into it",
        );
    }
    Finding::ok("database", about, format!("whole, {found}"))
}

/// What this user may not look at: that is no word on how it is.
pub(super) fn not_for_us(check: &'static str, path: &Path, closed: &Closed) -> Finding {
    Finding::warning(
        check,
        path.display().to_string(),
        format!(
            "not known: it is the user's with the id {}, and you may not read it",
            closed.owner
        ),
        format!(
            "look as that user: `{} unpause doctor`, with the same --config",
            closed.command_as_owner()
        ),
    )
}

/// Whose the files are, and who else may read or replace them.
pub(super) fn look_at_files(config: &Config, examined: Option<&Examined>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let broken = |path: &Path, found: String, action: String| {
        Finding::broken("files", path.display().to_string(), found, action)
    };
    if let Some(closed) = ownership::find_closed(&config.data) {
        findings.push(not_for_us("files", &config.data, &closed));
    }
    let owner = fs::metadata(&config.data).map(|about| about.uid()).ok();
    let in_data = fs::read_dir(&config.data).into_iter().flatten();
    let in_data = in_data.filter_map(|entry| Some(entry.ok()?.path()));
    let mut n_looked = 0_u32;
    for path in [config.data.clone()].into_iter().chain(in_data) {
        let Ok(about) = fs::symlink_metadata(&path) else {
            continue;
        };
        if about.is_symlink() {
            continue;
        }
        n_looked += 1;
        if let Some(mode) = ownership::exposure(&about) {
            findings.push(broken(
                &path,
                format!("others may read it or write to it (mode {mode:o})"),
                format!("run `chmod go= {}`", path.display()),
            ));
        }
        if owner != Some(about.uid()) {
            findings.push(broken(
                &path,
                format!(
                    "it belongs to the user with the id {}, the data folder to another",
                    about.uid()
                ),
                format!(
                    "run `chown --reference={} {}`",
                    config.data.display(),
                    path.display()
                ),
            ));
        }
    }
    if let Some(closed) = ownership::find_closed(&config.key_file) {
        findings.push(not_for_us("files", &config.key_file, &closed));
        return findings;
    }
    let needed = examined.and_then(|examined| examined.key.as_deref());
    let found = KeyFile::find(&config.key_file, needed.unwrap_or_default());
    let key = match (found, needed) {
        (Ok(file), Some(needed)) if file.id() != needed => Some((
            format!("it has the key {}, the database needs {needed}", file.id()),
            "put the right file there from where you keep it".to_owned(),
        )),
        (Ok(_), _) => {
            n_looked += 1;
            None
        }
        // The first start makes one.
        (Err(KeyError::Missing { .. }), None) => None,
        (Err(error), _) => Some((
            crate::log::chain(&error),
            "do what it says; `unpause backup` has no key in it".to_owned(),
        )),
    };
    if let Some((found, action)) = key {
        findings.push(broken(&config.key_file, found, action));
    }
    if needed.is_some() && !config.mark_file.exists() {
        findings.push(Finding::warning(
            "files",
            config.mark_file.display().to_string(),
            "the mark is not there: the next start takes the database for one that was put back",
            "put nothing in its place; see that nobody clears that folder",
        ));
    }
    if findings.is_empty() {
        let found = if n_looked == 0 {
            "there are none yet".to_owned()
        } else {
            format!("{n_looked} files and folders, nobody else's to read")
        };
        findings.push(Finding::ok(
            "files",
            config.data.display().to_string(),
            found,
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_795_417_920_000 + seconds * 1_000)
    }

    #[test]
    fn a_clock_is_judged_by_most_of_those_who_tell_the_time() {
        let level = |offs: &[i64]| {
            let heard: Vec<Heard> = offs
                .iter()
                .map(|off| ("a".to_owned(), at(*off), at(0)))
                .collect();
            judge_clock(&heard, Some(at(-20)), at(0)).level
        };
        for off in [0, 1, 60, -60] {
            assert_eq!(level(&[off]), Level::Ok, "{off}");
        }
        for off in [61, -61, 300, -300] {
            assert_eq!(level(&[off]), Level::Warning, "{off}");
        }
        for off in [301, -301, 86_400] {
            assert_eq!(level(&[off]), Level::Broken, "{off}");
        }
        assert_eq!(level(&[0, 9_999, 1]), Level::Ok);
        assert_eq!(level(&[9_999, 9_999, 1]), Level::Broken);
        let alone = judge_clock(&[], None, at(0));
        assert_eq!(alone.level, Level::Ok);
        assert!(alone.found.contains("nothing was there to compare with"));
        let set_back = judge_clock(&[], Some(at(61)), at(0));
        assert_eq!(set_back.level, Level::Warning);
        assert_eq!(judge_clock(&[], Some(at(60)), at(0)).level, Level::Ok);
    }

    #[test]
    fn a_disk_is_full_before_the_relay_finds_out() {
        let level =
            |free, files, database| judge_disk("/data".to_owned(), free, files, database).level;
        assert_eq!(level(500_000_000, Some(1), 0), Level::Ok);
        assert_eq!(level(499_999_999, Some(1), 0), Level::Warning);
        assert_eq!(level(50_000_000, None, 0), Level::Warning);
        assert_eq!(level(49_999_999, None, 0), Level::Broken);
        assert_eq!(level(4_000_000_000, Some(0), 0), Level::Broken);
        assert_eq!(level(4_000_000_000, Some(9), 2_000_000_000), Level::Ok);
        assert_eq!(level(3_999_999_999, Some(9), 2_000_000_000), Level::Warning);
    }
}
