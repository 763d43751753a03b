//! A device of a relay, as a program plays one: its key, what it signs, and how it judges what comes back. Written from
//! RFC 9421 and RFC 9530 alone, so that relay and extension are held to the standards and not to one another. And the
//! judge of both directions, for whoever changes things on the way and compares what is believed.

use std::fmt::Write as _;
use std::io;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::chance::Chance;

/// A key and the relay's last challenge.
#[derive(Debug)]
pub struct Device {
    chance: Chance,
    key: SigningKey,
    challenge: Mutex<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// In capitals.
    pub method: &'a str,
    /// As it is sent.
    pub path: &'a str,
    /// Without its question mark.
    pub query: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// Its `Unpause-Relay-Key`, where it has one.
    pub relay_key: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What goes along with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// `Content-Digest`.
    pub content_digest: String,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

impl Proof {
    /// The three fields.
    pub fn fields(&self) -> [(&'static str, &str); 3] {
        [
            ("content-digest", &self.content_digest),
            ("signature-input", &self.signature_input),
            ("signature", &self.signature),
        ]
    }
}

/// What comes back.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The status.
    pub status: u16,
    /// `Content-Digest`.
    pub content_digest: &'a str,
    /// `Unpause-Challenge`.
    pub challenge: &'a str,
    /// `ETag`.
    pub etag: Option<&'a str>,
    /// `Signature-Input`.
    pub signature_input: &'a str,
    /// `Signature`.
    pub signature: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Device {
    /// A device with a fresh key. It fails where the operating system gives no randomness.
    pub fn new() -> io::Result<Self> {
        let chance = Chance::new(0).map_err(io::Error::other)?;
        let mut seed = [0; 32];
        chance.fill(&mut seed);
        Ok(Self {
            chance,
            key: SigningKey::from_bytes(&seed),
            challenge: Mutex::default(),
        })
    }

    /// Its public key, base64url.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes())
    }

