//! The sandbox's only look at the clock.

#![expect(
    clippy::disallowed_methods,
    reason = "a mail provider stamps what it receives; this is the sandbox's one place for it"
)]

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 UTC; zero before that.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
