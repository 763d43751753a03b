//! The challenges of passkeys. One is kept nowhere while it waits: it carries its end and a proof that this process gave it
//! for this ceremony to this session or this begun sign-in, so nobody can fill memory by beginning. What was signed is
//! remembered until its end, so that each is good once. A start of the relay ends all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use protocol::problem::{Code, Problem};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sha2::Sha256;

use crate::secret::{random_secret, random_text};

/// How long a challenge is good: Web Authentication §15.1 recommends five minutes where somebody has to be verified.
const CHALLENGE_FOR: Duration = Duration::from_mins(5);
/// Random text, the end in milliseconds, the proof.
const RANDOM_BYTES: usize = 32;
const END_BYTES: usize = 8;

/// What a challenge was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Signing in.
    SignIn,
    /// Proving anew whose a session is.
    Proof,
    /// Making a passkey.
    Creation,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign in",
            Self::Proof => "prove",
            Self::Creation => "create",
        }
    }
}

/// The challenges of this process.
#[derive(Debug)]
pub(super) struct Ceremonies {
    key: Secret,
    used: Mutex<BTreeMap<String, Timestamp>>,
}

impl Default for Ceremonies {
    fn default() -> Self {
        Self {
            key: random_secret(),
            used: Mutex::default(),
        }
    }
}

impl Ceremonies {
    /// A challenge for whom `bound` names, and its end.
    pub(super) fn give(
        &self,
        purpose: Purpose,
        bound: &str,
        now: Timestamp,
    ) -> (String, Timestamp) {
        let end = now + CHALLENGE_FOR;
        let mut challenge = random_text().into_bytes();
        challenge.extend(end.as_ms().to_be_bytes());
        let proof = self.mac(purpose, bound, &challenge).finalize().into_bytes();
        challenge.extend(proof);
        (URL_SAFE_NO_PAD.encode(challenge), end)
    }

    /// Whether a challenge is one of ours for this, and is good now.
    pub(super) fn check(
        &self,
        challenge: &str,
        (purpose, bound): (Purpose, &str),
        now: Timestamp,
    ) -> Result<(), Problem> {
        let is_ours = self
            .read(challenge, purpose, bound)
            .is_some_and(|end| now < end && !self.used().contains_key(challenge));
        if is_ours { Ok(()) } else { Err(over()) }
    }

    /// Uses a challenge up that was checked and signed; of two who come with it one is let in.
    pub(super) fn use_up(&self, challenge: &str, now: Timestamp) -> Result<(), Problem> {
        let mut used = self.used();
        used.retain(|_, end| now < *end);
        // None ends later than one that is given now.
        let before = used.insert(challenge.to_owned(), now + CHALLENGE_FOR);
        if before.is_some() {
            Err(over())
        } else {
            Ok(())
        }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of a challenge that this process gave for this.
    fn read(&self, challenge: &str, purpose: Purpose, bound: &str) -> Option<Timestamp> {
        let bytes = URL_SAFE_NO_PAD.decode(challenge).ok()?;
        let (said, proof) = bytes.split_at_checked(RANDOM_BYTES + END_BYTES)?;
        self.mac(purpose, bound, said).verify_slice(proof).ok()?;
        let end = said.get(RANDOM_BYTES..)?.try_into().ok()?;
        Some(Timestamp::from_ms(i64::from_be_bytes(end)))
    }

    fn mac(&self, purpose: Purpose, bound: &str, said: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mac = Hmac::<Sha256>::new_from_slice(self.key.expose().as_bytes())
            .expect("a key of any length");
        mac.chain_update(purpose.name())
            .chain_update([0])
            .chain_update(bound)
            .chain_update([0])
            .chain_update(said)
    }
}

fn over() -> Problem {
    let detail = "this challenge is not one of now: it was used, took longer than five minutes, or was given for something \
                  else: begin again";
    Problem::new(Code::Invalid, detail).at_field("client_data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_once_for_what_and_whom_it_was_given_and_for_five_minutes() {
        let (ceremonies, at) = (Ceremonies::default(), Timestamp::from_ms);
        let (challenge, end) = ceremonies.give(Purpose::Proof, "ses_1", at(0));
        assert_eq!(end, at(300_000));
        let check = |challenge: &str, purpose, bound, ms| {
            ceremonies
                .check(challenge, (purpose, bound), at(ms))
                .is_ok()
        };
        assert!(check(&challenge, Purpose::Proof, "ses_1", 299_999));
        assert!(!check(&challenge, Purpose::Proof, "ses_1", 300_000));
        assert!(!check(&challenge, Purpose::Proof, "ses_2", 0));
        assert!(!check(&challenge, Purpose::Creation, "ses_1", 0));
        assert!(!check(&challenge, Purpose::SignIn, "ses_1", 0));
        for n in 0..challenge.len() {
            let mut other = challenge.clone().into_bytes();
            other[n] = if other[n] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(!check(&other, Purpose::Proof, "ses_1", 0), "{n}");
        }
        assert!(!check("", Purpose::Proof, "ses_1", 0));
        let (another, _) = Ceremonies::default().give(Purpose::Proof, "ses_1", at(0));
        assert!(
            !check(&another, Purpose::Proof, "ses_1", 0),
            "another process"
        );
        ceremonies.use_up(&challenge, at(1)).unwrap();
        assert!(ceremonies.use_up(&challenge, at(1)).is_err());
        assert!(!check(&challenge, Purpose::Proof, "ses_1", 1));
        let (next, _) = ceremonies.give(Purpose::Proof, "ses_1", at(600_000));
        ceremonies.use_up(&next, at(600_000)).unwrap();
        assert_eq!(ceremonies.used().len(), 1, "what is over is forgotten");
    }
}
