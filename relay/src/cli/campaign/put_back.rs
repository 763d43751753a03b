//! What is told where nothing was put back: what was looked for, and what there is that would match.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use protocol::cause::Cause;
use protocol::delivery::StateName;
use protocol::request::campaign::GetCampaign;
use protocol::request::delivery::{Delivery, Kept, ListDeliveries, PutBackDeliveries};

use crate::api::{ApiError, Client};

/// How many deliveries of a state are looked at for what would match.
const LOOKED_AT: u32 = 1_000;

/// Asks for what there is, and says it beside what was asked for.
pub(super) async fn describe_nothing(
    client: &Client,
    asked: &PutBackDeliveries,
) -> Result<String, ApiError> {
    let campaign_id = asked.campaign_id.clone();
    let campaign = client.call(&GetCampaign { campaign_id }).await?;
    let mut there = Vec::new();
    for state in [StateName::Rejected, StateName::Bounced] {
        let request = ListDeliveries {
            campaign_id: asked.campaign_id.clone(),
            state: Some(state),
            limit: Some(LOOKED_AT),
            after: None,
        };
        there.extend(client.call(&request).await?.deliveries);
    }
    let looked_for = describe(asked);
    Ok(format!(
        "Nothing was put back. Looked for: {looked_for}, in {:?}.\n{}",
        campaign.name,
        list_matches(&there, campaign.counts.rejected + campaign.counts.bounced)
    ))
}

/// What stays as it is, and why.
pub(super) fn describe_kept(kept: &[Kept]) -> String {
    let mut text = String::new();
    for Kept { why, n } in kept {
        let _ = write!(text, "\n{n} stay as they are: {}.", why.words());
    }
    text
}

/// What was looked for.
fn describe(asked: &PutBackDeliveries) -> String {
    let mut parts = Vec::new();
    if let Some(delivery) = &asked.delivery_id {
        parts.push(format!("the delivery {delivery}"));
    }
    if let Some(cause) = asked.cause {
        parts.push(format!("the cause {}", cause.code()));
    }
    if let Some(alike) = &asked.alike {
        parts.push(format!("what met {alike:?}"));
    }
    let mut text = "what was refused or came back".to_owned();
    if !parts.is_empty() {
        let _ = write!(text, ", and of that {}", parts.join(" and "));
    }
    text
}

/// What there is: its causes and what it met, each once.
fn list_matches(there: &[Delivery], total: u64) -> String {
    if there.is_empty() {
        return "Nothing was refused there and nothing came back.".to_owned();
    }
    let causes: BTreeSet<&str> = there
        .iter()
        .filter_map(|delivery| delivery.cause.map(Cause::code))
        .collect();
    let alikes: BTreeSet<&str> = there
        .iter()
        .filter_map(|delivery| delivery.alike.as_deref())
        .collect();
    let mut text = format!("There are {total} that were refused or came back");
    for (what, values) in [("--cause", causes), ("--alike", alikes)] {
        if !values.is_empty() {
            let values: Vec<&str> = values.into_iter().collect();
            let values = values.join(", ");
            let _ = write!(text, "\n  {what} would match one of: {values}");
        }
    }
    text.push_str(
        "\nA lead that answered or complained, or whom a person wants no mail sent to, stays as it is.",
    );
    text
}
