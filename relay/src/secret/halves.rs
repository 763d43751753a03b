//! The secret halves by which devices know a relay and our messages are known, as the database keeps them: sealed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use protocol::sealed::OpeningKey;
use protocol::secret::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::at_rest::SealingError;
use super::random_bytes;
use crate::tag::Tags;

/// What signs (RFC 8032 §5.1.5), what opens (RFC 9180 §7.1.3, `ikm`), and what makes tags; 32 bytes each, base64url.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Halves {
    signing: Secret,
    opening: Secret,
    tags: Secret,
}

impl Halves {
    pub(super) fn new(signing: &[u8; 32], opening: &[u8; 32], tags: &[u8; 32]) -> Self {
        let write = |bytes| Secret::new(URL_SAFE_NO_PAD.encode(bytes));
        Self {
            signing: write(signing),
            opening: write(opening),
            tags: write(tags),
        }
    }

    /// New ones, but for the key of tags: a ledger that is put back has to make the same tags as ever, or a step that was
    /// sent matches no copy and is sent again. A tag protects nothing else, so this key is never renewed.
    pub(super) fn random(tags: &[u8; 32]) -> Self {
        let [signing, opening] = [(); 2].map(|()| Zeroizing::new(random_bytes::<32>()));
        Self::new(&signing, &opening, tags)
    }

    pub(super) fn renewed(&self) -> Result<Self, SealingError> {
        let tags = read(&self.tags)?;
        Ok(Self::random(&tags))
    }

    pub(super) fn signing(&self) -> Result<SigningKey, SealingError> {
        let signing = read(&self.signing)?;
        Ok(SigningKey::from_bytes(&signing))
    }

    pub(super) fn opening(&self) -> Result<OpeningKey, SealingError> {
        let opening = read(&self.opening)?;
        Ok(OpeningKey::derive(&opening))
    }

    pub(super) fn tags(&self) -> Result<Tags, SealingError> {
        Ok(Tags::new(*read(&self.tags)?))
    }
}

fn read(text: &Secret) -> Result<Zeroizing<[u8; 32]>, SealingError> {
    let bytes = URL_SAFE_NO_PAD.decode(text.expose()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| SealingError)?;
    bytes
        .as_slice()
        .try_into()
        .map(Zeroizing::new)
        .map_err(|_| SealingError)
}
