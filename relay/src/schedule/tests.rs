//! The windows of schedules against another library's zones, minute by minute: what is open is looked up at every minute
//! of a week, by no instant that was computed from a local time.

use std::collections::BTreeMap;

use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use proptest::prelude::*;
use protocol::schedule::{Days, WEEK, Weekday, Window};

use super::*;

const MINUTE: i64 = 60_000;

/// Zones with weeks in which their clocks do something odd, and a day in each.
const WEEKS: &[(&str, &str)] = &[
    ("Europe/Berlin", "2021-03-28"),
    ("Europe/Berlin", "2021-10-31"),
    ("America/New_York", "2022-03-13"),
    ("America/New_York", "2022-11-06"),
    ("Australia/Lord_Howe", "2021-04-04"),
    ("Australia/Lord_Howe", "2021-10-03"),
    // The 30th of December was left out.
    ("Pacific/Apia", "2011-12-30"),
    // Ramadan: clocks are put back, and forward again.
    ("Africa/Casablanca", "2022-03-27"),
    ("Africa/Casablanca", "2022-05-08"),
    // A day that begins at one o'clock.
    ("Asia/Beirut", "2021-03-28"),
    // Midnight comes twice.
    ("America/Havana", "2021-11-07"),
    ("America/Asuncion", "2021-03-28"),
    ("Atlantic/Azores", "2021-10-31"),
    // At a minute past midnight, back into the day before.
    ("America/St_Johns", "2006-10-29"),
    ("America/St_Johns", "2007-03-11"),
    ("Asia/Kathmandu", "2021-06-15"),
    ("America/Caracas", "2016-05-01"),
    ("Asia/Pyongyang", "2018-05-05"),
    ("Antarctica/Troll", "2021-03-28"),
    ("UTC", "2021-03-28"),
];

/// The minutes of the ten days around that one, each with whether it is open: those between the first minute of its day
/// that shows the window's beginning or later, and the last that shows less than its end.
fn look_at_every_minute(schedule: &Schedule, around: Date) -> Vec<(i64, bool)> {
    let zone: chrono_tz::Tz = schedule.zone.parse().unwrap();
    let first = (around.days() - 5) * 24 * 60;
    let minutes: Vec<i64> = (first..first + 10 * 24 * 60).collect();
    let mut of_day: BTreeMap<(i32, u32, u32), Vec<(i64, u32)>> = BTreeMap::new();
    for minute in &minutes {
        let local = zone.timestamp_opt(minute * 60, 0).unwrap();
        let day = (local.year(), local.month(), local.day());
        let shown = local.hour() * 60 + local.minute();
        of_day.entry(day).or_default().push((*minute, shown));
    }
    let mut open = std::collections::BTreeSet::new();
    for ((year, month, day), shown) in of_day {
        let name = chrono::NaiveDate::from_ymd_opt(year, month, day)
            .unwrap()
            .weekday()
            .num_days_from_monday();
        let text = format!("{year:04}-{month:02}-{day:02}");
        let is_off = schedule
            .skip
            .iter()
            .any(|days| days.from.to_string() <= text && text <= days.last().to_string());
        if is_off || !schedule.weekdays.contains(&WEEK[name as usize]) {
            continue;
        }
        for window in &schedule.windows {
            let from = u32::from(window.from.minutes());
            let to = u32::from(window.to.minutes());
            let begins = shown.iter().filter(|(_, shows)| *shows >= from);
            let ends = shown.iter().filter(|(_, shows)| *shows < to);
            let begins = begins.map(|(minute, _)| *minute).min();
            let ends = ends.map(|(minute, _)| *minute).max();
            if let (Some(begins), Some(ends)) = (begins, ends) {
                open.extend(begins..=ends);
            }
        }
    }
    minutes
        .into_iter()
        .map(|minute| (minute, open.contains(&minute)))
        .collect()
}

