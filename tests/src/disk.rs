//! A disk of the tests' own, which forgets at a power cut what nobody had on it: a file system (FUSE) that keeps what
//! was written apart from what fsync(2) has promised.
//!
//! What of the rest a cut leaves is drawn by a seed: of bytes in `content`, of names in `tree`. Programs meet the disk
//! as any other, by its folder; files may be mapped into memory, and locks are the kernel's. Deliberately absent: a disk
//! that loses what it had promised by wearing out.

mod content;
mod cut;
mod kernel;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use fuser::{BackgroundSession, Config, Errno, MountOption, Session};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

pub use self::cut::Tally;
use self::kernel::Mounted;
pub use self::tree::Faith;
use self::tree::{Folder, Kind, Node, Refusal, Tree};
use crate::clock::now_ms;

/// What to do where no such disk can be had.
const BY_HAND: &str = "the tests need a file system of their own (FUSE): `modprobe fuse` so that there is /dev/fuse, and \
     be root or `apt-get install fuse3`";

/// A mounted disk.
#[derive(Debug)]
pub struct Disk {
    /// `None` while nothing is mounted.
    session: Option<BackgroundSession>,
    shared: Arc<Shared>,
    folder: PathBuf,
    rng: StdRng,
    tally: Tally,
}

/// What the kernel's thread and the disk's owner share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    power: Power,
    /// Changes until the disk stops for its cut; `None`: it does not.
    left: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    /// Nothing is answered: the cut is about to come.
    Stopped,
    Off,
}

fn time_now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms()).unwrap_or_default())
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers from what is there.
    fn look<T>(&self, work: impl FnOnce(&Tree) -> Result<T, Refusal>) -> Result<T, Errno> {
        let state = self.lock();
        match state.power {
            Power::On => Ok(work(&state.tree)?),
            Power::Stopped | Power::Off => Err(Errno::EIO),
        }
    }

    /// Changes what is there, or syncs it; where it is the one that the cut was to come before, it never comes to be.
    fn change<T>(&self, work: impl FnOnce(&mut Tree) -> Result<T, Refusal>) -> Result<T, Errno> {
        let mut state = self.lock();
        let of_disk = &mut *state;
        match &mut of_disk.left {
            Some(0) if of_disk.power == Power::On => of_disk.power = Power::Stopped,
            Some(left) => *left = left.saturating_sub(1),
            None => {}
        }
        while state.power == Power::Stopped {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        match state.power {
            Power::On => Ok(work(&mut state.tree)?),
            Power::Stopped | Power::Off => Err(Errno::EIO),
        }
    }
}

