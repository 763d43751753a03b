//! The day until which somebody says to be away: the latest day that an automatic answer names. A small grammar of dates
//! with the names of months in many languages ([`month`]); no sentence is known to it.
//!
//! ```text
//! date    = day ["."] [short words] month [year]  |  month day [year] ["-" day]
//!         | day "." month "." [year]  |  day "/" month ["/" year]  |  day "-" month "-" year
//!         | year "-" month "-" day  |  [year "年"] month "月" day "日"
//! ```
//!
//! A date that may be read in two ways is read in both; of all days those count that come after the message was written,
//! within [`DAYS_AT_MOST`], and of these the latest. One without a year is the next such day after that.

mod month;

use jiff::civil::{Date, date};
use jiff::{Span, tz::Offset};
use protocol::timestamp::Timestamp;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Nobody is waited for longer; what lies farther off is more likely something else that the message names.
pub const DAYS_AT_MOST: i32 = 120;
/// How much of a text is looked through, in characters.
const CHARS_MAX: usize = 20_000;
/// The longest word that may stand between a day and its month, as in `14 de diciembre` or `14th of December`.
const JOINING_MAX: usize = 3;

/// When a message was written: the day and how far its clocks were from UTC, by whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The day.
    pub day: Date,
    /// How far ahead of UTC its clocks were, in seconds.
    pub offset_seconds: i32,
}

impl Written {
    /// Where nothing else is known: the day in UTC.
    pub fn at(at: Timestamp) -> Self {
        let day = jiff::Timestamp::from_millisecond(at.as_ms())
            .map_or(date(1970, 1, 1), |at| Offset::UTC.to_datetime(at).date());
        Self {
            day,
            offset_seconds: 0,
        }
    }
}

/// The beginning, where they are, of the latest day until which the writer of `text` is away; `None` where it names none.
pub fn find_return(text: &str, written: Written) -> Option<Timestamp> {
    let day = find_day(text, written.day)?;
    let offset = Offset::from_seconds(written.offset_seconds).unwrap_or(Offset::UTC);
    let begins = offset.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp::from_ms(begins.as_millisecond()))
}

fn find_day(text: &str, written: Date) -> Option<Date> {
    let tokens = split(text);
    let last = written.checked_add(Span::new().days(DAYS_AT_MOST)).ok()?;
    let mut days = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let n_read = read_date(&tokens, at, written, &mut days);
        at += n_read.max(1);
    }
    days.into_iter()
        .filter(|day| *day > written && *day <= last)
        .max()
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Digits(String),
    Word(String),
    /// Neither a letter, nor a digit, nor space.
    Mark(char),
    Space,
}

impl Token {
    /// The number, where it has no more digits than that.
    fn number(&self, n_digits: usize) -> Option<i16> {
        match self {
            Self::Digits(digits) if digits.len() <= n_digits => digits.parse().ok(),
            _ => None,
        }
    }
}

/// The text in small letters without marks above or below them, and in the digits of ASCII.
fn plain(text: &str) -> String {
    let folded = text.chars().take(CHARS_MAX).collect::<String>();
    // NFKD takes Hangul apart, and a small `i` without its dot is a letter of its own.
    let of_hangul = |c: char| matches!(c, '\u{AC00}'..='\u{D7A3}');
    folded
        .chars()
        .flat_map(|c| {
            let kept: Vec<char> = if of_hangul(c) {
                vec![c]
            } else {
                std::iter::once(c)
                    .nfkd()
                    .filter(|c| !is_combining_mark(*c))
                    .collect()
            };
            kept
        })
        .flat_map(char::to_lowercase)
        .filter(|c| !is_combining_mark(*c))
        .map(|c| if c == 'ı' { 'i' } else { c })
        .collect()
}

