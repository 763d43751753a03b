//! The key file: one random master, from which the key at rest and its id follow. During a renewal the new file lies
//! beside the old one; at its end it has the old one's place, and the old one lies beside it.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::at_rest::AtRest;
use super::halves::Halves;
use super::random_bytes;
use crate::ownership;

/// First line of a key file, so that another file is not taken for one.
const HEADER: &str = "unpause-key-2";
/// The same of files that earlier versions made. They are read for ever, and never made any more.
const FIRST_HEADER: &str = "unpause-key-1";
/// Letters of a key's id.
const ID_CHARS: usize = 12;
/// The ending of a file that waits for its place, and of one that had it.
const NEW: &str = "new";
const OLD: &str = "old";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No file, where one must be.
    #[error(
        "the key file {path} is missing; the credentials in the database cannot be opened without it: put it back from your backup, or move the database away to begin anew"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error(
        "the key file {path} is not an unpause key file: expected the line {HEADER:?} and a line of 43 characters"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("the key file {path} can be read by others (mode {mode:o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may put a file in its place.
    #[error(
        "others may write to the folder of the key file {path} (mode {mode:o}): run `chmod go-w {}`",
        folder_of(.path).display()
    )]
    Replaceable {
        /// The file.
        path: PathBuf,
        /// The permission bits of its folder.
        mode: u32,
    },
    /// It is another user's, who could put another one there.
    #[error(
        "the key file {path} belongs to the user with the id {owner}, and this is run by the one with the id {own}: run it as the file's user, or `chown {own} {path}`"
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        own: u32,
    },
    /// The operating system refused.
    #[error("the key file {path} cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What follows from one key file.
pub struct KeyFile {
    at_rest: Arc<AtRest>,
    first: Halves,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyFile({})", self.id())
    }
}

impl KeyFile {
    /// The file at `path`; where there is none and `may_create`, a new one with mode 0600.
    pub fn load(path: &Path, may_create: bool) -> Result<Self, KeyError> {
        let io = failed(path);
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound && may_create => {
                return Self::create(path);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(KeyError::Missing {
                    path: path.to_owned(),
                });
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let owner = fs::metadata(path).map(|metadata| metadata.uid());
                return Err(match owner {
                    Ok(owner) if owner != ownership::own_user() => KeyError::NotOurs {
                        path: path.to_owned(),
                        owner,
                        own: ownership::own_user(),
                    },
                    _ => io(error),
                });
            }
            Err(error) => return Err(io(error)),
        };
        let metadata = fs::metadata(path).map_err(io)?;
        // Who acts as root names the file of somebody else himself; a relay makes its own (`may_create`).
        let owner = metadata.uid();
        if owner != ownership::own_user() && (may_create || !ownership::is_root()) {
            return Err(KeyError::NotOurs {
                path: path.to_owned(),
                owner,
                own: ownership::own_user(),
            });
        }
        if let Some(mode) = ownership::exposure(&metadata) {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        check_folder(path)?;
        Self::parse(&text).ok_or_else(|| KeyError::Malformed {
            path: path.to_owned(),
        })
    }

    /// The file with the key `needed`: the one at `path`, or the one beside it that waits for its place. Where neither
    /// has that key, what there is at `path`.
    pub fn find(path: &Path, needed: &str) -> Result<Self, KeyError> {
        let found = Self::load(path, false);
        if found.as_ref().is_ok_and(|file| file.id() == needed) {
            return found;
        }
        let waiting = Self::load(&beside(path, needed, NEW), false);
        match waiting {
            Ok(waiting) if waiting.id() == needed => Ok(waiting),
            _ => found,
        }
    }

    /// A name for its key that reveals nothing of it; the database notes it.
    pub fn id(&self) -> &str {
        self.at_rest.id()
    }

    /// The key that seals at rest.
    pub(super) fn at_rest(&self) -> &Arc<AtRest> {
        &self.at_rest
    }

    /// With what a relay begins whose database has no keys yet.
    pub(super) fn first(&self) -> &Halves {
        &self.first
    }

    /// A file with a new key, which waits for the place of the one at `path`. It is on the disk when this returns.
    pub fn create_beside(path: &Path) -> Result<Self, KeyError> {
        let text = make();
        // It was made right here.
        let file = Self::parse(&text).ok_or_else(|| KeyError::Malformed {
            path: path.to_owned(),
        })?;
        write(&beside(path, file.id(), NEW), &text)?;
        Ok(file)
    }

