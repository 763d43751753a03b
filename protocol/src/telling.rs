//! Telling one alert through one channel: when it is tried again, and when it is given up. What is told is
//! [`crate::alert`]'s; how a channel speaks is the relay's.
//!
//! ```text
//! Pending ─taken→ Told
//!    │ ├─ not taken, for three days and five tries, or switched off → GivenUp
//!    │ └─ it is no longer so → Moot
//!    └─ not taken → Pending, after a rest that grows
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// The rests after the first tries that failed; the last one stays.
const RESTS: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
];
/// How long an alert is tried to be told, from when it was to be told.
pub const TRIED_FOR: Duration = Duration::from_hours(72);
/// And how often at least: a relay that was off meanwhile does not give up at its first failure.
pub const TRIES_AT_LEAST: u32 = 5;
/// How long the other side may ask to be left alone (RFC 9110 §10.2.3).
pub const LONGEST_REST: Duration = Duration::from_hours(24);

/// Where one alert stands at one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It is to be told.
    Pending {
        /// Tries that failed.
        tries: u32,
        /// Not tried again before.
        next_at: Timestamp,
    },
    /// The channel took it. It may have been told more than once, always with the same key.
    Told {
        /// When.
        at: Timestamp,
    },
    /// It is not tried any more.
    GivenUp {
        /// Since when.
        at: Timestamp,
    },
    /// It was not told in time and is no longer so.
    Moot {
        /// Since when.
        at: Timestamp,
    },
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The channel took it.
    Taken,
    /// The channel did not take it; the other side may have asked to be left alone for so long.
    NotTaken {
        /// Its wish.
        retry_after: Option<Duration>,
    },
    /// The channel was switched off, or taken out of the configuration.
    SwitchedOff,
    /// It is no longer so.
    Over,
}

impl State {
    /// The state of an alert that is to be told from `due` on.
    pub fn new(due: Timestamp) -> Self {
        Self::Pending {
            tries: 0,
            next_at: due,
        }
    }

    /// The state's name in rows and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Told { .. } => "told",
            Self::GivenUp { .. } => "given_up",
            Self::Moot { .. } => "moot",
        }
    }

    /// The state after `event` at `now`, of an alert that was to be told from `due` on. What has ended stays as it
    /// ended: an answer that comes late changes nothing.
    #[must_use]
    pub fn apply(self, event: Event, due: Timestamp, now: Timestamp) -> Self {
        let Self::Pending { tries, .. } = self else {
            return self;
        };
        match event {
            Event::Taken => Self::Told { at: now },
            Event::SwitchedOff => Self::GivenUp { at: now },
            Event::Over => Self::Moot { at: now },
            Event::NotTaken { retry_after } => {
                let tries = tries.saturating_add(1);
                if now.since(due) >= TRIED_FOR && tries >= TRIES_AT_LEAST {
                    return Self::GivenUp { at: now };
                }
                let idx = usize::try_from(tries - 1).unwrap_or(usize::MAX);
                let own = RESTS.get(idx).or(RESTS.last()).copied().unwrap_or_default();
                let rest = retry_after.map_or(own, |wish| wish.min(LONGEST_REST).max(own));
                Self::Pending {
                    tries,
                    next_at: now + rest,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOT_TAKEN: Event = Event::NotTaken { retry_after: None };

    #[test]
    fn a_channel_that_never_takes_it_is_tried_for_three_days_with_rests_that_grow() {
        let due = Timestamp::from_ms(1_000);
        let (mut state, mut now, mut tries, mut last) =
            (State::new(due), due, 0_u32, Duration::ZERO);
        while let State::Pending { next_at, .. } = state {
            let rest = next_at.since(now);
            assert!(rest >= last || tries == 0, "{rest:?} after {last:?}");
            assert!(rest <= Duration::from_hours(4));
            (last, now) = (rest, next_at);
            state = state.apply(NOT_TAKEN, due, now);
            tries += 1;
        }
        assert!(matches!(state, State::GivenUp { .. }));
        let took = now.since(due);
        assert!(
            took >= Duration::from_hours(72) && took <= Duration::from_hours(76),
            "{took:?}"
        );
        assert!((20..=30).contains(&tries), "{tries}");
    }

    #[test]
    fn the_other_sides_wish_is_kept_within_a_day_and_never_shortens_a_rest() {
        let due = Timestamp::from_ms(0);
        for (wish, rest) in [(1, 5), (60, 60), (90_000, 86_400)] {
            let retry_after = Some(Duration::from_secs(wish));
            let state = State::new(due).apply(Event::NotTaken { retry_after }, due, due);
            let next_at = due + Duration::from_secs(rest);
            assert_eq!(state, State::Pending { tries: 1, next_at });
        }
    }

    #[test]
    fn a_relay_that_was_off_for_a_week_does_not_give_up_at_once() {
        let due = Timestamp::from_ms(0);
        let now = due + Duration::from_hours(24 * 7);
        let mut state = State::new(due);
        for _ in 1..TRIES_AT_LEAST {
            state = state.apply(NOT_TAKEN, due, now);
            assert_eq!(state.name(), "pending");
        }
        assert_eq!(state.apply(NOT_TAKEN, due, now).name(), "given_up");
    }

    proptest! {
        #[test]
        fn what_has_ended_stays_as_it_ended(events in proptest::collection::vec(0_u8..4, 1..60)) {
            let due = Timestamp::from_ms(0);
            let (mut state, mut now, mut ended) = (State::new(due), due, None);
            for event in events {
                now = now + Duration::from_hours(1);
                let event = match event {
                    0 => Event::Taken,
                    1 => Event::SwitchedOff,
                    2 => Event::Over,
                    _ => NOT_TAKEN,
                };
                state = state.apply(event, due, now);
                if let Some(ended) = ended {
                    prop_assert_eq!(state, ended);
                } else if state.name() != "pending" {
                    ended = Some(state);
                }
            }
        }
    }
}
