//! `unpause inbox sender`: how an inbox presents itself, shown and changed. What a campaign says in its place is asked
//! in the same words.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use protocol::inbox::Address;
use protocol::request::sender::{GetSender, SenderOf, UpdateSender};
use protocol::sender::Sender;
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
    /// Take away whatever is not said here: without anything else, everything
    #[arg(long)]
    clear: bool,
}

/// How messages present their sender.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The name in front of the address, as in "Jane Doe"
    #[arg(long, value_name = "NAME")]
    sender_name: Option<String>,
    /// Where answers go; to the inbox itself where it is left out
    #[arg(long, value_name = "ADDRESS")]
    reply_to: Option<Address>,
    /// A file with the text that stands under every message
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// A file with the same as HTML, for messages that have HTML
    #[arg(long, value_name = "FILE")]
    signature_html: Option<PathBuf>,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read")]
pub(super) struct NoFile {
    path: PathBuf,
    source: std::io::Error,
}

impl Asked {
    /// What was said; `None` where nothing was.
    pub(super) fn read(self) -> Result<Option<Sender>, NoFile> {
        let read = |path: Option<PathBuf>| {
            let text = path.map(|path| {
                std::fs::read_to_string(&path).map_err(|source| NoFile { path, source })
            });
            text.transpose()
        };
        let sender = Sender {
            name: self.sender_name,
            reply_to: self.reply_to,
            signature: read(self.signature)?,
            signature_html: read(self.signature_html)?,
        };
        Ok(Some(sender).filter(|sender| !sender.is_none()))
    }
}

impl Arguments {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        let inbox_id = find_inbox(client, &self.inbox).await?.id;
        let told = self.asked.read()?;
        let before = client
            .call(&GetSender {
                inbox_id: inbox_id.clone(),
            })
            .await?;
        let sender = match (told, self.clear) {
            (None, false) => None,
            (told, true) => Some(told.unwrap_or_default()),
            (Some(told), false) => Some(told.or(&before.sender)),
        };
        let shown = match sender {
            None => before,
            Some(sender) => client.call(&UpdateSender { inbox_id, sender }).await?,
        };
        printer.answer(&shown, describe)?;
        Ok(())
    }
}

fn describe(shown: &SenderOf) -> String {
    let sender = &shown.sender;
    let mut told = match &sender.name {
        Some(name) => format!("from        {} <{}>\n", shown::line(name), shown.address),
        None => format!("from        {}\n", shown.address),
    };
    if let Some(reply_to) = &sender.reply_to {
        let _ = writeln!(told, "answers to  {reply_to}");
    }
    if let Some(signature) = &sender.signature {
        let _ = writeln!(told, "signature:\n{}", shown::lines(signature.trim_end()));
    }
    if let Some(html) = &sender.signature_html {
        let _ = writeln!(
            told,
            "signature as HTML:\n{}",
            shown::lines(html.trim_end())
        );
    }
    told
}