    /// That somebody has a pairing code and wants this key paired.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of every length.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    pub fn prove(&self, code: &str) -> String {
        let hash = Sha256::digest(code.as_bytes());
        let mut mac = Hmac::<Sha256>::new_from_slice(&hash).expect("a key of any length");
        mac.update(b"unpause pairing v1");
        mac.update(self.key.verifying_key().as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Signs a question, over the challenge that was heard last.
    pub fn sign(&self, question: &Question<'_>) -> Proof {
        let nonce = format!("{}.{}", self.challenge(), self.chance.token());
        self.sign_with(question, &nonce)
    }

    /// Signs a question with this nonce.
    pub fn sign_with(&self, question: &Question<'_>, nonce: &str) -> Proof {
        let content_digest = digest(question.body);
        let (signature_input, signature) = self.sign_over(
            "device",
            &covered(question, &content_digest),
            &format!(
                ";created=1800000000;nonce=\"{nonce}\";keyid=\"{}\";alg=\"ed25519\";tag=\"unpause-device\"",
                self.public_key()
            ),
        );
        Proof {
            content_digest,
            signature_input,
            signature,
        }
    }

    /// The values of `Signature-Input` and `Signature` over these components, each an identifier as it is serialised
    /// and its value, with these parameters: whatever a holder of the key may sign.
    pub fn sign_over(
        &self,
        label: &str,
        components: &[(String, String)],
        parameters: &str,
    ) -> (String, String) {
        let ids: Vec<&str> = components.iter().map(|(id, _)| id.as_str()).collect();
        let parameters = format!("({}){parameters}", ids.join(" "));
        let signature = self.key.sign(base(components, &parameters).as_bytes());
        (
            format!("{label}={parameters}"),
            format!("{label}=:{}:", STANDARD.encode(signature.to_bytes())),
        )
    }

    /// Whether this is what the relay of that key (base64url) said to that question. What is not is to be believed in
    /// nothing, its challenge included.
    pub fn is_said(&self, relay_key: &str, proof: &Proof, said: &Said<'_>) -> bool {
        let is_its = judge_said(relay_key, proof, said);
        if is_its {
            let mut challenge = self
                .challenge
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            said.challenge.clone_into(&mut challenge);
        }
        is_its
    }

    /// The challenge that was heard last.
    pub fn challenge(&self) -> String {
        self.challenge
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The components of a question (RFC 9421 §2), each an identifier as it is serialised and its value.
pub fn covered(question: &Question<'_>, content_digest: &str) -> Vec<(String, String)> {
    let query = format!("?{}", question.query.unwrap_or_default());
    let always = [
        ("@method", Some(question.method)),
        ("@path", Some(question.path)),
        ("@query", Some(query.as_str())),
        ("content-digest", Some(content_digest)),
        ("content-type", question.content_type),
        ("if-none-match", question.if_none_match),
        ("unpause-relay-key", question.relay_key),
    ];
    let there = always.into_iter().filter_map(|(name, value)| {
        let value = value?;
        Some((format!("\"{name}\""), value.to_owned()))
    });
    there.collect()
}

/// RFC 9421 §2.5.
fn base(components: &[(String, String)], parameters: &str) -> String {
    let mut base = String::new();
    for (id, value) in components {
        let _ = writeln!(base, "{id}: {value}");
    }
    let _ = write!(base, "\"@signature-params\": {parameters}");
    base
}

/// Whether one of these keys (base64url) signed this question, over a challenge that is good now: its nonce. Whether that
/// was used before is the caller's to know.
pub fn judge_question<'a>(
    keys: &[String],
    challenges: &[String],
    question: &Question<'_>,
    proof: &'a Proof,
) -> Option<&'a str> {
    if proof.content_digest != digest(question.body) {
        return None;
    }
    let components = covered(question, &proof.content_digest);
    let ids: Vec<&str> = components.iter().map(|(id, _)| id.as_str()).collect();
    let parameters = proof.signature_input.strip_prefix("device=")?;
    let rest = parameters.strip_prefix(format!("({});created=", ids.join(" ")).as_str())?;
    let (created, rest) = rest.split_once(";nonce=\"")?;
    created.parse::<u64>().ok()?;
    let (nonce, rest) = rest.split_once("\";keyid=\"")?;
    let key = rest.strip_suffix("\";alg=\"ed25519\";tag=\"unpause-device\"")?;
    let (challenge, once) = nonce.split_once('.')?;
    let is_known = keys.iter().any(|known| known == key)
        && challenges.iter().any(|good| good == challenge)
        && !once.is_empty();
    let signature = proof
        .signature
        .strip_prefix("device=:")?
        .strip_suffix(':')?;
    let is_signed = is_known && is_signed_by(key, &base(&components, parameters), signature);
    is_signed.then_some(nonce)
}

/// `key` is base64url, `signature` base64.
fn is_signed_by(key: &str, base: &str, signature: &str) -> bool {
    let read = || {
        let key = URL_SAFE_NO_PAD.decode(key).ok()?.try_into().ok()?;
        let signature = STANDARD.decode(signature).ok()?.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&key).ok()?;
        key.verify_strict(base.as_bytes(), &Signature::from_bytes(&signature))
            .ok()
    };
    read().is_some()
}

fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// The components of what was said to the question of this signature (`:` base64 `:`).
pub fn covered_of_said(said: &Said<'_>, asked: &str) -> Vec<(String, String)> {
    let status = said.status.to_string();
    let always = [
        ("\"@status\"", Some(status.as_str())),
        ("\"content-digest\"", Some(said.content_digest)),
        ("\"unpause-challenge\"", Some(said.challenge)),
        ("\"etag\"", said.etag),
        ("\"signature\";req;key=\"device\"", Some(asked)),
    ];
    let there = always
        .into_iter()
        .filter_map(|(id, value)| Some((id.to_owned(), value?.to_owned())));
    there.collect()
}

/// Whether the relay of this key (base64url) said this to the question of that proof.
pub fn judge_said(relay_key: &str, proof: &Proof, said: &Said<'_>) -> bool {
    judge(relay_key, proof, said).is_some()
}

fn judge(relay_key: &str, proof: &Proof, said: &Said<'_>) -> Option<()> {
    if said.content_digest != digest(said.body) {
        return None;
    }
    let components = covered_of_said(said, proof.signature.strip_prefix("device=")?);
    let ids: Vec<&str> = components.iter().map(|(id, _)| id.as_str()).collect();
    let parameters = said.signature_input.strip_prefix("relay=")?;
    let rest = parameters.strip_prefix(format!("({})", ids.join(" ")).as_str())?;
    let its = format!(";keyid=\"{relay_key}\";alg=\"ed25519\";tag=\"unpause-relay\"");
    rest.strip_prefix(";created=")?
        .strip_suffix(its.as_str())?
        .parse::<u64>()
        .ok()?;
    let signature = said.signature.strip_prefix("relay=:")?.strip_suffix(':')?;
    is_signed_by(relay_key, &base(&components, parameters), signature).then_some(())
}
