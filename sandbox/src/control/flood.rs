//! An answer of the token endpoint that goes on for as long as somebody reads it: too long, and too deep for whoever
//! takes all of it for JSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

/// One piece: arrays in arrays.
const PIECE: &[u8] = &[b'['; 16 * 1024];

/// What became of one such answer.
#[derive(Clone, Debug, Default)]
pub struct Flood(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    taken: AtomicU64,
    is_over: AtomicBool,
}

impl Flood {
    /// Bytes that the client's side has taken so far, buffers on the way included; 0 before somebody asks.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Whether whoever asked has turned away.
    pub fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::SeqCst)
    }

    pub(crate) fn answer(&self) -> Response {
        let open = Open(Arc::clone(&self.0));
        let pieces = stream::repeat_with(move || {
            open.0.taken.fetch_add(PIECE.len() as u64, Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from_static(PIECE))
        });
        let headers = [
            (CONTENT_TYPE, "application/json"),
            // Pages may read it, as the true answers.
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        (headers, Body::from_stream(pieces)).into_response()
    }
}

/// Dropped with the answer.
struct Open(Arc<Told>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}
