//! Backups: one file, made while the relay runs, and put back where nothing stands. Which file stands where, and that
//! none is ever half there, is here; what is in the copy is `store::backup`'s.
//!
//! It is the command's own process that copies: a relay behind a hardened unit may not write where backups are kept, and
//! one that is down has to be backed up as well. The key file is never in it: a backup that is stolen opens nothing.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use protocol::timestamp::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::app::DATABASE_FILE;
use crate::config::Config;
use crate::mark;
use crate::ownership::{self, Folder, FolderError};
use crate::secret::{KeyError, KeyFile, list_beside, random_text, where_left};
use crate::store::backup::{Contents, CopyError, copy, read};
use crate::store::{OpenError, Store, lock_path};

/// The ending of a file that is not finished.
const UNFINISHED: &str = ".part";

/// Why there is no backup, or it was not put back. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The copy cannot be made, or is none.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// There is a file already.
    #[error(
        "there is a file {path} already, and a backup takes no other's place: name another file"
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// It is no name of a file.
    #[error(
        "{path} is no name of a file: expected one in a folder that is there, as in `--to backups/unpause.backup`"
    )]
    NoFile {
        /// What was named.
        path: PathBuf,
    },
    /// It was made and cannot take its place.
    #[error("the backup cannot be written to {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A relay runs where it is to be put.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Something stands where it is to be put.
    #[error(
        "the data folder {data} is not empty (it has {entry}), and a backup takes no other's place: set `data` to a folder that is empty, or move this one away"
    )]
    NotEmpty {
        /// The folder.
        data: PathBuf,
        /// The first thing in it.
        entry: String,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is no key.
    #[error(
        "the key file {path} is missing, and without it the credentials in the backup open nothing: put the file with the key {needed} there (it is in no backup), then restore again"
    )]
    NoKey {
        /// Where it is looked for.
        path: PathBuf,
        /// The id of the key that is needed.
        needed: String,
    },
    /// The key is another one.
    #[error(
        "the key file {path} has the key {found}, and the backup needs the key {needed}: put that one there{}, then restore again",
        where_left(.path, .needed)
    )]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// The id of its key.
        found: String,
        /// The id of the key that is needed.
        needed: String,
    },
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Copies the database of a data folder to `to`, whether a relay runs on it or not. The file is there whole or not at
/// all; whoever is killed leaves one whose name ends with `.part`.
pub async fn save(data: &Path, to: &Path, now: Timestamp) -> Result<Contents, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Taken {
            path: to.to_owned(),
        });
    }
    if data.exists() {
        // What others could have put there is not what is to be kept.
        Folder::find(data)?;
    }
    let part = Part::create(to)?;
    let contents = copy(&data.join(DATABASE_FILE), &part.path, now).await?;
    part.take_its_place()?;
    Ok(contents)
}

/// What is in a backup.
pub async fn check(path: &Path) -> Result<Contents, BackupError> {
    Ok(read(path).await?)
}

/// Puts a backup into an empty data folder. Everything that can be refused is, before anything is written.
pub async fn restore(config: &Config, from: &Path) -> Result<Contents, BackupError> {
    let contents = read(from).await?;
    let database = config.data.join(DATABASE_FILE);
    Folder::check(&config.data)?;
    Store::check_unused(&database)?;
    refuse_filled(config)?;
    if let Some(needed) = &contents.key {
        check_key(&config.key_file, needed)?;
    }
    let _folder = Folder::take(&config.data)?;
    let _held = Store::keep_unused(&database)?;
    for left in list(&config.data)?.into_iter().filter(is_part) {
        remove(&config.data.join(left))?;
    }
    let part = Part::create(&database)?;
    let failed = failed(&database);
    let copied = File::open(from)
        .and_then(|mut from| io::copy(&mut from, &mut &part.file))
        .and_then(|_| part.file.sync_all());
    copied.map_err(failed)?;
    // What was copied is what was looked through.
    let copied = read(&part.path).await?;
    part.take_its_place()?;
    Ok(copied)
}

/// A database that is there, or anything else that is not ours to be beside.
fn refuse_filled(config: &Config) -> Result<(), BackupError> {
    let data = &config.data;
    let mut beside = vec![lock_path(&data.join(DATABASE_FILE))];
    beside.extend([config.key_file.clone()]);
    // What renewals left there.
    beside.extend(list_beside(&config.key_file).unwrap_or_default());
    beside.extend(mark::files(&config.mark_file));
    let found = list(data)?
        .into_iter()
        .find(|name| !is_part(name) && !beside.contains(&data.join(name)));
    match found {
        Some(entry) => Err(BackupError::NotEmpty {
            data: data.clone(),
            entry: entry.to_string_lossy().into_owned(),
        }),
        None => Ok(()),
    }
}

fn check_key(path: &Path, needed: &str) -> Result<(), BackupError> {
    let file = match KeyFile::find(path, needed) {
        Ok(file) => file,
        Err(KeyError::Missing { .. }) => {
            return Err(BackupError::NoKey {
                path: path.to_owned(),
                needed: needed.to_owned(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    if file.id() == needed {
        return Ok(());
    }
    Err(BackupError::WrongKey {
        path: path.to_owned(),
        found: file.id().to_owned(),
        needed: needed.to_owned(),
    })
}

/// What stands in a folder, in the order of its names; nothing where there is no folder.
fn list(folder: &Path) -> Result<Vec<OsString>, BackupError> {
    let names = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()
    });
    match names {
        Ok(mut names) => {
            names.sort();
            Ok(names)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(failed(folder)(source)),
    }
}

/// Whether a restore that was killed left this.
fn is_part(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(&format!(".{DATABASE_FILE}.")) && name.ends_with(UNFINISHED)
}

/// A file beside the one that it will be, under a name of its own; it goes when it is dropped before that.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: File,
    to: PathBuf,
}

impl Part {
    fn create(to: &Path) -> Result<Self, BackupError> {
        let to = std::path::absolute(to).map_err(failed(to))?;
        let (Some(folder), Some(name)) = (to.parent(), to.file_name()) else {
            return Err(BackupError::NoFile { path: to });
        };
        if !folder.is_dir() {
            return Err(BackupError::NoFile { path: to });
        }
        ownership::check_for_writing(folder)?;
        let mut part = OsString::from(".");
        part.push(name);
        part.push(format!(".{}{UNFINISHED}", random_text()));
        let path = folder.join(part);
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed(&path))?;
        Ok(Self { path, file, to })
    }

    /// The file gets its name, where no other has it, and the folder keeps it.
    fn take_its_place(self) -> Result<(), BackupError> {
        let renamed = match renameat_with(CWD, &self.path, CWD, &self.to, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {
                return Err(BackupError::Taken {
                    path: self.to.clone(),
                });
            }
            // A file system that cannot look and rename in one.
            Err(Errno::INVAL | Errno::NOSYS) if self.to.symlink_metadata().is_err() => {
                fs::rename(&self.path, &self.to)
            }
            renamed => renamed.map_err(io::Error::from),
        };
        let folder = self.to.parent().unwrap_or(Path::new("/"));
        renamed
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(failed(&self.to))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Where it has its place by now there is nothing under this name.
        let _ = fs::remove_file(&self.path);
    }
}

fn remove(path: &Path) -> Result<(), BackupError> {
    fs::remove_file(path).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::Io {
        path: path.to_owned(),
        source,
    }
}
