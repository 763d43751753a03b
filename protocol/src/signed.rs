//! Who is at the other end: a device signs what it asks and the relay signs what it answers, as HTTP message signatures
//! (RFC 9421) over a digest of the body (RFC 9530). What is covered and in which words stands here once for both sides;
//! keys, time and randomness are theirs. [`crate::sealed`] keeps a body from other eyes; this says whose it is.
//!
//! A request carries `Content-Digest`, and under the label `device` a signature over `@method`, `@path`, `@query`,
//! `content-digest` and, where they are there, `content-type`, `if-none-match` and [`RELAY_KEY`]. Its `keyid` is the device's public
//! key, its `nonce` a challenge of the relay's, a dot, and text that is never used again. An answer carries the
//! challenge to use next, and under the label `relay` a signature over `@status`, `content-digest`, that challenge, its
//! `etag` where it has one, and the request's signature: an answer to another request is none.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sfv::{BareItem, Dictionary, FieldType as _, KeyRef, ListEntry, Parser};
use sha2::{Digest as _, Sha256};

use crate::renewal::RELAY_KEY;

/// The digest of the body (RFC 9530 §2).
pub const CONTENT_DIGEST: &str = "content-digest";
/// What a signature covers (RFC 9421 §4.1).
pub const SIGNATURE_INPUT: &str = "signature-input";
/// The signature itself (RFC 9421 §4.2).
pub const SIGNATURE: &str = "signature";
/// What the next nonce begins with: an answer's field.
pub const CHALLENGE: &str = "unpause-challenge";

/// Length of a public key of Ed25519, in bytes (RFC 8032 §5.1.5).
pub const KEY_BYTES: usize = 32;
/// Length of a signature of Ed25519, in bytes (RFC 8032 §5.1.6).
pub const SIGNATURE_BYTES: usize = 64;

/// The one algorithm, by its registered name (RFC 9421 §6.2.2).
const ALGORITHM: &str = "ed25519";
/// The label of a request's signature, and what it is for (RFC 9421 §2.3, `tag`).
const DEVICE: Role = Role {
    label: "device",
    tag: "unpause-device",
};
/// The same of an answer's.
const RELAY: Role = Role {
    label: "relay",
    tag: "unpause-relay",
};
/// Between the challenge and what is never used again.
const IN_NONCE: char = '.';
/// The longest nonce that is kept, in characters.
const NONCE_AT_MOST: usize = 128;

/// A public key of Ed25519, base64url: whose signatures are believed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct VerifyingKey(String);

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an Ed25519 public key: {KEY_BYTES} bytes as base64url without padding")]
pub struct NotAKey;

impl VerifyingKey {
    /// The key of these bytes.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> [u8; KEY_BYTES] {
        // Checked where it was made.
        decode_key(&self.0).unwrap_or_default()
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key in eight groups of four digits, for people to compare: the first 16 bytes of its SHA-256.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        let mut text = String::new();
        for (idx, byte) in digest.iter().take(16).enumerate() {
            if idx > 0 && idx % 2 == 0 {
                text.push(' ');
            }
            let _ = write!(text, "{byte:02X}");
        }
        text
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        decode_key(&text).ok_or(NotAKey)?;
        Ok(Self(text))
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> Self {
        key.0
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn decode_key(text: &str) -> Option<[u8; KEY_BYTES]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// What of a request is signed, as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, percent-encoded as it is sent.
    pub path: &'a str,
    /// The query without its question mark, where there is one.
    pub query: Option<&'a str>,
    /// Its `Content-Digest`.
    pub content_digest: &'a str,
    /// Its `Content-Type`, where it has one.
    pub content_type: Option<&'a str>,
    /// Its `If-None-Match`, where it has one.
    pub if_none_match: Option<&'a str>,
    /// Its [`RELAY_KEY`], where it has one.
    pub relay_key: Option<&'a str>,
}

/// What of an answer is signed.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The status.
    pub status: u16,
    /// Its `Content-Digest`.
    pub content_digest: &'a str,
    /// Its [`CHALLENGE`].
    pub challenge: &'a str,
    /// Its `ETag`, where it has one.
    pub etag: Option<&'a str>,
    /// The signature of the request that it answers.
    pub request: &'a [u8; SIGNATURE_BYTES],
}

/// Something to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// What the signature is made over (RFC 9421 §2.5).
    pub base: String,
    role: Role,
    parameters: String,
}

impl Unsigned {
    /// The values of [`SIGNATURE_INPUT`] and [`SIGNATURE`].
    pub fn sign(&self, signature: &[u8; SIGNATURE_BYTES]) -> (String, String) {
        (
            format!("{}={}", self.role.label, self.parameters),
            written(self.role, signature),
        )
    }
}

