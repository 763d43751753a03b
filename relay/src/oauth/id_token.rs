//! Reads an ID token (OpenID Connect Core §2). It comes from the token endpoint itself, so that TLS vouches for it
//! in place of its signature (§3.1.3.7, point 6): one that came another way must never be read here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::evidence::{Party, Said, Stage};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use serde::Deserialize;
use std::time::Duration;

use super::{Identity, Metadata, Truth, is_issuer};
use crate::failure::Failure;

/// For the provider's clock.
const LEEWAY: Duration = Duration::from_mins(5);

/// What we need of the claims.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    /// Seconds since 1970 UTC.
    exp: i64,
    /// The person's number in the tenant, the same for every client ("ID token claims reference", Microsoft).
    oid: Option<String>,
    tid: Option<String>,
    email: Option<String>,
    email_verified: Option<Truth>,
    preferred_username: Option<String>,
}

/// One client, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Who signed in, by a token that was given to `client_id` (§3.1.3.7). Where the provider numbers people by tenant,
/// the pair is tenant and number. The name they signed in with is shown and vouches for nothing.
pub fn read(
    token: &Secret,
    metadata: &Metadata,
    client_id: &str,
    now: Timestamp,
) -> Result<Identity, Failure> {
    let refuse = |found: &str| {
        let detail = format!("expected an ID token for this relay, found {found}");
        Failure::new(Party::Oauth, Stage::Identity, Said::Garbage { detail })
    };
    let claims = token
        .expose()
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok())
        .ok_or_else(|| refuse("something else"))?;
    // Of the parser's words none is told: they may quote a claim.
    let claims: Claims = serde_json::from_slice(&claims)
        .map_err(|_| refuse("claims that lack something or have it in another form"))?;
    if !is_issuer(&metadata.issuer, &claims.iss) {
        return Err(refuse("one of another issuer"));
    }
    let is_for_us = match &claims.aud {
        Audience::One(one) => one == client_id,
        Audience::Several(several) => several.iter().any(|one| one == client_id),
    };
    if !is_for_us {
        return Err(refuse("one for another client"));
    }
    if Timestamp::from_ms(claims.exp.saturating_mul(1_000)) + LEEWAY < now {
        return Err(refuse("one that has expired"));
    }
    let verified = claims.email_verified.as_ref().is_some_and(Truth::is_true);
    let (sub, iss) = match (claims.oid, claims.tid) {
        (Some(oid), Some(tid)) => (format!("{tid}/{oid}"), claims.iss),
        _ => (claims.sub, claims.iss),
    };
    Ok(Identity {
        iss,
        sub,
        email: if verified {
            claims.email
        } else {
            claims.preferred_username.or(claims.email)
        },
        email_verified: verified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TENANT: &str = "5d2f0a7c-6b1e-4c39-9a48-0e7d3b52c1f6";

    fn metadata(issuer: &str) -> Metadata {
        Metadata {
            issuer: issuer.to_owned(),
            authorization_endpoint: "https://login.example/authorize".parse().unwrap(),
            token_endpoint: "https://login.example/token".parse().unwrap(),
            userinfo_endpoint: None,
            revocation_endpoint: None,
            iss_parameter_supported: false,
            takes_secret_in_form: false,
        }
    }

    fn token(claims: &Value) -> Secret {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Secret::new(format!(
            "{}.{}.c2lnbmVk",
            part("{}"),
            part(&claims.to_string())
        ))
    }

    fn claims(changes: Value) -> Value {
        let mut claims = json!({
            "iss": format!("https://login.example/{TENANT}/v2.0"),
            "sub": "pairwise",
            "aud": "client",
            "exp": 1_000,
            "tid": TENANT,
            "oid": "jane",
            "email": "jane@acme.example",
            "preferred_username": "jane@staff.acme.example",
        });
        if let (Some(claims), Value::Object(changes)) = (claims.as_object_mut(), changes) {
            claims.extend(changes);
        }
        claims
    }

    #[test]
    fn a_person_of_a_tenant_is_tenant_and_number_and_no_address_is_vouched_for() {
        for issuer in [
            format!("https://login.example/{TENANT}/v2.0"),
            "https://login.example/{tenantid}/v2.0".to_owned(),
        ] {
            let token = token(&claims(json!({ "aud": ["other", "client"] })));
            let now = Timestamp::from_ms(1_000_000);
            let identity = read(&token, &metadata(&issuer), "client", now).unwrap();
            assert_eq!(identity.sub, format!("{TENANT}/jane"));
            assert_eq!(identity.email.as_deref(), Some("jane@staff.acme.example"));
            assert!(!identity.email_verified);
        }
    }

    #[test]
    fn what_is_not_for_this_relay_is_refused_without_a_word_of_it() {
        let issuer = metadata(&format!("https://login.example/{TENANT}/v2.0"));
        let now = Timestamp::from_ms(1_400_000);
        for (changes, found) in [
            (
                json!({ "iss": "https://other.example/v2.0" }),
                "another issuer",
            ),
            (json!({ "aud": "somebody" }), "another client"),
            (json!({ "aud": ["somebody"] }), "another client"),
            (json!({ "exp": 1_000 }), "has expired"),
            (json!({ "sub": 7 }), "in another form"),
        ] {
            let failure = read(&token(&claims(changes)), &issuer, "client", now).unwrap_err();
            let said = failure.said.to_string();
            assert!(said.contains(found), "{said}");
            assert!(!said.contains("jane"), "{said}");
        }
        for garbage in ["", "a", "a.b", "a.%%%.c"] {
            let failure = read(&Secret::new(garbage.to_owned()), &issuer, "client", now);
            assert!(failure.is_err(), "{garbage}");
        }
    }
}
