//! What needs no caller: whether the process lives, whether it can work, and the OpenAPI document. None
//! of them says anything about inboxes or people.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::Api;
use crate::log::chain;

/// Whether the process lives.
const LIVES: &str = "/healthz";
/// Whether it can work.
const READY: &str = "/readyz";

/// Whether this path asks about the relay's own health.
pub(super) fn is_path(path: &str) -> bool {
    matches!(path, LIVES | READY)
}

/// Their routes.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route(LIVES, get(|| async { "ok\n" }))
        .route(READY, get(show_ready))
        .route("/openapi.json", get(show_openapi))
}

async fn show_ready(State(api): State<Arc<Api>>) -> (StatusCode, &'static str) {
    match api.app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!(error = chain(&error), "the database does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
        }
    }
}

async fn show_openapi(
    State(api): State<Arc<Api>>,
) -> ([(http::HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], api.openapi.clone())
}
