//! Dates of the Gregorian calendar and RFC 3339, as far as instants need them. By hand, because a library of
//! calendars and zones is a tenth of what the extension's popup may weigh; the relay, which will need zones, has one.

use super::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// A date and a time of day, in whatever zone they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// As in 2026.
    pub year: i64,
    /// From 1.
    pub month: u32,
    /// From 1.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999.
    pub ms: u32,
    /// Days since 1970-01-01, for distances between dates.
    pub days: i64,
}

impl Civil {
    /// The instant as a clock shows it that is `ahead_minutes` ahead of UTC.
    pub fn of(at: Timestamp, ahead_minutes: i32) -> Self {
        let local = at
            .as_ms()
            .saturating_add(i64::from(ahead_minutes).saturating_mul(60_000));
        let (days, ms) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS));
        // Years begin in March here, so that the leap day is a year's last.
        let shifted = days + EPOCH_DAYS;
        let (era, day_of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
        let leaps = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leaps) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: small(month),
            day: small(day_of_year - (153 * march_month + 2) / 5 + 1),
            hour: small(ms / 3_600_000),
            minute: small(ms / 60_000 % 60),
            second: small(ms / 1000 % 60),
            ms: small(ms % 1000),
            days,
        }
    }

    /// From 0 for Monday.
    pub fn weekday(&self) -> usize {
        // 1970-01-01 was a Thursday.
        usize::try_from((self.days + 3).rem_euclid(7)).unwrap_or(0)
    }
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Days from 1970-01-01 to that date; `None` where there is no such date.
pub(crate) fn days_of(year: i64, month: u32, day: u32) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > in_month {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march_month = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * ERA_DAYS + day_of_era - EPOCH_DAYS)
}

/// RFC 3339 §5.6 `date-time`; a leap second is taken for the second after it. `None` for anything else.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let year = i64::from(number(&mut rest, 4)?);
    let month = number(literal(&mut rest, b"-")?, 2)?;
    let day = number(literal(&mut rest, b"-")?, 2)?;
    let hour = number(literal(&mut rest, b"Tt ")?, 2)?;
    let minute = number(literal(&mut rest, b":")?, 2)?;
    let second = number(literal(&mut rest, b":")?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut ms = 0;
    if rest.first() == Some(&b'.') {
        let digits = literal(&mut rest, b".")?;
        let n_digits = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if n_digits == 0 {
            return None;
        }
        let (fraction, after) = digits.split_at_checked(n_digits)?;
        ms = (0..3).fold(0, |ms, idx| {
            ms * 10 + fraction.get(idx).map_or(0, |digit| i64::from(digit - b'0'))
        });
        rest = after;
    }
    let ahead_minutes = match rest.split_first()? {
        (b'Z' | b'z', []) => 0,
        (sign @ (b'+' | b'-'), mut offset) => {
            let hours = number(&mut offset, 2)?;
            let minutes = number(literal(&mut offset, b":")?, 2)?;
            if !offset.is_empty() || hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -ahead } else { ahead }
        }
        _ => return None,
    };
    let minutes = days_of(year, month, day)? * 1440 + i64::from(hour * 60 + minute) - ahead_minutes;
    Some(Timestamp::from_ms(
        minutes * 60_000 + i64::from(second) * 1000 + ms,
    ))
}

/// Takes one of these bytes.
fn literal<'a, 'b>(rest: &'a mut &'b [u8], one_of: &[u8]) -> Option<&'a mut &'b [u8]> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    one_of.contains(first).then_some(rest)
}

/// Takes so many digits.
fn number(rest: &mut &[u8], n_digits: usize) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(n_digits)?;
    *rest = after;
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, expected) in [
            (0, (1970, 1, 1, 3)),
            (-1, (1969, 12, 31, 2)),
            (951_782_400_000, (2000, 2, 29, 1)),
            (4_107_542_400_000, (2100, 3, 1, 0)),
            (1_795_417_920_007, (2026, 11, 23, 0)),
        ] {
            let civil = Civil::of(Timestamp::from_ms(ms), 0);
            assert_eq!(
                (civil.year, civil.month, civil.day, civil.weekday()),
                expected,
                "{ms}"
            );
        }
        let ahead = Civil::of(Timestamp::from_ms(0), -90);
        assert_eq!((ahead.day, ahead.hour, ahead.minute), (31, 22, 30));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "2026",
            "2026-11-23",
            "2026-11-23T09:12:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T09:60:00Z",
            "2026-11-23T09:12:61Z",
            "2026-11-23T09:12:00.Z",
            "2026-11-23T09:12:00Zz",
            "2026-11-23T09:12:00+2:00",
            "2026-11-23T09:12:00+02:00x",
            "+026-11-23T09:12:00Z",
            "2026-11-23T09:12:00.1é",
            "２026-11-23T09:12:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_of_four_digit_years_survives(ms in -62_135_596_800_000_i64..253_402_300_800_000) {
            let at = Timestamp::from_ms(ms);
            prop_assert_eq!(parse(&at.to_string()), Some(at));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
