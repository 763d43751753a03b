//! Instants in the person's own time and words: near ones by their distance or their hour, far ones by their date.
//! What "now" is, is an argument everywhere; [`now`] is where a page gets it.

use std::time::Duration;

use protocol::timestamp::{Civil, Timestamp};
use yew::{Html, html};

/// Two clocks of one network may differ by as much.
const NOW_MS: u64 = 5_000;
const MINUTE_MS: u64 = 60 * 1_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// An instant as an element of a page: these words, and the whole date on hover.
pub fn element(at: Timestamp, words: impl Into<String>) -> Html {
    html! { <time datetime={at.to_string()} title={long(at)}>{ words.into() }</time> }
}

/// Since when: "since 09:12", "since yesterday, 17:40", "since 21 Nov, 09:12".
pub fn since(at: Timestamp, now: Timestamp) -> String {
    let (then, clock) = (local(at), clock(at));
    match days_between(local(now), then) {
        0 => format!("since {clock}"),
        -1 => format!("since yesterday, {clock}"),
        _ => format!("since {}, {clock}", day(then, local(now))),
    }
}

/// At what time: "today at 14:05", "tomorrow at 09:00", "on 24 Nov at 09:00".
pub fn at(at: Timestamp, now: Timestamp) -> String {
    let (then, clock) = (local(at), clock(at));
    match days_between(local(now), then) {
        0 => format!("today at {clock}"),
        1 => format!("tomorrow at {clock}"),
        -1 => format!("yesterday at {clock}"),
        _ => format!("on {} at {clock}", day(then, local(now))),
    }
}

/// An instant that is over, as in "It did just now", even where this clock is behind: [`near`] says "now" of what may
/// also be to come.
pub fn past(at: Timestamp, now: Timestamp) -> String {
    match ms(now.since(at)) {
        0..NOW_MS => "just now".to_owned(),
        _ => near(at, now),
    }
}

/// How far away, under a day: "now", "12 min ago", "in 3 h"; else as [`at`] says it, shorter.
pub fn near(at: Timestamp, now: Timestamp) -> String {
    let (past, ahead) = (ms(now.since(at)), ms(at.since(now)));
    match (past, ahead) {
        (0..NOW_MS, 0..NOW_MS) => "now".to_owned(),
        (NOW_MS..MINUTE_MS, _) => "just now".to_owned(),
        (_, NOW_MS..MINUTE_MS) => "in a moment".to_owned(),
        (MINUTE_MS..HOUR_MS, _) => format!("{} min ago", past / MINUTE_MS),
        (_, MINUTE_MS..HOUR_MS) => format!("in {} min", ahead / MINUTE_MS),
        (HOUR_MS..DAY_MS, _) => format!("{} h ago", past / HOUR_MS),
        (_, HOUR_MS..DAY_MS) => format!("in {} h", ahead / HOUR_MS),
        _ => format!("{}, {}", day(local(at), local(now)), clock(at)),
    }
}

/// The whole date: "Monday 23 November 2026, 09:12".
pub fn long(at: Timestamp) -> String {
    let then = local(at);
    let weekday = WEEKDAYS.get(then.weekday()).unwrap_or(&"");
    format!(
        "{weekday} {} {} {}, {}",
        then.day,
        month(then),
        then.year,
        clock(at)
    )
}

/// A length of time in its two largest units: "4 hours 10 minutes", "less than a minute".
pub fn length(duration: Duration) -> String {
    let all = ms(duration);
    let days = count(all / DAY_MS, "day");
    let hours = count(all % DAY_MS / HOUR_MS, "hour");
    let minutes = count(all % HOUR_MS / MINUTE_MS, "minute");
    let words: Vec<_> = [days, hours, minutes]
        .into_iter()
        .flatten()
        .take(2)
        .collect();
    if words.is_empty() {
        return "less than a minute".to_owned();
    }
    words.join(" ")
}

fn count(n: u64, unit: &str) -> Option<String> {
    match n {
        0 => None,
        1 => Some(format!("1 {unit}")),
        n => Some(format!("{n} {unit}s")),
    }
}

fn clock(at: Timestamp) -> String {
    let then = local(at);
    format!("{:02}:{:02}", then.hour, then.minute)
}

/// The day as "21 Nov", with its year where that is another one.
fn day(then: Civil, now: Civil) -> String {
    let short = month(then).get(..3).unwrap_or_default();
    if then.year == now.year {
        format!("{} {short}", then.day)
    } else {
        format!("{} {short} {}", then.day, then.year)
    }
}

