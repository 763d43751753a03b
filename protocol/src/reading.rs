//! Readings of a clock that stands still. Who starts and stops such a clock, and where it is kept, is the relay's.

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::timestamp::duration_ms;

/// What the clock of a campaign at one of its inboxes shows, in milliseconds. It runs only while both can send, so
/// what is due at a reading is due after that much time in which it could have been sent, whatever the clock on the
/// wall did meanwhile. Readings of two clocks say nothing about one another.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Reading(i64);

impl Reading {
    /// The reading of `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds that the clock has run.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// How much later than `earlier` this reading is; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Reading {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration_ms(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_grows_by_what_is_added_and_never_differs_by_less_than_nothing() {
        let (early, late) = (Reading::from_ms(-5), Reading::from_ms(20));
        assert_eq!(early + Duration::from_millis(25), late);
        assert_eq!(late.since(early), Duration::from_millis(25));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(
            Reading::from_ms(i64::MAX) + Duration::from_secs(1),
            Reading::from_ms(i64::MAX)
        );
    }
}