fn split(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for c in plain(text).chars() {
        match tokens.last_mut() {
            Some(Token::Digits(digits)) if c.is_ascii_digit() => digits.push(c),
            Some(Token::Word(word)) if c.is_alphabetic() => word.push(c),
            Some(Token::Space) if c.is_whitespace() => {}
            _ if c.is_ascii_digit() => tokens.push(Token::Digits(c.to_string())),
            _ if c.is_alphabetic() => tokens.push(Token::Word(c.to_string())),
            _ if c.is_whitespace() => tokens.push(Token::Space),
            _ => tokens.push(Token::Mark(c)),
        }
    }
    tokens
}

/// Reads the date that begins at a token, and puts every day that it may mean to the others. Answers how many tokens it
/// has; 0 where none begins there.
fn read_date(tokens: &[Token], at: usize, written: Date, days: &mut Vec<Date>) -> usize {
    let mut add =
        |year: Option<i16>, month: i16, day: i16| add_day(days, written, year, month, day);
    match tokens.get(at) {
        Some(Token::Digits(digits)) => {
            if is_part_of_more(tokens, at) {
                return 0;
            }
            if digits.len() == 4 {
                return read_year_first(tokens, at, &mut add);
            }
            if digits.len() > 2 {
                return 0;
            }
            for read in [read_signs, read_numbers, read_day_first] {
                let n_read = read(tokens, at, &mut add);
                if n_read > 0 {
                    return n_read;
                }
            }
            0
        }
        Some(Token::Word(_)) => {
            // Its day may be that of a month behind it: what is read goes on there.
            read_month_first(tokens, at, &mut add);
            0
        }
        _ => 0,
    }
}

fn add_day(days: &mut Vec<Date>, written: Date, year: Option<i16>, month: i16, day: i16) {
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else {
        return;
    };
    let years = match year {
        Some(year) if year < 100 => vec![2000 + year],
        Some(year) => vec![year],
        None => vec![written.year(), written.year() + 1],
    };
    let named = years
        .into_iter()
        .filter_map(|year| Date::new(year, month, day).ok());
    days.extend(named.filter(|day| year.is_some() || *day > written).take(1));
}

/// Whether the digits at `at` go on from a number before them, as in a telephone number, a version or a time.
fn is_part_of_more(tokens: &[Token], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).and_then(|at| tokens.get(at));
    matches!(
        (before(2), before(1)),
        (
            Some(Token::Digits(_)),
            Some(Token::Mark('.' | '/' | ':' | ','))
        ) | (_, Some(Token::Mark('+' | '#' | '€' | '$' | '£')))
    )
}

/// Whether a number goes on at `at`, as in a time or a version.
fn goes_on(tokens: &[Token], at: usize) -> bool {
    matches!(
        (tokens.get(at), tokens.get(at + 1)),
        (Some(Token::Mark('.' | '/' | ':')), Some(Token::Digits(_)))
    )
}

fn skip_space(tokens: &[Token], at: usize) -> usize {
    at + usize::from(tokens.get(at) == Some(&Token::Space))
}

/// A year of four digits at `at`, of this century.
fn year_at(tokens: &[Token], at: usize) -> Option<i16> {
    match tokens.get(at) {
        Some(Token::Digits(digits)) if digits.len() == 4 => digits
            .parse()
            .ok()
            .filter(|year| (2000..2100).contains(year)),
        _ => None,
    }
}

/// ISO 8601 and its like, and years before their sign.
fn read_year_first(
    tokens: &[Token],
    at: usize,
    add: &mut impl FnMut(Option<i16>, i16, i16),
) -> usize {
    let Some(year) = year_at(tokens, at) else {
        return 0;
    };
    if let Some(Token::Word(sign)) = tokens.get(skip_space(tokens, at + 1))
        && sign.starts_with(['年', '년'])
    {
        let from = skip_space(tokens, skip_space(tokens, at + 1) + 1);
        let mut with_year = |_: Option<i16>, month, day| add(Some(year), month, day);
        let n_read = read_signs(tokens, from, &mut with_year);
        return if n_read > 0 { from + n_read - at } else { 0 };
    }
    let Some(Token::Mark(mark @ ('-' | '/' | '.'))) = tokens.get(at + 1) else {
        return 0;
    };
    let month = tokens.get(at + 2).and_then(|token| token.number(2));
    let day = tokens.get(at + 4).and_then(|token| token.number(2));
    match (month, day) {
        (Some(month), Some(day)) if tokens.get(at + 3) == Some(&Token::Mark(*mark)) => {
            add(Some(year), month, day);
            5
        }
        _ => 0,
    }
}

