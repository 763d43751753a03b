//! `unpause ledger`: what a restore of the database has left open.

use clap::Subcommand;
use protocol::request::ledger::{GetLedger, KeepRelay, Ledger};

use super::CliError;
use super::print::{Printer, columns};
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what a restore has left open, and whether another relay works on the same ledger
    Show,
    /// Say that this relay stays, once the other one is ended: it sends again
    Keep,
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        let ledger = match self {
            Self::Show => client.call(&GetLedger {}).await?,
            Self::Keep => client.call(&KeepRelay {}).await?,
        };
        printer.answer(&ledger, describe)?;
        Ok(())
    }
}

fn describe(ledger: &Ledger) -> String {
    let mut lines = Vec::new();
    if let Some(since) = ledger.another_relay_since {
        lines.push(format!(
            "Another relay works on the same ledger, seen at {since}. Nothing is sent.\n\
             End that one, then run `unpause ledger keep` here."
        ));
    }
    if !ledger.comparing.is_empty() {
        let inboxes: Vec<String> = ledger.comparing.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "The database was put back; what was sent since is being looked for: {}",
            inboxes.join(", ")
        ));
    }
    if !ledger.written_to.is_empty() {
        let rows = ledger.written_to.iter().map(|one| {
            vec![
                one.address.clone(),
                one.inbox.to_string(),
                one.found_at.to_string(),
            ]
        });
        lines.push(format!(
            "Written to by messages that the database does not know:\n{}",
            columns(&rows.collect::<Vec<_>>())
        ));
    }
    if ledger.attempts_before > 0 {
        lines.push(format!(
            "The database is new, and the mark beside the key tells of {} messages that were tried: the database was \
             deleted, or `data` names another folder.\nWho was written to before is not known here. Put it back from your \
             backup before you start a campaign.",
            ledger.attempts_before
        ));
    }
    if lines.is_empty() {
        lines.push("No restore is being looked into. What waits for your decision is counted in `unpause status`.".to_owned());
    }
    lines.join("\n")
}
