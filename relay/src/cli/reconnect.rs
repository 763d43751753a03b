//! `unpause reconnect`: starting one and finishing it at the terminal, how far it has come, and the receipt.

use std::fmt::Write as _;

use clap::Subcommand;
use protocol::id::{ReceiptId, ReconnectId};
use protocol::receipt::{Fate, Receipt};
use protocol::reconnect::Question;
use protocol::request::inbox::GetInbox;
use protocol::request::receipt::GetReceiptDocument;
use protocol::request::reconnect::{
    ConfirmReconnect, GetReceipt, GetReconnect, ListReceiptLines, ListedLine, NothingObtained,
    ReceiptLines, Reconnect, ReconnectState, RefuseReconnect, Since,
};

use super::print::{Printer, columns, parse_number, span};
use super::{CliError, next};
use crate::api::Client;
use crate::config::Config;

mod error;
pub(super) mod interrupt;
pub(super) mod password;
mod progress;
mod redirect;
mod sealing;
mod sign_in;
mod start;

pub(super) use error::ReconnectError;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Give an inbox working credentials again: sign in on the provider's page, or hand over a password.
    /// Ends with 0 when the inbox works and its campaigns go on
    Start(start::Arguments),
    /// Show how far a reconnect has come
    Show {
        /// The reconnect, rec_…
        reconnect: String,
    },
    /// Say that a sign-in is meant that the inbox does not know: another account or user name, or a password where it
    /// has an account
    Confirm {
        /// The reconnect, rec_…
        reconnect: String,
    },
    /// End a reconnect that waits for the sign-in, or to be confirmed
    Cancel {
        /// The reconnect, rec_…
        reconnect: String,
    },
    /// Show the receipt of a resume
    Receipt {
        /// The receipt, rcp_…
        receipt: String,
        /// List what it held, behind so many lines
        #[arg(long, value_name = "LINES", value_parser = parse_number)]
        after: Option<u32>,
        /// Write it whole, as lines of JSON that the relay signs: `unpause verify FILE` checks them anywhere
        #[arg(long, conflicts_with = "after")]
        signed: bool,
    },
}

impl Command {
    pub(super) async fn run(
        self,
        client: &Client,
        config: &Config,
        printer: &Printer,
    ) -> Result<(), CliError> {
        match self {
            Self::Start(arguments) => start::start(arguments, client, config, printer).await?,
            Self::Show { reconnect } => {
                let reconnect = client
                    .call(&GetReconnect {
                        reconnect_id: ReconnectId::new(reconnect),
                    })
                    .await?;
                let next = describe_next(client, &reconnect).await?;
                printer.answer(&reconnect, |reconnect| {
                    format!("{}{next}", describe(reconnect))
                })?;
            }
            Self::Confirm { reconnect } => {
                let confirm = ConfirmReconnect {
                    reconnect_id: ReconnectId::new(reconnect),
                };
                printer.answer(&client.call(&confirm).await?, describe)?;
            }
            Self::Cancel { reconnect } => {
                let cancel = RefuseReconnect {
                    reconnect_id: ReconnectId::new(reconnect),
                    why: NothingObtained::Cancelled,
                };
                printer.answer(&client.call(&cancel).await?, describe)?;
            }
            Self::Receipt {
                receipt,
                signed: true,
                ..
            } => write_signed(client, printer, &ReceiptId::new(receipt)).await?,
            Self::Receipt {
                receipt,
                after: Some(after),
                ..
            } => {
                let list = ListReceiptLines {
                    receipt_id: ReceiptId::new(receipt),
                    after: Some(after),
                    limit: None,
                };
                printer.answer(&client.call(&list).await?, describe_lines)?;
            }
            Self::Receipt {
                receipt,
                after: None,
                ..
            } => {
                let receipt = client
                    .call(&GetReceipt {
                        receipt_id: ReceiptId::new(receipt),
                    })
                    .await?;
                printer.answer(&receipt, describe_receipt)?;
            }
        }
        Ok(())
    }
}

