//! `unpause campaign export`: the leads of a campaign with where they stand and what they got, for another program or
//! another relay.
//!
//! A list that is exported may be imported again, here or into another relay: its column `do not contact` is empty for
//! whom nobody has written to, and says why for everybody else, so that an import leaves those out and nobody is begun
//! with twice. Where somebody stands in the sequence is this relay's ledger alone, and moves with a backup.

use std::collections::{BTreeSet, HashSet, VecDeque};

use clap::ValueEnum;
use protocol::delivery::State as DeliveryState;
use protocol::id::{CampaignId, LeadId};
use protocol::lead::State;
use protocol::request::campaign::GetCampaign;
use protocol::request::delivery::{Delivery, ListDeliveries};
use protocol::request::lead::{Lead, ListLeads};
use serde::Serialize;

use super::super::CliError;
use super::super::print::{Printer, write_row};
use crate::api::Client;

/// Leads and deliveries that are asked for at once.
const PAGE: u32 = 1_000;
/// What stands before the cells of the lists.
const HEAD: [&str; 7] = [
    "email",
    "do not contact",
    "state",
    "why",
    "lead id",
    "inbox id",
    "sent",
];

/// As what leads are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// A table
    Csv,
    /// A line of JSON for each lead, with its deliveries
    Jsonl,
}

/// A line of JSON.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    lead: &'a Lead,
    deliveries: &'a [Delivery],
}

pub(super) async fn run(
    client: &Client,
    printer: &Printer,
    campaign: CampaignId,
    format: Format,
) -> Result<(), CliError> {
    let request = GetCampaign {
        campaign_id: campaign.clone(),
    };
    let n_steps = client.call(&request).await?.steps.len();
    let columns = match format {
        Format::Csv => list_columns(client, &campaign).await?,
        Format::Jsonl => Vec::new(),
    };
    if format == Format::Csv {
        let times = (1..=n_steps).map(|step| format!("step {step} sent at"));
        let head = HEAD.into_iter().map(str::to_owned).chain(times);
        printer.text(&write_row(head.chain(columns.iter().cloned())))?;
    }
    // Both are in the order of the lists, so neither is held as a whole.
    let mut deliveries = Deliveries::of(&campaign, list_deleted(client, &campaign).await?);
    let mut leads = Pages::of(&campaign, None);
    while let Some(page) = leads.next(client).await? {
        for lead in &page {
            let own = deliveries.take_of(client, lead).await?;
            match format {
                Format::Jsonl => printer.line_of_json(&Whole {
                    lead,
                    deliveries: &own,
                })?,
                Format::Csv => {
                    let cells = cells_of(lead, &own, n_steps, &columns);
                    printer.text(&write_row(cells))?;
                }
            }
        }
    }
    Ok(())
}

/// Leads that are not listed, and whose deliveries stand between those of the others.
async fn list_deleted(client: &Client, campaign: &CampaignId) -> Result<HashSet<LeadId>, CliError> {
    let mut deleted = HashSet::new();
    let mut leads = Pages::of(campaign, Some(State::Deleted));
    while let Some(page) = leads.next(client).await? {
        deleted.extend(page.into_iter().map(|lead| lead.id));
    }
    Ok(deleted)
}

/// The columns of all leads but the address.
async fn list_columns(client: &Client, campaign: &CampaignId) -> Result<Vec<String>, CliError> {
    let mut columns = BTreeSet::new();
    let mut leads = Pages::of(campaign, None);
    while let Some(page) = leads.next(client).await? {
        for lead in page {
            columns.extend(lead.fields.into_keys());
        }
    }
    columns.remove("email");
    Ok(columns.into_iter().collect())
}

fn cells_of(lead: &Lead, own: &[Delivery], n_steps: usize, columns: &[String]) -> Vec<String> {
    let was_tried = own.iter().any(|delivery| delivery.attempts > 0);
    let why = lead.why.map(|why| why.code().to_owned());
    let mut cells = vec![
        lead.address.to_string(),
        match lead.state {
            State::Active | State::Paused if !was_tried => String::new(),
            _ => "yes".to_owned(),
        },
        lead.state.name().to_owned(),
        why.unwrap_or_default(),
        lead.id.to_string(),
        lead.inbox.to_string(),
        lead.sent.to_string(),
    ];
    cells.extend((1..=n_steps).map(|step| {
        let delivery = own
            .iter()
            .find(|delivery| usize::try_from(delivery.step) == Ok(step));
        match delivery.map(|delivery| &delivery.status) {
            Some(DeliveryState::Accepted { at } | DeliveryState::Bounced { accepted_at: at }) => {
                at.to_string()
            }
            _ => String::new(),
        }
    }));
    cells.extend(
        columns
            .iter()
            .map(|column| lead.fields.get(column).cloned().unwrap_or_default()),
    );
    cells
}

/// The leads of a campaign, page by page.
struct Pages {
    request: Option<ListLeads>,
}

impl Pages {
    fn of(campaign: &CampaignId, state: Option<State>) -> Self {
        Self {
            request: Some(ListLeads {
                campaign_id: campaign.clone(),
                state,
                search: None,
                limit: Some(PAGE),
                after: None,
            }),
        }
    }

    async fn next(&mut self, client: &Client) -> Result<Option<Vec<Lead>>, CliError> {
        let Some(request) = self.request.take() else {
            return Ok(None);
        };
        let page = client.call(&request).await?;
        if page.next.is_some() {
            self.request = Some(ListLeads {
                after: page.next,
                ..request
            });
        }
        Ok(Some(page.leads))
    }
}

/// The deliveries of a campaign in the order of its leads.
struct Deliveries {
    request: Option<ListDeliveries>,
    read: VecDeque<Delivery>,
    /// Whose are passed over.
    deleted: HashSet<LeadId>,
}

impl Deliveries {
    fn of(campaign: &CampaignId, deleted: HashSet<LeadId>) -> Self {
        Self {
            request: Some(ListDeliveries {
                campaign_id: campaign.clone(),
                state: None,
                limit: Some(PAGE),
                after: None,
            }),
            read: VecDeque::new(),
            deleted,
        }
    }

    /// Those of the next lead, first step to last.
    async fn take_of(&mut self, client: &Client, lead: &Lead) -> Result<Vec<Delivery>, CliError> {
        let mut own = Vec::new();
        while let Some(next) = self.peek(client).await? {
            if next.lead == lead.id {
                own.extend(self.read.pop_front());
            } else {
                // A later lead's: each has its own together.
                break;
            }
        }
        Ok(own)
    }

    /// The next one of a lead that is listed.
    async fn peek(&mut self, client: &Client) -> Result<Option<&Delivery>, CliError> {
        loop {
            let is_passed = |next: &Delivery| self.deleted.contains(&next.lead);
            if self.read.front().is_some_and(is_passed) {
                self.read.pop_front();
            } else if !self.read.is_empty() {
                return Ok(self.read.front());
            } else if let Some(request) = self.request.take() {
                let page = client.call(&request).await?;
                if page.next.is_some() {
                    self.request = Some(ListDeliveries {
                        after: page.next,
                        ..request
                    });
                }
                self.read.extend(page.deliveries);
            } else {
                return Ok(None);
            }
        }
    }
}
