//! Whether a file is the one that was written there, and no copy of it that was put back.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The file as it stands on the disk: what it was when it was made, which no copy of it is. A mark that says the same of
/// itself was not put back from a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Original {
    /// Of the start of the machine: one that was rolled back has started since.
    boot: String,
    inode: u64,
    /// When the file was made, in nanoseconds of the epoch, by the file system.
    made_ns: u64,
}

/// A file that nobody moved was last touched when it took its place, right after it was made; moving it, or another
/// link to it, touches it again (rename(2), link(2): the change time). So does it the folder that it stands in.
const IN_ITS_PLACE_WITHIN: Duration = Duration::from_secs(1);

/// A mark that is younger was left by a process that ended just now: they write one at every beat.
const LEFT_JUST_NOW: Duration = Duration::from_mins(1);

impl Original {
    /// What a file is; `None` where the system does not tell all of it.
    pub(super) fn of(file: &File) -> Option<Self> {
        let about = file.metadata().ok()?;
        let made = about.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(Self {
            boot: boot.trim().to_owned(),
            inode: about.ino(),
            made_ns: u64::try_from(made.as_nanos()).ok()?,
        })
    }

    /// When the file was made.
    fn made_at(&self) -> Timestamp {
        Timestamp::from_ms(i64::try_from(self.made_ns / 1_000_000).unwrap_or(i64::MAX))
    }
}

/// Whether the file here is the one that says this of itself, and was made just now: nothing was put back since its
/// process ended.
pub(super) fn is_left_just_now(path: &Path, says: Option<&Original>, now: Timestamp) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let there = Original::of(&file);
    let Some(original) = there.filter(|there| says == Some(there)) else {
        return false;
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let touched = [file.metadata(), std::fs::metadata(folder)];
    let is_in_place = touched.into_iter().all(|about| {
        about.is_ok_and(|about| is_in_its_place(original.made_ns, touched_ns(&about)))
    });
    if !is_in_place {
        return false;
    }
    let made_at = original.made_at();
    // Two clocks of one machine may differ by a moment.
    made_at <= now + Duration::from_secs(1) && now.since(made_at) <= LEFT_JUST_NOW
}

/// When what is known of a file was changed last, in nanoseconds of the epoch.
fn touched_ns(about: &Metadata) -> i128 {
    i128::from(about.ctime()) * 1_000_000_000 + i128::from(about.ctime_nsec())
}

/// Whether what was made then and touched last at that time was moved nowhere since.
fn is_in_its_place(made_ns: u64, touched_ns: i128) -> bool {
    let within = i128::try_from(IN_ITS_PLACE_WITHIN.as_nanos()).unwrap_or(0);
    touched_ns <= i128::from(made_ns) + within
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn only_a_file_that_was_left_just_now_is_the_one_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, saved) = (folder.path().join("a.mark"), folder.path().join("a.saved"));
        // Replaced whole, as the mark is.
        let write = || {
            let new = folder.path().join("a.new");
            let says = Original::of(&File::create_new(&new).unwrap()).unwrap();
            fs::rename(&new, &path).unwrap();
            says
        };
        let says = write();
        let is = |says: &Original, now| is_left_just_now(&path, Some(says), now);
        let made_at = says.made_at();
        assert!(is(&says, made_at));
        assert!(is(&says, made_at + Duration::from_secs(59)));
        assert!(!is_left_just_now(&path, None, made_at));
        // The relay was off, or the machine's clock was set.
        assert!(!is(&says, made_at + Duration::from_mins(2)));
        assert!(!is(&says, made_at - Duration::from_mins(2)));
        // The machine has started since.
        let of_another_start = Original {
            boot: "0".to_owned(),
            ..says.clone()
        };
        assert!(!is(&of_another_start, made_at));
        // A copy that is put back, into the file that is there and as a new one.
        fs::copy(&path, &saved).unwrap();
        assert!(is(&write(), made_at));
        fs::copy(&saved, &path).unwrap();
        assert!(!is(&says, made_at), "into the file");
        fs::remove_file(&path).unwrap();
        fs::rename(&saved, &path).unwrap();
        assert!(!is(&says, made_at), "as a new file");
        // The file itself, moved away and back a second after it was made, and its folder.
        let says = write();
        assert!(is(&says, says.made_at()));
        let clock = Clock::system();
        let is_over = || clock.now() > says.made_at() + Duration::from_secs(2);
        while !is_over() {
            std::thread::yield_now();
        }
        assert!(is(&says, says.made_at()));
        fs::rename(&path, &saved).unwrap();
        fs::rename(&saved, &path).unwrap();
        assert!(!is(&says, says.made_at()), "moved away and back");
    }
}
