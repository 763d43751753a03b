//! The clock of the stories and the tests: the only place here that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, to be compared with what the relay writes on the same machine.
#[expect(
    clippy::disallowed_methods,
    reason = "a test measures what a person waits for"
)]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
