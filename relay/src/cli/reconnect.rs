//! `unpause reconnect`: starting one, how far it has come, and the receipt. The sign-in itself is done in
//! a browser.

use std::fmt::Write as _;

use clap::Subcommand;
use protocol::id::{InboxId, ReceiptId, ReconnectId};
use protocol::receipt::Receipt;
use protocol::request::reconnect::{
    GetReceipt, GetReconnect, Reconnect, ReconnectState, StartReconnect, StartedReconnect,
};

use super::CliError;
use super::print::Printer;
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a reconnect of an inbox, or join the one under way; it is finished in the browser
    Start {
        /// The inbox, inb_…
        inbox: String,
    },
    /// Show how far a reconnect has come
    Show {
        /// The reconnect, rec_…
        reconnect: String,
    },
    /// Show the receipt of a resume
    Receipt {
        /// The receipt, rcp_…
        receipt: String,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Start { inbox } => {
                let started = client
                    .call(&StartReconnect {
                        inbox_id: InboxId::new(inbox),
                    })
                    .await?;
                printer.answer(&started, describe_start)?;
            }
            Self::Show { reconnect } => {
                let reconnect = client
                    .call(&GetReconnect {
                        reconnect_id: ReconnectId::new(reconnect),
                    })
                    .await?;
                printer.answer(&reconnect, describe)?;
            }
            Self::Receipt { receipt } => {
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

fn describe_start(started: &StartedReconnect) -> String {
    let mut text = describe(&started.reconnect);
    if let Some(authorization) = &started.authorization {
        let _ = write!(
            text,
            "\nIt is finished in the browser: press Reconnect in the extension and sign in as {}.\n\
             How it goes: unpause reconnect show {}",
            authorization.login_hint, started.reconnect.id
        );
    }
    text
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
        ReconnectState::Resumed => text.write_str("the inbox works and its campaigns go on"),
        ReconnectState::Refused => text.write_str("refused"),
    };
    if let Some(card) = &reconnect.card {
        let _ = write!(
            text,
            "\n{}. {}",
            card.title.trim_end_matches('.'),
            card.explanation
        );
    }
    if let Some(evidence) = &reconnect.evidence {
        let _ = write!(text, "\nWhat was said: {}", evidence.replace('\n', " "));
    }
    if let Some(receipt) = &reconnect.receipt {
        let _ = write!(text, "\nThe receipt: unpause reconnect receipt {receipt}");
    }
    text
}

fn describe_receipt(receipt: &Receipt) -> String {
    format!(
        "{} of {}\nlost     {} ({})\nresumed  {}, the waits are longer by {} ms\nheld     {}: {} to send, {} skipped, \
         {} in doubt",
        receipt.id,
        receipt.inbox,
        receipt.lost_at,
        receipt.cause.code(),
        receipt.resumed_at,
        receipt.shifted_by_ms,
        receipt.held,
        receipt.to_send,
        receipt.skipped,
        receipt.in_doubt
    )
}
