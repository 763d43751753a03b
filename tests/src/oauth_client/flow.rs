//! The client's own part of an authorization: PKCE, state, the authorization URL, and for a public
//! client the exchange at the token endpoint (RFC 6749 §4.1, RFC 7636).
//! Deliberately absent: the pages in between; a [`super::Browser`] walks those.

use std::fmt;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Answer;

/// The client as the provider knows it.
#[derive(Debug, Clone)]
pub struct FlowSettings {
    /// Where the browser is sent.
    pub authorization_endpoint: Url,
    /// Where the code is exchanged.
    pub token_endpoint: Url,
    /// The client's id.
    pub client_id: String,
    /// Where the browser comes back to.
    pub redirect_uri: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whatever else the provider wants in the authorization URL: `prompt`, `login_hint`, `nonce`.
    pub parameters: Vec<(String, String)>,
}

/// One authorization, from the URL to the tokens.
pub struct ClientFlow {
    client: FlowClient,
    authorization_url: Url,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    redirect_uri: String,
}

/// What the token endpoint gave (RFC 6749 §5.1).
#[derive(Clone)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// `None` where the provider gave none.
    pub refresh_token: Option<String>,
    /// The ID token as it came; not verified here.
    pub id_token: Option<String>,
    /// `expires_in`; `None` where the provider does not tell.
    pub expires_in: Option<Duration>,
    /// Granted scopes; `None` means all that were asked for.
    pub scopes: Option<Vec<String>>,
}

/// Why a flow ended without tokens.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// An address in the settings is not a URL.
    #[error("an address of the client is not a URL")]
    BadUrl(#[from] url::ParseError),
    /// The provider said no.
    #[error("the provider refused: {error}")]
    Refused {
        /// Its error code.
        error: String,
    },
    /// The answer belongs to another request (RFC 6749 §10.12).
    #[error("the state of the answer is not the one that was sent")]
    WrongState,
    /// The token endpoint did not answer.
    #[error("the token endpoint did not answer")]
    Http(#[from] ExchangeHttpError),
    /// The token endpoint answered with an error (RFC 6749 §5.2).
    #[error("the token endpoint refused: {error}")]
    ExchangeRefused {
        /// Its error code.
        error: String,
    },
    /// The token endpoint answered with something else.
    #[error("the token endpoint's answer is unreadable")]
    Unreadable,
}

/// Why the HTTP request of an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeHttpError {
    /// The connection.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// The answer could not be passed on.
    #[error("the response is not HTTP")]
    Response(#[from] http::Error),
}

impl ClientFlow {
    /// Makes verifier, challenge (S256) and state, and the URL that holds them.
    pub fn begin(settings: &FlowSettings) -> Result<Self, FlowError> {
        let client = Client::new(ClientId::new(settings.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(settings.authorization_endpoint.clone()))
            .set_token_uri(TokenUrl::from_url(settings.token_endpoint.clone()))
            .set_redirect_uri(RedirectUrl::new(settings.redirect_uri.clone())?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        for (name, value) in &settings.parameters {
            request = request.add_extra_param(name, value);
        }
        let (authorization_url, state) = request.url();
        let redirect_uri = settings.redirect_uri.clone();
        Ok(Self {
            client,
            authorization_url,
            state,
            verifier,
            redirect_uri,
        })
    }

    /// Where to send the browser.
    pub fn authorization_url(&self) -> &Url {
        &self.authorization_url
    }

    /// The PKCE verifier, for whoever exchanges the code instead of this client.
    pub fn verifier(&self) -> &str {
        self.verifier.secret()
    }

    /// The redirect URI that the code is bound to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The code of an answer to this very request.
    pub fn code(&self, answer: &Answer) -> Result<String, FlowError> {
        let state = match answer {
            Answer::Granted { state, .. } | Answer::Refused { state, .. } => state,
        };
        if state.as_ref() != Some(self.state.secret()) {
            return Err(FlowError::WrongState);
        }
        match answer {
            Answer::Granted { code, .. } => Ok(code.clone()),
            Answer::Refused { error, .. } => Err(FlowError::Refused {
                error: error.clone(),
            }),
        }
    }

    /// Exchanges the answer's code as a public client: id and verifier, no secret.
    pub async fn exchange(
        self,
        answer: &Answer,
        http: &reqwest::Client,
    ) -> Result<Tokens, FlowError> {
        let code = self.code(answer)?;
        let send = |request: HttpRequest| exchange_http(http.clone(), request);
        let response = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(self.verifier)
            .request_async(&send)
            .await
            .map_err(|error| match error {
                oauth2::RequestTokenError::ServerResponse(refusal) => FlowError::ExchangeRefused {
                    error: refusal.error().to_string(),
                },
                oauth2::RequestTokenError::Request(error) => FlowError::Http(error),
                oauth2::RequestTokenError::Parse(..) | oauth2::RequestTokenError::Other(_) => {
                    FlowError::Unreadable
                }
            })?;
        Ok(Tokens {
            access_token: response.access_token().secret().clone(),
            refresh_token: response.refresh_token().map(|token| token.secret().clone()),
            id_token: response.extra_fields().id_token.clone(),
            expires_in: response.expires_in(),
            scopes: response
                .scopes()
                .map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect()),
        })
    }
}

impl fmt::Debug for ClientFlow {
    /// Without verifier, challenge and state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFlow")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Tokens {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("expires_in", &self.expires_in)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// `oauth2`'s client with the one extra field of OpenID Connect.
type FlowClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The field that OpenID Connect adds to the token response (Core §3.1.3.3).
/// Its `Debug` is asked for by `oauth2` and used by nobody.
#[derive(Clone, Deserialize, Serialize)]
struct IdToken {
    id_token: Option<String>,
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").finish_non_exhaustive()
    }
}

impl ExtraTokenFields for IdToken {}

async fn exchange_http(
    http: reqwest::Client,
    request: HttpRequest,
) -> Result<HttpResponse, ExchangeHttpError> {
    let response = http.execute(request.try_into()?).await?;
    let mut passed_on = http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        passed_on = passed_on.header(name, value);
    }
    Ok(passed_on.body(response.bytes().await?.to_vec())?)
}
