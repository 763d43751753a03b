//! Talking to an authorization server: metadata, tokens, identity, revocation. Which scopes are asked
//! for, who the right person is and where tokens are kept are decided elsewhere.

mod http;
pub mod id_token;
mod redirect;
pub mod visit;
mod words;

use std::time::Duration;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use protocol::evidence::{Party, Said, Stage};
use protocol::secret::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::failure::Failure;
use crate::tls::Dialer;
use http::{Asking, Fault, Http};

/// Longest place in an answer that is told, in characters: its words are the server's.
const PLACE_AT_MOST: usize = 60;

/// Path of the metadata below the issuer (OpenID Connect Discovery §4).
const METADATA_PATH: &str = "/.well-known/openid-configuration";

/// A client of any authorization server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
}

/// The HTTP client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up")]
pub struct ClientError(#[from] reqwest::Error);

/// What an authorization server says about itself (OpenID Connect Discovery §3, RFC 8414 §2). Each
/// endpoint is https, or http on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The issuer, as the server writes it.
    pub issuer: String,
    /// Where the person goes.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are used.
    pub token_endpoint: Url,
    /// Who signed in; `None` where the server does not tell.
    pub userinfo_endpoint: Option<Url>,
    /// Where tokens are revoked (RFC 7009); `None` where they cannot be.
    pub revocation_endpoint: Option<Url>,
    /// The redirect carries `iss` (RFC 9207 §3).
    pub iss_parameter_supported: bool,
    /// The client's secret goes into the form, because the server takes no HTTP Basic
    /// (`token_endpoint_auth_methods_supported` names `client_secret_post` and not
    /// `client_secret_basic`).
    pub takes_secret_in_form: bool,
}

/// Who we are to an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The client id.
    pub client_id: String,
    /// The client's secret; `None` for a public client.
    pub client_secret: Option<Secret>,
}

/// A successful answer of the token endpoint (RFC 6749 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// For SMTP, IMAP and the userinfo endpoint.
    pub access_token: Secret,
    /// A first or a rotated refresh token; `None` where the old one, if any, stays.
    pub refresh_token: Option<Secret>,
    /// How long the access token lives, counted from its receipt; `None` where it was not told.
    pub expires_in: Option<Duration>,
    /// The scopes granted; `None` where they are those asked for.
    pub scopes: Option<Vec<String>>,
    /// Who signed in (OpenID Connect Core §3.1.3.3); `None` where the server did not say.
    pub id_token: Option<Secret>,
}

/// What OpenID Connect adds to the token endpoint's answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct OpenIdFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<Secret>,
}

impl ExtraTokenFields for OpenIdFields {}

type TokenAnswer = StandardTokenResponse<OpenIdFields, BasicTokenType>;

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The issuer.
    pub iss: String,
    /// The person, as this issuer numbers them; never reused (OpenID Connect Core §5.7).
    pub sub: String,
    /// The address, where the server tells one.
    pub email: Option<String>,
    /// The server vouches for the address.
    pub email_verified: bool,
}

impl Client {
    /// A client that trusts what `dialer` trusts.
    pub fn new(dialer: &Dialer) -> Result<Self, ClientError> {
        Ok(Self {
            http: Http::new(dialer)?,
        })
    }

    /// Reads the metadata of `issuer`, which must name that issuer (OpenID Connect Discovery §4.3).
    pub async fn load_metadata(&self, issuer: &Url) -> Result<Metadata, Failure> {
        let fail = |said| Failure::new(Party::Oauth, Stage::Metadata, said);
        let address = format!("{}{METADATA_PATH}", issuer.as_str().trim_end_matches('/'));
        let request = Request::get(address)
            .header(ACCEPT, "application/json")
            .body(Vec::new());
        let body = self.http.get_body(request, &[]).await.map_err(fail)?;
        let document: MetadataDocument = parse_json(&body, "metadata").map_err(fail)?;
        document.check(issuer).map_err(fail)
    }

