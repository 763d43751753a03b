//! `unpause lead`: leads, one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Subcommand, ValueEnum};
use protocol::id::LeadId;
use protocol::lead::State;
use protocol::request::lead::{
    DeleteLead, GetLead, Lead, LeadHistory, ListLeads, PauseLead, ResumeLead, StopLead, UpdateLead,
};

use super::CliError;
use super::access::none_or;
use super::named::find_campaign;
use super::print::{Printer, columns, parse_number};
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the leads of a campaign in the order of its lists
    List {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// Only those that stand so; else all but those that were deleted
        #[arg(long)]
        state: Option<Standing>,
        /// Only those whose address or cells have this in them
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// At most so many, 1 to 1000
        #[arg(long, value_parser = parse_number)]
        limit: Option<u32>,
        /// Only those behind this lead, lea_…, as the end of a list names it
        #[arg(long)]
        after: Option<String>,
    },
    /// Show one lead with everything that was tried for it
    Show {
        /// The lead, lea_…
        lead: String,
    },
    /// Change cells of a lead: messages that were not sent yet are written with them
    Set {
        /// The lead, lea_…
        lead: String,
        /// A column and its cell, as in `first_name=Ann`; nothing behind the sign empties it
        #[arg(required = true, value_name = "COLUMN=CELL", value_parser = parse_cell)]
        cells: Vec<(String, String)>,
    },
    /// Hold the steps of a lead
    Pause {
        /// The lead, lea_…
        lead: String,
    },
    /// Let the steps of a lead go on that is paused, or whose person is said to be away
    Resume {
        /// The lead, lea_…
        lead: String,
    },
    /// End a lead in its campaign for good
    Stop {
        /// The lead, lea_…
        lead: String,
    },
    /// Delete a lead; in a campaign that is started its address and its steps stay in the ledger
    Delete {
        /// The lead, lea_…
        lead: String,
    },
}

/// Where a lead stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Standing {
    /// It has steps to be sent
    Active,
    /// A person holds its steps
    Paused,
    /// Every step was sent
    Done,
    /// No further step is sent
    Stopped,
    /// It was deleted
    Deleted,
}

impl From<Standing> for State {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Active => Self::Active,
            Standing::Paused => Self::Paused,
            Standing::Done => Self::Done,
            Standing::Stopped => Self::Stopped,
            Standing::Deleted => Self::Deleted,
        }
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::List {
                campaign,
                state,
                search,
                limit,
                after,
            } => {
                let request = ListLeads {
                    campaign_id: find_campaign(client, &campaign).await?,
                    state: state.map(State::from),
                    search,
                    limit,
                    after: after.map(LeadId::new),
                };
                let listed = client.call(&request).await?;
                printer.answer(&listed, |listed| {
                    let rows: Vec<_> = listed.leads.iter().map(row_of).collect();
                    let text = none_or(columns(&rows), "There is no such lead.");
                    match &listed.next {
                        Some(next) => format!("{text}\nThere may be more: --after {next}"),
                        None => text,
                    }
                })?;
            }
            Self::Show { lead } => {
                let request = GetLead {
                    lead_id: LeadId::new(lead),
                };
                printer.answer(&client.call(&request).await?, describe_history)?;
            }
            Self::Set { lead, cells } => {
                let request = UpdateLead {
                    lead_id: LeadId::new(lead),
                    fields: cells.into_iter().collect::<BTreeMap<_, _>>(),
                };
                printer.answer(&client.call(&request).await?, describe)?;
            }
            Self::Pause { lead } => {
                let request = PauseLead {
                    lead_id: LeadId::new(lead),
                };
                printer.answer(&client.call(&request).await?, describe)?;
            }
            Self::Resume { lead } => {
                let request = ResumeLead {
                    lead_id: LeadId::new(lead),
                };
                printer.answer(&client.call(&request).await?, describe)?;
            }
            Self::Stop { lead } => {
                let request = StopLead {
                    lead_id: LeadId::new(lead),
                };
                printer.answer(&client.call(&request).await?, describe)?;
            }
            Self::Delete { lead } => {
                let request = DeleteLead {
                    lead_id: LeadId::new(lead),
                };
                let deleted = client.call(&request).await?;
                printer.answer(&deleted, |deleted| {
                    let words = if deleted.kept_in_ledger {
                        "Deleted. Its address and its steps stay in the ledger, so that nobody is written to twice; it is never added to this campaign again."
                    } else {
                        "Deleted. Nothing of it is left."
                    };
                    words.to_owned()
                })?;
            }
        }
        Ok(())
    }
}

fn parse_cell(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, cell)) if !column.trim().is_empty() => {
            Ok((column.trim().to_owned(), cell.to_owned()))
        }
        _ => Err(format!(
            "expected a column and its cell, as in first_name=Ann, found {text:?}"
        )),
    }
}

fn row_of(lead: &Lead) -> Vec<String> {
    vec![
        lead.id.to_string(),
        lead.address.to_string(),
        state_of(lead),
        format!("{} sent", lead.sent),
        lead.last_sent_at
            .map_or_else(String::new, |at| at.to_string()),
    ]
}

fn state_of(lead: &Lead) -> String {
    match lead.why {
        Some(why) => format!("{} ({})", lead.state.name(), why.code()),
        None => lead.state.name().to_owned(),
    }
}

fn describe(lead: &Lead) -> String {
    let mut text = format!(
        "{}  {}\nstate     {}\ncampaign  {}\ninbox     {}\nsent      {}",
        lead.id,
        lead.address,
        state_of(lead),
        lead.campaign,
        lead.inbox,
        lead.sent
    );
    if let Some(until) = lead.away_until {
        let _ = write!(text, "\naway      until {until}");
    }
    for (column, cell) in &lead.fields {
        let _ = write!(text, "\n  {column}: {cell}");
    }
    text
}

fn describe_history(history: &LeadHistory) -> String {
    let mut text = describe(&history.lead);
    let steps = history.deliveries.iter().map(|delivery| {
        vec![
            format!("step {}", delivery.step),
            delivery.status.name().to_owned(),
            delivery.id.to_string(),
            delivery
                .due_at
                .map_or_else(String::new, |at| format!("due {at}")),
        ]
    });
    let tries = history.tries.iter().map(|one| {
        vec![
            one.at.to_string(),
            format!("step {}", one.step),
            one.outcome.clone(),
            one.words.replace('\n', " "),
        ]
    });
    for rows in [steps.collect::<Vec<_>>(), tries.collect()] {
        if !rows.is_empty() {
            let _ = write!(text, "\n\n{}", columns(&rows));
        }
    }
    text
}
