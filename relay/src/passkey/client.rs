//! What the browser says of a ceremony: which one, by whose challenge, on which page (Web Authentication §5.8.1). It may
//! say more than is read here: the standard lets it grow.

use serde::Deserialize;

use super::{Fault, RelyingParty, decode, sha256};

/// Which of the two ceremonies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    /// A credential is made.
    Creation,
    /// A credential signs.
    Assertion,
}

/// The client's data, as it came.
#[derive(Clone, Debug)]
pub struct ClientData {
    raw: Vec<u8>,
    said: Said,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    /// Said by Level 3 where a page was held by another.
    #[serde(default)]
    top_origin: Option<String>,
}

impl ClientData {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let raw = decode(text)?;
        let said = serde_json::from_slice(&raw).map_err(|_| Fault::NotClientData)?;
        Ok(Self { raw, said })
    }

    /// The challenge, base64url, as it was given.
    pub fn challenge(&self) -> &str {
        &self.said.challenge
    }

    pub(super) fn check(&self, ceremony: Ceremony, party: &RelyingParty) -> Result<(), Fault> {
        let expected = match ceremony {
            Ceremony::Creation => "webauthn.create",
            Ceremony::Assertion => "webauthn.get",
        };
        if self.said.r#type != expected {
            return Err(Fault::OtherCeremony);
        }
        if self.said.origin != party.origin {
            return Err(Fault::OtherOrigin);
        }
        if self.said.cross_origin || self.said.top_origin.is_some() {
            return Err(Fault::Framed);
        }
        Ok(())
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        sha256(&self.raw)
    }
}
