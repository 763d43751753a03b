//! Showing that one has a pairing code without saying it. Whoever answers at the relay's address may not be the relay:
//! it learns a proof that is good for the one key that was shown with it, and for nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;
use crate::signed::VerifyingKey;

/// What this proof is about, so that it is never taken for another.
const PURPOSE: &[u8] = b"unpause pairing v1";

/// That somebody has a code and wants this key paired: HMAC-SHA-256 (RFC 2104) under the code's SHA-256, base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct CodeProof(String);

impl CodeProof {
    /// For this code and this key.
    pub fn new(code: &Secret, key: &VerifyingKey) -> Self {
        let hash = Sha256::digest(code.expose().as_bytes());
        let made = mac(&hash, key).finalize().into_bytes();
        Self(URL_SAFE_NO_PAD.encode(made))
    }

    /// Whether it was made with the code of this SHA-256, for this key. In constant time.
    pub fn fits(&self, code_sha256: &[u8], key: &VerifyingKey) -> bool {
        URL_SAFE_NO_PAD
            .decode(&self.0)
            .is_ok_and(|found| mac(code_sha256, key).verify_slice(&found).is_ok())
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn mac(hash: &[u8], key: &VerifyingKey) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(hash).expect("a key of any length");
    mac.update(PURPOSE);
    mac.update(&key.to_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_its_code_and_its_key_alone() {
        let code = Secret::new("c0de");
        let [ours, theirs] = [1, 2].map(|byte| VerifyingKey::from_bytes(&[byte; 32]));
        let hash = |code: &str| Sha256::digest(code.as_bytes());
        let proof = CodeProof::new(&code, &ours);
        assert!(proof.fits(&hash("c0de"), &ours));
        assert!(!proof.fits(&hash("c0de"), &theirs));
        assert!(!proof.fits(&hash("c0dd"), &ours));
        assert!(!CodeProof(String::new()).fits(&hash("c0de"), &ours));
        assert!(!format!("{proof:?}").contains("c0de"));
    }
}
