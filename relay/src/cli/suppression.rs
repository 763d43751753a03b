//! `unpause suppression`: who is not written to.

use clap::Subcommand;
use protocol::request::suppression::{
    CreateSuppression, DeleteSuppression, ListSuppressions, Whom,
};

use super::CliError;
use super::print::{Printer, columns, parse_number};
use crate::api::Client;

/// A page where nothing is said, as the API has it.
const PAGE: u32 = 100;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Never write to a person or a domain again, in any campaign
    Add {
        /// An address, or a domain for everybody in it
        whom: Whom,
    },
    /// List who is not written to
    List {
        /// Only those behind this one
        #[arg(long)]
        after: Option<Whom>,
        /// At most so many, 1 to 1000
        #[arg(long, value_parser = parse_number)]
        limit: Option<u32>,
    },
    /// Take a person or a domain off the list; leads that were stopped stay stopped
    Remove {
        /// The address or the domain
        whom: Whom,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Add { whom } => {
                let request = CreateSuppression { whom };
                let stopped = client.call(&request).await?;
                printer.answer(&stopped, |stopped| {
                    format!(
                        "{} is not written to again; {} leads were stopped.",
                        request.whom, stopped.leads
                    )
                })?;
            }
            Self::List { after, limit } => {
                let found = client.call(&ListSuppressions { after, limit }).await?;
                printer.answer(&found, |found| {
                    if found.suppressions.is_empty() {
                        return "Nobody is on the list.".to_owned();
                    }
                    let rows = found.suppressions.iter().map(|one| {
                        let met = one
                            .campaign
                            .as_ref()
                            .map_or_else(|| "said by a person".to_owned(), ToString::to_string);
                        let why = format!("{:?}", one.why).to_lowercase();
                        vec![one.whom.to_string(), why, one.since.to_string(), met]
                    });
                    let listed = columns(&rows.collect::<Vec<_>>());
                    let is_full = found.suppressions.len() >= limit.unwrap_or(PAGE) as usize;
                    match found.suppressions.last().filter(|_| is_full) {
                        Some(last) => {
                            format!("{listed}\nThere may be more: --after {}", last.whom)
                        }
                        None => listed,
                    }
                })?;
            }
            Self::Remove { whom } => {
                let request = DeleteSuppression { whom };
                let done = client.call(&request).await?;
                printer.answer(&done, |done| match &done.domain_stands {
                    Some(domain) => format!(
                        "{} is off the list, and {domain} is still on it: nobody there is written to.\n\
                         Take the domain off: unpause suppression remove {domain}",
                        request.whom
                    ),
                    None => format!("{} may be written to.", request.whom),
                })?;
            }
        }
        Ok(())
    }
}
