//! `unpause campaign schedule` and `unpause campaign why`: when a campaign sends, shown and changed, and why it does not.

use std::fmt::Write as _;

use clap::Args;
use protocol::request::sending::{GetSending, Sending, UpdateSending, Why};
use protocol::schedule::{Date, Days, Schedule, WEEK, Weekday, Window};

use super::super::CliError;
use super::super::named::find_campaign;
use super::super::pace::parse_cap;
use super::super::print::{Printer, columns};
use crate::api::Client;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The campaign: cmp_…, or its name
    campaign: String,
    /// The zone of its times, as in Europe/Berlin
    #[arg(long)]
    zone: Option<String>,
    /// The days of the week, as in mon-fri or mon,wed; monday to friday where there was no schedule
    #[arg(long, value_parser = parse_weekdays)]
    days: Option<Weekdays>,
    /// A time of day, as in 09:00-17:00; may be given again. Those that were are taken away
    #[arg(long = "window", value_name = "FROM-TO", value_parser = parse_window)]
    windows: Vec<Window>,
    /// The first day, as in 2026-12-07
    #[arg(long, value_name = "DATE")]
    starts: Option<Date>,
    /// The last day
    #[arg(long, value_name = "DATE")]
    ends: Option<Date>,
    /// A day without mail, or several as in 2026-12-24..2027-01-01; may be given again. Those that were are taken away
    #[arg(long, value_name = "DATES", value_parser = parse_days)]
    skip: Vec<Days>,
    /// Take the schedule away: it sends at any time
    #[arg(long, conflicts_with_all = ["zone", "days", "windows", "starts", "ends", "skip"])]
    any_time: bool,
    /// Messages of it that are tried in 24 hours, through all of its inboxes; none for as many as there are
    #[arg(long, value_name = "N", value_parser = parse_cap)]
    daily_cap: Option<u32>,
    /// Messages to one organisation's domain, of any campaign, in 24 hours; none for as many as there are
    #[arg(long, value_name = "N", value_parser = parse_cap)]
    domain_daily_cap: Option<u32>,
}

/// Days of the week that a person named.
#[derive(Clone, Debug)]
struct Weekdays(Vec<Weekday>);

impl Arguments {
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        printer: &Printer,
    ) -> Result<(), CliError> {
        let campaign_id = find_campaign(client, &self.campaign).await?;
        let shown = GetSending {
            campaign_id: campaign_id.clone(),
        };
        let before = client.call(&shown).await?;
        let changes_schedule = self.zone.is_some()
            || self.days.is_some()
            || !self.windows.is_empty()
            || self.starts.is_some()
            || self.ends.is_some()
            || !self.skip.is_empty();
        let changes_caps = self.daily_cap.is_some() || self.domain_daily_cap.is_some();
        let sending = if changes_schedule || changes_caps || self.any_time {
            let request = UpdateSending {
                campaign_id,
                any_time: self.any_time,
                daily_cap: self.daily_cap,
                domain_daily_cap: self.domain_daily_cap,
                schedule: changes_schedule.then(|| self.change(before.schedule)),
            };
            client.call(&request).await?
        } else {
            before
        };
        printer.answer(&sending, describe)?;
        Ok(())
    }

    /// The schedule that was, with what is asked for.
    fn change(self, before: Option<Schedule>) -> Schedule {
        let mut schedule = before.unwrap_or_else(|| Schedule {
            zone: String::new(),
            weekdays: WEEK.into_iter().take(5).collect(),
            windows: Vec::new(),
            starts_on: None,
            ends_on: None,
            skip: Vec::new(),
        });
        if let Some(zone) = self.zone {
            schedule.zone = zone;
        }
        if let Some(Weekdays(days)) = self.days {
            schedule.weekdays = days;
        }
        if !self.windows.is_empty() {
            schedule.windows = self.windows;
        }
        if !self.skip.is_empty() {
            schedule.skip = self.skip;
        }
        schedule.starts_on = self.starts.or(schedule.starts_on);
        schedule.ends_on = self.ends.or(schedule.ends_on);
        schedule
    }
}

