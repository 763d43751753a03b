//! One visit at the provider (RFC 6749 §4.1, RFC 7636): the address to open, what its answer is worth, and for a
//! public client the exchange. Randomness and the way to the network are arguments; the window is the browser's.

use std::future::Future;

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, HttpRequest, HttpResponse, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, StandardErrorResponse, TokenResponse as _, TokenUrl,
};
use protocol::hush::Hush;
use protocol::provider::{FirefoxRedirect, Provider, ProviderId};
use protocol::reconnect::{Authorization, Exchange, Grant};
use protocol::secret::Secret;
use protocol::visit::{self, Chance, find_state};
use url::Url;

/// Where Firefox lets every answer go that is not for `identity.getRedirectURL`.
const FIREFOX_LOOPBACK: &str = "http://127.0.0.1/mozoauth2/";
/// How Firefox names the host of its redirect address, after the hash of the extension's id.
const FIREFOX_DOMAIN: &str = ".extensions.allizom.org";

/// One visit, from the address to the grant. It is in memory only.
#[derive(Clone, Debug)]
pub struct Visit(visit::Visit);

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
    /// It is no answer to this visit: nothing in it is believed.
    NotOurs {
        /// What does not match.
        words: String,
    },
}

/// Why a code did not become a grant.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// An address of the authorization is none.
    #[error("the provider's token endpoint is not a web address")]
    NotAnAddress,
    /// The token endpoint said no, or something that is no answer.
    #[error("{words}")]
    Refused {
        /// Its `error` (RFC 6749 §5.2); `None` where it is no answer.
        error: Option<String>,
        /// Its words.
        words: String,
    },
}

/// The redirect address of a provider in this browser, from what `identity.getRedirectURL` says. Each provider has
/// a path of its own, so that an answer cannot come from another one (RFC 9700 §4.4.2.2).
pub fn redirect_uri(base: &str, provider: &ProviderId) -> String {
    let wants_loopback = Provider::find(provider)
        .and_then(|provider| provider.oauth.as_ref())
        .is_some_and(|oauth| oauth.firefox_redirect == FirefoxRedirect::Loopback);
    let hash = Url::parse(base).ok().and_then(|url| {
        let hash = url.host_str()?.strip_suffix(FIREFOX_DOMAIN)?;
        Some(hash.to_owned())
    });
    match hash {
        Some(hash) if wants_loopback => format!("{FIREFOX_LOOPBACK}{hash}/oauth/{provider}"),
        _ => format!("{}/oauth/{provider}", base.trim_end_matches('/')),
    }
}

impl Visit {
    /// The visit of that number; `None` where there is none, or where an address of it is none.
    pub fn begin(
        authorization: &Authorization,
        visit: usize,
        redirect_uri: &str,
        chance: Chance,
    ) -> Option<Self> {
        let plan = authorization.visits.get(visit)?;
        let visit = visit::Visit::begin(authorization, plan, redirect_uri, chance).ok()?;
        Some(Self(visit))
    }

    /// The address to open.
    pub fn url(&self) -> &str {
        self.0.url.as_str()
    }

    /// Whether the other is the very same visit.
    pub fn is(&self, other: &Self) -> bool {
        self.0.state == other.0.state
    }

    /// What the address that the window ended at is worth.
    pub fn read(&self, redirect: &str) -> Answer {
        let not_ours = |words: &str| Answer::NotOurs {
            words: words.to_owned(),
        };
        let Ok(url) = Url::parse(redirect) else {
            return not_ours("the answer is no web address");
        };
        if !self.is_redirect(&url) {
            return not_ours("the answer came to another address than the one that was named");
        }
        let query = url.query().unwrap_or_default();
        // RFC 6749 §10.12.
        if find_state(query).as_ref() != Some(&self.0.state) {
            return not_ours("the answer does not bear the state of the question");
        }
        match visit::Answer::read(query, self.0.issuer.as_deref()) {
            Some(visit::Answer::Granted { code }) => Answer::Granted { code },
            Some(visit::Answer::Refused { error, description }) => {
                Answer::Refused { error, description }
            }
            Some(visit::Answer::OtherIssuer { .. }) => not_ours("the answer is another provider's"),
            None => not_ours("the answer holds neither a code nor an error"),
        }
    }

    /// What to hand over for a code: the code itself where the relay exchanges it, else fresh tokens from the
    /// token endpoint, which is asked through `http`.
    pub async fn obtain<F, E>(
        self,
        authorization: &Authorization,
        code: Secret,
        http: impl Fn(HttpRequest) -> F,
    ) -> Result<Grant, ExchangeError>
    where
        F: Future<Output = Result<HttpResponse, E>>,
        E: std::error::Error + 'static,
    {
        if authorization.exchange == Exchange::Confidential {
            return Ok(Grant::Code {
                code,
                verifier: self.0.verifier,
                redirect_uri: self.0.redirect_uri,
            });
        }
        let not_an_address = |_| ExchangeError::NotAnAddress;
        // A public client names itself in the body (RFC 6749 §4.1.3).
        let client = BasicClient::new(ClientId::new(authorization.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(
                TokenUrl::new(authorization.token_endpoint.clone()).map_err(not_an_address)?,
            )
            .set_redirect_uri(RedirectUrl::new(self.0.redirect_uri).map_err(not_an_address)?);
        // These words are shown and kept, and an endpoint may repeat what it refuses.
        let hush = Hush::new([code.expose(), self.0.verifier.expose()]);
        let tokens: BasicTokenResponse = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(self.0.verifier.expose().to_owned()))
            .request_async(&http)
            .await
            .map_err(|error| ExchangeError::Refused {
                error: match &error {
                    RequestTokenError::ServerResponse(said) => Some(said.error().to_string()),
                    _ => None,
                },
                words: hush.text(&words_of(&error)),
            })?;
        let expires_in_ms = tokens
            .expires_in()
            .map(|expires_in| u64::try_from(expires_in.as_millis()).unwrap_or(u64::MAX));
        let scopes = tokens.scopes().map(|scopes| {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            names.join(" ")
        });
        Ok(Grant::Tokens {
            access_token: Secret::new(tokens.access_token().secret()),
            refresh_token: tokens
                .refresh_token()
                .map(|token| Secret::new(token.secret())),
            expires_in_ms,
            scope: scopes,
        })
    }

    /// Whether an address is the redirect address, whatever its query.
    fn is_redirect(&self, url: &Url) -> bool {
        Url::parse(&self.0.redirect_uri).is_ok_and(|ours| {
            ours.origin() == url.origin()
                && ours.path().trim_end_matches('/') == url.path().trim_end_matches('/')
        })
    }
}

/// The endpoint's own words, and never the body of an answer that could not be read: it may hold a token.
fn words_of<E: std::error::Error + 'static>(
    error: &RequestTokenError<E, StandardErrorResponse<BasicErrorResponseType>>,
) -> String {
    match error {
        RequestTokenError::ServerResponse(said) => match said.error_description() {
            Some(description) => format!("{}: {description}", said.error()),
            None => said.error().to_string(),
        },
        RequestTokenError::Request(error) => {
            format!("the provider's token endpoint does not answer: {error}")
        }
        RequestTokenError::Parse(error, _) => {
            format!(
                "the answer is not one of a token endpoint, at {}",
                error.path()
            )
        }
        RequestTokenError::Other(_) => "the answer is not one of a token endpoint".to_owned(),
    }
}

#[cfg(test)]
mod tests;
