//! The relay as a relying party of W3C Web Authentication (Level 2, and what Level 3 adds): what a browser and an
//! authenticator made or signed, read and checked, as the lists of §7.1 and §7.2 ask. Pure: no database, no time; which
//! challenge was given to whom is `http`'s. Attestation is neither asked for nor looked at, so whatever makes of
//! authenticator is taken; what is insisted on is that its person was verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::request::passkey::{Assertion, CreatePasskey};
use sha2::{Digest as _, Sha256};

mod client;
mod data;
mod key;

pub use client::{Ceremony, ClientData};
use data::AuthenticatorData;
pub use key::PublicKey;

/// The most bytes of a credential's id (Web Authentication Level 3 §5.1).
const ID_AT_MOST: usize = 1_023;
/// The most bytes of any other part. Authenticators write some hundred; with the chain of an attestation, some thousand.
const PART_AT_MOST: usize = 16 * 1_024;

/// Where passkeys are made and used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// Its id: a host name.
    pub id: String,
    /// The one origin whose pages ask for it.
    pub origin: String,
}

/// Why something is not taken. Nothing that was sent is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not base64url without padding, or too long.
    #[error("expected base64url without padding of at most {PART_AT_MOST} bytes")]
    NotBase64,
    /// It is not the JSON of Web Authentication §5.8.1.
    #[error("expected the JSON of a client's data with type, challenge and origin")]
    NotClientData,
    /// It was made for the other ceremony.
    #[error("expected the type of this ceremony, found another")]
    OtherCeremony,
    /// A page of another site asked for it.
    #[error("expected the origin of this relay's own pages, found another")]
    OtherOrigin,
    /// A page within another one asked for it.
    #[error("expected a page that no other page holds")]
    Framed,
    /// It is not an attestation object of Web Authentication §6.5.4.
    #[error("expected an attestation object in CBOR with fmt, attStmt and authData")]
    NotAttestation,
    /// It is not the authenticator data of Web Authentication §6.1.
    #[error("expected the data of an authenticator, whole and with nothing after it")]
    NotAuthenticatorData,
    /// It was made for another host.
    #[error("expected the relying party of this relay, found another")]
    OtherParty,
    /// Nobody was there.
    #[error("expected somebody who touched the authenticator")]
    NobodyPresent,
    /// Somebody was there, and the authenticator did not look who.
    #[error(
        "expected an authenticator that verified its person, by a PIN, a finger or a face: choose one that can"
    )]
    Unverified,
    /// The credential's id is another.
    #[error("expected the credential's id to be that of its data")]
    OtherId,
    /// The key is none that is taken.
    #[error("expected a public key of COSE for EdDSA, ES256 or RS256")]
    NotAKey,
    /// The signature is not that of the key.
    #[error("expected a signature of this passkey")]
    NotSigned,
}

/// A credential that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCredential {
    /// Its id, base64url.
    pub id: String,
    /// Its public key, as it was sent.
    pub key: PublicKey,
    /// How often it has signed, where it counts.
    pub counter: u32,
}

/// Reads what a browser made (Web Authentication §7.1); the challenge in `client` is whoever's who gave it.
pub fn read_creation(
    party: &RelyingParty,
    client: &ClientData,
    made: &CreatePasskey,
) -> Result<NewCredential, Fault> {
    client.check(Ceremony::Creation, party)?;
    let id = decode(&made.credential_id)?;
    let data = data::of_attestation(&decode(&made.attestation)?)?;
    let (data, credential) = AuthenticatorData::parse_with_credential(&data)?;
    data.check(party)?;
    if credential.id != id || id.is_empty() || id.len() > ID_AT_MOST {
        return Err(Fault::OtherId);
    }
    Ok(NewCredential {
        id: URL_SAFE_NO_PAD.encode(&id),
        key: credential.key,
        counter: data.counter,
    })
}

/// What a passkey signed, everything about it checked but whose it is and what it was signed with.
#[derive(Clone, Debug)]
pub struct Signed {
    message: Vec<u8>,
    signature: Vec<u8>,
    /// How often the authenticator has signed, where it counts.
    pub counter: u32,
}

/// Reads what a passkey signed (Web Authentication §7.2), up to its signature.
pub fn read_assertion(
    party: &RelyingParty,
    client: &ClientData,
    made: &Assertion,
) -> Result<Signed, Fault> {
    client.check(Ceremony::Assertion, party)?;
    let mut message = decode(&made.authenticator_data)?;
    let data = AuthenticatorData::parse(&message)?;
    data.check(party)?;
    message.extend(client.hash());
    Ok(Signed {
        message,
        signature: decode(&made.signature)?,
        counter: data.counter,
    })
}

impl Signed {
    /// Whether this key made the signature.
    pub fn check(&self, key: &PublicKey) -> Result<(), Fault> {
        key.verify(&self.message, &self.signature)
    }

    /// Whether the counter says that this is no copy of the authenticator (Web Authentication §6.1.1): it grows, or
    /// nothing was ever counted.
    pub fn has_grown(&self, before: u32) -> bool {
        (self.counter == 0 && before == 0) || self.counter > before
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Fault> {
    // Four letters are three bytes.
    if text.len() > PART_AT_MOST / 3 * 4 {
        return Err(Fault::NotBase64);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::NotBase64)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
