//! Whether an inbox may try a message now, and else when: its distance to the last try, and its daily cap. Asked at
//! each claim, at each wake, and by whoever wants to know why nothing is sent; nothing that is due is rewritten by it.

use protocol::budget::HeldBy;
use protocol::timestamp::Timestamp;

use super::jitter::jittered;
use crate::record::{Budgets, Pace};

/// Whether an inbox with these budgets may try a message at `now`, which is when they were loaded.
///
/// The distance is a fifth more or less, never below what its provider's rate limit allows. It is of time that was
/// lived, with that on the wall in which no relay lived: a clock that is set holds nothing up and lets nothing leave
/// early. The cap counts the tries of the last 24 hours that were lived.
pub fn pace(budgets: &Budgets, now: Timestamp) -> Pace {
    let by_distance = distance_until(budgets, now).filter(|until| *until > now);
    let by_cap = Some(now + budgets.full_for).filter(|until| *until > now);
    let by_organisation = Some(now + budgets.organisation_full_for).filter(|until| *until > now);
    let distance = by_distance.map(|at| (at, HeldBy::Distance));
    let organisation = by_organisation.map(|at| (at, HeldBy::OrganisationCap));
    let cap = by_cap.map(|at| (at, HeldBy::DailyCap));
    distance
        .into_iter()
        .chain(organisation)
        .chain(cap)
        .max_by_key(|(at, _)| *at)
        .map_or(Pace::Go, |(at, by)| Pace::NotBefore { at, by })
}

fn distance_until(budgets: &Budgets, now: Timestamp) -> Option<Timestamp> {
    let last = budgets.last_try?;
    let set = budgets.budget.distance;
    // The try itself counts, so that the same distance is meant until the next one.
    let count = u64::try_from(last.at.as_ms()).unwrap_or(0);
    let floor = set.min(budgets.least_distance);
    let distance = jittered(set, &budgets.inbox, "distance", count).max(floor);
    let distance = if budgets.is_at_half_pace {
        distance.saturating_mul(2)
    } else {
        distance
    };
    Some(now + distance.saturating_sub(last.passed))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use protocol::budget::Budget;
    use protocol::id::InboxId;
    use protocol::timestamp::duration_ms;

    use super::*;
    use crate::record::LastTry;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn budgets(distance: Duration, ago: Duration) -> Budgets {
        Budgets {
            inbox: InboxId::new("inb_jane"),
            budget: Budget {
                distance,
                daily_cap: None,
            },
            least_distance: Duration::ZERO,
            last_try: Some(LastTry {
                at: Timestamp::from_ms(NOW.as_ms() - duration_ms(ago)),
                passed: ago,
            }),
            is_at_half_pace: false,
            full_for: Duration::ZERO,
            organisation_full_for: Duration::ZERO,
            ramp: None,
            organisation_daily_cap: None,
        }
    }

    #[test]
    fn an_inbox_that_was_asked_for_no_distance_goes_at_once() {
        assert_eq!(
            pace(&budgets(Duration::ZERO, Duration::ZERO), NOW),
            Pace::Go
        );
        let first = Budgets {
            last_try: None,
            ..budgets(Duration::from_hours(1), Duration::ZERO)
        };
        assert_eq!(pace(&first, NOW), Pace::Go);
    }

    #[test]
    fn a_clock_that_is_set_holds_no_message_up_and_lets_none_leave_early() {
        let distance = Duration::from_mins(1);
        let lived = Budgets {
            // The wall was set back by a day since.
            last_try: Some(LastTry {
                at: NOW + Duration::from_hours(24),
                passed: distance * 2,
            }),
            ..budgets(distance, Duration::ZERO)
        };
        assert_eq!(pace(&lived, NOW), Pace::Go);
        let set_forward = Budgets {
            last_try: Some(LastTry {
                at: NOW - Duration::from_hours(24),
                passed: distance / 2,
            }),
            ..lived.clone()
        };
        let at = pace(&set_forward, NOW).until().unwrap();
        assert!(at >= NOW + distance.mul_f64(0.29), "{at}");
        assert!(at <= NOW + distance.mul_f64(0.71), "{at}");
        let full = Budgets {
            full_for: Duration::from_hours(3),
            ..lived
        };
        let by = HeldBy::DailyCap;
        let at = NOW + Duration::from_hours(3);
        assert_eq!(pace(&full, NOW), Pace::NotBefore { at, by });
    }

    proptest! {
        /// However long ago the last try was: it goes from the moment on that it was told to wait for, and not before;
        /// the wait is within a fifth of what was asked for, and never below the provider's least.
        #[test]
        fn it_waits_for_its_distance_a_fifth_more_or_less(
            distance_ms in 1_000_u64..200_000,
            least_ms in 0_u64..250_000,
            ago_ms in 0_u64..400_000,
            halved: bool,
        ) {
            let distance = Duration::from_millis(distance_ms);
            let ago = Duration::from_millis(ago_ms);
            let asked = Budgets {
                least_distance: Duration::from_millis(least_ms),
                is_at_half_pace: halved,
                ..budgets(distance, ago)
            };
            let times = if halved { 2.0 } else { 1.0 };
            let least = distance.mul_f64(0.8).max(distance.min(asked.least_distance)).mul_f64(times);
            let most = distance.mul_f64(1.2 * times);
            match pace(&asked, NOW) {
                Pace::Go => prop_assert!(ago + Duration::from_millis(1) >= least, "{ago:?}"),
                Pace::NotBefore { at, by } => {
                    prop_assert_eq!(by, HeldBy::Distance);
                    let waits = at.since(NOW) + ago;
                    prop_assert!(waits + Duration::from_millis(2) >= least, "{waits:?} {least:?}");
                    prop_assert!(waits <= most + Duration::from_millis(2), "{waits:?} {most:?}");
                    // Asked again then, it goes.
                    let then = Budgets {
                        last_try: asked.last_try.map(|last| LastTry { passed: waits, ..last }),
                        ..asked
                    };
                    prop_assert_eq!(pace(&then, at), Pace::Go);
                }
            }
        }
    }
}
