//! `unpause inbox pace`: how fast an inbox sends, shown and changed.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use protocol::budget::{HeldBy, Ramp};
use protocol::request::pace::{GetPace, Pace, UpdatePace};
use protocol::shown;

use super::CliError;
use super::inbox::find_inbox;
use super::print::Printer;
use crate::api::Client;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The inbox: inb_…, or its address
    inbox: String,
    #[command(flatten)]
    asked: Asked,
    /// A cap that grows by the day up to its daily cap, as in 10+5: ten on the first day, five more on each later one;
    /// none takes it away
    #[arg(long, value_name = "FIRST+MORE", value_parser = parse_ramp)]
    ramp: Option<AskedRamp>,
    /// Messages that all inboxes at its domain try in 24 hours; none for as many as there are
    #[arg(long, value_name = "N", value_parser = parse_cap)]
    organisation_daily_cap: Option<u32>,
}

/// A ramp, or that there is to be none.
#[derive(Clone, Copy, Debug)]
struct AskedRamp(Option<Ramp>);

/// How fast an inbox is to send.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// From one message to the next, a fifth more or less: 90s, 2m, 1h; 0 for as fast as the server takes them
    #[arg(long, value_name = "TIME", value_parser = parse_distance)]
    pub(super) distance: Option<Duration>,
    /// Messages that are tried in 24 hours; none for as many as there are
    #[arg(long, value_name = "N", value_parser = parse_cap)]
    pub(super) daily_cap: Option<u32>,
}

impl Asked {
    /// The distance in milliseconds.
    pub(super) fn distance_ms(&self) -> Option<u64> {
        let distance = self.distance?;
        Some(u64::try_from(distance.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Arguments {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        let inbox_id = find_inbox(client, &self.inbox).await?.id;
        let (distance_ms, daily_cap) = (self.asked.distance_ms(), self.asked.daily_cap);
        let asks_nothing = distance_ms.is_none()
            && daily_cap.is_none()
            && self.ramp.is_none()
            && self.organisation_daily_cap.is_none();
        let pace = if asks_nothing {
            client.call(&GetPace { inbox_id }).await?
        } else {
            let request = UpdatePace {
                inbox_id,
                distance_ms,
                daily_cap,
                ramp: self.ramp.and_then(|AskedRamp(ramp)| ramp),
                no_ramp: self.ramp.is_some_and(|AskedRamp(ramp)| ramp.is_none()),
                organisation_daily_cap: self.organisation_daily_cap,
            };
            client.call(&request).await?
        };
        printer.answer(&pace, describe)?;
        Ok(())
    }
}

/// How fast an inbox sends, for people.
pub(super) fn describe(pace: &Pace) -> String {
    let mut text = format!(
        "pace        {}; {} of {} messages in the last 24 hours\n",
        distance(pace),
        pace.tried,
        cap(pace)
    );
    if let (Some(ramp), Some(cap)) = (pace.ramp, pace.ramp_cap) {
        let _ = writeln!(
            text,
            "            ramp {}+{}: {cap} a day now",
            ramp.first, ramp.more
        );
    }
    if let Some(cap) = pace.organisation_daily_cap {
        let _ = writeln!(
            text,
            "            {cap} a day for all inboxes at its domain"
        );
    }
    if let Some(at) = pace.not_before {
        let why = match pace.held_by {
            Some(HeldBy::DailyCap) => "its daily cap is used up",
            Some(HeldBy::OrganisationCap) => "the daily cap of its organisation is used up",
            Some(HeldBy::Copies) => "copies of what was sent earlier may still come",
            _ => "it keeps its distance",
        };
        let _ = writeln!(text, "            no message before {at}: {why}");
    }
    if let Some(rest) = &pace.rest {
        let _ = writeln!(
            text,
            "rests       since {}, tried again at {}: {}",
            rest.since,
            rest.until,
            shown::line(&rest.words)
        );
    }
    text
}

fn distance(pace: &Pace) -> String {
    match pace.distance_ms {
        0 => "as fast as the server takes them".to_owned(),
        ms if ms % 60_000 == 0 => format!("about {} min apart", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("about {} s apart", ms / 1_000),
        ms => format!("about {ms} ms apart"),
    }
}

fn cap(pace: &Pace) -> String {
    pace.daily_cap
        .map_or_else(|| "any number of".to_owned(), |cap| cap.to_string())
}

fn parse_distance(text: &str) -> Result<Duration, String> {
    let expected =
        || format!("expected a time such as 90s, 2m or 1h, or 0 for none, found {text:?}");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let n: u64 = digits.parse().map_err(|_| expected())?;
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let in_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "" if n == 0 => 1,
        _ => return Err(expected()),
    };
    n.checked_mul(in_ms)
        .map(Duration::from_millis)
        .ok_or_else(expected)
}

fn parse_ramp(text: &str) -> Result<AskedRamp, String> {
    if text == "none" {
        return Ok(AskedRamp(None));
    }
    let parse = || {
        let (first, more) = text.split_once('+')?;
        Some(Ramp {
            first: first.trim().parse().ok()?,
            more: more.trim().parse().ok()?,
        })
    };
    let ramp = parse().ok_or_else(|| {
        format!("expected messages of the first day and how many more each later one has, as in 10+5, or none, found {text:?}")
    })?;
    Ok(AskedRamp(Some(ramp)))
}

pub(super) fn parse_cap(text: &str) -> Result<u32, String> {
    if text == "none" {
        return Ok(0);
    }
    text.parse()
        .ok()
        .filter(|cap| *cap > 0)
        .ok_or_else(|| format!("expected a number of messages from 1, or none, found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_names_its_unit() {
        for (text, expected_ms) in [
            ("90s", Some(90_000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("90", None),
            ("-1s", None),
            ("1.5h", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999s", None),
            ("9999999999999999999h", None),
        ] {
            let parsed = parse_distance(text).ok();
            assert_eq!(parsed, expected_ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_cap_is_a_number_of_messages_or_none() {
        for (text, expected) in [
            ("50", Some(50)),
            ("none", Some(0)),
            ("0", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(parse_cap(text).ok(), expected, "{text}");
        }
    }
}