/// `12月14日`, `12월 14일`.
fn read_signs(tokens: &[Token], at: usize, add: &mut impl FnMut(Option<i16>, i16, i16)) -> usize {
    let starts = |at: usize, signs: [char; 2]| matches!(tokens.get(at), Some(Token::Word(word)) if word.starts_with(signs));
    let month = tokens.get(at).and_then(|token| token.number(2));
    let sign = skip_space(tokens, at + 1);
    if !starts(sign, ['月', '월']) {
        return 0;
    }
    let from = skip_space(tokens, sign + 1);
    let day = tokens.get(from).and_then(|token| token.number(2));
    let ends = skip_space(tokens, from + 1);
    match (month, day) {
        (Some(month), Some(day)) if starts(ends, ['日', '일']) => {
            add(None, month, day);
            ends + 1 - at
        }
        _ => 0,
    }
}

/// Days and months in figures.
fn read_numbers(tokens: &[Token], at: usize, add: &mut impl FnMut(Option<i16>, i16, i16)) -> usize {
    let number = |at: usize| tokens.get(at).and_then(|token| token.number(2));
    let Some(first) = number(at) else { return 0 };
    match tokens.get(at + 1) {
        Some(Token::Mark('.')) => {
            let second_at = skip_space(tokens, at + 2);
            let Some(second) = number(second_at) else {
                return 0;
            };
            if tokens.get(second_at + 1) == Some(&Token::Mark('.')) {
                let year_from = skip_space(tokens, second_at + 2);
                if let Some(year) = year_at(tokens, year_from) {
                    add(Some(year), second, first);
                    return year_from + 1 - at;
                }
                // Two digits of a year stand close by.
                if let Some(year) = number(second_at + 2)
                    && matches!(tokens.get(second_at + 2), Some(Token::Digits(digits)) if digits.len() == 2)
                {
                    if goes_on(tokens, second_at + 3) {
                        return 0;
                    }
                    add(Some(year), second, first);
                    return second_at + 3 - at;
                }
                if matches!(tokens.get(second_at + 2), Some(Token::Digits(_))) {
                    return 0;
                }
                add(None, second, first);
                return second_at + 2 - at;
            }
            // `14.12` is a day where both have two digits; `2.5` is a number.
            let has_two = |at: usize| matches!(tokens.get(at), Some(Token::Digits(digits)) if digits.len() == 2);
            if second_at == at + 2
                && has_two(at)
                && has_two(second_at)
                && !goes_on(tokens, second_at + 1)
            {
                add(None, second, first);
                return 3;
            }
            0
        }
        Some(Token::Mark(mark @ ('/' | '-'))) => {
            let Some(second) = number(at + 2) else {
                return 0;
            };
            let year = (tokens.get(at + 3) == Some(&Token::Mark(*mark)))
                .then(|| {
                    year_at(tokens, at + 4).or_else(|| number(at + 4).filter(|_| *mark == '/'))
                })
                .flatten();
            // "24/7" is no day, and `3-4` is a number of something.
            let is_none = year.is_none() && (*mark == '-' || (first, second) == (24, 7));
            if is_none || goes_on(tokens, at + if year.is_some() { 5 } else { 3 }) {
                return 0;
            }
            // Who writes the month first is told from who writes the day first by nothing.
            add(year, second, first);
            add(year, first, second);
            if year.is_some() { 5 } else { 3 }
        }
        _ => 0,
    }
}

