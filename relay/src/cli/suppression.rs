//! `unpause suppression`: who is not written to.

use std::path::PathBuf;

use clap::Subcommand;
use protocol::request::suppression::{
    CreateSuppression, DeleteSuppression, ImportSuppressions, ListSuppressions, Whom,
};

use super::CliError;
use super::print::{Printer, columns, parse_number, while_people_wait, write_row};
use crate::api::Client;

/// A page where nothing is said, as the API has it.
const PAGE: u32 = 100;
/// People that an export asks for at once.
const EXPORT_PAGE: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Never write to a person or a domain again, in any campaign
    Add {
        /// An address, or a domain for everybody in it
        whom: Whom,
    },
    /// Never write again to anybody on a list
    Import {
        /// The file: a line for each, an address, a domain or @domain, or CSV with one address in a row
        file: PathBuf,
    },
    /// Print everybody who is not written to, as CSV: for another program, or to import elsewhere
    Export,
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
            Self::Import { file } => {
                let adding = client.call_with_file(&ImportSuppressions {}, &file);
                let imported = while_people_wait("Adding people", adding).await?;
                printer.answer(&imported, |imported| {
                    format!(
                        "{} came on the list, {} stood there already; {} leads were stopped.",
                        imported.added, imported.already, imported.leads
                    )
                })?;
            }
            Self::Export => {
                printer.text(&write_row(["whom", "why", "since"].map(str::to_owned)))?;
                let mut after = None;
                loop {
                    let limit = Some(EXPORT_PAGE);
                    let found = client.call(&ListSuppressions { after, limit }).await?;
                    for one in &found.suppressions {
                        let cells = [
                            one.whom.to_string(),
                            one.why.code().to_owned(),
                            one.since.to_string(),
                        ];
                        printer.text(&write_row(cells))?;
                    }
                    let is_full = found.suppressions.len() >= EXPORT_PAGE as usize;
                    let last = found.suppressions.into_iter().next_back();
                    match last.filter(|_| is_full) {
                        Some(last) => after = Some(last.whom),
                        None => return Ok(()),
                    }
                }
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
                        let why = one.why.code().to_owned();
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
