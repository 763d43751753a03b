//! The OAuth 2.0 authorization server: RFC 6749 with PKCE (RFC 7636), revocation (RFC 7009),
//! `iss` in the answer (RFC 9207), discovery, userinfo and ID tokens of OpenID Connect. What differs from
//! provider to provider is read from the profile.

mod authorize;
pub(crate) mod browser;
mod client;
pub(crate) mod grant;
pub(crate) mod id_token;
pub(crate) mod page;
mod token;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) use client::Clients;

use crate::profile::{IssuerInAnswer, OAuth, Revocation};
use crate::provider::Provider;

/// Where ID tokens' keys are, below the origin.
const KEYS_PATH: &str = "/keys";
/// Where an administrator allows an app for everybody, below the issuer.
const ADMIN_CONSENT_PATH: &str = "/adminconsent";

/// Every OAuth route. The pages of the sign-in are there without an authorization server too: the webmail's
/// own sign-in uses them.
pub(crate) fn router(habits: Option<&OAuth>) -> Router<Arc<Provider>> {
    let for_people = Router::new()
        .route("/authorize/account", post(authorize::choose_account))
        .route("/authorize/password", post(authorize::enter_password))
        .route("/sign-in", get(authorize::start_webmail))
        .route("/sign-out", post(authorize::sign_out));
    let Some(habits) = habits else {
        return for_people;
    };
    let path = habits.issuer_path;
    let metadata = format!("{path}/.well-known/openid-configuration");
    let mut for_programs = Router::new()
        .route(&metadata, get(discovery))
        .route(KEYS_PATH, get(keys))
        .route("/token", post(token::exchange))
        .route("/userinfo", get(token::userinfo).post(token::userinfo));
    if habits.revocation != Revocation::None {
        for_programs = for_programs.route("/revoke", post(token::revoke));
    }
    if !habits.refuses_origin {
        for_programs = for_programs.layer(middleware::from_fn(any_origin));
    }
    let for_people = for_people
        .route("/authorize", get(authorize::start))
        .route("/authorize/warning", post(authorize::heed_warning))
        .route("/authorize/consent", post(authorize::decide_consent))
        .route(
            &format!("{path}{ADMIN_CONSENT_PATH}"),
            get(authorize::ask_admin).post(authorize::allow_as_admin),
        );
    for_programs.merge(for_people)
}

/// OpenID Connect Discovery §3, RFC 8414 §2.
async fn discovery(State(provider): State<Arc<Provider>>) -> Response {
    let Some(habits) = provider.oauth() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let origin = &provider.origin;
    let scopes: Vec<_> = habits.scopes.iter().map(|scope| scope.name).collect();
    let methods = ["none", "client_secret_post", "client_secret_basic"];
    let mut document = json!({
        "issuer": provider.issuer,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "userinfo_endpoint": format!("{origin}/userinfo"),
        "jwks_uri": format!("{origin}{KEYS_PATH}"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [id_token::ALGORITHM],
        "claims_supported": ["sub", "email", "email_verified", "name"],
    });
    if let Some(fields) = document.as_object_mut() {
        if habits.issuer_in_answer == IssuerInAnswer::Promised {
            let name = "authorization_response_iss_parameter_supported";
            fields.insert(name.to_owned(), json!(true));
        }
        if habits.revocation != Revocation::None {
            let endpoint = json!(format!("{origin}/revoke"));
            fields.insert("revocation_endpoint".to_owned(), endpoint);
            let name = "revocation_endpoint_auth_methods_supported";
            fields.insert(name.to_owned(), json!(methods));
        }
    }
    Json(document).into_response()
}

/// RFC 7517 §5.
async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(json!({ "keys": [provider.id_tokens.public_key()] }))
}

/// CORS for the endpoints that carry their own proof: a public client exchanges in a browser.
async fn any_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type"),
    );
    // RFC 6749 §5.1: an answer with tokens is never stored.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
