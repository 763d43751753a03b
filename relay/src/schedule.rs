//! When the windows of a schedule are open, as instants. Pure: zones come from the database that ships with the binary,
//! and nothing here reads a clock. What a schedule is, is [`protocol::schedule`]'s.
//!
//! An hour that a zone has twice is one window's: it opens at the first and closes at the second. A time that a zone does
//! not have is the instant at which its clocks are put forward.

use std::time::Duration;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use protocol::schedule::{Date, Minute, Schedule};
use protocol::timestamp::Timestamp;

/// How far ahead an opening is looked for: over ten years. What does not open by then never does.
const DAYS_AHEAD: i64 = 4_000;
/// How far ahead the end of windows is looked for that follow one another without a pause.
const OPEN_AHEAD: Duration = Duration::from_hours(24 * 8);
/// A day of a wait, where no schedule says how long its days are.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Whether a schedule lets a message leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It does.
    Open {
        /// Until when at the least; windows that go on for longer than a week are looked at again then.
        until: Timestamp,
    },
    /// It does not.
    Closed {
        /// When it does next; `None`: never any more.
        opens_at: Option<Timestamp>,
    },
}

impl Gate {
    /// The earliest instant from `now` on at which a message may leave; `None`: never any more.
    pub fn next(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Open { .. } => Some(now),
            Self::Closed { opens_at } => opens_at,
        }
    }
}

/// A zone by its name, in any letters; `None` where the database has none of it.
pub fn find_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The name that the database has for a zone.
pub fn name_of(zone: &TimeZone) -> Option<&str> {
    zone.iana_name()
}

/// The names of all zones.
pub fn list_zones() -> impl Iterator<Item = String> {
    jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
}

/// Whether a schedule lets a message leave at `now`, in its zone.
pub fn gate(schedule: &Schedule, zone: &TimeZone, now: Timestamp) -> Gate {
    let windows = join_windows(schedule);
    let today = date_in(zone, now);
    // The day before may still be open where a zone's clocks were put back over midnight.
    let yesterday = today.plus(-1);
    let first = schedule
        .starts_on
        .map_or(yesterday, |day| day.max(yesterday));
    let last = first.max(today).plus(DAYS_AHEAD);
    let last = schedule.ends_on.map_or(last, |day| day.min(last));
    let mut open_until: Option<Timestamp> = None;
    let mut date = first;
    while date <= last {
        if schedule.sends_on(date) {
            for (from, to) in &windows {
                let opens = instant(zone, date, *from, Twice::First);
                let closes = closing(zone, date, *to);
                let (Some(opens), Some(closes)) = (opens, closes) else {
                    continue;
                };
                if closes <= now || closes <= opens {
                    continue;
                }
                open_until = match open_until {
                    None if opens > now => {
                        return Gate::Closed {
                            opens_at: Some(opens),
                        };
                    }
                    None => Some(closes),
                    Some(until) if opens > until => return Gate::Open { until },
                    Some(until) => Some(until.max(closes)),
                };
            }
        }
        if let Some(until) = open_until.filter(|until| *until > now + OPEN_AHEAD) {
            return Gate::Open { until };
        }
        date = date.plus(1);
    }
    match open_until {
        Some(until) => Gate::Open { until },
        None => Gate::Closed { opens_at: None },
    }
}

/// A time in which messages may leave, both ends among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// Its last instant.
    pub last: Timestamp,
}

/// When a schedule lets messages leave from one instant to another, in order.
pub fn list_open(
    schedule: &Schedule,
    zone: &TimeZone,
    from: Timestamp,
    last: Timestamp,
) -> Vec<Span> {
    const LEAST: Duration = Duration::from_millis(1);
    let mut spans: Vec<Span> = Vec::new();
    let mut at = from;
    while at <= last {
        at = match gate(schedule, zone, at) {
            Gate::Closed { opens_at: None } => break,
            Gate::Closed {
                opens_at: Some(opens_at),
            } => opens_at.max(at + LEAST),
            Gate::Open { until } => {
                let ends = (until - LEAST).min(last).max(at);
                spans.push(Span {
                    from: at,
                    last: ends,
                });
                until.max(at + LEAST)
            }
        };
    }
    spans
}

/// The instants of any of these spans, in order, each once.
pub fn unite(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut united: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match united.last_mut() {
            Some(before) if span.from <= before.last => before.last = before.last.max(span.last),
            _ => united.push(span),
        }
    }
    united
}