    fn create(path: &Path) -> Result<Self, KeyError> {
        ownership::make_folder(folder_of(path)).map_err(failed(path))?;
        let text = make();
        write(path, &text)?;
        Self::parse(&text).ok_or_else(|| KeyError::Malformed {
            path: path.to_owned(),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let header = lines.next()?;
        let master = Zeroizing::new(URL_SAFE_NO_PAD.decode(lines.next()?.trim()).ok()?);
        let master: Zeroizing<[u8; 32]> = Zeroizing::new(master.as_slice().try_into().ok()?);
        match header {
            HEADER => Some(Self::from_master(&master)),
            FIRST_HEADER => Some(Self::from_first_master(&master)),
            _ => None,
        }
    }

    /// Keys of their own for each use (RFC 5869); by those that are random the database is what knows them.
    pub(super) fn from_master(master: &[u8; 32]) -> Self {
        let derive = |label: &str| {
            let mut key = Zeroizing::new([0_u8; 32]);
            // 32 bytes are far below the 255 digests that RFC 5869 §2.3 allows.
            let _ = Hkdf::<Sha256>::new(None, master).expand(label.as_bytes(), &mut *key);
            key
        };
        let tags = derive("unpause message tags v2");
        Self {
            at_rest: at_rest(
                &derive("unpause key id v2"),
                derive("unpause seal at rest v2"),
            ),
            first: Halves::random(&tags),
        }
    }

    /// As earlier versions derived theirs, all of them from the file.
    pub(super) fn from_first_master(master: &[u8; 32]) -> Self {
        let derive = |label: &str| -> Zeroizing<[u8; 32]> {
            let digest = Sha256::new()
                .chain_update(label)
                .chain_update([0])
                .chain_update(master)
                .finalize();
            Zeroizing::new(digest.into())
        };
        Self {
            at_rest: at_rest(
                &derive("unpause key id v1"),
                derive("unpause seal at rest v1"),
            ),
            first: Halves::new(
                &derive("unpause signing key v1"),
                &derive("unpause hand-over key v1"),
                &derive("unpause message tags v1"),
            ),
        }
    }
}

/// Gives the file with the key `id`, which waits beside `path`, its place; the one that has it lies beside it from then
/// on. There is a file at `path` all the time. `false`: none waits.
pub fn take_place(path: &Path, id: &str) -> Result<bool, KeyError> {
    let waiting = beside(path, id, NEW);
    match KeyFile::load(&waiting, false) {
        Ok(file) if file.id() == id => {}
        Ok(_) => return Err(KeyError::Malformed { path: waiting }),
        Err(KeyError::Missing { .. }) => return Ok(false),
        Err(error) => return Err(error),
    }
    match KeyFile::load(path, false) {
        Ok(before) => {
            let old = old_path(path, before.id());
            match fs::hard_link(path, &old) {
                Ok(()) => {}
                // A killed relay was here before.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                // A file system without links.
                Err(_) => write(
                    &old,
                    &Zeroizing::new(fs::read_to_string(path).map_err(failed(path))?),
                )?,
            }
        }
        Err(KeyError::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    fs::rename(&waiting, path).map_err(failed(path))?;
    sync_folder(path)?;
    Ok(true)
}

/// Takes away what renewals left beside `path` that were ended before they began. For whoever knows that no file waits
/// that the database needs.
pub fn forget_waiting(path: &Path) -> Result<(), KeyError> {
    for waiting in list_beside(path)? {
        if waiting.extension().is_some_and(|ending| ending == NEW) {
            fs::remove_file(&waiting).map_err(failed(&waiting))?;
        }
    }
    sync_folder(path)
}

/// The files beside `path` that wait for its place or had it.
pub fn list_beside(path: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let begins = format!("{name}.");
    let is_beside = |found: &Path| {
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        let middle = name
            .strip_prefix(&begins)
            .and_then(|rest| rest.rsplit_once('.'));
        middle.is_some_and(|(id, ending)| is_id(id) && [NEW, OLD].contains(&ending))
    };
    let found = fs::read_dir(folder_of(path)).map_err(failed(path))?;
    let mut beside = Vec::new();
    for entry in found {
        let entry = entry.map_err(failed(path))?.path();
        if is_beside(&entry) {
            beside.push(entry);
        }
    }
    Ok(beside)
}

/// Whether the file with the key `id` waits beside `path` for its place.
pub fn is_waiting(path: &Path, id: &str) -> bool {
    beside(path, id, NEW).exists()
}

/// Where the file with the key `id` lies once another one has its place.
pub fn old_path(path: &Path, id: &str) -> PathBuf {
    beside(path, id, OLD)
}

/// For words about a file that is needed: where a renewal left it, if it did and it is there yet.
pub fn where_left(path: &Path, needed: &str) -> String {
    let old = old_path(path, needed);
    if old.exists() {
        format!(" (a renewal of the keys left it as {})", old.display())
    } else {
        String::new()
    }
}

fn beside(path: &Path, id: &str, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // An id comes from the database, and names no folder.
    let id = if is_id(id) { id } else { "" };
    name.push(format!(".{id}.{ending}"));
    path.with_file_name(name)
}

fn is_id(text: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() == ID_CHARS && text.bytes().all(is_of_it)
}

fn at_rest(id: &[u8; 32], key: Zeroizing<[u8; 32]>) -> Arc<AtRest> {
    let id = URL_SAFE_NO_PAD.encode(id).chars().take(ID_CHARS).collect();
    Arc::new(AtRest::new(id, key))
}

fn make() -> Zeroizing<String> {
    let master = Zeroizing::new(random_bytes::<32>());
    let master = Zeroizing::new(URL_SAFE_NO_PAD.encode(*master));
    Zeroizing::new(format!("{HEADER}\n{}\n", *master))
}

/// Writes a file that is not there yet, for its owner alone, and has it on the disk.
fn write(path: &Path, text: &str) -> Result<(), KeyError> {
    check_folder(path)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed(path))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed(path))?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> Result<(), KeyError> {
    let folder = fs::File::open(folder_of(path));
    folder
        .and_then(|folder| folder.sync_all())
        .map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> KeyError + Copy {
    move |source| KeyError::Io {
        path: path.to_owned(),
        source,
    }
}

/// The folder of a file; the present one where its path names none.
fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Whoever may write to the folder may put another key into it.
fn check_folder(path: &Path) -> Result<(), KeyError> {
    let metadata = fs::metadata(folder_of(path)).map_err(failed(path))?;
    match ownership::is_open(&metadata) {
        Some(mode) => Err(KeyError::Replaceable {
            path: path.to_owned(),
            mode,
        }),
        None => Ok(()),
    }
}
