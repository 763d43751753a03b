//! What on the disk is one user's alone: the mask under which files are made, and the data folder, proved by its owner
//! and mode. Whoever has proved a folder reaches what is in it by an open handle, so that neither a path that was bent
//! meanwhile nor a long one changes what is reached. What stands in the folder is each module's own.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

/// The user who may enter what is anybody's.
const ROOT: u32 = 0;
/// What others may do with a file or folder: its group, and everybody else.
const OTHERS: u32 = 0o077;
/// What lets others put something into a folder.
const OTHERS_WRITE: u32 = 0o022;
const GROUP_WRITES: u32 = 0o020;
/// Only their owners take files away (inode(7), `S_ISVTX`).
const STICKY: u32 = 0o1000;

/// From here on whatever this process makes is its user's alone, whoever makes it and however it asks.
pub fn keep_to_ourselves() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes the folder where it is not there, and those on the way to it, for this user alone. Their names are on the disk
/// when this has returned: what is kept in a folder is gone with its name, however well it was synced (fsync(2)). One
/// that is there already may have been made right before the power went, so its name is synced where that can be done.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let made: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if made.is_empty() {
        // Whoever made it may keep what it stands in to himself, or on what is only read.
        let _ = sync_name(path);
    }
    made.into_iter().rev().try_for_each(sync_name)
}

fn sync_name(path: &Path) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    match File::open(above.unwrap_or(Path::new("."))) {
        Ok(above) => above.sync_all(),
        // A folder that this user may write to and not list.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// The user as whom this process acts.
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether somebody at the other end of a local socket is this process's own user, or root, who may be anybody.
pub fn is_ours(user: u32) -> bool {
    user == ROOT || user == own_user()
}

/// What is there and this user may not read, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The user of it, or of the nearest folder above it that can be looked at.
    pub owner: u32,
}

impl Closed {
    /// As whom one may: a command by its beginning, for whoever may use `sudo`.
    pub fn command_as_owner(&self) -> String {
        match self.owner {
            ROOT => "sudo".to_owned(),
            owner => format!("sudo -u '#{owner}'"),
        }
    }
}

/// Whether this user may not read a file or list a folder; `None` where he may, or where nothing is there.
pub fn find_closed(path: &Path) -> Option<Closed> {
    let error = if path.is_dir() {
        fs::read_dir(path).err()
    } else {
        fs::File::open(path).err()
    };
    error.filter(|error| error.kind() == ErrorKind::PermissionDenied)?;
    let mut seen = path.ancestors().filter_map(|path| fs::metadata(path).ok());
    let owner = seen.next()?.uid();
    Some(Closed { owner })
}

/// Whether this process acts as root.
pub fn is_root() -> bool {
    own_user() == ROOT
}

/// Refuses a folder in which somebody else could put another file in the place of one that is being written: every folder
/// on the way to it belongs to this user or root, and others may put nothing into it, or, where it is for everybody
/// (sticky, as `/tmp`), take nothing of it away.
pub fn check_for_writing(path: &Path) -> Result<(), FolderError> {
    let whole = fs::canonicalize(path).map_err(|source| failed(path, source))?;
    for folder in whole.ancestors() {
        let metadata = fs::metadata(folder).map_err(|source| failed(folder, source))?;
        let (mode, owner) = (metadata.permissions().mode(), metadata.uid());
        let is_sticky = mode & STICKY != 0;
        let by_group = mode & GROUP_WRITES != 0
            && metadata.gid() != ROOT
            && metadata.gid() != rustix::process::getegid().as_raw();
        let by_others = by_group || mode & OTHERS_WRITE & !GROUP_WRITES != 0;
        if !is_ours(owner) || (by_others && !is_sticky) {
            return Err(FolderError::Exchangeable {
                path: folder.to_owned(),
                owner,
                mode: mode & 0o7777,
            });
        }
    }
    Ok(())
}

/// What the group or everybody may do with something of this metadata, as permission bits; `None` where nothing.
pub fn exposure(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}

/// Whether others may put something into a folder of this metadata; its mode where they may.
pub fn is_open(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o777;
    (mode & OTHERS_WRITE != 0).then_some(mode)
}

/// A folder that belongs to one user, and into which nobody else can put anything.
#[derive(Debug)]
pub struct Folder {
    /// What was proved; open for as long as its entries are reached.
    handle: File,
    path: PathBuf,
    owner: u32,
}

