//! ID tokens (OpenID Connect Core §2): who signed in, signed. Which claims stand in one is the profile's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use super::grant::Issued;
use crate::account::Shown;
use crate::clock;
use crate::profile::IdToken;

/// RFC 8037 §3.1. Real providers have RSA keys; which key it is changes nothing for whoever reads the token from
/// the token endpoint itself.
pub(super) const ALGORITHM: &str = "EdDSA";

/// The key of one run.
pub(crate) struct IdTokens {
    key: KeyPair,
}

impl IdTokens {
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        Ok(Self { key })
    }

    /// RFC 8037 §2.
    pub(super) fn public_key(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.der_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "x": x })
    }

    /// The token of a person for a client; `None` where the profile gives none.
    pub(super) fn render(
        &self,
        form: IdToken,
        issuer: &str,
        tokens: &Issued,
        person: &Shown,
    ) -> Option<String> {
        let now = clock::now_ms() / 1_000;
        let mut claims = json!({
            "iss": issuer,
            "sub": person.subject,
            "aud": tokens.client_id,
            "iat": now,
            "exp": now + tokens.expires_in.as_secs(),
        });
        let also = match form {
            IdToken::None => return None,
            IdToken::VerifiedAddress => json!({ "email": person.address, "email_verified": true }),
            IdToken::OfTenant { tenant } => json!({
                "tid": tenant,
                "oid": object_id(&person.subject),
                "preferred_username": sign_in_name(&person.address),
                "email": person.address,
                "ver": "2.0",
            }),
        };
        if let (Some(claims), Value::Object(also)) = (claims.as_object_mut(), also) {
            claims.extend(also);
            claims.extend(
                tokens
                    .nonce
                    .iter()
                    .map(|nonce| ("nonce".to_owned(), json!(nonce))),
            );
        }
        let header = json!({ "typ": "JWT", "alg": ALGORITHM });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The number of a person in a tenant, in the form of a UUID.
fn object_id(subject: &str) -> String {
    let hex: String = subject.chars().filter(char::is_ascii_hexdigit).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("0000").to_owned();
    format!(
        "{}-{}-4{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(6, 18),
    )
}

/// The name that a person of a tenant signs in with, which is not their address.
fn sign_in_name(address: &str) -> String {
    let (local, domain) = address.split_once('@').unwrap_or((address, "example"));
    format!("{local}@staff.{domain}")
}
