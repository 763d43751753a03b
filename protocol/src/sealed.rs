//! Sealing what a browser hands to the relay (HPKE, RFC 9180; base mode, DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256, ChaCha20-Poly1305). Sealing at rest is the relay's and has nothing to do with this.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use serde::{Deserialize, Serialize};

/// The same text on both sides, so that a blob of another use of HPKE never opens here.
const INFO: &[u8] = b"unpause sealed hand-over v1";
/// Length of the encapsulated key and of a public key: X25519 (RFC 9180 §7.1).
const KEY_BYTES: usize = 32;

/// The relay's public key, as pairing hands it over and the extension pins it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RelayKey(String);

impl RelayKey {
    /// The key that is written so; `None` where none is.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&bytes).ok()?;
        Some(Self(text.to_owned()))
    }

    /// Seals `plaintext` for this relay; it opens only with the same `context`.
    pub fn seal(
        &self,
        context: &str,
        plaintext: &[u8],
        rng: &mut impl hpke::rand_core::CryptoRng,
    ) -> Result<Sealed, SealError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(&self.0)
            .map_err(|_| SealError::Key)?;
        let key = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&bytes)
            .map_err(|_| SealError::Key)?;
        let (encapsulated, ciphertext) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &key,
                INFO,
                plaintext,
                context.as_bytes(),
                rng,
            )
            .map_err(|_| SealError::Key)?;
        let mut blob = encapsulated.to_bytes().to_vec();
        blob.extend_from_slice(&ciphertext);
        Ok(Sealed(URL_SAFE_NO_PAD.encode(blob)))
    }
}

impl fmt::Display for RelayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The relay's private key. It has no `Debug` and never leaves the relay.
pub struct OpeningKey(<X25519HkdfSha256 as hpke::Kem>::PrivateKey, RelayKey);

impl OpeningKey {
    /// The key pair that follows from 32 random bytes (RFC 9180 §7.1.3); always the same for the same bytes.
    pub fn derive(ikm: &[u8; 32]) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(ikm);
        Self(private, RelayKey(URL_SAFE_NO_PAD.encode(public.to_bytes())))
    }

    /// The public half.
    pub fn public(&self) -> &RelayKey {
        &self.1
    }

    /// The plaintext of a blob that was sealed for this key with this `context`.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let blob = URL_SAFE_NO_PAD
            .decode(&sealed.0)
            .map_err(|_| SealError::Blob)?;
        let (encapsulated, ciphertext) = blob.split_at_checked(KEY_BYTES).ok_or(SealError::Blob)?;
        let encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(encapsulated)
            .map_err(|_| SealError::Blob)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &encapsulated,
            INFO,
            ciphertext,
            context.as_bytes(),
        )
        .map_err(|_| SealError::Blob)
    }
}

/// A sealed hand-over, base64url: the encapsulated key, then the ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Sealed(String);

/// Why sealing or opening failed. It says nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The public key is not a key.
    #[error("the relay's key is not a valid X25519 key")]
    Key,
    /// The blob was sealed for another key or context, or was damaged.
    #[error("the sealed hand-over does not open with this key and context")]
    Blob,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator that counts: the tests need an order of bytes, not randomness.
    struct Counting(u8);

    impl hpke::rand_core::TryRng for Counting {
        type Error = std::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.0 = self.0.wrapping_add(1);
            Ok(u32::from(self.0))
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.try_next_u32().map(u64::from)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            for byte in bytes {
                self.0 = self.0.wrapping_add(1);
                *byte = self.0;
            }
            Ok(())
        }
    }

    impl hpke::rand_core::TryCryptoRng for Counting {}

    #[test]
    fn a_blob_opens_for_its_key_and_context_only() {
        let (ours, theirs) = (OpeningKey::derive(&[1; 32]), OpeningKey::derive(&[2; 32]));
        let sealed = ours
            .public()
            .seal("rec_1", b"a code", &mut Counting(7))
            .unwrap();
        assert_eq!(ours.open("rec_1", &sealed).as_deref(), Ok(&b"a code"[..]));
        assert_eq!(ours.open("rec_2", &sealed), Err(SealError::Blob));
        assert_eq!(theirs.open("rec_1", &sealed), Err(SealError::Blob));
        let cut = Sealed(sealed.0.get(..40).unwrap().to_owned());
        assert_eq!(ours.open("rec_1", &cut), Err(SealError::Blob));
    }
}