/// How many messages fit into spans that are in order, one from the other by this distance at the least; without a
/// distance as many as there are, where there is a span.
pub fn fit_into(spans: &[Span], distance: Duration) -> u64 {
    let distance_ms = distance.as_millis();
    if distance_ms == 0 {
        return if spans.is_empty() { 0 } else { u64::MAX };
    }
    let mut n = 0_u64;
    let mut next: Option<Timestamp> = None;
    for span in spans {
        let first = next.map_or(span.from, |next| next.max(span.from));
        if first > span.last {
            continue;
        }
        let behind = span.last.since(first).as_millis() / distance_ms;
        n = n.saturating_add(u64::try_from(behind).unwrap_or(u64::MAX).saturating_add(1));
        let taken = u64::try_from(behind.saturating_add(1).saturating_mul(distance_ms));
        next = Some(first + Duration::from_millis(taken.unwrap_or(u64::MAX)));
    }
    n
}

/// The wait for a step that is planned at `now`, in a campaign whose schedule has this zone: whole days are days of the
/// zone, to the same time of day.
pub fn wait_from(zone: &TimeZone, now: Timestamp, wait_ms: u64) -> Duration {
    let plain = Duration::from_millis(wait_ms);
    if wait_ms == 0 || !wait_ms.is_multiple_of(DAY_MS) {
        return plain;
    }
    let days = i64::try_from(wait_ms / DAY_MS).unwrap_or(i64::MAX);
    let Ok(at) = jiff::Timestamp::from_millisecond(now.as_ms()) else {
        return plain;
    };
    let local = zone.to_datetime(at);
    let Ok(then) = date_of(date_from(local.date()).plus(days)) else {
        return plain;
    };
    let Some(then) = resolve(zone, then.to_datetime(local.time()), Twice::First) else {
        return plain;
    };
    then.since(now)
}

/// Which of two instants with the same local time is meant.
#[derive(Clone, Copy, Debug)]
enum Twice {
    First,
    Second,
}

/// The windows of a day in their order; those that touch or overlap are one.
fn join_windows(schedule: &Schedule) -> Vec<(Minute, Minute)> {
    let mut windows: Vec<_> = schedule
        .windows
        .iter()
        .map(|window| (window.from, window.to))
        .collect();
    windows.sort();
    let mut joined: Vec<(Minute, Minute)> = Vec::with_capacity(windows.len());
    for (from, to) in windows {
        match joined.last_mut() {
            Some(before) if from <= before.1 => before.1 = before.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// The day that it is in a zone.
pub fn date_in(zone: &TimeZone, at: Timestamp) -> Date {
    let at = jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default();
    date_from(zone.to_datetime(at).date())
}

fn date_from(date: civil::Date) -> Date {
    let epoch = civil::Date::constant(1970, 1, 1);
    Date::from_days(i64::from((date - epoch).get_days()))
}

fn date_of(date: Date) -> Result<civil::Date, jiff::Error> {
    let civil = date.civil();
    let small = |number: u32| i8::try_from(number).unwrap_or(i8::MAX);
    civil::Date::new(
        i16::try_from(civil.year).unwrap_or(i16::MAX),
        small(civil.month),
        small(civil.day),
    )
}

/// The instant at which a window of a day is over. An end that comes twice is over at its second only where the clocks
/// come back into the window: not where they come back to its end, nor where the day after begins twice.
fn closing(zone: &TimeZone, date: Date, to: Minute) -> Option<Timestamp> {
    let closes = instant(zone, date, to, Twice::Second)?;
    let before = closes - Duration::from_millis(1);
    let at = jiff::Timestamp::from_millisecond(before.as_ms()).ok()?;
    let shown = zone.to_datetime(at);
    let minute = i32::from(shown.hour()) * 60 + i32::from(shown.minute());
    if date_from(shown.date()) == date && minute < i32::from(to.minutes()) {
        return Some(closes);
    }
    instant(zone, date, to, Twice::First)
}

/// The instant at which a day's clock shows so many minutes; `None` beyond the calendar.
fn instant(zone: &TimeZone, date: Date, minute: Minute, twice: Twice) -> Option<Timestamp> {
    let (date, minute) = if minute == Minute::END {
        (date.plus(1), 0)
    } else {
        (date, minute.minutes())
    };
    let part = |number: u16| i8::try_from(number).ok();
    let local = date_of(date)
        .ok()?
        .at(part(minute / 60)?, part(minute % 60)?, 0, 0);
    resolve(zone, local, twice)
}

fn resolve(zone: &TimeZone, local: civil::DateTime, twice: Twice) -> Option<Timestamp> {
    let at = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
        AmbiguousOffset::Fold { before, after } => {
            let offset = match twice {
                Twice::First => before,
                Twice::Second => after,
            };
            offset.to_timestamp(local).ok()?
        }
        // By the offset from before it lies behind the instant at which the clocks are put forward.
        AmbiguousOffset::Gap { before, .. } => {
            let behind = before.to_timestamp(local).ok()?;
            let just_behind = behind
                .checked_add(jiff::SignedDuration::from_nanos(1))
                .ok()?;
            zone.preceding(just_behind).next()?.timestamp()
        }
    };
    Some(Timestamp::from_ms(at.as_millisecond()))
}

#[cfg(test)]
mod tests;
