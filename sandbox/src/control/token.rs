//! Trouble at the token endpoint, for one person's refresh token, before anything has changed there.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::trouble::{Gate, Trouble};
use crate::clock;
use crate::locked;
use crate::provider::Provider;

/// Far more than any token request has.
const REQUEST_AT_MOST_BYTES: usize = 64 * 1024;
/// What comes of an answer before its connection is lost.
const HALF_AN_ANSWER: &str = "{\"access_token\":\"half-of-";

/// Lets a token request meet its trouble, and notes who was refused.
pub(crate) async fn meet(
    State(provider): State<Arc<Provider>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() != "/token" || request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, REQUEST_AT_MOST_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let person = form_urlencoded::parse(&body)
        .find(|(name, _)| name == "refresh_token")
        .and_then(|(_, token)| provider.grants.person_of_refresh(&token));
    let trouble = person.as_deref().and_then(|person| {
        locked(&provider.faults)
            .troubles
            .take(Gate::Token, Some(person))
    });
    let mut response = match trouble {
        Some(Trouble::Answer { status, body }) => answer(status, body),
        Some(Trouble::Say(said)) => (StatusCode::OK, said).into_response(),
        Some(Trouble::Lose | Trouble::StoreAndLose) => lose(),
        Some(Trouble::Silence) => std::future::pending().await,
        late => {
            if let Some(Trouble::Wait(late)) = late {
                tokio::time::sleep(late).await;
            }
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            if let (Some(person), true) = (&person, response.status().is_client_error()) {
                let mut faults = locked(&provider.faults);
                faults.troubles.note_refused(person, clock::now_ms());
            }
            response
        }
    };
    // It comes once in the life of an access token: nobody keeps the connection for the next one.
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn answer(status: u16, body: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if body.starts_with('{') {
        "application/json"
    } else {
        "text/html"
    };
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// More is promised than comes.
fn lose() -> Response {
    let half = [
        Ok(Bytes::from_static(HALF_AN_ANSWER.as_bytes())),
        Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    ];
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, Body::from_stream(stream::iter(half))).into_response()
}
