//! The OAuth 2.0 authorization server: RFC 6749 with PKCE (RFC 7636), revocation (RFC 7009),
//! `iss` in the answer (RFC 9207), discovery and userinfo of OpenID Connect. No `id_token`.

mod authorize;
pub(crate) mod browser;
mod client;
pub(crate) mod grant;
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

use crate::provider::Provider;

/// The scopes, each with the words of the consent page.
pub(crate) const SCOPES: &[(&str, &str)] = &[
    ("openid", "Know who you are at this provider"),
    ("email", "See your e-mail address and your name"),
    ("offline_access", "Keep this permission while you are away"),
    ("mail.send", "Send mail in your name"),
    ("mail.read", "Read your mail"),
];

/// The scope that SMTP wants.
pub(crate) const SCOPE_SEND: &str = "mail.send";
/// The scope that IMAP wants.
pub(crate) const SCOPE_READ: &str = "mail.read";

/// Every OAuth route.
pub(crate) fn router() -> Router<Arc<Provider>> {
    let for_programs = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/token", post(token::exchange))
        .route("/revoke", post(token::revoke))
        .route("/userinfo", get(token::userinfo).post(token::userinfo))
        .layer(middleware::from_fn(any_origin));
    let for_people = Router::new()
        .route("/authorize", get(authorize::start))
        .route("/authorize/account", post(authorize::choose_account))
        .route("/authorize/password", post(authorize::enter_password))
        .route("/authorize/consent", post(authorize::decide_consent))
        .route("/sign-in", get(authorize::start_webmail))
        .route("/sign-out", post(authorize::sign_out));
    for_programs.merge(for_people)
}

/// OpenID Connect Discovery §3, RFC 8414 §2.
async fn discovery(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    let scopes: Vec<_> = SCOPES.iter().map(|(scope, _)| *scope).collect();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported":
            ["none", "client_secret_post", "client_secret_basic"],
        "revocation_endpoint_auth_methods_supported":
            ["none", "client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "subject_types_supported": ["public"],
        "claims_supported": ["sub", "email", "email_verified", "name"],
        "authorization_response_iss_parameter_supported": true,
    }))
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
