//! `unpause status`: what keeps all of it from sending, then every inbox and every campaign, each in a line, as they
//! stand now.

use std::fmt::Write as _;

use protocol::request::alert::{Channel, ListAlerts};
use protocol::request::campaign::Counts;
use protocol::request::ledger::{GetLedger, Ledger};
use protocol::request::pace::ListPaces;
use protocol::request::status::GetStatus;

use super::access::none_or;
use super::inbox::describe_state;
use super::print::{Printer, columns};
use super::{CliError, next};
use crate::api::Client;

pub(super) async fn show(client: &Client, printer: &Printer) -> Result<(), CliError> {
    let status = client.call(&GetStatus {}).await?;
    let paces = client.call(&ListPaces {}).await?.paces;
    let ledger = client.call(&GetLedger {}).await?;
    let channels = client.call(&ListAlerts { limit: Some(1) }).await?.channels;
    printer.answer(&status, |status| {
        let inboxes = status.inboxes.iter().map(|inbox| {
            let pace = paces.iter().find(|pace| pace.inbox_id == inbox.id);
            let state = describe_state(inbox, pace);
            vec![inbox.id.to_string(), inbox.address.to_string(), state]
        });
        let campaigns = status.campaigns.iter().map(|campaign| {
            let counts = &campaign.counts;
            let sent = describe_counts(counts);
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
        format!(
            "{}{}\n{}{}{}",
            describe_ledger(&ledger),
            inboxes.trim_end(),
            campaigns.trim_end(),
            next::of_all(&status.inboxes, &status.campaigns),
            describe_alerts(&channels)
        )
    })?;
    Ok(())
}

/// What stands above all inboxes; empty where nothing does.
fn describe_ledger(ledger: &Ledger) -> String {
    if ledger.another_relay_since.is_some() {
        return "Another relay works on the same ledger. Nothing is sent; `unpause ledger show` says what to do.\n\n"
            .to_owned();
    }
    if ledger.comparing.is_empty() {
        return String::new();
    }
    "The database was put back; inboxes wait while what was sent since is looked for (`unpause ledger show`).\n\n"
        .to_owned()
}

/// What stands below all campaigns: alerts that did not reach whom they should; empty where all did.
fn describe_alerts(channels: &[Channel]) -> String {
    let waiting: u64 = channels.iter().map(|channel| channel.waiting).sum();
    let given_up: u64 = channels.iter().map(|channel| channel.given_up).sum();
    if waiting + given_up == 0 {
        return String::new();
    }
    format!(
        "\n\nAlerts: {waiting} wait, {given_up} could not be told; `unpause alerts list` says why."
    )
}

fn describe_counts(counts: &Counts) -> String {
    let mut text = format!("{} of {} accepted", counts.accepted, counts.planned);
    for (n, what) in [
        (counts.in_doubt, "in doubt"),
        (counts.unsettled, "for you to decide"),
    ] {
        if n > 0 {
            let _ = write!(text, ", {n} {what}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use protocol::id::InboxId;
    use protocol::timestamp::Timestamp;

    use super::*;

    #[test]
    fn what_waits_for_a_person_is_told() {
        let counts = Counts {
            planned: 60,
            accepted: 4,
            unsettled: 56,
            ..Counts::default()
        };
        assert_eq!(
            describe_counts(&counts),
            "4 of 60 accepted, 56 for you to decide"
        );
        let mut ledger = Ledger {
            another_relay_since: None,
            comparing: Vec::new(),
            written_to: Vec::new(),
            attempts_before: 0,
        };
        assert_eq!(describe_ledger(&ledger), "");
        ledger.comparing.push(InboxId::new("inb_1"));
        assert!(describe_ledger(&ledger).starts_with("The database was put back"));
        let channel = |waiting, given_up| Channel {
            name: "log".to_owned(),
            target: "the log".to_owned(),
            off_since: None,
            off_words: None,
            waiting,
            given_up,
        };
        assert_eq!(describe_alerts(&[channel(0, 0)]), "");
        let told = describe_alerts(&[channel(2, 0), channel(0, 1)]);
        assert!(told.contains("2 wait, 1 could not be told"), "{told}");
        ledger.another_relay_since = Some(Timestamp::from_ms(1));
        assert!(describe_ledger(&ledger).starts_with("Another relay"));
    }
}