/// When a campaign sends, for people.
fn describe(sending: &Sending) -> String {
    let mut text = String::new();
    match &sending.schedule {
        None => text.push_str("sends       at any time\n"),
        Some(schedule) => {
            let days: Vec<_> = schedule.weekdays.iter().map(|day| day.name()).collect();
            let windows: Vec<_> = schedule
                .windows
                .iter()
                .map(|window| format!("{}-{}", window.from, window.to))
                .collect();
            let _ = writeln!(
                text,
                "sends       {}, {}, by the time of {}",
                days.join(", "),
                windows.join(" and "),
                schedule.zone
            );
            if let Some(first) = schedule.starts_on {
                let _ = writeln!(text, "            from {first} on");
            }
            if let Some(last) = schedule.ends_on {
                let _ = writeln!(text, "            until the end of {last}");
            }
            for days in &schedule.skip {
                let _ = writeln!(
                    text,
                    "            not from {} to {}",
                    days.from,
                    days.last()
                );
            }
            let now = match (sending.is_open, sending.changes_at) {
                (true, Some(at)) => format!("open now, until {at}"),
                (true, None) => "open now".to_owned(),
                (false, Some(at)) => format!("closed now, until {at}"),
                (false, None) => "over: no window opens any more".to_owned(),
            };
            let _ = writeln!(text, "            {now}");
        }
    }
    let cap = |cap: Option<u32>| cap.map_or_else(|| "any number".to_owned(), |n| n.to_string());
    let _ = writeln!(
        text,
        "a day       {} tried of {}; {} to one organisation",
        sending.tried,
        cap(sending.daily_cap),
        cap(sending.domain_daily_cap)
    );
    text
}

/// Why nothing of a campaign is sent now, for people.
pub(in crate::cli) fn describe_why(why: &Why) -> String {
    if why.left == 0 {
        return "Nothing is left to send.".to_owned();
    }
    let rows: Vec<_> = why
        .waiting
        .iter()
        .map(|one| {
            let mut words = format!("{} {}", verb(one.n), one.gate.words());
            if let Some(domain) = &one.domain {
                let _ = write!(words, " ({domain})");
            }
            if let Some(until) = one.until {
                let _ = write!(words, ", until {until}");
            }
            let inbox = one.inbox_id.as_ref().map(ToString::to_string);
            vec![one.n.to_string(), words, inbox.unwrap_or_default()]
        })
        .collect();
    let next = match why.next_at {
        Some(at) if at <= why.at => "The next may leave now.".to_owned(),
        Some(at) => format!("The next may leave at {at} at the earliest."),
        None => "When the next may leave depends on what it waits for.".to_owned(),
    };
    format!("{} left to send\n{}\n{next}", why.left, columns(&rows))
}

fn verb(n: u64) -> &'static str {
    if n == 1 { "waits" } else { "wait" }
}

fn parse_weekdays(text: &str) -> Result<Weekdays, String> {
    let expected =
        || format!("expected days of the week, as in mon-fri or mon,wed, found {text:?}");
    let find = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        WEEK.iter()
            .position(|day| name.len() >= 3 && day.name().starts_with(&name))
            .ok_or_else(expected)
    };
    let mut named = [false; WEEK.len()];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (find(first)?, find(last)?),
            None => (find(part)?, find(part)?),
        };
        // From friday to monday is over the end of the week.
        let n_days = (last + WEEK.len() - first) % WEEK.len();
        for idx in (first..=first + n_days).map(|idx| idx % WEEK.len()) {
            if let Some(named) = named.get_mut(idx) {
                *named = true;
            }
        }
    }
    let days = WEEK.into_iter().zip(named);
    Ok(Weekdays(
        days.filter(|(_, named)| *named)
            .map(|(day, _)| day)
            .collect(),
    ))
}

fn parse_window(text: &str) -> Result<Window, String> {
    let (from, to) = text
        .split_once('-')
        .ok_or_else(|| format!("expected two times of day, as in 09:00-17:00, found {text:?}"))?;
    let parse = |text: &str| text.trim().parse().map_err(|error| format!("{error}"));
    Ok(Window {
        from: parse(from)?,
        to: parse(to)?,
    })
}

fn parse_days(text: &str) -> Result<Days, String> {
    let parse = |text: &str| text.trim().parse().map_err(|error| format!("{error}"));
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (parse(from)?, Some(parse(to)?)),
        None => (parse(text)?, None),
    };
    Ok(Days { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_week_are_named_as_people_do() {
        let days = |text| parse_weekdays(text).map(|Weekdays(days)| days).ok();
        assert_eq!(days("mon-fri"), Some(WEEK[..5].to_vec()));
        assert_eq!(
            days("Saturday, tue"),
            Some(vec![Weekday::Tuesday, Weekday::Saturday])
        );
        assert_eq!(
            days("sun-mon"),
            Some(vec![Weekday::Monday, Weekday::Sunday])
        );
        for text in ["", "mo", "mon-", "someday", "mon,,tue", "1-5"] {
            assert_eq!(days(text), None, "{text}");
        }
    }

    #[test]
    fn windows_and_days_are_pairs() {
        let window = parse_window("09:00-24:00").unwrap();
        assert_eq!((window.from.minutes(), window.to.minutes()), (540, 1440));
        for text in ["", "09:00", "9-17", "09:00-25:00"] {
            assert!(parse_window(text).is_err(), "{text}");
        }
        let days = parse_days("2026-12-24..2027-01-01").unwrap();
        assert_eq!(days.last().to_string(), "2027-01-01");
        assert_eq!(parse_days("2026-12-24").unwrap().to, None);
        assert!(parse_days("2026-12-24-2026-12-26").is_err());
    }
}
