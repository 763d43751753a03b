//! The token, revocation and userinfo endpoints.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::client::Client;
use super::grant::{Holder, Issued, NotGood};
use crate::control::{GrantType, Point};
use crate::echo::forms_of;
use crate::locked;
use crate::profile::{OAuthError, Revocation, Scope};
use crate::provider::Provider;

/// An error answer of RFC 6749 §5.2.
struct Refused {
    status: StatusCode,
    error: &'static str,
    description: Cow<'static, str>,
}

impl Refused {
    fn new(error: &'static str, description: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description: Cow::Borrowed(description),
        }
    }

    /// Says as well what the client sent, as a careless server would.
    fn repeating<'a>(mut self, sent: impl IntoIterator<Item = &'a str>) -> Self {
        for secret in sent {
            let description = self.description.to_mut();
            description.push_str("; ");
            description.push_str(&forms_of(secret).join("; "));
        }
        self
    }
}

impl From<OAuthError> for Refused {
    fn from(said: OAuthError) -> Self {
        Self::new(said.error, said.description)
    }
}

impl Refused {
    /// RFC 6749 §5.2, in the provider's words where it has some.
    fn invalid_grant(NotGood(own): NotGood, words: Option<&'static str>) -> Self {
        Self::new("invalid_grant", words.unwrap_or(own))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.error, "error_description": self.description }));
        if self.status == StatusCode::UNAUTHORIZED {
            let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"sandbox\"")];
            return (self.status, ask, body).into_response();
        }
        (self.status, body).into_response()
    }
}

type Fields = HashMap<String, String>;

