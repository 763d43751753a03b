//! The only maker of randomness, and the only keeper of keys: random tokens and ids, hashes of tokens,
//! sealing at rest. Sealing between browser and relay is in [`protocol::sealed`].

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use ed25519_dalek::{Signer as _, SigningKey};
use protocol::sealed::OpeningKey;
use protocol::secret::Secret;
use protocol::signed::{SIGNATURE_BYTES, VerifyingKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ownership;
use crate::tag::Tags;

pub mod password;
pub mod tried;

/// Bytes of randomness in a token, a code and an id.
const TOKEN_BYTES: usize = 24;
/// First line of a key file, so that another file is not taken for one.
const KEY_FILE_HEADER: &str = "unpause-key-1";

/// Random text of 32 characters, base64url.
pub fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<TOKEN_BYTES>())
}

/// A fresh token or code.
pub fn random_secret() -> Secret {
    Secret::new(random_text())
}

/// A number in `0..below`, for jitter; `below` 0 gives 0.
pub fn random_below(below: u64) -> u64 {
    u64::from_le_bytes(random_bytes())
        .checked_rem(below)
        .unwrap_or(0)
}

/// What is stored of a token: its SHA-256, in hex. Tokens have 192 random bits, so no salt is needed.
pub fn hash(token: &Secret) -> String {
    hash_text(token.expose())
}

/// The SHA-256 of a text, in hex.
pub fn hash_text(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is where randomness is made"
)]
#[expect(
    clippy::panic,
    reason = "without randomness nothing here is safe to go on with"
)]
fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no randomness: {error}");
    }
    bytes
}

/// The keys of one relay: one seals at rest, one opens what browsers seal, one signs what is answered. None is ever
/// shown.
pub struct Keys {
    at_rest: ChaCha20Poly1305,
    opening: OpeningKey,
    signing: SigningKey,
    tags: Tags,
    id: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.id)
    }
}

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
        "the key file {path} is not an unpause key file: expected the line {KEY_FILE_HEADER:?} and a line of 43 characters"
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
    /// The operating system refused.
    #[error("the key file {path} cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Keys {
    /// The keys in `path`; where there is no file and `may_create`, a new one with mode 0600.
    pub fn load(path: &Path, may_create: bool) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io {
            path: path.to_owned(),
            source,
        };
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
            Err(error) => return Err(io(error)),
        };
        if let Some(mode) = ownership::exposure(&fs::metadata(path).map_err(io)?) {
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

    fn create(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io {
            path: path.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder_of(path))
            .map_err(io)?;
        check_folder(path)?;
        let master = Zeroizing::new(URL_SAFE_NO_PAD.encode(random_bytes::<32>()));
        let text = Zeroizing::new(format!("{KEY_FILE_HEADER}\n{}\n", *master));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(io)?;
        Self::parse(&text).ok_or_else(|| KeyError::Malformed {
            path: path.to_owned(),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(KEY_FILE_HEADER) {
            return None;
        }
        let master = Zeroizing::new(URL_SAFE_NO_PAD.decode(lines.next()?.trim()).ok()?);
        (master.len() == 32).then(|| Self::from_master(&master))
    }

    /// Keys of their own for each use, so that one master serves all (domain separation by label).
    fn from_master(master: &[u8]) -> Self {
        let derive = |label: &str| -> [u8; 32] {
            Sha256::new()
                .chain_update(label)
                .chain_update([0])
                .chain_update(master)
                .finalize()
                .into()
        };
        let at_rest = Zeroizing::new(derive("unpause seal at rest v1"));
        let opening = Zeroizing::new(derive("unpause hand-over key v1"));
        let signing = Zeroizing::new(derive("unpause signing key v1"));
        let id = URL_SAFE_NO_PAD
            .encode(derive("unpause key id v1"))
            .chars()
            .take(12)
            .collect();
        Self {
            at_rest: ChaCha20Poly1305::new(&Key::from(*at_rest)),
            opening: OpeningKey::derive(&opening),
            signing: SigningKey::from_bytes(&signing),
            tags: Tags::new(derive("unpause message tags v1")),
            id,
        }
    }

    /// A name for these keys that reveals nothing of them; the database notes it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key that opens what browsers seal.
    pub fn opening(&self) -> &OpeningKey {
        &self.opening
    }

    /// The key by which this relay is known: devices pin it at pairing.
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey::from_bytes(self.signing.verifying_key().as_bytes())
    }

    /// Signs for this relay.
    pub fn sign(&self, text: &str) -> [u8; SIGNATURE_BYTES] {
        self.signing.sign(text.as_bytes()).to_bytes()
    }

    /// Makes and knows the tags of our messages.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Seals a value for storage; it opens only with the same `context`, so that a sealed column cannot
    /// be moved to another row.
    pub fn seal<T: Serialize>(&self, context: &str, value: &T) -> Result<String, SealingError> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| SealingError)?);
        let nonce = random_bytes::<12>();
        let payload = Payload {
            msg: &plain,
            aad: context.as_bytes(),
        };
        let sealed = self
            .at_rest
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealingError)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), sealed.as_slice()].concat()))
    }

    /// The value that was sealed with this `context`.
    pub fn open<T: DeserializeOwned>(
        &self,
        context: &str,
        sealed: &str,
    ) -> Result<T, SealingError> {
        let blob = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealingError)?;
        let (nonce, msg) = blob.split_first_chunk::<12>().ok_or(SealingError)?;
        let payload = Payload {
            msg,
            aad: context.as_bytes(),
        };
        let plain = self
            .at_rest
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| SealingError)?;
        serde_json::from_slice(&Zeroizing::new(plain)).map_err(|_| SealingError)
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
    let metadata = fs::metadata(folder_of(path)).map_err(|source| KeyError::Io {
        path: path.to_owned(),
        source,
    })?;
    match ownership::is_open(&metadata) {
        Some(mode) => Err(KeyError::Replaceable {
            path: path.to_owned(),
            mode,
        }),
        None => Ok(()),
    }
}

