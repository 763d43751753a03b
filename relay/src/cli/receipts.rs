//! `unpause receipts`: every resume with its figures, newest first. One of them is `unpause reconnect receipt`'s.

use clap::Args;
use protocol::id::{CampaignId, ReceiptId};
use protocol::receipt::Receipt;
use protocol::request::campaign::ListCampaigns;
use protocol::request::inbox::ListInboxes;
use protocol::request::reconnect::ListReceipts;

use super::CliError;
use super::access::none_or;
use super::named::find_campaign;
use super::print::{Printer, columns};
use crate::api::Client;

/// As many receipts stand on a page of the API.
const PAGE: usize = 100;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only those of this campaign: cmp_…, or its name
    #[arg(long)]
    campaign: Option<String>,
    /// Only those behind this receipt, rcp_…, as the end of a list names it
    #[arg(long)]
    after: Option<String>,
}

impl Arguments {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        let only = match &self.campaign {
            Some(named) => Some(find_campaign(client, named).await?),
            None => None,
        };
        let mut after = self.after.map(ReceiptId::new);
        let (answer, next) = loop {
            let mut page = client.call(&ListReceipts { after }).await?;
            let next = match page.receipts.last() {
                Some(last) if page.receipts.len() == PAGE => Some(last.id.clone()),
                _ => None,
            };
            if let Some(only) = &only {
                page.receipts
                    .retain(|receipt| receipt.campaigns.contains(only));
            }
            // Nothing on this page says nothing of the next one.
            if next.is_none() || !page.receipts.is_empty() {
                break (page, next);
            }
            after = next;
        };
        let campaigns = client.call(&ListCampaigns {}).await?.campaigns;
        let inboxes = client.call(&ListInboxes {}).await?.inboxes;
        printer.answer(&answer, |answer| {
            let name_of = |id: &CampaignId| {
                let found = campaigns.iter().find(|campaign| campaign.id == *id);
                found.map_or_else(|| id.to_string(), |campaign| campaign.name.clone())
            };
            let rows = answer.receipts.iter().map(|receipt| {
                let inbox = inboxes.iter().find(|inbox| inbox.id == receipt.inbox);
                let address = inbox.map_or(receipt.inbox.as_str(), |inbox| inbox.address.as_str());
                row_of(receipt, address, name_of)
            });
            let listed = none_or(
                columns(&rows.collect::<Vec<_>>()),
                "There is no receipt; each resume after a loss leaves one.",
            );
            let listed = listed.trim_end();
            match (answer.receipts.is_empty(), &next) {
                (true, _) => listed.to_owned(),
                (false, None) => {
                    format!("{listed}\nOne with its lines: unpause reconnect receipt RECEIPT")
                }
                (false, Some(next)) => format!("{listed}\nThere may be more: --after {next}"),
            }
        })?;
        Ok(())
    }
}

/// Which campaigns, when, and the figures: the same words as on the receipt itself.
fn row_of(
    receipt: &Receipt,
    address: &str,
    name_of: impl Fn(&CampaignId) -> String,
) -> Vec<String> {
    let names: Vec<String> = receipt.campaigns.iter().map(name_of).collect();
    let names = match names.as_slice() {
        [] => "no campaign".to_owned(),
        [first, second, more @ ..] if !more.is_empty() => {
            format!("{first}, {second} and {} more", more.len())
        }
        few => few.join(", "),
    };
    vec![
        receipt.id.to_string(),
        names,
        address.to_owned(),
        format!("lost {}", receipt.lost_at),
        format!("resumed {}", receipt.resumed_at),
        format!(
            "{} held: {} to send, {} skipped, {} in doubt",
            receipt.held, receipt.to_send, receipt.skipped, receipt.in_doubt
        ),
    ]
}