/// Writes all pages of a document as they come.
async fn write_signed(
    client: &Client,
    printer: &Printer,
    receipt: &ReceiptId,
) -> Result<(), CliError> {
    let mut after = None;
    loop {
        let request = GetReceiptDocument {
            receipt_id: receipt.clone(),
            after,
        };
        let page = client.call(&request).await?;
        for line in &page.lines {
            printer.signed_line(line)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn describe(reconnect: &Reconnect) -> String {
    let mut text = format!("{} of {}: ", reconnect.id, reconnect.inbox);
    let _ = match reconnect.state {
        ReconnectState::Started => {
            write!(text, "waits for the sign-in until {}", reconnect.expires_at)
        }
        ReconnectState::Granted | ReconnectState::Verifying => {
            text.write_str("the sign-in is being proved")
        }
        ReconnectState::Unconfirmed => {
            write!(
                text,
                "it waits to be confirmed until {}\n{}",
                reconnect.expires_at,
                describe_question(reconnect)
            )
        }
        ReconnectState::Resumed => text.write_str("the inbox works and its campaigns go on"),
        ReconnectState::Refused => text.write_str("refused"),
    };
    if let Some(words) = describe_refusal(reconnect) {
        let _ = write!(text, "\n{words}");
    }
    if let Some(receipt) = &reconnect.receipt {
        let _ = write!(text, "\nThe receipt: unpause reconnect receipt {receipt}");
    }
    text
}

/// What goes on from there, on a line of its own.
async fn describe_next(client: &Client, reconnect: &Reconnect) -> Result<String, CliError> {
    let id = &reconnect.id;
    Ok(match reconnect.state {
        ReconnectState::Started => {
            let inbox_id = reconnect.inbox.clone();
            let inbox = client.call(&GetInbox { inbox_id }).await?;
            format!("\nFinish it here: {}", next::start_command(&inbox))
        }
        ReconnectState::Unconfirmed => {
            format!(
                "\nIf it is meant: unpause reconnect confirm {id}; else: unpause reconnect cancel {id}"
            )
        }
        ReconnectState::Refused => {
            let inbox_id = reconnect.inbox.clone();
            let inbox = client.call(&GetInbox { inbox_id }).await?;
            next::of_inbox(&inbox).map_or_else(String::new, |next| format!("\n{next}"))
        }
        ReconnectState::Granted | ReconnectState::Verifying | ReconnectState::Resumed => {
            String::new()
        }
    })
}

/// What is to be confirmed; a relay of another version may not say it.
fn describe_question(reconnect: &Reconnect) -> String {
    let question = reconnect.question.as_ref().map(Question::words);
    question.unwrap_or_else(|| "A sign-in that this inbox does not know works for it.".to_owned())
}

/// The card's words, then the server's own; `None` where nothing was refused.
fn describe_refusal(reconnect: &Reconnect) -> Option<String> {
    let card = reconnect.card.as_ref()?;
    let mut text = format!("{}. {}", card.title.trim_end_matches('.'), card.explanation);
    if let Some(evidence) = &reconnect.evidence {
        let _ = write!(text, "\nWhat was said: {}", evidence.replace('\n', " "));
    }
    Some(text)
}

fn describe_lines(page: &ReceiptLines) -> String {
    let row = |listed: &ListedLine| {
        let line = &listed.line;
        let (fate, due_at) = match &line.fate {
            Fate::Shifted { due_at, .. } => ("to be sent", due_at.to_string()),
            Fate::Skipped { .. } => ("not sent", String::new()),
            Fate::InDoubt => ("in doubt", String::new()),
        };
        let step = format!("step {}", line.step);
        let since = match &listed.since {
            Some(Since::Sent { at: Some(at) }) => format!("sent since, {at}"),
            Some(Since::Sent { at: None }) => "sent since".to_owned(),
            Some(Since::Waits) => "waits".to_owned(),
            Some(Since::InDoubt) => "in doubt now".to_owned(),
            Some(Since::NotSent) => "not sent any more".to_owned(),
            None => String::new(),
        };
        vec![
            line.delivery.to_string(),
            step,
            fate.to_owned(),
            due_at,
            since,
        ]
    };
    let listed = columns(&page.lines.iter().map(row).collect::<Vec<_>>());
    match page.next {
        Some(next) => format!("{listed}\nThere are more: --after {next}"),
        None if page.lines.is_empty() => "There are no more lines.".to_owned(),
        None => listed,
    }
}

fn describe_receipt(receipt: &Receipt) -> String {
    format!(
        "{} of {}\nlost     {} ({})\nresumed  {}, the waits are longer by {}\nheld     {}: {} to send, {} skipped, \
         {} in doubt",
        receipt.id,
        receipt.inbox,
        receipt.lost_at,
        receipt.cause.code(),
        receipt.resumed_at,
        span(receipt.shifted_by_ms),
        receipt.held,
        receipt.to_send,
        receipt.skipped,
        receipt.in_doubt
    )
}