/// A sealed column does not open: another key file, another row, or damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed column of the database does not open with this key file")]
pub struct SealingError;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/unpause.key");
        assert!(matches!(
            Keys::load(&path, false),
            Err(KeyError::Missing { .. })
        ));
        let made = Keys::load(&path, true).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(Keys::load(&path, true).unwrap().id(), made.id());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Keys::load(&path, true),
            Err(KeyError::Exposed { mode: 0o644, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let keys = path.parent().unwrap();
        assert_eq!(
            fs::metadata(keys).unwrap().permissions().mode() & 0o777,
            0o700
        );
        for (mode, is_taken) in [(0o755, true), (0o775, false), (0o757, false), (0o750, true)] {
            fs::set_permissions(keys, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Keys::load(&path, false).is_ok(), is_taken, "{mode:o}");
        }
        fs::set_permissions(keys, fs::Permissions::from_mode(0o777)).unwrap();
        let words = Keys::load(&path, false).unwrap_err().to_string();
        let to_do = format!("run `chmod go-w {}`", keys.display());
        assert!(
            words.contains("(mode 777)") && words.ends_with(&to_do),
            "{words}"
        );
        fs::set_permissions(keys, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, "something else").unwrap();
        assert!(matches!(
            Keys::load(&path, true),
            Err(KeyError::Malformed { .. })
        ));
    }

    #[test]
    fn a_sealed_value_opens_with_its_key_and_context_only() {
        let (ours, theirs) = (Keys::from_master(&[1; 32]), Keys::from_master(&[2; 32]));
        let sealed = ours.seal("inbox inb_1", &"a token").unwrap();
        assert!(!sealed.contains("token"));
        assert_eq!(
            ours.open::<String>("inbox inb_1", &sealed).as_deref(),
            Ok("a token")
        );
        assert_eq!(
            ours.open::<String>("inbox inb_2", &sealed),
            Err(SealingError)
        );
        assert_eq!(
            theirs.open::<String>("inbox inb_1", &sealed),
            Err(SealingError)
        );
    }
}
