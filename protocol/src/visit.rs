//! One visit of a person at the authorization endpoint (RFC 6749 §4.1, RFC 7636): the address to open, and what its
//! answer is worth. The same for the extension, the relay and the terminal; randomness is an argument, and keeping
//! what the answer needs until it comes is the caller's.

use std::fmt;

use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use url::{Url, form_urlencoded};

use crate::reconnect::{Authorization, VisitPlan};
use crate::secret::Secret;

mod named;

pub use named::{NotTheProviders, check_provider};

/// Two fresh texts that nobody can guess.
#[derive(Debug)]
pub struct Chance {
    /// For `state`.
    pub state: Secret,
    /// For the verifier: 43 to 128 characters of base64url (RFC 7636 §4.1).
    pub verifier: Secret,
}

/// One visit, before it is made. It is in memory only.
#[derive(Clone)]
pub struct Visit {
    /// The address to open. It holds no secret: state and challenge are good for this answer only.
    pub url: Url,
    /// What the answer must bear.
    pub state: Secret,
    /// What the exchange needs.
    pub verifier: Secret,
    /// Where the answer must come.
    pub redirect_uri: String,
    /// The issuer that the answer must name; `None` where the provider does not promise that.
    pub issuer: Option<String>,
}

/// An address of the provider, or the redirect URI, is none.
#[derive(Debug, thiserror::Error)]
#[error("an address of the provider is not a URL")]
pub struct NotAUrl(#[from] pub url::ParseError);

/// What came back with the redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The person gave the permission.
    Granted {
        /// The authorization code.
        code: Secret,
    },
    /// The provider or the person refused (RFC 6749 §4.1.2.1).
    Refused {
        /// Its `error`.
        error: String,
        /// Its `error_description`.
        description: Option<String>,
    },
    /// Another provider than the one that was asked answers (RFC 9207 §2.4): nothing in it is believed.
    OtherIssuer {
        /// Its `iss`.
        found: Option<String>,
    },
}

impl Visit {
    /// Makes the challenge (S256), and the address that holds state and challenge.
    pub fn begin(
        authorization: &Authorization,
        plan: &VisitPlan,
        redirect_uri: &str,
        chance: Chance,
    ) -> Result<Self, NotAUrl> {
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(
            chance.verifier.expose().to_owned(),
        ));
        let client = BasicClient::new(ClientId::new(authorization.client_id.clone()))
            .set_auth_uri(AuthUrl::new(authorization.authorization_endpoint.clone())?)
            .set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned())?);
        let mut request = client
            .authorize_url(|| CsrfToken::new(chance.state.expose().to_owned()))
            .add_scopes(authorization.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .add_extra_param("login_hint", &authorization.login_hint);
        for (name, value) in &plan.parameters {
            request = request.add_extra_param(name, value);
        }
        let (url, _) = request.url();
        Ok(Self {
            url,
            state: chance.state,
            verifier: chance.verifier,
            redirect_uri: redirect_uri.to_owned(),
            issuer: authorization
                .names_issuer
                .then(|| authorization.issuer.clone()),
        })
    }
}

impl fmt::Debug for Visit {
    /// Without state, verifier and the address that holds the state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Reads the query of a redirect whose state is known to be right. `issuer` is the one it must name,
    /// `None` where the provider does not promise that. `None`: it is no answer at all.
    pub fn read(query: &str, issuer: Option<&str>) -> Option<Self> {
        // For refusals too.
        let found = find(query, "iss");
        if issuer.is_some() && found.as_deref() != issuer {
            return Some(Self::OtherIssuer { found });
        }
        if let Some(error) = find(query, "error") {
            let description = find(query, "error_description");
            return Some(Self::Refused { error, description });
        }
        let code = find(query, "code").filter(|code| !code.is_empty())?;
        Some(Self::Granted {
            code: Secret::new(code),
        })
    }
}

/// The state in the query of a redirect (RFC 6749 §10.12).
pub fn find_state(query: &str) -> Option<Secret> {
    find(query, "state").map(Secret::new)
}

fn find(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_code_or_a_refusal() {
        let granted = Answer::Granted {
            code: Secret::new("c+1"),
        };
        for (query, answer) in [
            ("code=c%2B1&state=the+state", Some(granted)),
            ("state=the+state", None),
            ("code=&state=the+state", None),
            ("", None),
            (
                "error=access_denied&error_description=not+now&state=the%20state",
                Some(Answer::Refused {
                    error: "access_denied".to_owned(),
                    description: Some("not now".to_owned()),
                }),
            ),
        ] {
            assert_eq!(Answer::read(query, None), answer, "{query}");
        }
    }

    #[test]
    fn the_issuer_is_checked_where_it_is_promised_in_refusals_too() {
        let ours = "https://id.acme.example";
        let other = |found: Option<&str>| {
            Some(Answer::OtherIssuer {
                found: found.map(str::to_owned),
            })
        };
        assert_eq!(Answer::read("code=c", Some(ours)), other(None));
        for query in [
            "code=c&iss=https://evil.example",
            "error=access_denied&iss=https://evil.example",
        ] {
            let read = Answer::read(query, Some(ours));
            assert_eq!(read, other(Some("https://evil.example")), "{query}");
        }
        for (query, issuer) in [
            ("code=c&iss=https://id.acme.example", Some(ours)),
            ("code=c&iss=https://evil.example", None),
        ] {
            let read = Answer::read(query, issuer);
            assert!(matches!(read, Some(Answer::Granted { .. })), "{query}");
        }
    }
}
