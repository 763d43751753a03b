//! When a campaign may send: its zone, its days and its windows, as a person writes them. What they come to as instants
//! is the relay's to compute, which has the zones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::timestamp::{Civil, Timestamp, days_of};

/// Windows of a day that can be asked for.
pub const WINDOWS_AT_MOST: usize = 24;
/// Ranges of days without mail that can be asked for: one for each day of a year.
pub const SKIPS_AT_MOST: usize = 366;

/// When a campaign may send. A campaign without one may send at any time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The zone of all its times and days, by its name in the IANA database, as in Europe/Berlin.
    pub zone: String,
    /// The days of the week on which it sends.
    pub weekdays: Vec<Weekday>,
    /// The times of such a day at which it sends. Those that touch or overlap are one.
    pub windows: Vec<Window>,
    /// The first day; from its start on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_on: Option<Date>,
    /// The last day, to its end; never over when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_on: Option<Date>,
    /// Days on which it does not send, as holidays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<Days>,
}

/// A time of day at which it sends: from its first minute on, and not at its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Its first minute.
    pub from: Minute,
    /// The minute at which it is over; 24:00 is the end of the day.
    pub to: Minute,
}

/// Days in a row; one where both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// The first.
    pub from: Date,
    /// The last; only the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
}

/// A day of the week (ISO 8601 §4.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// The first.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The last.
    Sunday,
}

/// The days of a week, in their order.
pub const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// A minute of a day on a local clock, `HH:MM`; 24:00 is where the next day begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(u16);

/// A day of the Gregorian calendar, `YYYY-MM-DD`, in no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

/// Why a schedule cannot be kept, and where in it that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, from the schedule on, as in `windows[1].to`.
    pub field: String,
    /// What was expected and what was found.
    pub words: String,
}

impl Schedule {
    /// Whether it says something that can be kept, whatever the time is. Whether there is such a zone is the relay's to
    /// know.
    pub fn check(&self) -> Result<(), Fault> {
        let fault = |field: String, words: String| Err(Fault { field, words });
        if self.weekdays.is_empty() {
            let words = "expected at least one day of the week, as in monday, found none";
            return fault("weekdays".to_owned(), words.to_owned());
        }
        if self.windows.is_empty() || self.windows.len() > WINDOWS_AT_MOST {
            let words = format!(
                "expected 1 to {WINDOWS_AT_MOST} windows, as in 09:00 to 17:00, found {}",
                self.windows.len()
            );
            return fault("windows".to_owned(), words);
        }
        for (idx, window) in self.windows.iter().enumerate() {
            if window.to <= window.from {
                let words = format!(
                    "expected a time after {}, found {}: a window that goes on after midnight is two, one to 24:00 and one from 00:00",
                    window.from, window.to
                );
                return fault(format!("windows[{idx}].to"), words);
            }
        }
        if let (Some(starts_on), Some(ends_on)) = (self.starts_on, self.ends_on)
            && ends_on < starts_on
        {
            let words = format!("expected {starts_on} or a later day, found {ends_on}");
            return fault("ends_on".to_owned(), words);
        }
        if self.skip.len() > SKIPS_AT_MOST {
            let words = format!(
                "expected at most {SKIPS_AT_MOST} ranges of days, found {}",
                self.skip.len()
            );
            return fault("skip".to_owned(), words);
        }
        for (idx, days) in self.skip.iter().enumerate() {
            if days.last() < days.from {
                let words = format!(
                    "expected {} or a later day, found {}",
                    days.from,
                    days.last()
                );
                return fault(format!("skip[{idx}].to"), words);
            }
        }
        Ok(())
    }

    /// Whether it sends on that day at all.
    pub fn sends_on(&self, date: Date) -> bool {
        self.weekdays.contains(&date.weekday())
            && self.starts_on.is_none_or(|first| date >= first)
            && self.ends_on.is_none_or(|last| date <= last)
            && !self.skip.iter().any(|days| days.contain(date))
    }
}

impl Days {
    /// The last of them.
    pub fn last(&self) -> Date {
        self.to.unwrap_or(self.from)
    }

    /// Whether that day is one of them.
    pub fn contain(&self, date: Date) -> bool {
        (self.from..=self.last()).contains(&date)
    }
}

impl Minute {
    /// The end of a day.
    pub const END: Self = Self(24 * 60);

