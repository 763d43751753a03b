//! The person's visit at the provider (RFC 6749 §4.1, RFC 7636): the address to open, what its answer is
//! worth, and the grant that follows from it. The pages in between are the browser's.

use std::fmt;

use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use protocol::reconnect::{Authorization, Exchange, Grant};
use protocol::secret::Secret;
use url::{Url, form_urlencoded};

use super::ReconnectError;
use crate::config::Config;
use crate::failure::Failure;
use crate::oauth::{self, Metadata, Registration};
use crate::secret::random_text;
use crate::tls::Dialer;

/// One visit, from the address to the grant.
pub(super) struct Visit {
    url: Url,
    state: Secret,
    verifier: Secret,
    redirect_uri: String,
    /// The issuer that the answer must name; `None` where the provider does not promise that.
    issuer: Option<String>,
    exchanger: Option<Exchanger>,
}

/// What came back with the redirect, as an answer to this very visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
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

/// What an answer must bear.
pub(super) struct Expected {
    state: Secret,
    issuer: Option<String>,
}

/// Exchanges the code at the terminal: there is no secret to keep.
struct Exchanger {
    client: oauth::Client,
    metadata: Metadata,
    registration: Registration,
}

impl Visit {
    /// Makes state, verifier and challenge (S256), and the address that holds state and challenge. For a
    /// public client the provider's endpoints are read now, so that nobody signs in in vain.
    pub(super) async fn begin(
        authorization: &Authorization,
        redirect_uri: &str,
        config: &Config,
    ) -> Result<Self, ReconnectError> {
        // Whoever reads this page is a person: only a visit that asks can succeed.
        let visit = authorization
            .attempts
            .iter()
            .find(|visit| visit.interactive)
            .ok_or(ReconnectError::NoVisit)?;
        let endpoint = AuthUrl::new(authorization.authorization_endpoint.clone())
            .map_err(ReconnectError::NotAUrl)?;
        let redirect =
            RedirectUrl::new(redirect_uri.to_owned()).map_err(ReconnectError::NotAUrl)?;
        let state = Secret::new(random_text());
        // 64 characters of base64url: between 43 and 128 of those that are allowed (RFC 7636 §4.1).
        let verifier = Secret::new(random_text() + &random_text());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(
            verifier.expose().to_owned(),
        ));
        let client = BasicClient::new(ClientId::new(authorization.client_id.clone()))
            .set_auth_uri(endpoint)
            .set_redirect_uri(redirect);
        let mut request = client
            .authorize_url(|| CsrfToken::new(state.expose().to_owned()))
            .add_scopes(authorization.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .add_extra_param("login_hint", &authorization.login_hint);
        for (name, value) in &visit.parameters {
            request = request.add_extra_param(name, value);
        }
        let (url, _) = request.url();
        let exchanger = match authorization.exchange {
            Exchange::Public => Some(Exchanger::load(authorization, config).await?),
            Exchange::Confidential => None,
        };
        Ok(Self {
            url,
            state,
            verifier,
            redirect_uri: redirect_uri.to_owned(),
            issuer: authorization
                .names_issuer
                .then(|| authorization.issuer.clone()),
            exchanger,
        })
    }

    /// The address to open. It holds no secret: state and challenge are good for this answer only.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// What the answer must bear.
    pub(super) fn expected(&self) -> Expected {
        Expected {
            state: self.state.clone(),
            issuer: self.issuer.clone(),
        }
    }

    /// What to hand over for a code: the code itself where the relay exchanges it, else fresh tokens.
    pub(super) async fn obtain(self, code: Secret) -> Result<Grant, Failure> {
        let Some(exchanger) = self.exchanger else {
            return Ok(Grant::Code {
                code,
                verifier: self.verifier,
                redirect_uri: self.redirect_uri,
            });
        };
        let tokens = exchanger
            .client
            .exchange(
                &exchanger.metadata,
                &exchanger.registration,
                &code,
                &self.verifier,
                &self.redirect_uri,
            )
            .await?;
        let expires_in_ms = tokens
            .expires_in
            .map(|expires_in| u64::try_from(expires_in.as_millis()).unwrap_or(u64::MAX));
        Ok(Grant::Tokens {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_in_ms,
            scope: tokens.scopes.map(|scopes| scopes.join(" ")),
        })
    }
}

impl fmt::Debug for Visit {
    /// Without state and verifier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

impl Expected {
    /// Reads the query of a redirect; `None` where it is no answer to this visit (RFC 6749 §10.12).
    pub(super) fn read(&self, query: &str) -> Option<Answer> {
        let find = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.into_owned())
        };
        if Secret::new(find("state")?) != self.state {
            return None;
        }
        let found = find("iss");
        if self.issuer.is_some() && found != self.issuer {
            return Some(Answer::OtherIssuer { found });
        }
        if let Some(error) = find("error") {
            let description = find("error_description");
            return Some(Answer::Refused { error, description });
        }
        let code = Secret::new(find("code")?);
        Some(Answer::Granted { code })
    }
}

impl Exchanger {
    async fn load(authorization: &Authorization, config: &Config) -> Result<Self, ReconnectError> {
        let roots = match &config.extra_roots_file {
            Some(path) => Some(std::fs::read(path).map_err(|source| ReconnectError::Roots {
                path: path.clone(),
                source,
            })?),
            None => None,
        };
        let client = oauth::Client::new(&Dialer::new(roots.as_deref())?)?;
        let issuer = Url::parse(&authorization.issuer).map_err(ReconnectError::NotAUrl)?;
        let metadata = client
            .load_metadata(&issuer)
            .await
            .map_err(|failure| ReconnectError::Provider { said: failure.said })?;
        Ok(Self {
            client,
            metadata,
            registration: Registration {
                client_id: authorization.client_id.clone(),
                client_secret: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(issuer: Option<&str>) -> Expected {
        Expected {
            state: Secret::new("the state"),
            issuer: issuer.map(str::to_owned),
        }
    }

    #[test]
    fn only_an_answer_with_its_state_is_one() {
        let granted = Answer::Granted {
            code: Secret::new("c+1"),
        };
        for (query, answer) in [
            ("code=c%2B1&state=the+state", Some(granted)),
            ("code=c&state=the+stat", None),
            ("code=c&state=", None),
            ("code=c", None),
            ("error=access_denied", None),
            ("state=the+state", None),
            ("", None),
            (
                "error=access_denied&error_description=not+now&state=the%20state",
                Some(Answer::Refused {
                    error: "access_denied".to_owned(),
                    description: Some("not now".to_owned()),
                }),
            ),
        ] {
            assert_eq!(expected(None).read(query), answer, "{query}");
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
        let read = |issuer, query: &str| expected(issuer).read(&format!("{query}&state=the+state"));
        assert_eq!(read(Some(ours), "code=c"), other(None));
        assert_eq!(
            read(Some(ours), "code=c&iss=https://evil.example"),
            other(Some("https://evil.example"))
        );
        assert_eq!(
            read(Some(ours), "error=access_denied&iss=https://evil.example"),
            other(Some("https://evil.example"))
        );
        assert!(matches!(
            read(Some(ours), "code=c&iss=https://id.acme.example"),
            Some(Answer::Granted { .. })
        ));
        assert!(matches!(
            read(None, "code=c&iss=https://evil.example"),
            Some(Answer::Granted { .. })
        ));
    }
}