    /// Exchanges an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    pub async fn exchange(
        &self,
        metadata: &Metadata,
        registration: &Registration,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Tokens, Failure> {
        let fail = |said| Failure::new(Party::Oauth, Stage::Exchange, said);
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| {
            fail(Said::Garbage {
                detail: "the redirect address is no address".to_owned(),
            })
        })?;
        let secrets = [
            Some(code),
            Some(verifier),
            registration.client_secret.as_ref(),
        ];
        let secrets: Vec<&Secret> = secrets.into_iter().flatten().collect();
        let asked = token_client(metadata, registration)
            .set_redirect_uri(redirect)
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .request_async(&Asking {
                http: &self.http,
                secrets,
            })
            .await;
        read_tokens(asked).map_err(fail)
    }

    /// Uses a refresh token (RFC 6749 §6).
    pub async fn refresh(
        &self,
        metadata: &Metadata,
        registration: &Registration,
        refresh_token: &Secret,
    ) -> Result<Tokens, Failure> {
        let secrets = [Some(refresh_token), registration.client_secret.as_ref()];
        let secrets: Vec<&Secret> = secrets.into_iter().flatten().collect();
        let asked = token_client(metadata, registration)
            .exchange_refresh_token(&RefreshToken::new(refresh_token.expose().to_owned()))
            .request_async(&Asking {
                http: &self.http,
                secrets,
            })
            .await;
        read_tokens(asked).map_err(|said| Failure::new(Party::Oauth, Stage::Refresh, said))
    }

    /// Asks who signed in (OpenID Connect Core §5.3).
    pub async fn load_identity(
        &self,
        metadata: &Metadata,
        access_token: &Secret,
    ) -> Result<Identity, Failure> {
        let fail = |said| Failure::new(Party::Oauth, Stage::Identity, said);
        let endpoint = metadata.userinfo_endpoint.as_ref().ok_or_else(|| {
            let detail = "expected a userinfo_endpoint in the metadata, found none".to_owned();
            fail(Said::Garbage { detail })
        })?;
        let request = Request::get(endpoint.as_str())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", access_token.expose()))
            .body(Vec::new());
        let body = self
            .http
            .get_body(request, &[access_token])
            .await
            .map_err(fail)?;
        let claims: Claims = parse_json(&body, "userinfo").map_err(fail)?;
        Ok(Identity {
            iss: metadata.issuer.clone(),
            sub: claims.sub,
            email: claims.email,
            email_verified: claims.email_verified.as_ref().is_some_and(Truth::is_true),
        })
    }

    /// Revokes a token (RFC 7009 §2.1); nothing is done where the server cannot. Its failures bear the
    /// stage of the refresh, which is what revoking ends. `oauth2` refuses to do this over http on
    /// loopback, so the request is ours.
    pub async fn revoke(
        &self,
        metadata: &Metadata,
        registration: &Registration,
        token: &Secret,
    ) -> Result<(), Failure> {
        let Some(endpoint) = &metadata.revocation_endpoint else {
            return Ok(());
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(endpoint.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let (Some(secret), false) = (&registration.client_secret, metadata.takes_secret_in_form)
        {
            request = request.header(AUTHORIZATION, basic(&registration.client_id, secret));
        }
        let body = revocation_form(metadata, registration, token);
        let secrets = [Some(token), registration.client_secret.as_ref()];
        let secrets: Vec<&Secret> = secrets.into_iter().flatten().collect();
        let asked = self.http.get_body(request.body(body), &secrets).await;
        asked
            .map(drop)
            .map_err(|said| Failure::new(Party::Oauth, Stage::Refresh, said))
    }
}

/// The form of a revocation; the client names itself there unless it does so in the header.
fn revocation_form(metadata: &Metadata, registration: &Registration, token: &Secret) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.expose());
    match &registration.client_secret {
        Some(_) if !metadata.takes_secret_in_form => {}
        Some(secret) => {
            form.append_pair("client_id", &registration.client_id);
            form.append_pair("client_secret", secret.expose());
        }
        None => {
            form.append_pair("client_id", &registration.client_id);
        }
    }
    form.finish().into_bytes()
}

/// HTTP Basic, both parts form-encoded first (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &Secret) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret.expose())))
    )
}

type TokenClient = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

fn token_client(metadata: &Metadata, registration: &Registration) -> TokenClient {
    let auth_type = if metadata.takes_secret_in_form {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    };
    let client = oauth2::Client::new(ClientId::new(registration.client_id.clone()))
        .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()))
        .set_auth_type(auth_type);
    match &registration.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
        None => client,
    }
}

/// The tokens, or what came in their place. Refusals never get here: [`Asking`] has made faults of
/// them.
fn read_tokens(
    asked: Result<TokenAnswer, oauth2::basic::BasicRequestTokenError<Fault>>,
) -> Result<Tokens, Said> {
    let garbage = |found: String| Said::Garbage {
        detail: format!("expected tokens, found {found}"),
    };
    let response = asked.map_err(|error| match error {
        RequestTokenError::Request(Fault(said)) => said,
        // The parser's words may quote a value, and values are tokens here: only the place is told.
        RequestTokenError::Parse(error, _) => {
            let place = words::shorten(&error.path().to_string(), PLACE_AT_MOST);
            garbage(format!("something else at {place:?}"))
        }
        RequestTokenError::ServerResponse(_) => garbage("an error in a success".to_owned()),
        RequestTokenError::Other(_) => garbage("something that is not JSON".to_owned()),
    })?;
    let refresh_token = response
        .refresh_token()
        .map(|token| Secret::new(token.secret().clone()));
    let scopes = response.scopes().map(|scopes| {
        scopes
            .iter()
            .map(|scope| scope.as_str().to_owned())
            .filter(|scope| !scope.is_empty())
    });
    Ok(Tokens {
        access_token: Secret::new(response.access_token().secret().clone()),
        refresh_token,
        expires_in: response.expires_in(),
        scopes: scopes.map(Iterator::collect),
        id_token: response.extra_fields().id_token.clone(),
    })
}

