//! `unpause alerts` and `unpause notify`: what people were told, and whether they can be.

use std::fmt::Write as _;

use clap::Subcommand;
use protocol::request::alert::{Alerts, ListAlerts, Listed, Telling, TestAlerts};
use protocol::telling::State;

use super::CliError;
use super::print::{Printer, columns, parse_number};
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what people were told, newest first, and what could not be told and why
    List {
        /// At most so many, 1 to 1000
        #[arg(long, value_parser = parse_number)]
        limit: Option<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Notify {
    /// Send a marked test alert through each channel, and show what each answered
    Test,
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        let Self::List { limit } = self;
        let alerts = client.call(&ListAlerts { limit }).await?;
        printer.answer(&alerts, describe)?;
        Ok(())
    }
}

impl Notify {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        let Self::Test = self;
        let tested = client.call(&TestAlerts {}).await?;
        printer.answer(&tested, |tested| {
            let rows = tested.channels.iter().map(|channel| {
                let taken = if channel.taken { "taken" } else { "not taken" };
                vec![
                    channel.name.clone(),
                    taken.to_owned(),
                    channel.words.clone(),
                ]
            });
            columns(&rows.collect::<Vec<_>>())
        })?;
        let channels = tested.channels.len();
        let not_taken = tested.channels.iter().filter(|one| !one.taken).count();
        if not_taken > 0 {
            return Err(CliError::NotTaken {
                not_taken,
                channels,
            });
        }
        Ok(())
    }
}

fn describe(alerts: &Alerts) -> String {
    let channels = alerts.channels.iter().map(|channel| {
        let state = match &channel.off_since {
            Some(since) => format!("switched off by the other side since {since}"),
            None => format!("{} wait, {} given up", channel.waiting, channel.given_up),
        };
        vec![channel.name.clone(), channel.target.clone(), state]
    });
    let mut text = columns(&channels.collect::<Vec<_>>());
    if alerts.alerts.is_empty() {
        text.push_str("\nNothing has been told.");
        return text;
    }
    for Listed {
        alert,
        title,
        tellings,
        ..
    } in &alerts.alerts
    {
        let _ = write!(text, "\n{}  {title}", alert.at);
        for telling in tellings {
            let _ = write!(text, "\n    {}", describe_telling(telling));
        }
    }
    text
}

fn describe_telling(telling: &Telling) -> String {
    let Telling {
        channel,
        status,
        words,
    } = telling;
    let words = words
        .as_deref()
        .map_or_else(String::new, |words| format!(": {words}"));
    match status {
        State::Pending { tries: 0, next_at } => format!("{channel}  to be told from {next_at}"),
        State::Pending { tries, next_at } => {
            format!("{channel}  not taken in {tries} tries, next at {next_at}{words}")
        }
        State::Told { at } => format!("{channel}  told at {at}"),
        State::GivenUp { at } => format!("{channel}  given up at {at}{words}"),
        State::Moot { at } => format!("{channel}  not told, because it was over at {at}"),
    }
}
