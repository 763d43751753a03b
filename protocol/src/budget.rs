//! How fast an inbox may send. When its next message may leave is the relay's to compute from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest distance between two messages that can be asked for.
pub const DISTANCE_AT_MOST: Duration = Duration::from_hours(24);
/// The greatest daily cap that can be asked for: ten times what Microsoft 365, the largest of the providers' published
/// limits, lets a mailbox send in a day.
pub const DAILY_CAP_AT_MOST: u32 = 100_000;

/// How fast an inbox sends at the most, whatever its campaigns have to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// From one message to the next, a fifth more or less; zero: as fast as the server takes them.
    pub distance: Duration,
    /// Messages that are tried in 24 hours; `None`: as many as there are.
    pub daily_cap: Option<u32>,
}

/// A daily cap that grows, for an inbox that is new to those whom it writes to, or that was out for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// Messages of its first day.
    pub first: u32,
    /// By how many each later day has more.
    pub more: u32,
}

const DAY: Duration = Duration::from_hours(24);
/// How long an inbox may try nothing before its ramp falls: a weekend and a holiday are no outage.
pub const RAMP_KEEPS_FOR: Duration = Duration::from_hours(3 * 24);

impl Ramp {
    /// What it lets an inbox try in a day that has come so far.
    pub fn cap(self, come: Duration) -> u32 {
        let days = u32::try_from(come.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX);
        self.first.saturating_add(self.more.saturating_mul(days))
    }

    /// How far an inbox has come that had come to `before` when it last tried something, `idle` ago: it goes on by a day
    /// at the most, and falls back by as much as an outage took beyond [`RAMP_KEEPS_FOR`]. It goes no farther than to
    /// `top`, where that is its cap: what lies behind would keep an outage from being felt.
    pub fn come(self, before: Duration, idle: Duration, top: Option<u32>) -> Duration {
        let come = if idle <= RAMP_KEEPS_FOR {
            before.saturating_add(idle.min(DAY))
        } else {
            before.saturating_sub(idle.saturating_sub(RAMP_KEEPS_FOR))
        };
        let days = top.map(|top| top.saturating_sub(self.first).div_ceil(self.more.max(1)));
        days.map_or(come, |days| come.min(DAY * days))
    }
}

/// What a provider's inboxes begin with, and what they are never to undercut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The budget of an inbox whose owner asked for none.
    pub budget: Budget,
    /// The shortest distance that the provider's own rate limit allows; no jitter goes below it. Zero where it states
    /// none.
    pub least_distance: Duration,
}

/// What an inbox waits for that could send otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// Its distance to the last message.
    Distance,
    /// Its daily cap is used up, its own or that of its ramp.
    DailyCap,
    /// The daily cap of its organisation is used up: of all inboxes whose addresses are at its domain.
    OrganisationCap,
    /// The relay was started a moment ago, or its database was put back: copies of what was sent before may still come
    /// to the sent folder, and what has one is not sent again.
    Copies,
}

/// What an inbox of a provider begins with that is known for nothing else: 50 messages a day, 90 seconds apart.
///
/// Published limits (500 messages a day for a personal Gmail account, 2,000 in Google Workspace, 10,000 recipients in
/// Microsoft 365) are where an account is suspended. What strangers' servers think of a mailbox is lost much earlier:
/// those who write to strangers keep to 30 to 50 a day for each mailbox. At 90 seconds such a day's messages take an
/// hour and a quarter, and an hour's share is 40, below the 50 to 100 an hour at which small hosts cut off.
pub const CAUTIOUS: Budget = Budget {
    distance: Duration::from_secs(90),
    daily_cap: Some(50),
};

#[cfg(test)]
mod tests {
    use super::*;

    const RAMP: Ramp = Ramp { first: 10, more: 5 };

    /// Day by day, as somebody would write it on paper.
    #[test]
    fn a_ramp_grows_by_the_day_and_falls_by_the_length_of_an_outage() {
        let day = |n: u32| DAY * n;
        let mut come = Duration::ZERO;
        for expected in [10, 15, 20, 25, 30, 35, 40, 45, 50, 50, 50] {
            assert_eq!(RAMP.cap(come).min(50), expected);
            come = RAMP.come(come, DAY, Some(50));
        }
        // A weekend is one day more, and not three.
        assert_eq!(RAMP.cap(RAMP.come(day(2), day(3), Some(50))), 25);
        // At the top, then out for a week: four days back.
        let back = RAMP.come(come, day(7), Some(50));
        assert_eq!(RAMP.cap(back), 30);
        // Out for a month: as if it were new.
        assert_eq!(RAMP.cap(RAMP.come(come, day(30), Some(50))), 10);
        // Twice a day takes it no farther than once.
        let twice = RAMP.come(RAMP.come(Duration::ZERO, DAY / 2, None), DAY / 2, None);
        assert_eq!(twice, DAY);
        let flat = Ramp { first: 7, more: 0 };
        assert_eq!(flat.cap(flat.come(day(9), DAY, Some(50))), 7);
    }
}