/// Why a folder is not this user's alone.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is another user's.
    #[error(
        "the folder {path} belongs to the user with the id {owner}, and this is run by the one with the id {own}: run it as the folder's user, or name another folder"
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        own: u32,
    },
    /// Others may put something into it.
    #[error(
        "others may write to the folder {path} (mode {mode:o}), so that what is found there may be theirs: run `chmod 700 {path}`"
    )]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What is being written there could be exchanged.
    #[error(
        "what is written in {path} (of the user with the id {owner}, mode {mode:o}) could be read or exchanged meanwhile by somebody else: name a folder that belongs to you or root, and that nobody else may write to"
    )]
    Exchangeable {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no folder, is not there, or the system refuses.
    #[error("the folder {path} cannot be opened")]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Folder {
    /// Refuses a folder of another user. Nothing is made or changed, and one that is not there passes.
    pub fn check(path: &Path) -> Result<(), FolderError> {
        match Self::open(path) {
            Ok(folder) => folder.refuse_anothers(),
            Err(FolderError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
            // Which user's it is says more than that it cannot be entered.
            Err(error) => match fs::metadata(path).map(|metadata| metadata.uid()) {
                Ok(owner) if owner != own_user() => Err(not_ours(path, owner)),
                _ => Err(error),
            },
        }
    }

    /// The folder for this process to keep its things in: made with mode 0700 where it is not there; refused where it
    /// is another user's. One that others may enter, and files in it that they may read, as earlier versions and
    /// people made them, are made this user's alone, and that is told.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        make_folder(path).map_err(|source| failed(path, source))?;
        let folder = Self::open(path)?;
        folder.refuse_anothers()?;
        folder.close_to_others()?;
        Ok(folder)
    }

    /// The folder of somebody who keeps things in it, as this user finds it: this user's own, or anybody's for root,
    /// who names it himself. Refused where others than its owner could have put there what is found.
    pub fn find(path: &Path) -> Result<Self, FolderError> {
        let folder = match Self::open(path) {
            Ok(folder) => folder,
            Err(error) => {
                let owner = fs::metadata(path).map(|metadata| metadata.uid());
                return Err(match owner {
                    Ok(owner) if owner != own_user() => not_ours(path, owner),
                    _ => error,
                });
            }
        };
        if own_user() != ROOT {
            folder.refuse_anothers()?;
        }
        let metadata = folder.metadata()?;
        if let Some(mode) = is_open(&metadata) {
            return Err(FolderError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        Ok(folder)
    }

    /// Whose it is.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Its path, for people.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The way to an entry of it that leads by the open handle (proc(5), `/proc/self/fd`): into the folder that was
    /// proved, and short, because the address of a socket has 108 bytes (unix(7)).
    pub fn within(&self, name: &str) -> PathBuf {
        by_handle(&self.handle).join(name)
    }

    fn open(path: &Path) -> Result<Self, FolderError> {
        let fail = |source| failed(path, source);
        let handle = File::open(path).map_err(fail)?;
        let metadata = handle.metadata().map_err(fail)?;
        if !metadata.is_dir() {
            return Err(fail(ErrorKind::NotADirectory.into()));
        }
        if fs::metadata(by_handle(&handle)).is_err() {
            let words = "it is reached by /proc/self/fd, and /proc is not mounted here";
            return Err(fail(io::Error::new(ErrorKind::Unsupported, words)));
        }
        Ok(Self {
            handle,
            path: path.to_owned(),
            owner: metadata.uid(),
        })
    }

    fn metadata(&self) -> Result<Metadata, FolderError> {
        self.handle
            .metadata()
            .map_err(|source| failed(&self.path, source))
    }

    fn refuse_anothers(&self) -> Result<(), FolderError> {
        if self.owner == own_user() {
            Ok(())
        } else {
            Err(not_ours(&self.path, self.owner))
        }
    }

    fn close_to_others(&self) -> Result<(), FolderError> {
        let fail = |source| failed(&self.path, source);
        if let Some(mode) = exposure(&self.metadata()?) {
            self.handle
                .set_permissions(Permissions::from_mode(0o700))
                .map_err(fail)?;
            tracing::warn!(
                path = %self.path.display(), mode = %format!("{mode:o}"),
                "others could enter the data folder; it is its owner's alone now"
            );
        }
        for entry in fs::read_dir(by_handle(&self.handle)).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            // Of the entry itself: a link may lead to what is none of ours.
            let metadata = entry.metadata().map_err(fail)?;
            if !metadata.is_file() || metadata.uid() != own_user() {
                continue;
            }
            if let Some(mode) = exposure(&metadata) {
                fs::set_permissions(entry.path(), Permissions::from_mode(0o600)).map_err(fail)?;
                tracing::warn!(
                    path = %self.path.join(entry.file_name()).display(), mode = %format!("{mode:o}"),
                    "others could read a file of the data folder; it is its owner's alone now"
                );
            }
        }
        Ok(())
    }
}

fn by_handle(handle: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

fn not_ours(path: &Path, owner: u32) -> FolderError {
    FolderError::NotOurs {
        path: path.to_owned(),
        owner,
        own: own_user(),
    }
}

fn failed(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_that_is_taken_is_closed_with_all_its_files_and_nothing_that_a_link_leads_to() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("one/data");
        fs::create_dir_all(&data).unwrap();
        fs::set_permissions(&data, Permissions::from_mode(0o775)).unwrap();
        let elsewhere = home.path().join("elsewhere");
        for file in [&data.join("unpause.db"), &elsewhere] {
            fs::write(file, "x").unwrap();
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
        std::os::unix::fs::symlink(&elsewhere, data.join("link")).unwrap();
        assert!(
            matches!(
                Folder::find(&data),
                Err(FolderError::Open { mode: 0o775, .. })
            ),
            "others could have put there what is found"
        );
        let folder = Folder::take(&data).unwrap();
        assert_eq!(mode_of(&data), 0o700);
        assert_eq!(mode_of(&data.join("unpause.db")), 0o600);
        assert_eq!(mode_of(&elsewhere), 0o644);
        assert_eq!(fs::read(folder.within("unpause.db")).unwrap(), b"x");
        Folder::find(&data).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_made_and_one_that_was_proved_is_reached_wherever_it_is() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Folder::check(&data).unwrap();
        assert!(!data.exists(), "what is looked at is not made");
        let folder = Folder::take(&data).unwrap();
        assert_eq!(mode_of(&data), 0o700);
        fs::rename(&data, home.path().join("moved")).unwrap();
        fs::create_dir(&data).unwrap();
        fs::write(folder.within("file"), "x").unwrap();
        assert!(home.path().join("moved/file").exists());
        fs::write(home.path().join("file"), "x").unwrap();
        assert!(matches!(
            Folder::take(&home.path().join("file")),
            Err(FolderError::Io { .. })
        ));
    }
}
