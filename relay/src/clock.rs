//! The only reader of the clock. Everything else takes `now` as an argument, and waits here.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is where the clock is read"
)]

use std::time::Duration;

use protocol::timestamp::Timestamp;
use tokio::sync::watch;

/// Where the time comes from: the machine, or a test's hand.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(watch::Sender<i64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands until it is moved with [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(watch::Sender::new(start.as_ms())))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::from_ms(jiff::Timestamp::now().as_millisecond()),
            Source::Manual(now) => Timestamp::from_ms(*now.borrow()),
        }
    }

    /// Moves a manual clock forward; the machine's clock is not moved.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.send_modify(|ms| *ms = ms.saturating_add(protocol::timestamp::duration_ms(by)));
        }
    }

    /// Waits until `instant` has come by this clock.
    pub async fn wait_until(&self, instant: Timestamp) {
        match &self.0 {
            Source::System => {
                // The machine may sleep or be set back: look again at least every minute.
                loop {
                    let left = instant.since(self.now());
                    if left.is_zero() {
                        return;
                    }
                    tokio::time::sleep(left.min(Duration::from_mins(1))).await;
                }
            }
            Source::Manual(now) => {
                // The sender lives in `self`, so the channel cannot close while we wait.
                let _ = now.subscribe().wait_for(|ms| *ms >= instant.as_ms()).await;
            }
        }
    }

    /// Waits for `delay` by this clock.
    pub async fn wait_for(&self, delay: Duration) {
        self.wait_until(self.now() + delay).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_those_whose_time_has_come() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.wait_until(Timestamp::from_ms(50_400_000)).await }
        });
        clock.advance(Duration::from_hours(14));
        sleeper.await.unwrap();
        assert_eq!(clock.now(), Timestamp::from_ms(50_400_000));
    }
}