/// A signature that is still to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// What it must have been made over.
    pub base: String,
    /// Who is said to have made it.
    pub key: VerifyingKey,
    /// When it is said to have been made, in seconds since 1970.
    pub created: i64,
    /// What it says to be used once; empty in an answer.
    pub nonce: String,
    /// The signature.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Why there is no signature to verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A field does not parse, or has no member of that label.
    #[error("the field {field} has no signature {label:?} (RFC 9421)")]
    Missing {
        /// The field.
        field: &'static str,
        /// The label.
        label: &'static str,
    },
    /// It covers something else.
    #[error("the signature must cover {expected}, in this order")]
    NotCovered {
        /// What it must cover.
        expected: String,
    },
    /// A field has more than that signature, or in another spelling: one way to write it is enough.
    #[error("the field {field} must hold the signature {label:?} alone, as RFC 9651 serialises it")]
    Spelling {
        /// The field.
        field: &'static str,
        /// The label.
        label: &'static str,
    },
    /// A parameter is not there, or has another value.
    #[error("the signature's parameter {name} is missing or wrong: expected {expected}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A parameter that nobody here knows: what it asks for would not be done.
    #[error("the signature has the unknown parameter {name:?}")]
    UnknownParameter {
        /// Its name.
        name: String,
    },
}

/// The digest of a body, as [`CONTENT_DIGEST`] says it.
pub fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// The nonce of a request: a challenge, where one is known, and text that is never used again.
pub fn join_nonce(challenge: &str, once: &str) -> String {
    format!("{challenge}{IN_NONCE}{once}")
}

/// The challenge that a nonce begins with.
pub fn find_challenge(nonce: &str) -> Option<&str> {
    nonce
        .split_once(IN_NONCE)
        .filter(|(_, once)| !once.is_empty())
        .map(|(challenge, _)| challenge)
}

/// A request to be signed by this key's other half; `created` in seconds since 1970.
pub fn prepare_request(
    asked: &Asked<'_>,
    key: &VerifyingKey,
    created: i64,
    nonce: &str,
) -> Unsigned {
    let parameters = format!(
        ";created={created};nonce=\"{nonce}\";keyid=\"{key}\";alg=\"{ALGORITHM}\";tag=\"{}\"",
        DEVICE.tag
    );
    prepare(DEVICE, &asked.components(), &parameters)
}

/// An answer to be signed by this key's other half.
pub fn prepare_answer(answered: &Answered<'_>, key: &VerifyingKey, created: i64) -> Unsigned {
    let parameters = format!(
        ";created={created};keyid=\"{key}\";alg=\"{ALGORITHM}\";tag=\"{}\"",
        RELAY.tag
    );
    prepare(RELAY, &answered.components(), &parameters)
}

/// The signature of a request, from the values of its two fields.
pub fn read_request(
    asked: &Asked<'_>,
    input: &str,
    signature: &str,
) -> Result<Presented, SignatureError> {
    let presented = read(DEVICE, &asked.components(), input, signature)?;
    if presented.nonce.is_empty() {
        return Err(SignatureError::Parameter {
            name: "nonce",
            expected: "the relay's challenge, a dot, and text that is never used again",
        });
    }
    Ok(presented)
}

/// An answer as it came, before anything of it is believed.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The status.
    pub status: u16,
    /// The value of [`CONTENT_DIGEST`]; empty where there is none, as the others.
    pub content_digest: &'a str,
    /// The value of [`CHALLENGE`].
    pub challenge: &'a str,
    /// Its `ETag`, where it has one.
    pub etag: Option<&'a str>,
    /// The value of [`SIGNATURE_INPUT`].
    pub input: &'a str,
    /// The value of [`SIGNATURE`].
    pub signature: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Heard<'_> {
    /// What `relay` must have signed for this to be its answer to the request of that signature; `None` where it is
    /// another's, or its body is not the one that was signed.
    pub fn to_verify(
        &self,
        relay: &VerifyingKey,
        request: &[u8; SIGNATURE_BYTES],
    ) -> Option<Presented> {
        let answered = Answered {
            status: self.status,
            content_digest: self.content_digest,
            challenge: self.challenge,
            etag: self.etag,
            request,
        };
        let presented = read_answer(&answered, self.input, self.signature).ok()?;
        (presented.key == *relay && digest(self.body) == self.content_digest).then_some(presented)
    }
}

/// The signature of an answer, from the values of its two fields.
fn read_answer(
    answered: &Answered<'_>,
    input: &str,
    signature: &str,
) -> Result<Presented, SignatureError> {
    read(RELAY, &answered.components(), input, signature)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Role {
    label: &'static str,
    tag: &'static str,
}

/// A component: its identifier as it is serialised, and its value.
type Component = (String, String);

fn named(name: &str, value: impl Into<String>) -> Component {
    (format!("\"{name}\""), value.into())
}

impl Asked<'_> {
    fn components(&self) -> Vec<Component> {
        // RFC 9421 §2.2.7: without a query it is the question mark alone.
        let query = format!("?{}", self.query.unwrap_or_default());
        let mut components = vec![
            named("@method", self.method),
            named("@path", self.path),
            named("@query", query),
            named(CONTENT_DIGEST, self.content_digest),
        ];
        let more = [
            ("content-type", self.content_type),
            ("if-none-match", self.if_none_match),
            (RELAY_KEY, self.relay_key),
        ];
        components.extend(
            more.into_iter()
                .filter_map(|(name, value)| Some(named(name, value?.trim()))),
        );
        components
    }
}

