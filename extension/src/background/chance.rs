//! The background's only randomness.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use getrandom::SysRng;
use hpke::rand_core::{TryRng as _, UnwrapErr};

use protocol::secret::Secret;
use protocol::visit::Chance;

/// 256 bits: nobody guesses it.
const BYTES: usize = 32;

/// A text of 43 characters of base64url that nobody can guess.
pub(super) fn text() -> String {
    let mut bytes = [0; BYTES];
    let Ok(()) = UnwrapErr(SysRng).try_fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What one visit needs.
pub(super) fn for_visit() -> Chance {
    Chance {
        state: Secret::new(text()),
        verifier: Secret::new(text()),
    }
}
