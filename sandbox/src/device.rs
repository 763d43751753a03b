//! A device of a relay, as a program plays one: its key, what it signs, and how it judges what comes back. Written from
//! RFC 9421 and RFC 9530 alone, so that relay and extension are held to the standards and not to one another.

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
        let mut covered = vec![
            ("@method", question.method.to_owned()),
            ("@path", question.path.to_owned()),
            ("@query", format!("?{}", question.query.unwrap_or_default())),
            ("content-digest", content_digest.clone()),
        ];
        for (name, value) in [
            ("content-type", question.content_type),
            ("if-none-match", question.if_none_match),
        ] {
            covered.extend(value.map(|value| (name, value.to_owned())));
        }
        let names: Vec<String> = covered
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        let parameters = format!(
            "({});created=1800000000;nonce=\"{nonce}\";keyid=\"{}\";alg=\"ed25519\";tag=\"unpause-device\"",
            names.join(" "),
            self.public_key()
        );
        let mut lines: Vec<String> = covered
            .iter()
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect();
        lines.push(format!("\"@signature-params\": {parameters}"));
        let signature = self.key.sign(lines.join("\n").as_bytes());
        Proof {
            content_digest,
            signature_input: format!("device={parameters}"),
            signature: format!("device=:{}:", STANDARD.encode(signature.to_bytes())),
        }
    }

    /// Whether this is what the relay of that key (base64url) said to that question. What is not is to be believed in
    /// nothing, its challenge included.
    pub fn is_said(&self, relay_key: &str, proof: &Proof, said: &Said<'_>) -> bool {
        let is_its = judge(relay_key, proof, said).is_some();
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

fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

fn judge(relay_key: &str, proof: &Proof, said: &Said<'_>) -> Option<()> {
    let parameters = said.signature_input.strip_prefix("relay=")?;
    let etag = if said.etag.is_some() { " \"etag\"" } else { "" };
    let covered = format!(
        "(\"@status\" \"content-digest\" \"unpause-challenge\"{etag} \"signature\";req;key=\"device\")"
    );
    let rest = parameters.strip_prefix(covered.as_str())?;
    let its = format!(";keyid=\"{relay_key}\";alg=\"ed25519\";tag=\"unpause-relay\"");
    rest.strip_prefix(";created=")?
        .strip_suffix(its.as_str())?
        .parse::<u64>()
        .ok()?;
    if said.content_digest != digest(said.body) {
        return None;
    }
    let mut base = format!(
        "\"@status\": {}\n\"content-digest\": {}\n\"unpause-challenge\": {}\n",
        said.status, said.content_digest, said.challenge
    );
    if let Some(etag) = said.etag {
        let _ = writeln!(base, "\"etag\": {etag}");
    }
    let asked = proof.signature.strip_prefix("device=")?;
    let _ = write!(
        base,
        "\"signature\";req;key=\"device\": {asked}\n\"@signature-params\": {parameters}"
    );
    let key = URL_SAFE_NO_PAD.decode(relay_key).ok()?.try_into().ok()?;
    let signature = said.signature.strip_prefix("relay=:")?.strip_suffix(':')?;
    let signature = STANDARD.decode(signature).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&key)
        .ok()?
        .verify_strict(base.as_bytes(), &Signature::from_bytes(&signature))
        .ok()
}