impl Disk {
    /// An empty disk at this folder, which must be there and be empty.
    pub fn mount(folder: &Path, faith: Faith, seed: u64) -> Result<Self> {
        let now = time_now();
        let root = Node {
            kind: Kind::Folder(Folder::default()),
            mode: 0o700,
            owner: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
            changed: now,
            modified: now,
        };
        let state = State {
            tree: Tree::new(faith, root),
            power: Power::On,
            left: None,
        };
        let mut disk = Self {
            session: None,
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                changed: Condvar::new(),
            }),
            folder: folder.to_owned(),
            rng: StdRng::seed_from_u64(seed),
            tally: Tally::default(),
        };
        disk.come_up()?;
        Ok(disk)
    }

    fn come_up(&mut self) -> Result<()> {
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("unpause-tests".to_owned()),
            MountOption::DefaultPermissions,
        ];
        let session = Session::new(Mounted(Arc::clone(&self.shared)), &self.folder, &config)
            .context(BY_HAND)?;
        self.session = Some(session.spawn()?);
        Ok(())
    }

    /// Writes out all that it holds, as a disk does that has had nothing to do for a while.
    pub fn write_out(&self) {
        self.shared.lock().tree.write_out();
    }

    /// Lets it stop after so many more changes and syncs, as if the power were about to go: it answers nobody until it
    /// is switched off.
    pub fn stop_after(&self, n_changes: u64) {
        self.shared.lock().left = Some(n_changes);
    }

    /// Whether it has stopped.
    pub fn is_stopped(&self) -> bool {
        self.shared.lock().power == Power::Stopped
    }

    /// From now on nothing reaches it; whoever waits for it gets an error, and must have been killed before.
    pub fn switch_off(&self) {
        self.shared.lock().power = Power::Off;
        self.shared.changed.notify_all();
    }

    /// The power is there again, and on the disk is what the cut has left.
    pub fn switch_on(&mut self) -> Result<Tally> {
        if let Some(session) = self.session.take() {
            session.umount_and_join().context("unmounting the disk")?;
        }
        let tally = {
            let mut state = self.shared.lock();
            state.power = Power::On;
            state.left = None;
            state.tree.cut(&mut self.rng)
        };
        self.tally += tally;
        self.come_up()?;
        Ok(tally)
    }

    /// What all cuts have left and taken.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A disk that stands still would let nobody unmount it.
        self.switch_off();
        if let Some(session) = self.session.take() {
            // What holds it is not this value's to end.
            let _unmounted = session.umount_and_join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    /// A disk in a folder of its own.
    fn mounted(faith: Faith) -> (Disk, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Disk::mount(folder.path(), faith, 1).unwrap(), folder)
    }

    fn sync(path: &Path) {
        File::open(path).unwrap().sync_all().unwrap();
    }

    #[test]
    fn a_cut_leaves_what_was_synced() {
        let (mut disk, home) = mounted(Faith::Honest);
        let folder = home.path().join("data");
        fs::create_dir(&folder).unwrap();
        sync(home.path());
        for number in 0..20 {
            let path = folder.join(format!("{number:02}"));
            let mut file = File::create(&path).unwrap();
            file.write_all(b"promised").unwrap();
            file.sync_all().unwrap();
            sync(&folder);
            file.write_all(&[7; 9000]).unwrap();
            fs::write(folder.join(format!("loose{number}")), b"x").unwrap();
            drop(file);
            disk.switch_off();
            assert!(fs::read(&path).is_err(), "it is read without power");
            disk.switch_on().unwrap();
            assert!(fs::read(&path).unwrap().starts_with(b"promised"));
        }
        let tally = disk.tally();
        for n in [
            tally.pages_kept,
            tally.pages_lost,
            tally.pages_torn,
            tally.names_kept,
            tally.names_lost,
        ] {
            assert!(n > 0, "{tally:?}");
        }
    }

    #[test]
    fn a_disk_that_lies_forgets_it() {
        let (mut disk, home) = mounted(Faith::Lying);
        let path = home.path().join("file");
        fs::write(&path, b"promised").unwrap();
        sync(&path);
        sync(home.path());
        disk.switch_off();
        disk.switch_on().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn programs_meet_a_disk_as_any_other() {
        let (_disk, home) = mounted(Faith::Honest);
        let at = |name: &str| home.path().join(name);
        let mut file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(at("a"))
            .unwrap();
        file.write_all(b"one ").unwrap();
        file.write_all(b"two").unwrap();
        fs::rename(at("a"), at("b")).unwrap();
        fs::hard_link(at("b"), at("c")).unwrap();
        file.write_all(b" three").unwrap();
        assert_eq!(fs::read(at("c")).unwrap(), b"one two three");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(at("c"))
            .unwrap();
        file.set_len(3).unwrap();
        file.set_len(5).unwrap();
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"one\0\0");
        // Whoever has a file open keeps it.
        fs::remove_file(at("b")).unwrap();
        fs::remove_file(at("c")).unwrap();
        file.write_all(b"!").unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        file.try_lock().unwrap();
        let listener = UnixListener::bind(at("socket")).unwrap();
        let mut caller = UnixStream::connect(at("socket")).unwrap();
        caller.write_all(b"hello").unwrap();
        drop(caller);
        let mut heard = String::new();
        listener
            .accept()
            .unwrap()
            .0
            .read_to_string(&mut heard)
            .unwrap();
        assert_eq!(heard, "hello");
    }

    #[test]
    fn a_disk_that_stops_does_not_do_what_it_was_asked_last() {
        let (mut disk, home) = mounted(Faith::Honest);
        let path = home.path().join("file");
        let mut file = File::create(&path).unwrap();
        sync(home.path());
        disk.stop_after(2);
        let writer = std::thread::spawn(move || {
            file.write_all(b"one").and_then(|()| file.sync_all())?;
            file.write_all(b", two").and_then(|()| file.sync_all())
        });
        while !disk.is_stopped() {
            std::thread::yield_now();
        }
        assert!(!writer.is_finished());
        disk.switch_off();
        assert!(writer.join().unwrap().is_err());
        disk.switch_on().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