/// `14. Dezember`, `14th of December 2026`, `14 de diciembre de 2026`, `14-го декабря`.
fn read_day_first(
    tokens: &[Token],
    at: usize,
    add: &mut impl FnMut(Option<i16>, i16, i16),
) -> usize {
    let Some(day) = tokens.get(at).and_then(|token| token.number(2)) else {
        return 0;
    };
    let mut from = at + 1;
    for _ in 0..8 {
        match tokens.get(from) {
            Some(Token::Space | Token::Mark('.' | 'º' | 'ª' | '°' | '\'' | '’' | ',')) => {
                from += 1;
            }
            Some(Token::Mark('-')) if matches!(tokens.get(from + 1), Some(Token::Word(_))) => {
                from += 1;
            }
            Some(Token::Word(word)) => {
                let months = month::find(word);
                if months.is_empty() {
                    if word.chars().count() > JOINING_MAX {
                        return 0;
                    }
                    from += 1;
                    continue;
                }
                let (year, n_more) = find_year(tokens, from + 1);
                for month in months {
                    add(year, i16::from(month), day);
                }
                return from + 1 + n_more - at;
            }
            _ => return 0,
        }
    }
    0
}

/// `December 14th, 2026`, `December 14 - 18`.
fn read_month_first(tokens: &[Token], at: usize, add: &mut impl FnMut(Option<i16>, i16, i16)) {
    let Some(Token::Word(word)) = tokens.get(at) else {
        return;
    };
    let months = month::find(word);
    if months.is_empty() || !month::leads(word) {
        return;
    }
    let mut from = at + 1;
    from += usize::from(tokens.get(from) == Some(&Token::Mark('.')));
    from = skip_space(tokens, from);
    let Some(day) = tokens.get(from).and_then(|token| token.number(2)) else {
        return;
    };
    if goes_on(tokens, from + 1) {
        return;
    }
    let mut end = from + 1;
    let mut last = None;
    let dash_at = skip_space(tokens, end);
    if matches!(tokens.get(dash_at), Some(Token::Mark('-' | '–' | '—'))) {
        let last_at = skip_space(tokens, dash_at + 1);
        last = tokens
            .get(last_at)
            .and_then(|token| token.number(2))
            .filter(|_| !goes_on(tokens, last_at + 1));
        if last.is_some() {
            end = last_at + 1;
        }
    }
    let (year, _) = find_year(tokens, end);
    for month in months {
        for day in std::iter::once(day).chain(last) {
            add(year, i16::from(month), day);
        }
    }
}