/// JSON of a success. Of the parser's words only the place is told: they may quote a value.
fn parse_json<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Said> {
    serde_json::from_slice(body).map_err(|error| {
        let problem = match error.classify() {
            serde_json::error::Category::Data => {
                "JSON that lacks something or has it in another form"
            }
            _ => "something that is not JSON",
        };
        let (line, column) = (error.line(), error.column());
        let detail = format!("expected {what}, found {problem} (line {line}, column {column})");
        Said::Garbage { detail }
    })
}

/// The metadata as it comes.
#[derive(Deserialize)]
struct MetadataDocument {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    userinfo_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    authorization_response_iss_parameter_supported: Option<bool>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl MetadataDocument {
    fn check(self, asked: &Url) -> Result<Metadata, Said> {
        if !is_issuer(&self.issuer, asked.as_str()) {
            let detail = format!(
                "expected the metadata of {asked}, found that of {:?}",
                self.issuer.chars().take(200).collect::<String>()
            );
            return Err(Said::Garbage { detail });
        }
        let endpoints = [
            ("authorization_endpoint", Some(&self.authorization_endpoint)),
            ("token_endpoint", Some(&self.token_endpoint)),
            ("userinfo_endpoint", self.userinfo_endpoint.as_ref()),
            ("revocation_endpoint", self.revocation_endpoint.as_ref()),
        ];
        for (name, endpoint) in endpoints {
            if endpoint.is_some_and(|url| !is_protected(url)) {
                let detail = format!(
                    "expected https in {name}, found {:?}",
                    endpoint.map(Url::scheme)
                );
                return Err(Said::Garbage { detail });
            }
        }
        // Absent means HTTP Basic (OpenID Connect Discovery §3).
        let methods = self
            .token_endpoint_auth_methods_supported
            .unwrap_or_default();
        let has_method = |name: &str| methods.iter().any(|method| method == name);
        Ok(Metadata {
            issuer: self.issuer,
            authorization_endpoint: self.authorization_endpoint,
            token_endpoint: self.token_endpoint,
            userinfo_endpoint: self.userinfo_endpoint,
            revocation_endpoint: self.revocation_endpoint,
            iss_parameter_supported: self
                .authorization_response_iss_parameter_supported
                .unwrap_or_default(),
            takes_secret_in_form: has_method("client_secret_post")
                && !has_method("client_secret_basic"),
        })
    }
}

/// Whether `issuer` is what the metadata calls itself. Microsoft's metadata of several tenants leaves a place for
/// the tenant ("OpenID Connect on the Microsoft identity platform", `issuer`).
fn is_issuer(metadata: &str, issuer: &str) -> bool {
    let (metadata, issuer) = (metadata.trim_end_matches('/'), issuer.trim_end_matches('/'));
    let Some((before, after)) = metadata.split_once(TENANT_PLACE) else {
        return metadata == issuer;
    };
    issuer
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
}

/// Where the tenant goes in the issuer of several.
const TENANT_PLACE: &str = "{tenantid}";

/// https, or http that does not leave this machine (RFC 8252 §8.3).
fn is_protected(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

/// What we need of the claims (OpenID Connect Core §5.1).
#[derive(Deserialize)]
struct Claims {
    sub: String,
    email: Option<String>,
    email_verified: Option<Truth>,
}

/// A boolean, which some servers write as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Truth {
    Plain(bool),
    Quoted(String),
}

impl Truth {
    fn is_true(&self) -> bool {
        match self {
            Self::Plain(truth) => *truth,
            Self::Quoted(text) => text == "true",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_are_protected() {
        for (url, expected) in [
            ("https://login.acme.example/token", true),
            ("http://127.0.0.1:4000/token", true),
            ("http://[::1]:4000/token", true),
            ("http://localhost/token", true),
            ("http://login.acme.example/token", false),
            ("http://localhost.acme.example/token", false),
            ("ftp://127.0.0.1/token", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_protected(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