    /// The minute that begins so many after midnight; `None` beyond the end of a day.
    pub fn new(minutes: u16) -> Option<Self> {
        (minutes <= Self::END.0).then_some(Self(minutes))
    }

    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl Date {
    /// The day that many days after 1970-01-01.
    pub const fn from_days(days: i64) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i64 {
        self.0
    }

    /// The day so many days later.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Its year, month and day.
    pub fn civil(self) -> Civil {
        Civil::of(
            Timestamp::from_ms(self.0.saturating_mul(24 * 60 * 60 * 1000)),
            0,
        )
    }

    /// Its day of the week.
    pub fn weekday(self) -> Weekday {
        WEEK.get(self.civil().weekday())
            .copied()
            .unwrap_or(Weekday::Monday)
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = self.civil();
        write!(f, "{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
    }
}

impl Weekday {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}

/// The text is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time of day from 00:00 to 24:00, as in 09:30, found {found:?}")]
pub struct NoMinute {
    /// What stood there.
    pub found: String,
}

impl FromStr for Minute {
    type Err = NoMinute;

    fn from_str(text: &str) -> Result<Self, NoMinute> {
        let parse = || {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
            (minute < 60).then_some(())?;
            Self::new(u16::try_from(hour * 60 + minute).ok()?)
        };
        parse().ok_or_else(|| NoMinute {
            found: text.to_owned(),
        })
    }
}

/// The text is no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a day of the calendar, as in 2026-12-24, found {found:?}")]
pub struct NoDate {
    /// What stood there.
    pub found: String,
}

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let parse = || {
            let (year, rest) = text.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            let year = i64::from(digits(year, 4)?);
            days_of(year, digits(month, 2)?, digits(day, 2)?).map(Self)
        };
        parse().ok_or_else(|| NoDate {
            found: text.to_owned(),
        })
    }
}

/// So many digits of ASCII.
fn digits(text: &str, n: usize) -> Option<u32> {
    let is_number = text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

impl Serialize for Minute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Minute {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Minute".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$" })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Date {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            zone: "Europe/Berlin".to_owned(),
            weekdays: vec![Weekday::Monday],
            windows: vec![Window {
                from: "09:00".parse().unwrap(),
                to: "17:00".parse().unwrap(),
            }],
            starts_on: None,
            ends_on: None,
            skip: Vec::new(),
        }
    }

    #[test]
    fn a_schedule_survives_the_wire_as_people_write_it() {
        let text = r#"{"zone":"Europe/Berlin","weekdays":["monday","friday"],"windows":[{"from":"09:00","to":"24:00"}],"starts_on":"2026-12-07","ends_on":"2027-02-28","skip":[{"from":"2026-12-24","to":"2027-01-01"},{"from":"2027-01-06"}]}"#;
        let schedule: Schedule = serde_json::from_str(text).unwrap();
        assert_eq!(schedule.check(), Ok(()));
        assert_eq!(serde_json::to_string(&schedule).unwrap(), text);
    }

    #[test]
    fn what_cannot_be_kept_is_refused_at_its_field() {
        let minute = |text: &str| text.parse::<Minute>().unwrap();
        let date = |text: &str| Some(text.parse::<Date>().unwrap());
        let mut without_days = schedule();
        without_days.weekdays.clear();
        assert_eq!(without_days.check().unwrap_err().field, "weekdays");
        let mut without_windows = schedule();
        without_windows.windows.clear();
        assert_eq!(without_windows.check().unwrap_err().field, "windows");
        let mut inverted = schedule();
        inverted.windows.push(Window {
            from: minute("22:00"),
            to: minute("02:00"),
        });
        let fault = inverted.check().unwrap_err();
        assert_eq!(fault.field, "windows[1].to");
        assert!(fault.words.contains("found 02:00"), "{}", fault.words);
        let mut over = schedule();
        (over.starts_on, over.ends_on) = (date("2026-12-07"), date("2026-12-06"));
        assert_eq!(over.check().unwrap_err().field, "ends_on");
        over.ends_on = over.starts_on;
        assert_eq!(over.check(), Ok(()));
        over.skip.push(Days {
            from: date("2026-12-26").unwrap(),
            to: date("2026-12-24"),
        });
        assert_eq!(over.check().unwrap_err().field, "skip[0].to");
    }

    #[test]
    fn times_and_days_that_there_are_not_are_refused() {
        for text in [
            "", "9:00", "24:01", "12:60", "12.00", "+1:00", "1２:00", "12:00 ",
        ] {
            assert!(text.parse::<Minute>().is_err(), "{text}");
        }
        for text in [
            "",
            "2026-02-29",
            "2026-2-1",
            "26-02-01",
            "2026-13-01",
            "2026/02/01",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        assert_eq!("24:00".parse(), Ok(Minute::END));
        let leap: Date = "2028-02-29".parse().unwrap();
        assert_eq!(leap.weekday(), Weekday::Tuesday);
        assert_eq!(leap.plus(1).to_string(), "2028-03-01");
    }
}
