//! The only place of xtask that reads the clock or waits. What the times mean is said by callers.

#![expect(
    clippy::disallowed_methods,
    reason = "the developer's commands run in real time; nothing of the product is decided here"
)]

use std::time::{Duration, Instant};

/// How long to let pass between two looks at a condition.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Measures how long something takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Looks again and again until `condition` holds; `false` when it did not hold `within` that time.
pub(crate) fn wait_for(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let watch = Stopwatch::start();
    loop {
        if condition() {
            return true;
        }
        if watch.elapsed() >= within {
            return false;
        }
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
}
