//! States of the relay in words for people.

use protocol::campaign::{PausedBy, State as CampaignState};
use protocol::card::Facts;
use protocol::cause::Cause;
use protocol::delivery::State as DeliveryState;
use protocol::provider::{Provider, ProviderId};
use protocol::request::campaign::{Campaign, Counts};
use protocol::request::delivery::Delivery;
use protocol::request::inbox::Inbox;
use protocol::timestamp::Timestamp;
use web::icon::Icon;

/// How a campaign stands: the class of its colour, its icon, its word.
pub(super) fn campaign(campaign: &Campaign) -> (&'static str, Icon, &'static str) {
    match &campaign.status {
        CampaignState::Draft => ("quiet", Icon::Dot, "Draft"),
        CampaignState::Running => ("good", Icon::Going, "Sending"),
        CampaignState::Paused {
            by: PausedBy::Person,
            ..
        } => ("quiet", Icon::Paused, "Paused by a person"),
        CampaignState::Paused {
            by: PausedBy::Cause { .. },
            ..
        } => ("bad", Icon::Paused, "Paused"),
        CampaignState::Finished { .. } => ("quiet", Icon::Tick, "Finished"),
    }
}

/// How a delivery stands, and the instant that belongs to it.
pub(super) fn delivery(delivery: &Delivery) -> (&'static str, Option<Timestamp>) {
    match &delivery.status {
        DeliveryState::Planned { .. } => ("Planned", delivery.due_at),
        DeliveryState::Attempting { .. } => ("Being sent", None),
        DeliveryState::Accepted { at } => ("Accepted", Some(*at)),
        DeliveryState::Deferred { .. } => ("Put off, tried again", delivery.due_at),
        DeliveryState::Rejected { .. } => ("Refused", None),
        DeliveryState::InDoubt { since, .. } => ("In doubt, being settled", Some(*since)),
        DeliveryState::Unsettled { since, .. } => ("Needs a decision", Some(*since)),
        DeliveryState::Suppressed { why } => (why.words(), None),
        DeliveryState::Cancelled => ("Ended", None),
        DeliveryState::Bounced { accepted_at } => ("Bounced", Some(*accepted_at)),
    }
}

/// Why an inbox was lost, as its card explained it.
pub(super) fn cause(cause: Cause, inbox: Option<&Inbox>) -> String {
    let provider = inbox.map_or_else(
        || "The provider".to_owned(),
        |inbox| provider(&inbox.provider),
    );
    let facts = Facts {
        inbox: inbox.map_or("the inbox", |inbox| inbox.address.as_str()),
        provider: &provider,
    };
    cause.card().render(&facts).explanation
}

/// What became of a campaign's deliveries, the usual ones always, the others where there are any.
pub(super) fn counts(counts: &Counts) -> Vec<(&'static str, u64)> {
    let usual = [
        ("Leads", counts.leads),
        ("Accepted", counts.accepted),
        ("Still to send", counts.waiting + counts.attempting),
    ];
    let others = [
        ("Not sent", counts.suppressed + counts.cancelled),
        ("Bounced", counts.bounced),
        ("Refused", counts.rejected),
        ("In doubt", counts.in_doubt),
        ("To decide", counts.unsettled),
    ];
    let others = others.into_iter().filter(|(_, n)| *n > 0);
    usual.into_iter().chain(others).collect()
}

/// A provider's name as people know it, as it begins a line.
pub(super) fn provider(id: &ProviderId) -> String {
    capitalised(Provider::find(id).map_or(id.as_str(), |provider| provider.name))
}

/// Words as they begin a line.
pub(super) fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// How many campaigns of these send through an inbox, in words.
pub(super) fn campaigns_of(inbox: &Inbox, campaigns: &[Campaign]) -> String {
    let sending = campaigns
        .iter()
        .filter(|campaign| campaign.inboxes.contains(&inbox.id))
        .filter(|campaign| !matches!(campaign.status, CampaignState::Finished { .. }));
    match sending.count() {
        0 => "No campaign".to_owned(),
        1 => "1 campaign".to_owned(),
        n => format!("{n} campaigns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_counts_are_shown_where_there_are_any() {
        let all = Counts {
            leads: 10,
            accepted: 3,
            waiting: 4,
            attempting: 1,
            ..Counts::default()
        };
        let usual = [("Leads", 10), ("Accepted", 3), ("Still to send", 5)];
        assert_eq!(counts(&all), usual);
        let unsettled = Counts {
            unsettled: 2,
            ..all
        };
        assert_eq!(counts(&unsettled).last(), Some(&("To decide", 2)));
    }

    #[test]
    fn a_provider_begins_its_line_with_a_capital() {
        assert_eq!(provider(&ProviderId::new("sandbox")), "The sandbox");
        assert_eq!(provider(&ProviderId::new("google")), "Google");
        assert_eq!(provider(&ProviderId::new("unknown")), "Unknown");
    }
}
