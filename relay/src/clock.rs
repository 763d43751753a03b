//! The only reader of the clock. Everything else takes `now` as an argument, and waits here.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is where the clock is read"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::timestamp::{Timestamp, duration_ms};
use tokio::sync::watch;

/// Where the time comes from: the machine, or a test's hand.
///
/// It has three faces. [`Clock::now`] is the one on the wall, which somebody may set; [`Clock::uptime`] only
/// counts; [`Clock::lived`] counts what a living process has lived. Instants that last are of the first, how long
/// something truly took is the second's to say, and what is owed to people is measured by the third.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System {
        made: Instant,
        lived: Arc<Mutex<Lived>>,
    },
    Manual(watch::Sender<Hands>),
}

/// A manual clock's three faces.
#[derive(Clone, Copy, Debug)]
struct Hands {
    now_ms: i64,
    uptime: Duration,
    lived: Duration,
}

/// What a process has lived, told by its beats: what passes between two of them counts up to
/// [`BEAT_AT_MOST`], so that neither a machine that slept nor a process that was stopped has lived meanwhile.
#[derive(Clone, Copy, Debug, Default)]
struct Lived {
    /// Up to the last beat.
    credited: Duration,
    /// The uptime of the last beat.
    beat_at: Duration,
}

impl Lived {
    fn read(&self, uptime: Duration) -> Duration {
        let passed = uptime.saturating_sub(self.beat_at).min(BEAT_AT_MOST);
        self.credited.saturating_add(passed)
    }

    fn beat(&mut self, uptime: Duration) {
        self.credited = self.read(uptime);
        self.beat_at = uptime;
    }
}

/// Between two beats of a process that lives.
pub const BEAT_EVERY: Duration = Duration::from_secs(30);
/// What counts between two beats at the most: twice the time that is meant to lie between them.
const BEAT_AT_MOST: Duration = Duration::from_mins(1);

/// What the two faces showed at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    now: Timestamp,
    uptime: Duration,
}

/// Less than this between the two faces is no setting of the clock: `now` has milliseconds, and time services
/// let a clock run a little slower or faster instead of setting it.
const SET_AT_LEAST: Duration = Duration::from_secs(30);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System {
            made: Instant::now(),
            lived: Arc::default(),
        })
    }

    /// A clock that stands until it is moved with [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(watch::Sender::new(Hands {
            now_ms: start.as_ms(),
            uptime: Duration::ZERO,
            lived: Duration::ZERO,
        })))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => Timestamp::from_ms(jiff::Timestamp::now().as_millisecond()),
            Source::Manual(hands) => Timestamp::from_ms(hands.borrow().now_ms),
        }
    }

    /// How long this clock has run. Nobody can set it; the time in which the machine sleeps may be missing.
    pub fn uptime(&self) -> Duration {
        match &self.0 {
            Source::System { made, .. } => made.elapsed(),
            Source::Manual(hands) => hands.borrow().uptime,
        }
    }

    /// How long this process has lived since its clock was made: it never goes back, grows by no setting of a clock,
    /// and stands while the machine sleeps or the process is stopped.
    pub fn lived(&self) -> Duration {
        match &self.0 {
            Source::System { lived, .. } => {
                let lived = *lived.lock().unwrap_or_else(PoisonError::into_inner);
                lived.read(self.uptime())
            }
            Source::Manual(hands) => hands.borrow().lived,
        }
    }

    /// The process lives; to be called every [`BEAT_EVERY`].
    pub fn beat(&self) {
        if let Source::System { lived, .. } = &self.0 {
            let uptime = self.uptime();
            let mut lived = lived.lock().unwrap_or_else(PoisonError::into_inner);
            lived.beat(uptime);
        }
    }

    /// What the wall and the uptime show, for [`Clock::is_set_back_since`].
    pub fn mark(&self) -> Mark {
        Mark {
            now: self.now(),
            uptime: self.uptime(),
        }
    }

    /// Whether somebody has set the clock back since `mark`: less time has passed on the wall than has passed.
    pub fn is_set_back_since(&self, mark: Mark) -> bool {
        let passed = self.uptime().saturating_sub(mark.uptime);
        self.now() + SET_AT_LEAST < mark.now + passed
    }

    /// Moves a manual clock forward; the machine's clock is not moved.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(hands) = &self.0 {
            hands.send_modify(|hands| {
                hands.now_ms = hands.now_ms.saturating_add(duration_ms(by));
                hands.uptime = hands.uptime.saturating_add(by);
                hands.lived = hands.lived.saturating_add(by);
            });
        }
    }

    /// Moves a manual clock forward as if the machine had slept meanwhile.
    pub fn sleep(&self, by: Duration) {
        if let Source::Manual(hands) = &self.0 {
            hands.send_modify(|hands| {
                hands.now_ms = hands.now_ms.saturating_add(duration_ms(by));
                hands.uptime = hands.uptime.saturating_add(by);
            });
        }
    }

    /// Sets a manual clock, as somebody sets the one on the wall: no time passes by it.
    pub fn set(&self, now: Timestamp) {
        if let Source::Manual(hands) = &self.0 {
            hands.send_modify(|hands| hands.now_ms = now.as_ms());
        }
    }

    /// Waits until `instant` has come by this clock, and no longer than it was off at the beginning: setting
    /// the clock back prolongs no wait.
    pub async fn wait_until(&self, instant: Timestamp) {
        let off = instant.since(self.now());
        let over_at = self.uptime().saturating_add(off);
        match &self.0 {
            Source::System { .. } => {
                // The machine may sleep or be set forward: look again at least every minute.
                loop {
                    let left = instant.since(self.now());
                    let left = left.min(over_at.saturating_sub(self.uptime()));
                    if left.is_zero() {
                        return;
                    }
                    tokio::time::sleep(left.min(Duration::from_mins(1))).await;
                }
            }
            Source::Manual(hands) => {
                let has_come =
                    |hands: &Hands| hands.now_ms >= instant.as_ms() || hands.uptime >= over_at;
                // The sender lives in `self`, so the channel cannot close while we wait.
                let _ = hands.subscribe().wait_for(has_come).await;
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

    #[test]
    fn what_passes_without_beats_counts_for_a_minute() {
        let mut lived = Lived::default();
        let mut uptime = Duration::ZERO;
        for _ in 0..10 {
            uptime += BEAT_EVERY;
            lived.beat(uptime);
        }
        assert_eq!(lived.read(uptime), Duration::from_mins(5));
        let asleep = Duration::from_hours(72);
        assert_eq!(lived.read(uptime + asleep), Duration::from_mins(6));
        lived.beat(uptime + asleep);
        let later = uptime + asleep + Duration::from_secs(5);
        assert_eq!(lived.read(later), Duration::from_secs(365));
        // An uptime never goes back; what was lived would not either.
        assert_eq!(lived.read(uptime), Duration::from_mins(6));
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_prolongs_no_wait_and_is_noticed() {
        let start = Timestamp::from_ms(50_400_000);
        let clock = Clock::manual(start);
        let mark = clock.mark();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.wait_for(Duration::from_mins(1)).await }
        });
        tokio::task::yield_now().await;
        clock.set(Timestamp::from_ms(0));
        assert!(clock.is_set_back_since(mark));
        let mark = clock.mark();
        clock.advance(Duration::from_mins(1));
        sleeper.await.unwrap();
        assert!(!clock.is_set_back_since(mark));
        clock.set(start);
        assert!(!clock.is_set_back_since(mark), "set forward is a gap");
        assert_eq!(clock.uptime(), Duration::from_mins(1));
    }
}
