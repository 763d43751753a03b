//! Sealing at rest: what is sealed names the key that opens it, so that a row says whether it is still to be resealed.

use std::ops::Deref;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::random_bytes;

/// Between the id of the key and the sealed bytes; in base64url there is none.
const BEHIND_ID: char = '.';

/// A sealed column does not open: another key file, another row, or damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed column of the database does not open with this key file")]
pub struct SealingError;

/// A key that seals values for storage.
pub struct AtRest {
    id: String,
    /// For a renewal, which keeps it sealed under its successor until nothing is left that it opens.
    bytes: Zeroizing<[u8; 32]>,
    cipher: ChaCha20Poly1305,
}

impl std::fmt::Debug for AtRest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AtRest({})", self.id)
    }
}

impl AtRest {
    pub(super) fn new(id: String, bytes: Zeroizing<[u8; 32]>) -> Self {
        let cipher = ChaCha20Poly1305::new(&Key::from(*bytes));
        Self { id, bytes, cipher }
    }

    /// A name for the key that reveals nothing of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// How everything begins that this key seals.
    pub fn prefix(&self) -> String {
        format!("{}{BEHIND_ID}", self.id)
    }

    pub(super) fn seal<T: Serialize>(
        &self,
        context: &str,
        value: &T,
    ) -> Result<String, SealingError> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| SealingError)?);
        self.seal_bytes(context, &plain)
    }

    pub(super) fn seal_bytes(&self, context: &str, plain: &[u8]) -> Result<String, SealingError> {
        let nonce = random_bytes::<12>();
        let payload = Payload {
            msg: plain,
            aad: context.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealingError)?;
        let blob = URL_SAFE_NO_PAD.encode([nonce.as_slice(), sealed.as_slice()].concat());
        Ok(format!("{}{blob}", self.prefix()))
    }

    pub(super) fn open<T: DeserializeOwned>(
        &self,
        context: &str,
        sealed: &str,
    ) -> Result<T, SealingError> {
        serde_json::from_slice(&self.open_bytes(context, sealed)?).map_err(|_| SealingError)
    }

    pub(super) fn open_bytes(
        &self,
        context: &str,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealingError> {
        let (_, blob) = take_apart(sealed);
        let blob = URL_SAFE_NO_PAD.decode(blob).map_err(|_| SealingError)?;
        let (nonce, msg) = blob.split_first_chunk::<12>().ok_or(SealingError)?;
        let payload = Payload {
            msg,
            aad: context.as_bytes(),
        };
        let plain = self.cipher.decrypt(&Nonce::from(*nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| SealingError)
    }
}

/// The id of the key that a sealed value names, and the rest; `None` where it names none, as before keys could be renewed.
pub(super) fn take_apart(sealed: &str) -> (Option<&str>, &str) {
    match sealed.split_once(BEHIND_ID) {
        Some((id, blob)) => (Some(id), blob),
        None => (None, sealed),
    }
}

/// A value that has just been sealed. Whoever keeps it in memory keeps the end of a renewal waiting, so that nothing is
/// written under a key that is gone by then.
#[derive(Debug)]
pub struct Sealed {
    text: String,
    _by: Arc<AtRest>,
}

impl Sealed {
    pub(super) fn new(text: String, by: Arc<AtRest>) -> Self {
        Self { text, _by: by }
    }
}

impl Deref for Sealed {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