fn month(then: Civil) -> &'static str {
    usize::try_from(then.month - 1)
        .ok()
        .and_then(|idx| MONTHS.get(idx))
        .unwrap_or(&"")
}

fn days_between(from: Civil, to: Civil) -> i64 {
    to.days - from.days
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The instant on the person's own clock.
fn local(at: Timestamp) -> Civil {
    Civil::of(at, offset_minutes(at))
}

/// Now, by the browser's clock.
#[cfg(target_arch = "wasm32")]
pub fn now() -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds of a date are whole and small"
    )]
    Timestamp::from_ms(js_sys::Date::now() as i64)
}

/// Now, where a page is rendered without a browser.
#[cfg(not(target_arch = "wasm32"))]
pub fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock of pages; the relay has its own"
    )]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_ms(protocol::timestamp::duration_ms(
        since_epoch.unwrap_or_default(),
    ))
}

/// Minutes by which the person's clock is ahead of UTC at that instant, summer time included.
#[cfg(target_arch = "wasm32")]
fn offset_minutes(at: Timestamp) -> i32 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a date of JavaScript is a whole number of milliseconds below 2^53"
    )]
    let behind = js_sys::Date::new(&(at.as_ms() as f64).into()).get_timezone_offset() as i32;
    -behind
}

/// Without a browser nobody's clock is known: UTC.
#[cfg(not(target_arch = "wasm32"))]
fn offset_minutes(_: Timestamp) -> i32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_instant_is_said_as_near_as_it_is() {
        let now = instant("2026-11-23T09:30:00Z");
        for (then, since_words, at_words, near_words) in [
            (
                "2026-11-23T09:30:00Z",
                "since 09:30",
                "today at 09:30",
                "now",
            ),
            (
                "2026-11-23T09:30:20Z",
                "since 09:30",
                "today at 09:30",
                "in a moment",
            ),
            (
                "2026-11-23T09:29:30Z",
                "since 09:29",
                "today at 09:29",
                "just now",
            ),
            (
                "2026-11-23T09:12:00Z",
                "since 09:12",
                "today at 09:12",
                "18 min ago",
            ),
            (
                "2026-11-23T00:05:00Z",
                "since 00:05",
                "today at 00:05",
                "9 h ago",
            ),
            (
                "2026-11-22T17:40:00Z",
                "since yesterday, 17:40",
                "yesterday at 17:40",
                "15 h ago",
            ),
            (
                "2026-11-21T09:12:00Z",
                "since 21 Nov, 09:12",
                "on 21 Nov at 09:12",
                "21 Nov, 09:12",
            ),
            (
                "2025-02-03T09:12:00Z",
                "since 3 Feb 2025, 09:12",
                "on 3 Feb 2025 at 09:12",
                "3 Feb 2025, 09:12",
            ),
            (
                "2026-11-23T14:05:00Z",
                "since 14:05",
                "today at 14:05",
                "in 4 h",
            ),
            (
                "2026-11-24T09:00:00Z",
                "since 24 Nov, 09:00",
                "tomorrow at 09:00",
                "in 23 h",
            ),
            (
                "2026-12-01T09:00:00Z",
                "since 1 Dec, 09:00",
                "on 1 Dec at 09:00",
                "1 Dec, 09:00",
            ),
        ] {
            let then = instant(then);
            assert_eq!(since(then, now), since_words);
            assert_eq!(at(then, now), at_words);
            assert_eq!(near(then, now), near_words);
            // A clock that is behind says nothing of what is to come.
            let past_words = match near_words {
                "now" => "just now",
                _ if then > now => "just now",
                words => words,
            };
            assert_eq!(past(then, now), past_words);
        }
    }

    #[test]
    fn the_whole_date_stands_on_hover() {
        assert_eq!(
            long(instant("2026-11-23T09:12:00Z")),
            "Monday 23 November 2026, 09:12"
        );
    }

    #[test]
    fn a_length_has_its_two_largest_units() {
        for (ms, words) in [
            (0, "less than a minute"),
            (59_999, "less than a minute"),
            (60_000, "1 minute"),
            (15_000_000, "4 hours 10 minutes"),
            (86_400_000, "1 day"),
            (176_461_000, "2 days 1 hour"),
            (86_460_000, "1 day 1 minute"),
        ] {
            assert_eq!(length(Duration::from_millis(ms)), words);
        }
    }
}