impl Answered<'_> {
    fn components(&self) -> Vec<Component> {
        let mut components = vec![
            named("@status", self.status.to_string()),
            named(CONTENT_DIGEST, self.content_digest),
            named(CHALLENGE, self.challenge),
        ];
        components.extend(self.etag.map(|etag| named("etag", etag.trim())));
        // RFC 9421 §2.4: a member of the request's field.
        components.push((
            format!("\"{SIGNATURE}\";req;key=\"{}\"", DEVICE.label),
            format!(":{}:", STANDARD.encode(self.request)),
        ));
        components
    }
}

fn prepare(role: Role, components: &[Component], parameters: &str) -> Unsigned {
    let parameters = format!("{}{parameters}", list(components));
    Unsigned {
        base: base_of(components, &parameters),
        role,
        parameters,
    }
}

fn list(components: &[Component]) -> String {
    let ids: Vec<&str> = components.iter().map(|(id, _)| id.as_str()).collect();
    format!("({})", ids.join(" "))
}

/// RFC 9421 §2.5.
fn base_of(components: &[Component], parameters: &str) -> String {
    let mut base = String::new();
    for (id, value) in components {
        let _ = writeln!(base, "{id}: {value}");
    }
    let _ = write!(base, "\"@signature-params\": {parameters}");
    base
}

fn read(
    role: Role,
    components: &[Component],
    input: &str,
    signature: &str,
) -> Result<Presented, SignatureError> {
    let missing = || SignatureError::Missing {
        field: SIGNATURE_INPUT,
        label: role.label,
    };
    let list_entry = find_member(input, role.label).ok_or_else(missing)?;
    let ListEntry::InnerList(covered) = list_entry else {
        return Err(missing());
    };
    let mut found = Found::default();
    for (name, value) in &covered.params {
        found.take(name.as_str(), value)?;
    }
    let parameters = vec![ListEntry::InnerList(covered)]
        .serialize()
        .ok_or_else(missing)?;
    if input != format!("{}={parameters}", role.label) {
        return Err(SignatureError::Spelling {
            field: SIGNATURE_INPUT,
            label: role.label,
        });
    }
    let expected = list(components);
    if !parameters.starts_with(&format!("{expected};")) {
        return Err(SignatureError::NotCovered { expected });
    }
    let wrong = |name, expected| SignatureError::Parameter { name, expected };
    if found.algorithm.as_deref() != Some(ALGORITHM) {
        return Err(wrong("alg", "\"ed25519\""));
    }
    if found.tag.as_deref() != Some(role.tag) {
        return Err(wrong("tag", role.tag));
    }
    Ok(Presented {
        base: base_of(components, &parameters),
        key: found
            .key
            .and_then(|key| VerifyingKey::try_from(key).ok())
            .ok_or_else(|| wrong("keyid", "an Ed25519 public key as base64url"))?,
        created: found
            .created
            .ok_or_else(|| wrong("created", "seconds since 1970"))?,
        nonce: found.nonce.unwrap_or_default(),
        signature: read_signature(role, signature)?,
    })
}

/// The parameters of a signature (RFC 9421 §2.3).
#[derive(Default)]
struct Found {
    created: Option<i64>,
    nonce: Option<String>,
    key: Option<String>,
    algorithm: Option<String>,
    tag: Option<String>,
}

impl Found {
    fn take(&mut self, name: &str, value: &BareItem) -> Result<(), SignatureError> {
        let text = value.as_string().map(|text| text.as_str().to_owned());
        match name {
            "created" => self.created = value.as_integer().map(Into::into),
            "nonce" => self.nonce = text.filter(|nonce| nonce.len() <= NONCE_AT_MOST),
            "keyid" => self.key = text,
            "alg" => self.algorithm = text,
            "tag" => self.tag = text,
            unknown => {
                return Err(SignatureError::UnknownParameter {
                    name: unknown.to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn read_signature(role: Role, field: &str) -> Result<[u8; SIGNATURE_BYTES], SignatureError> {
    let missing = || SignatureError::Missing {
        field: SIGNATURE,
        label: role.label,
    };
    let ListEntry::Item(item) = find_member(field, role.label).ok_or_else(missing)? else {
        return Err(missing());
    };
    let bytes = item
        .bare_item
        .as_byte_sequence()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(missing)?;
    if field == written(role, &bytes) {
        Ok(bytes)
    } else {
        Err(SignatureError::Spelling {
            field: SIGNATURE,
            label: role.label,
        })
    }
}

fn written(role: Role, signature: &[u8; SIGNATURE_BYTES]) -> String {
    format!("{}=:{}:", role.label, STANDARD.encode(signature))
}

fn find_member(field: &str, label: &str) -> Option<ListEntry> {
    let mut members: Dictionary = Parser::new(field).parse().ok()?;
    members.shift_remove(KeyRef::from_str(label).ok()?)
}

#[cfg(test)]
mod tests;
