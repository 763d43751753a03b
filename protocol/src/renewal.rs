//! How a relay says that its keys were renewed, and who may believe it: whoever knows the key before, since that key
//! has signed it. Keys, time and the verifying itself are the two sides'; that an answer is the relay's is in
//! [`crate::signed`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::sealed::RelayKey;
use crate::signed::{SIGNATURE_BYTES, VerifyingKey};
use crate::timestamp::Timestamp;

/// The field in which a device names the relay's key that it knows, where that came to it by a renewal.
pub const RELAY_KEY: &str = "unpause-relay-key";

/// How a statement begins, so that what was signed for another use is none. A base of RFC 9421 §2.5 begins with a quote.
const PURPOSE: &str = "unpause relay key renewal v1";

/// That one key of a relay took another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The key before, which signs this.
    pub from: VerifyingKey,
    /// The key by which the relay signs from then on.
    pub signing: VerifyingKey,
    /// What is sealed to it from then on.
    pub sealing: RelayKey,
    /// Since when.
    pub at: Timestamp,
}

impl fmt::Display for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            signing,
            sealing,
            at,
        } = self;
        let at = at.as_ms();
        write!(
            f,
            "{PURPOSE}\nfrom {from}\nsigning {signing}\nsealing {sealing}\nat {at}"
        )
    }
}

impl Renewed {
    /// What a statement says; `None` where it is written in any other way.
    fn parse(statement: &str) -> Option<Self> {
        let mut lines = statement.lines();
        let mut next = |name: &str| lines.next()?.strip_prefix(name);
        next(PURPOSE)?;
        let renewed = Self {
            from: key(next("from ")?)?,
            signing: key(next("signing ")?)?,
            sealing: RelayKey::parse(next("sealing ")?)?,
            at: Timestamp::from_ms(next("at ")?.parse().ok()?),
        };
        (renewed.to_string() == statement).then_some(renewed)
    }
}

fn key(text: &str) -> Option<VerifyingKey> {
    VerifyingKey::try_from(text.to_owned()).ok()
}

/// A statement as it travels, with the signature (RFC 8032) by the key before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Renewal {
    /// What was signed, to the letter.
    pub statement: String,
    /// The signature, base64url without padding.
    pub signature: String,
}

impl Renewal {
    /// What was said, with its signature.
    pub fn new(renewed: &Renewed, signature: &[u8; SIGNATURE_BYTES]) -> Self {
        Self {
            statement: renewed.to_string(),
            signature: URL_SAFE_NO_PAD.encode(signature),
        }
    }

    /// What it says to whoever knows the key `known`, and the signature of that key which the statement must bear before
    /// anything of it is believed; `None` where it is about another key, or no statement.
    pub fn to_verify(&self, known: &VerifyingKey) -> Option<(Renewed, [u8; SIGNATURE_BYTES])> {
        let signature = URL_SAFE_NO_PAD.decode(&self.signature).ok()?;
        let renewed = Renewed::parse(&self.statement)?;
        (renewed.from == *known).then_some((renewed, signature.try_into().ok()?))
    }
}

/// Where these renewals, one after the other, lead who knows the key `known`; `None` where one of them is not signed by
/// the key before it, or there are none: then nothing of any of them is believed. `is_signed` says whether a key has
/// signed a text so.
pub async fn follow(
    known: &VerifyingKey,
    renewals: &[Renewal],
    is_signed: impl AsyncFn(&VerifyingKey, &str, &[u8; SIGNATURE_BYTES]) -> bool,
) -> Option<Renewed> {
    let (mut known, mut last) = (known.clone(), None);
    for renewal in renewals {
        let (renewed, signature) = renewal.to_verify(&known)?;
        if !is_signed(&known, &renewal.statement, &signature).await {
            return None;
        }
        known = renewed.signing.clone();
        last = Some(renewed);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::OpeningKey;

    fn renewed() -> Renewed {
        Renewed {
            from: VerifyingKey::from_bytes(&[1; 32]),
            signing: VerifyingKey::from_bytes(&[2; 32]),
            sealing: OpeningKey::derive(&[3; 32]).public().clone(),
            at: Timestamp::from_ms(1_800_000_000_000),
        }
    }

    #[test]
    fn a_statement_is_read_by_whoever_knows_the_key_before_and_in_one_spelling() {
        let renewal = Renewal::new(&renewed(), &[7; SIGNATURE_BYTES]);
        let expected = (renewed(), [7; SIGNATURE_BYTES]);
        assert_eq!(renewal.to_verify(&renewed().from), Some(expected));
        assert_eq!(renewal.to_verify(&renewed().signing), None);
        let text = &renewal.statement;
        for other in [
            format!("{text}\n"),
            text.replace('\n', "\r\n"),
            text.replace("at ", "at +"),
            text.replace("at ", "at 0"),
            text.replace("v1", "v2"),
            format!("{text}\nat 1"),
            String::new(),
        ] {
            let other = Renewal {
                statement: other,
                ..renewal.clone()
            };
            assert_eq!(other.to_verify(&renewed().from), None, "{other:?}");
        }
    }
}
