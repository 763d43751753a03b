//! `unpause status`: every inbox and every campaign, each in a line, as they stand now.

use protocol::request::pace::ListPaces;
use protocol::request::status::GetStatus;

use super::CliError;
use super::access::none_or;
use super::inbox::describe_state;
use super::print::{Printer, columns};
use crate::api::Client;

pub(super) async fn show(client: &Client, printer: &Printer) -> Result<(), CliError> {
    let status = client.call(&GetStatus {}).await?;
    let paces = client.call(&ListPaces {}).await?.paces;
    printer.answer(&status, |status| {
        let inboxes = status.inboxes.iter().map(|inbox| {
            let pace = paces.iter().find(|pace| pace.inbox_id == inbox.id);
            let state = describe_state(inbox, pace);
            vec![inbox.id.to_string(), inbox.address.to_string(), state]
        });
        let campaigns = status.campaigns.iter().map(|campaign| {
            let counts = &campaign.counts;
            let sent = format!("{} of {} accepted", counts.accepted, counts.planned);
            let state = campaign.status.name().to_owned();
            vec![campaign.id.to_string(), campaign.name.clone(), state, sent]
        });
        let inboxes = none_or(
            columns(&inboxes.collect::<Vec<_>>()),
            "There is no inbox; `unpause inbox add` adds one.",
        );
        let campaigns = none_or(
            columns(&campaigns.collect::<Vec<_>>()),
            "There is no campaign; `unpause campaign create` makes one.",
        );
        format!("{}\n{campaigns}", inboxes.trim_end())
    })?;
    Ok(())
}