fn any_schedule() -> impl Strategy<Value = (Schedule, Date)> {
    let window = (0_u16..1440, 1_u16..=1440).prop_filter_map("no time in it", |(from, length)| {
        let to = (from + length).min(1440);
        Some(Window {
            from: Minute::new(from)?,
            to: Minute::new(to)?,
        })
        .filter(|window| window.from < window.to)
    });
    let early = (0_u16..200, 1_u16..120).prop_filter_map("no time in it", |(from, length)| {
        Some(Window {
            from: Minute::new(from)?,
            to: Minute::new(from + length)?,
        })
    });
    (
        prop::sample::select(WEEKS),
        prop::collection::btree_set(prop::sample::select(&WEEK[..]), 1..=7),
        prop::collection::vec(prop_oneof![window, early], 1..4),
        prop::option::of((-3_i64..3, 0_i64..2)),
    )
        .prop_map(|((zone, around), weekdays, windows, skip)| {
            let around: Date = around.parse().unwrap();
            let skip = skip.map(|(from, n)| Days {
                from: around.plus(from),
                to: Some(around.plus(from + n)),
            });
            let schedule = Schedule {
                zone: zone.to_owned(),
                weekdays: weekdays.into_iter().collect(),
                windows,
                starts_on: None,
                ends_on: None,
                skip: skip.into_iter().collect(),
            };
            (schedule, around)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    /// In every zone, on the days on which its clocks are changed: never open outside a window, never closed in one, and
    /// the instants that are told are those at which that changes.
    #[test]
    fn the_gate_says_what_every_minute_says((schedule, around) in any_schedule()) {
        let zone = find_zone(&schedule.zone).unwrap();
        let minutes = look_at_every_minute(&schedule, around);
        // The first and the last days are cut off, so that only whole ones are compared.
        let compared = 2 * 24 * 60..minutes.len() - 2 * 24 * 60;
        for idx in compared.step_by(7) {
            let (minute, is_open) = minutes[idx];
            let changes = minutes[idx..].iter().find(|(_, open)| *open != is_open);
            let changes = changes.map(|(minute, _)| Timestamp::from_ms(minute * MINUTE));
            for ms in [0, MINUTE - 1] {
                let now = Timestamp::from_ms(minute * MINUTE + ms);
                match gate(&schedule, &zone, now) {
                    Gate::Open { until } => {
                        prop_assert!(is_open, "open at {now}");
                        prop_assert!(changes.is_none_or(|at| at == until), "{now}: {until} is not {changes:?}");
                    }
                    Gate::Closed { opens_at } => {
                        prop_assert!(!is_open, "closed at {now}");
                        let opens_at = opens_at.unwrap();
                        prop_assert!(changes.is_none_or(|at| at == opens_at), "{now}: {opens_at} is not {changes:?}");
                    }
                }
            }
        }
    }

    /// A wait of whole days ends at the same time of day, so many days later.
    #[test]
    fn whole_days_are_days_of_the_zone(
        (zone, around) in prop::sample::select(WEEKS),
        minute in 0_i64..4 * 1440,
        days in 1_u64..6,
    ) {
        let around: Date = around.parse().unwrap();
        let now = Timestamp::from_ms(((around.days() - 3) * 1440 + minute) * MINUTE);
        let wait = wait_from(&find_zone(zone).unwrap(), now, days * DAY_MS);
        let theirs: chrono_tz::Tz = zone.parse().unwrap();
        let shown = |ms: i64| theirs.timestamp_millis_opt(ms).unwrap();
        let (before, after) = (shown(now.as_ms()), shown((now + wait).as_ms()));
        let meant = before.date_naive() + chrono::Days::new(days);
        let is_there = matches!(
            theirs.from_local_datetime(&meant.and_time(before.time())),
            chrono::LocalResult::Single(_) | chrono::LocalResult::Ambiguous(..)
        );
        if is_there {
            prop_assert_eq!(after.naive_local(), meant.and_time(before.time()));
        } else {
            // Just behind the time that is missing.
            prop_assert!(after.naive_local() > meant.and_time(before.time()));
            let just_before = shown((now + wait).as_ms() - 1);
            prop_assert!(just_before.naive_local() < meant.and_time(before.time()));
        }
        // What is no whole day is a time like any other.
        let odd = days * DAY_MS + 1;
        prop_assert_eq!(wait_from(&find_zone(zone).unwrap(), now, odd), Duration::from_millis(odd));
    }
}

fn always(zone: &str) -> Schedule {
    Schedule {
        zone: zone.to_owned(),
        weekdays: WEEK.to_vec(),
        windows: vec![Window {
            from: Minute::new(0).unwrap(),
            to: Minute::END,
        }],
        starts_on: None,
        ends_on: None,
        skip: Vec::new(),
    }
}

#[test]
fn a_schedule_opens_on_its_first_day_and_is_over_after_its_last() {
    let zone = find_zone("Europe/Berlin").unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let schedule = Schedule {
        weekdays: vec![Weekday::Monday, Weekday::Tuesday],
        windows: vec![Window {
            from: "09:00".parse().unwrap(),
            to: "17:00".parse().unwrap(),
        }],
        starts_on: Some("2026-12-06".parse().unwrap()),
        ends_on: Some("2026-12-08".parse().unwrap()),
        ..always("Europe/Berlin")
    };
    let opens = |text| Gate::Closed {
        opens_at: Some(at(text)),
    };
    for (now, expected) in [
        ("2026-01-01T00:00:00Z", opens("2026-12-07T08:00:00Z")),
        ("2026-12-07T07:59:59.999Z", opens("2026-12-07T08:00:00Z")),
        (
            "2026-12-07T08:00:00Z",
            Gate::Open {
                until: at("2026-12-07T16:00:00Z"),
            },
        ),
        ("2026-12-07T16:00:00Z", opens("2026-12-08T08:00:00Z")),
        ("2026-12-08T16:00:00Z", Gate::Closed { opens_at: None }),
    ] {
        assert_eq!(gate(&schedule, &zone, at(now)), expected, "{now}");
    }
    let never = Schedule {
        ends_on: schedule.starts_on,
        ..schedule
    };
    let now = at("2026-01-01T00:00:00Z");
    assert_eq!(gate(&never, &zone, now), Gate::Closed { opens_at: None });
}

#[test]
fn what_is_always_open_is_looked_at_again_in_a_week() {
    let zone = find_zone("America/New_York").unwrap();
    let now = Timestamp::from_ms(1_795_417_920_000);
    let Gate::Open { until } = gate(&always("America/New_York"), &zone, now) else {
        panic!("closed");
    };
    assert!(until > now + Duration::from_hours(24 * 7), "{until}");
}

#[test]
fn a_zone_is_found_in_any_letters_and_has_its_own_name() {
    let found = find_zone("europe/berlin").unwrap();
    assert_eq!(name_of(&found), Some("Europe/Berlin"));
    assert!(find_zone("Europe/Berln").is_none());
    assert!(list_zones().any(|name| name == "Pacific/Apia"));
}
