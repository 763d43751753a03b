//! The port that browsers try first: whoever comes there without TLS is sent to the relay's address, whatever he asked
//! for and whichever host he named, and is told nothing else; but for a certificate authority, which is answered what
//! it waits for.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};

use super::Address;
use crate::certificate::Answers;

/// Where an authority looks (RFC 8555 §8.3).
const PROOF_PATH: &str = "/.well-known/acme-challenge/{token}";

pub(super) fn router(address: &Address, answers: Arc<Answers>) -> Router {
    let (url, elsewhere) = (address.url(), address.url());
    let answering = move |Path(token): Path<String>, uri: Uri| {
        let response = match answers.find(&token) {
            Some(answer) => answer.into_response(),
            None => send(&elsewhere, &uri),
        };
        async move { response }
    };
    Router::new()
        .route(PROOF_PATH, get(answering))
        .fallback(move |uri: Uri| {
            let response = send(&url, &uri);
            async move { response }
        })
}

/// The method stays as it is (RFC 9110 §15.4.9).
fn send(url: &str, uri: &Uri) -> Response {
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    let rest = if rest.starts_with('/') { rest } else { "/" };
    match HeaderValue::from_str(&format!("{url}{rest}")) {
        Ok(location) => {
            let headers = [
                (LOCATION, location),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (StatusCode::PERMANENT_REDIRECT, headers).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_the_way_leads_to_our_own_address() {
        let url = "https://relay.acme.example";
        for (asked, location) in [
            ("/", "https://relay.acme.example/"),
            ("/login?a=b", "https://relay.acme.example/login?a=b"),
            (
                "http://attacker.example/login",
                "https://relay.acme.example/login",
            ),
            (
                "//attacker.example/",
                "https://relay.acme.example//attacker.example/",
            ),
            (
                "/@attacker.example",
                "https://relay.acme.example/@attacker.example",
            ),
            ("*", "https://relay.acme.example/"),
        ] {
            let sent = send(url, &asked.parse().unwrap());
            assert_eq!(sent.status(), StatusCode::PERMANENT_REDIRECT);
            assert_eq!(sent.headers()[LOCATION], location, "{asked}");
        }
    }
}