/// `POST /token` (RFC 6749 §3.2).
pub(super) async fn exchange(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    match answer(&provider, &headers, &fields).await {
        Ok(issued) => Json(render(&provider, &issued)).into_response(),
        Err(refused) if locked(&provider.faults).echo => {
            let shown = ["code", "code_verifier", "refresh_token", "client_secret"];
            let shown = shown.into_iter().filter_map(|name| field(&fields, name));
            let in_header = headers
                .get(header::AUTHORIZATION)
                .and_then(|value| value.to_str().ok());
            refused.repeating(shown.chain(in_header)).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

async fn answer(
    provider: &Provider,
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<Issued, Refused> {
    let session = provider.next_session();
    let Some(habits) = provider.oauth() else {
        return Err(Refused::new("invalid_request", "there is no OAuth here"));
    };
    if habits.refuses_origin && headers.contains_key(header::ORIGIN) {
        // Microsoft's number and words ("Error codes for authentication", 9002326).
        return Err(Refused::new(
            "invalid_request",
            "AADSTS9002326: Cross-origin token redemption is permitted only for the \
             'Single-Page Application' client-type.",
        ));
    }
    let grant_type = match field(fields, "grant_type") {
        Some("authorization_code") => GrantType::AuthorizationCode,
        Some("refresh_token") => GrantType::RefreshToken,
        Some(_) => {
            return Err(Refused::new(
                "unsupported_grant_type",
                "grant_type is not known",
            ));
        }
        None => return Err(Refused::new("invalid_request", "grant_type is missing")),
    };
    let offered = match grant_type {
        GrantType::AuthorizationCode => required(fields, "code")?,
        GrantType::RefreshToken => required(fields, "refresh_token")?,
    };
    let known = provider.grants.person_of_refresh(offered);
    let received = Point::TokenRequestReceived { grant_type };
    provider
        .points
        .pass(received, known.as_deref(), session)
        .await;
    let client = authenticate(provider, headers, fields)?;
    if habits.demands_secret_with_pkce && client.is_public() {
        return Err(habits.words.secret_missing.into());
    }
    if known
        .as_deref()
        .is_some_and(|person| provider.accounts.is_locked(person))
    {
        return Err(Refused::new("invalid_grant", "the account is locked"));
    }
    let issued = match grant_type {
        GrantType::AuthorizationCode => {
            let redirect_uri = required(fields, "redirect_uri")?;
            let verifier = required(fields, "code_verifier")?;
            let exchange = || {
                provider.grants.exchange_code(
                    offered,
                    client.id,
                    redirect_uri,
                    verifier,
                    &provider.chance,
                )
            };
            if locked(&provider.faults).codes_stolen {
                // What the thief gets is ended by the second use.
                let _theirs = exchange();
            }
            exchange()
                .map_err(|not_good| Refused::invalid_grant(not_good, habits.words.dead_code))?
        }
        GrantType::RefreshToken => provider
            .grants
            .refresh(offered, client.id, field(fields, "scope"), &provider.chance)
            .map_err(|not_good| {
                Refused::invalid_grant(not_good, habits.words.dead_refresh_token)
            })?,
    };
    provider
        .points
        .pass(Point::TokenAnswerReady, Some(&issued.person), session)
        .await;
    Ok(issued)
}

/// `POST /revoke` (RFC 7009): an unknown token is no error.
pub(super) async fn revoke(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let client = match authenticate(&provider, &headers, &fields) {
        Ok(client) => client,
        Err(refused) => return refused.into_response(),
    };
    match required(&fields, "token") {
        Ok(token) => {
            let revocation = provider
                .oauth()
                .map_or(Revocation::None, |habits| habits.revocation);
            provider.grants.revoke_token(token, client.id, revocation);
            StatusCode::OK.into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// `GET` or `POST /userinfo` (OpenID Connect Core §5.3).
pub(super) async fn userinfo(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
) -> Response {
    let session = provider.next_session();
    let takes = |holder: &Holder| {
        let Some(habits) = provider.oauth() else {
            return false;
        };
        let is_mail = |name: &String| habits.scope(name).is_some_and(Scope::is_mail);
        habits.userinfo_takes_mail_tokens || !holder.scopes.iter().any(is_mail)
    };
    let holder = bearer(&headers)
        .and_then(|token| provider.grants.holder(token))
        .filter(takes);
    let person = holder.as_ref().map(|holder| holder.person.as_str());
    provider.points.pass(Point::UserInfo, person, session).await;
    let Some(holder) = holder else {
        // RFC 6750 §3.1
        let ask = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        let repeated = bearer(&headers).filter(|_| locked(&provider.faults).echo);
        let body = Json(match repeated {
            Some(token) => json!({
                "error": "invalid_token",
                "error_description": forms_of(token).join("; "),
            }),
            None => json!({ "error": "invalid_token" }),
        });
        return (StatusCode::UNAUTHORIZED, ask, body).into_response();
    };
    let allows = |scope: &str| holder.scopes.iter().any(|given| given == scope);
    let (Some(shown), true) = (provider.accounts.find(&holder.person), allows("openid")) else {
        let ask = [(
            header::WWW_AUTHENTICATE,
            "Bearer error=\"insufficient_scope\"",
        )];
        let body = Json(json!({ "error": "insufficient_scope" }));
        return (StatusCode::FORBIDDEN, ask, body).into_response();
    };
    if allows("email") {
        return Json(json!({
            "sub": shown.subject,
            "email": shown.address,
            "email_verified": true,
            "name": shown.name,
        }))
        .into_response();
    }
    Json(json!({ "sub": shown.subject })).into_response()
}

/// RFC 6749 §2.3.1: the client is named in the body, or by Basic with form-encoded parts.
fn authenticate<'a>(
    provider: &'a Provider,
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<&'a Client, Refused> {
    let (id, secret) = if let Some((id, secret)) = basic(headers) {
        (id, Some(secret))
    } else {
        let id = required(fields, "client_id")?.to_owned();
        (id, field(fields, "client_secret").map(str::to_owned))
    };
    let refused = |said: OAuthError| Refused {
        status: StatusCode::UNAUTHORIZED,
        error: said.error,
        description: Cow::Borrowed(said.description),
    };
    let words = provider.oauth().map(|habits| &habits.words);
    let client = provider
        .clients
        .find(&id)
        .filter(|client| client.accepts(secret.as_deref()));
    match (client, words) {
        (Some(client), Some(words))
            if !client.is_public() && locked(&provider.faults).secrets_over =>
        {
            Err(refused(words.secret_expired))
        }
        (Some(client), _) => Ok(client),
        (None, Some(words)) => Err(refused(words.secret_wrong)),
        (None, None) => Err(Refused::new("invalid_client", "there is no OAuth here")),
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(part: &str) -> String {
    form_urlencoded::parse(part.as_bytes())
        .map(|(name, _)| name.into_owned())
        .next()
        .unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

/// An empty field is an absent one (RFC 6749 §3.2).
fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

fn required<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a str, Refused> {
    field(fields, name).ok_or(Refused::new(
        "invalid_request",
        match name {
            "code" => "code is missing",
            "refresh_token" => "refresh_token is missing",
            "redirect_uri" => "redirect_uri is missing",
            "code_verifier" => "code_verifier is missing",
            "client_id" => "client_id is missing",
            _ => "a field is missing",
        },
    ))
}

fn render(provider: &Provider, issued: &Issued) -> serde_json::Value {
    let Some(habits) = provider.oauth() else {
        return json!({});
    };
    let mut answer = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in.as_secs(),
        "scope": habits.answered(&issued.scopes).join(" "),
    });
    let id_token = provider
        .accounts
        .find(&issued.person)
        .filter(|_| issued.scopes.iter().any(|scope| scope == "openid"))
        .and_then(|person| {
            provider
                .id_tokens
                .render(habits.id_token, &provider.issuer, issued, &person)
        });
    let also = [
        ("refresh_token", issued.refresh_token.as_ref()),
        ("id_token", id_token.as_ref()),
    ];
    if let Some(answer) = answer.as_object_mut() {
        for (name, token) in also {
            answer.extend(token.map(|token| (name.to_owned(), json!(token))));
        }
    }
    answer
}
