//! How a failure is told: to the caller as a problem (RFC 9457), to the log with its whole chain. The
//! two texts are different types, so that neither becomes the other.

use std::error::Error;
use std::time::Duration;

use axum::extract::Request as HttpRequest;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use protocol::id::RequestId;
use protocol::problem::{Code, ListProblem, Problem};
use protocol::request::passkey::PROOF_FOR;
use serde::Serialize;

use super::conflict;
use super::page::Page;
use crate::log::chain;
use crate::store::StoreError;

/// What a caller is told whose request may be performed in a moment.
const BUSY: &str = "the relay's database is busy: try again in a moment";

/// Why an endpoint did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The caller is told exactly this.
    #[error("the request was refused")]
    Refused(#[source] Box<Problem>),
    /// The caller is told exactly this, and after which time it may be asked again (RFC 9110 §10.2.3).
    #[error("the request was put off")]
    Later {
        /// The problem.
        #[source]
        problem: Box<Problem>,
        /// The time.
        after: Duration,
    },
    /// The caller is told exactly this of a lead list.
    #[error("the list was refused")]
    List(Box<ListProblem>),
    /// The relay is at fault: the log has it, the caller learns that and where.
    #[error("the relay failed")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl ServeError {
    /// The relay is at fault.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// Not now: again after this time.
    pub fn later(problem: Problem, after: Duration) -> Self {
        Self::Later {
            problem: Box::new(problem),
            after,
        }
    }

    /// The request is at fault, at this field.
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Problem::new(Code::Invalid, detail).at_field(field).into()
    }

    /// The answer, and the one line in the log.
    pub(super) fn render(self, request_id: &RequestId) -> Response {
        if let Self::List(mut list) = self {
            tracing::debug!(%request_id, rows = list.unusable.total, "a list was refused");
            list.problem.request_id = Some(request_id.clone());
            return respond(&list, list.problem.status, list.problem.code);
        }
        let after = match &self {
            Self::Later { after, .. } => Some(after.as_secs().max(1)),
            _ => None,
        };
        let mut response = render(self.tell(request_id), request_id);
        if let Some(after) = after {
            response.headers_mut().insert(RETRY_AFTER, after.into());
        }
        response
    }

    /// What the caller is told, and the one line in the log.
    pub(super) fn tell(self, request_id: &RequestId) -> Problem {
        match self {
            Self::Refused(problem) | Self::Later { problem, .. } => {
                tracing::debug!(%request_id, code = ?problem.code, field = problem.field, row = problem.row, "refused");
                *problem
            }
            Self::List(list) => list.problem,
            Self::Internal(error) => {
                tracing::error!(%request_id, error = chain(error.as_ref()), "a request failed");
                let store = error.downcast_ref::<StoreError>();
                if store.is_some_and(StoreError::passes) {
                    return Problem::new(Code::Unavailable, BUSY);
                }
                let detail = format!("the relay's log says more, at the request {request_id}");
                Problem::new(Code::Internal, detail)
            }
        }
    }
}

impl From<Problem> for ServeError {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl From<StoreError> for ServeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Problem::new(Code::NotFound, error.to_string()).into(),
            StoreError::Conflict(conflict) => {
                Problem::new(Code::Conflict, conflict::tell(&conflict)).into()
            }
            StoreError::Reconnect(_) => Problem::new(Code::Conflict, error.to_string()).into(),
            error => Self::internal(error),
        }
    }
}

pub(super) async fn no_such_path(request: HttpRequest) -> Response {
    let path = request.uri().path();
    if wants_page(&request) {
        let words = format!("The relay has nothing at {path}.");
        return Page::new(StatusCode::NOT_FOUND, "There is no such page", &words).render();
    }
    let detail = format!("there is no {path}; /openapi.json lists what there is");
    render(
        Problem::new(Code::NotFound, detail),
        &request_id_of(&request),
    )
}

/// Whether it is a person who opened an address in a tab.
fn wants_page(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(http::header::ACCEPT).iter();
    request.method() == http::Method::GET
        && accepted
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("text/html"))
}

pub(super) async fn no_such_method(request: HttpRequest) -> Response {
    let detail = format!(
        "{} does not take {}",
        request.uri().path(),
        request.method()
    );
    let mut problem = Problem::new(Code::NotFound, detail);
    problem.status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
    render(problem, &request_id_of(&request))
}

/// The id that the guard gave a request; empty only for one that it never saw.
pub(super) fn request_id_of(request: &HttpRequest) -> RequestId {
    request
        .extensions()
        .get()
        .cloned()
        .unwrap_or_else(|| RequestId::new(""))
}

fn render(mut problem: Problem, request_id: &RequestId) -> Response {
    problem.request_id = Some(request_id.clone());
    respond(&problem, problem.status, problem.code)
}

fn respond(body: &impl Serialize, status: u16, code: Code) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    // RFC 9110 §15.5.2: a 401 names the way to sign in; RFC 9470 §3: and that the sign-in is too old.
    let way = match code {
        Code::Unauthenticated => Some(HeaderValue::from_static("Bearer")),
        Code::ProofNeeded => HeaderValue::from_str(&format!(
            "Bearer error=\"insufficient_user_authentication\", max_age=\"{}\"",
            PROOF_FOR.as_secs()
        ))
        .ok(),
        _ => None,
    };
    if let Some(way) = way {
        headers.insert(WWW_AUTHENTICATE, way);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conflict::Conflict;

    #[test]
    fn an_internal_failure_is_told_without_its_words() {
        let error = std::io::Error::other("disk on fire");
        let response = ServeError::internal(error).render(&RequestId::new("req_1"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn errors_of_the_store_are_told_by_their_kind() {
        let not_found = StoreError::NotFound {
            what: "inbox",
            id: "inb_1".to_owned(),
        };
        let conflict = StoreError::from(Conflict::Importing);
        for (error, expected) in [(not_found, Code::NotFound), (conflict, Code::Conflict)] {
            let ServeError::Refused(problem) = ServeError::from(error) else {
                panic!("internal")
            };
            assert_eq!(problem.code, expected);
        }
        let corrupt = ServeError::from(StoreError::Corrupt { what: "steps" });
        assert!(matches!(corrupt, ServeError::Internal(_)));
        let id = RequestId::new("req_1");
        assert_eq!(corrupt.tell(&id).code, Code::Internal);
    }

    #[test]
    fn a_database_that_is_busy_is_no_failure_of_the_relay() {
        let busy = ServeError::from(StoreError::from(sqlx::Error::PoolTimedOut));
        let problem = busy.tell(&RequestId::new("req_1"));
        assert_eq!((problem.code, problem.status), (Code::Unavailable, 503));
    }
}
