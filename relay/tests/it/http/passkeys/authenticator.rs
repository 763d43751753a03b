//! An authenticator in software, and the browser before it, written from the standard apart from the relay: its own CBOR
//! (RFC 8949), its own COSE (RFC 9052). It can be made to lie.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What is said on the way, true or not.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    pub(crate) flags: u8,
    pub(crate) kind: Option<&'static str>,
    /// More of the client's data.
    pub(crate) more: Value,
}

/// Somebody was there and was verified.
pub(crate) const THERE: u8 = 0b0000_0101;
const CREDENTIAL: u8 = 0b0100_0000;
const EXTENSIONS: u8 = 0b1000_0000;

impl Said {
    /// A browser at the relay's own page.
    pub(crate) fn at(port: u16) -> Self {
        Self {
            origin: format!("http://localhost:{port}"),
            rp_id: "localhost".to_owned(),
            flags: THERE,
            kind: None,
            more: json!({ "crossOrigin": false }),
        }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let mut said = json!({
            "type": self.kind.unwrap_or(kind), "challenge": challenge, "origin": self.origin,
            "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
        });
        let more = self.more.as_object().unwrap().clone();
        said.as_object_mut().unwrap().extend(more);
        serde_json::to_vec(&said).unwrap()
    }

    fn head(&self, flags: u8, counter: u32) -> Vec<u8> {
        let mut data = Sha256::digest(self.rp_id.as_bytes()).to_vec();
        data.push(self.flags | flags);
        data.extend(counter.to_be_bytes());
        data
    }
}

enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(SigningKey),
}

/// One with one credential.
pub(crate) struct Authenticator {
    key: Key,
    pub(crate) id: Vec<u8>,
    pub(crate) counter: u32,
    /// Whether it counts.
    counts: bool,
    pub(crate) handle: Option<String>,
    /// What it says of its make; any is taken.
    format: &'static str,
}

impl Authenticator {
    pub(crate) fn es256() -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap();
        let id = Sha256::digest(key.public_key().as_ref()).to_vec();
        Self::with(Key::Es256(key), id, "none")
    }

    pub(crate) fn ed_dsa(seed: u8) -> Self {
        Self::with(
            Key::EdDsa(SigningKey::from_bytes(&[seed; 32])),
            vec![seed; 64],
            "somebodys-own",
        )
    }

    fn with(key: Key, id: Vec<u8>, format: &'static str) -> Self {
        Self {
            key,
            id,
            counter: 0,
            counts: true,
            handle: None,
            format,
        }
    }

    /// One that keeps no count, as those do whose keys are synchronised.
    pub(crate) fn without_count(mut self) -> Self {
        self.counts = false;
        self
    }

    fn cose(&self) -> Vec<u8> {
        match &self.key {
            Key::Es256(key) => {
                let point = key.public_key().as_ref();
                map(&[
                    (int(1), int(2)),
                    (int(3), int(-7)),
                    (int(-1), int(1)),
                    (int(-2), bytes(&point[1..33])),
                    (int(-3), bytes(&point[33..])),
                ])
            }
            Key::EdDsa(key) => map(&[
                (int(1), int(1)),
                (int(3), int(-8)),
                (int(-1), int(6)),
                (int(-2), bytes(key.verifying_key().as_bytes())),
            ]),
        }
    }

    /// Makes its credential as it was asked to.
    pub(crate) fn make(&mut self, asked: &Value, said: &Said) -> Value {
        self.handle = Some(asked["user_handle"].as_str().unwrap().to_owned());
        let mut data = said.head(CREDENTIAL | EXTENSIONS, self.counter);
        data.extend([7; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        data.extend(map(&[(text("credProtect"), int(2))]));
        let statement = match self.format {
            "none" => map(&[]),
            _ => map(&[(text("sig"), bytes(&[1, 2, 3]))]),
        };
        let object = map(&[
            (text("fmt"), text(self.format)),
            (text("attStmt"), statement),
            (text("authData"), bytes(&data)),
        ]);
        json!({
            "credential_id": encode(&self.id),
            "client_data": encode(&said.client_data("webauthn.create", &asked["challenge"])),
            "attestation": encode(&object),
        })
    }

    /// Signs what it was asked to.
    pub(crate) fn sign(&mut self, asked: &Value, said: &Said) -> Value {
        if self.counts {
            self.counter += 1;
        }
        let client = said.client_data("webauthn.get", &asked["challenge"]);
        let data = said.head(0, self.counter);
        let message = [data.clone(), Sha256::digest(&client).to_vec()].concat();
        let signature = match &self.key {
            Key::Es256(key) => {
                let random = SystemRandom::new();
                key.sign(&random, &message).unwrap().as_ref().to_vec()
            }
            Key::EdDsa(key) => key.sign(&message).to_bytes().to_vec(),
        };
        json!({
            "credential_id": encode(&self.id), "client_data": encode(&client),
            "authenticator_data": encode(&data), "signature": encode(&signature),
            "user_handle": self.handle,
        })
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A head of CBOR: the kind, and its number in the shortest form.
fn head(kind: u8, n: u64) -> Vec<u8> {
    let kind = kind << 5;
    let small = u8::try_from(n);
    match (small, u16::try_from(n)) {
        (Ok(n), _) if n < 24 => vec![kind + n],
        (Ok(n), _) => vec![kind + 24, n],
        (_, Ok(n)) => [vec![kind + 25], n.to_be_bytes().to_vec()].concat(),
        _ => [vec![kind + 27], n.to_be_bytes().to_vec()].concat(),
    }
}

fn int(n: i64) -> Vec<u8> {
    if n < 0 {
        head(1, n.unsigned_abs() - 1)
    } else {
        head(0, n.unsigned_abs())
    }
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len() as u64), bytes.to_vec()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [head(3, text.len() as u64), text.as_bytes().to_vec()].concat()
}

fn map(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut map = head(5, fields.len() as u64);
    for (name, value) in fields {
        map.extend(name);
        map.extend(value);
    }
    map
}
