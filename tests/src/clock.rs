//! The clock of the stories and the tests: the only place here that reads it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// Measures how long something takes, for benchmarks.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// From now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark measures what the work takes"
    )]
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Since its beginning.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