/// The year that stands behind a day or a month, with at most one short word or ending before it; and how many tokens
/// that takes.
fn find_year(tokens: &[Token], from: usize) -> (Option<i16>, usize) {
    let mut n_words = 0;
    for n in 0..6 {
        match tokens.get(from + n) {
            Some(Token::Space | Token::Mark('.' | ',' | '\'' | '’')) => {}
            Some(Token::Word(word)) if n_words == 0 && word.chars().count() <= JOINING_MAX => {
                n_words += 1;
            }
            Some(Token::Digits(_)) => {
                let year = year_at(tokens, from + n);
                return (year, if year.is_some() { n + 1 } else { 0 });
            }
            _ => break,
        }
    }
    (None, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Date = date(2026, 12, 1);

    fn day(text: &str) -> Option<String> {
        find_day(text, WRITTEN).map(|day| day.to_string())
    }

    #[test]
    fn the_latest_day_that_is_named_counts_however_it_is_written() {
        for (text, expected) in [
            ("I am back on 14 December.", Some("2026-12-14")),
            (
                "Back in the office Monday, December 14th, 2026",
                Some("2026-12-14"),
            ),
            (
                "on annual leave until the 14th of December",
                Some("2026-12-14"),
            ),
            ("returning Dec. 14", Some("2026-12-14")),
            ("out December 14 - 18, call me after", Some("2026-12-18")),
            ("I'm out 14–18 Dec", Some("2026-12-18")),
            ("Ich bin bis 3.1.2027 nicht im Haus.", Some("2027-01-03")),
            ("vom 1. bis 15. Januar abwesend", Some("2027-01-15")),
            ("ab dem 04.01.27 wieder da", Some("2027-01-04")),
            ("zurück am 14.12.", Some("2026-12-14")),
            ("Abwesend bis 14.12 einschließlich", Some("2026-12-14")),
            ("vom 21.12.2026-04.01.2027", Some("2027-01-04")),
            ("2026-12-14", Some("2026-12-14")),
            ("Je serai de retour le 14 décembre 2026", Some("2026-12-14")),
            ("absent jusqu'au 1er février", Some("2027-02-01")),
            ("hasta el 7 de enero de 2027", Some("2027-01-07")),
            ("sarò fuori ufficio fino al 6 gennaio", Some("2027-01-06")),
            (
                "estarei ausente até 15 de março de 2027",
                Some("2027-03-15"),
            ),
            ("ik ben terug op 4 januari", Some("2027-01-04")),
            ("Jag är tillbaka den 11 januari", Some("2027-01-11")),
            ("do 10 stycznia 2027 r.", Some("2027-01-10")),
            ("Budu zpět 14. prosince", Some("2026-12-14")),
            ("вернусь 11 января 2027 года", Some("2027-01-11")),
            ("палатиму на роботі з 14-го грудня", Some("2026-12-14")),
            ("takaisin 14. joulukuuta", Some("2026-12-14")),
            ("14 Aralık'ta döneceğim", Some("2026-12-14")),
            ("2027. január 4-én", Some("2027-01-04")),
            ("επιστρέφω στις 14 Δεκεμβρίου", Some("2026-12-14")),
            ("12月14日から出社します", Some("2026-12-14")),
            ("2027年1月4日に戻ります", Some("2027-01-04")),
            ("12월 14일까지 휴가입니다", Some("2026-12-14")),
            ("１２月１４日まで", Some("2026-12-14")),
            ("away 21 December to 4 January", Some("2027-01-04")),
            ("away 21 Dec\nback 4 Jan 2027", Some("2027-01-04")),
            // Read in both ways, the later that is near enough counts.
            ("until 12/14/2026", Some("2026-12-14")),
            ("until 14/12/2026", Some("2026-12-14")),
            ("until 02/03/2027", Some("2027-03-02")),
            ("until 03/04/2027", Some("2027-03-04")),
            ("until 1/2", Some("2027-02-01")),
            ("until 05-01-2027", Some("2027-01-05")),
        ] {
            assert_eq!(day(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_over_far_off_or_no_date_holds_nobody() {
        for text in [
            "I was away until 14 November.",
            "away until 30 November 2026",
            "today, 1 December 2026, the office is closed",
            "We moved on 14 December 2025",
            "until 1 April 2027",
            "until 2027-06-01",
            "Call +49 30 14.12.26.33 or 030/12/14",
            "We are here 24/7.",
            "from 10:30 to 12:14",
            "version 2.5 of 3.12.1",
            "in 3-4 days",
            "back on 31 February",
            "on 14 occasions",
            "martes 14",
            "Monday",
            "",
            "99/99/9999 00.00. 0000-00-00",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
        // The last day that is near enough, and the first that is not.
        assert_eq!(day("until 31 March 2027").as_deref(), Some("2027-03-31"));
    }

    #[test]
    fn the_day_begins_where_its_writer_is() {
        let written = |offset_seconds| Written {
            day: WRITTEN,
            offset_seconds,
        };
        for (offset_seconds, expected) in [
            (0, "2026-12-14T00:00:00Z"),
            (3_600, "2026-12-13T23:00:00Z"),
            (-8 * 3_600, "2026-12-14T08:00:00Z"),
        ] {
            let at = find_return("back on 14 December", written(offset_seconds)).unwrap();
            let expected: jiff::Timestamp = expected.parse().unwrap();
            assert_eq!(at.as_ms(), expected.as_millisecond());
        }
    }

    #[test]
    fn no_text_is_too_much() {
        let text = "14 de de de de ".repeat(10_000);
        assert_eq!(day(&text), None);
    }
}
