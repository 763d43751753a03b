//! What an authenticator says of itself (Web Authentication §6.1), alone or within an attestation object (§6.5.4).

use coset::cbor::Value;
use coset::cbor::de::from_reader_with_recursion_limit;

use super::key::PublicKey;
use super::{Fault, RelyingParty, sha256};

/// How deep CBOR is read. Attestation statements are maps of lists; keys are flat.
const DEEP_AT_MOST: usize = 8;
/// Hash of the relying party's id, flags, counter.
const HEAD_BYTES: usize = 37;
/// The authenticator's model, which nobody vouches for without attestation.
const MODEL_BYTES: usize = 16;

// The flags, by their bits (§6.1; the two of backup are Level 3's).
const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const MAY_BE_BACKED_UP: u8 = 1 << 3;
const IS_BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// The head of an authenticator's data.
#[derive(Clone, Debug)]
pub(super) struct AuthenticatorData {
    party: [u8; 32],
    flags: u8,
    pub(super) counter: u32,
}

/// The credential in it.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    pub(super) id: Vec<u8>,
    pub(super) key: PublicKey,
}

impl AuthenticatorData {
    /// Of an assertion: nothing but the head is looked at, and extensions behind it if it says so.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let (head, rest) = Self::split(bytes)?;
        if head.flags & HAS_CREDENTIAL == 0 {
            head.check_rest(rest)?;
        }
        Ok(head)
    }

    /// Of a creation.
    pub(super) fn parse_with_credential(bytes: &[u8]) -> Result<(Self, Credential), Fault> {
        let (head, rest) = Self::split(bytes)?;
        if head.flags & HAS_CREDENTIAL == 0 {
            return Err(Fault::NotAuthenticatorData);
        }
        let rest = rest.get(MODEL_BYTES..).ok_or(Fault::NotAuthenticatorData)?;
        let (n, rest) = rest
            .split_first_chunk::<2>()
            .ok_or(Fault::NotAuthenticatorData)?;
        let n = usize::from(u16::from_be_bytes(*n));
        let (id, mut rest) = rest
            .split_at_checked(n)
            .ok_or(Fault::NotAuthenticatorData)?;
        let before = rest;
        let key = read(&mut rest)?;
        let n_key = before.len() - rest.len();
        let key = PublicKey::from_value(key, before.get(..n_key).unwrap_or_default())?;
        head.check_rest(rest)?;
        let id = id.to_vec();
        Ok((head, Credential { id, key }))
    }

    fn split(bytes: &[u8]) -> Result<(Self, &[u8]), Fault> {
        let (head, rest) = bytes
            .split_at_checked(HEAD_BYTES)
            .ok_or(Fault::NotAuthenticatorData)?;
        let (party, head) = head
            .split_first_chunk::<32>()
            .ok_or(Fault::NotAuthenticatorData)?;
        let (flags, counter) = head.split_first().ok_or(Fault::NotAuthenticatorData)?;
        let counter = counter
            .try_into()
            .map_err(|_| Fault::NotAuthenticatorData)?;
        let data = Self {
            party: *party,
            flags: *flags,
            counter: u32::from_be_bytes(counter),
        };
        Ok((data, rest))
    }

    /// Behind everything else stand the extensions, which are not looked at, or nothing.
    fn check_rest(&self, mut rest: &[u8]) -> Result<(), Fault> {
        if self.flags & HAS_EXTENSIONS != 0 && !matches!(read(&mut rest)?, Value::Map(_)) {
            return Err(Fault::NotAuthenticatorData);
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(Fault::NotAuthenticatorData)
        }
    }

    pub(super) fn check(&self, party: &RelyingParty) -> Result<(), Fault> {
        let has = |flag| self.flags & flag != 0;
        if self.party != sha256(party.id.as_bytes()) {
            return Err(Fault::OtherParty);
        }
        if !has(PRESENT) {
            return Err(Fault::NobodyPresent);
        }
        if !has(VERIFIED) {
            return Err(Fault::Unverified);
        }
        // Level 3 §7.1: what cannot be backed up is not.
        if has(IS_BACKED_UP) && !has(MAY_BE_BACKED_UP) {
            return Err(Fault::NotAuthenticatorData);
        }
        Ok(())
    }
}

/// The authenticator's data within an attestation object, whatever its format and its statement are.
pub(super) fn of_attestation(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut rest = bytes;
    let Ok(Value::Map(fields)) = read(&mut rest) else {
        return Err(Fault::NotAttestation);
    };
    let find = |name: &str| {
        let mut found = fields
            .iter()
            .filter(|(key, _)| key.as_text() == Some(name))
            .map(|(_, value)| value);
        // One name twice is two answers.
        found.next().filter(|_| found.next().is_none())
    };
    match (find("fmt"), find("attStmt"), find("authData")) {
        (Some(Value::Text(_)), Some(Value::Map(_)), Some(Value::Bytes(data)))
            if rest.is_empty() =>
        {
            Ok(data.clone())
        }
        _ => Err(Fault::NotAttestation),
    }
}

/// Reads one item of CBOR from the front (RFC 8949).
pub(super) fn read(rest: &mut &[u8]) -> Result<Value, Fault> {
    from_reader_with_recursion_limit(rest, DEEP_AT_MOST).map_err(|_| Fault::NotAuthenticatorData)
}
