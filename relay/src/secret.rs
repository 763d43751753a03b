//! The only maker of randomness, and the only keeper of keys: random tokens and ids, hashes of tokens,
//! sealing at rest. Sealing between browser and relay is in [`protocol::sealed`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::secret::Secret;
use sha2::{Digest as _, Sha256};

mod at_rest;
mod file;
mod halves;
mod keys;
pub mod password;
pub mod tried;

pub use at_rest::{AtRest, Sealed, SealingError};
pub use file::{
    KeyError, KeyFile, forget_waiting, is_waiting, list_beside, old_path, take_place, where_left,
};
pub use keys::{FOLLOW_FOR, Kept, KeptAtRest, KeptGeneration, Keys, Signing};

/// Bytes of randomness in a token, a code and an id.
const TOKEN_BYTES: usize = 24;

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

#[cfg(test)]
mod tests;
