//! A sign-in at the terminal: one visit of the person at the provider, and the grant that follows from it.
//! The pages in between are the browser's; the visit itself is [`crate::oauth::visit`]'s.

use std::fmt;

use protocol::reconnect::{Authorization, Exchange, Grant};
use protocol::secret::Secret;
use protocol::visit::{Answer, Visit, find_state};
use url::Url;

use super::ReconnectError;
use crate::config::Config;
use crate::failure::Failure;
use crate::oauth::visit;
use crate::oauth::{self, Metadata, Registration};
use crate::tls::Dialer;

/// One sign-in, from the address to the grant.
pub(super) struct SignIn {
    visit: Visit,
    exchanger: Option<Exchanger>,
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

impl SignIn {
    /// Prepares the visit. For a public client the provider's endpoints are read now, so that nobody signs
    /// in in vain.
    pub(super) async fn begin(
        authorization: &Authorization,
        redirect_uri: &str,
        config: &Config,
    ) -> Result<Self, ReconnectError> {
        let visit = visit::begin(authorization, redirect_uri)?;
        let exchanger = match authorization.exchange {
            Exchange::Public => Some(Exchanger::load(authorization, config).await?),
            Exchange::Confidential => None,
        };
        Ok(Self { visit, exchanger })
    }

    /// The address to open.
    pub(super) fn url(&self) -> &Url {
        &self.visit.url
    }

    /// Where the answer is to come.
    pub(super) fn redirect_uri(&self) -> &str {
        &self.visit.redirect_uri
    }

    /// What the answer must bear.
    pub(super) fn expected(&self) -> Expected {
        Expected {
            state: self.visit.state.clone(),
            issuer: self.visit.issuer.clone(),
        }
    }

    /// What to hand over for a code: the code itself where the relay exchanges it, else fresh tokens.
    pub(super) async fn obtain(self, code: Secret) -> Result<Grant, Failure> {
        let Some(exchanger) = self.exchanger else {
            return Ok(Grant::Code {
                code,
                verifier: self.visit.verifier,
                redirect_uri: self.visit.redirect_uri,
            });
        };
        let tokens = exchanger
            .client
            .exchange(
                &exchanger.metadata,
                &exchanger.registration,
                &code,
                &self.visit.verifier,
                &self.visit.redirect_uri,
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

impl fmt::Debug for SignIn {
    /// Without state and verifier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("visit", &self.visit)
            .finish_non_exhaustive()
    }
}

impl Expected {
    /// Reads the query of a redirect; `None` where it is no answer to this visit (RFC 6749 §10.12).
    pub(super) fn read(&self, query: &str) -> Option<Answer> {
        (find_state(query)? == self.state)
            .then(|| Answer::read(query, self.issuer.as_deref()))
            .flatten()
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
        let issuer = Url::parse(&authorization.issuer)?;
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

    #[test]
    fn only_an_answer_with_its_state_is_one() {
        let expected = Expected {
            state: Secret::new("the state"),
            issuer: Some("https://id.acme.example".to_owned()),
        };
        for query in [
            "code=c&state=the+stat",
            "code=c&state=",
            "code=c",
            "error=access_denied",
            "",
        ] {
            assert_eq!(expected.read(query), None, "{query}");
        }
        for query in ["code=c&state=the+state", "error=no&state=the%20state"] {
            let other = Answer::OtherIssuer { found: None };
            assert_eq!(expected.read(query), Some(other), "{query}");
        }
    }
}
