//! What to run next: one command for an inbox that is lost, or for a campaign that is paused. Where nothing that a
//! person runs here helps, nothing is said.

use protocol::campaign::{PausedBy, State};
use protocol::card::Remedy;
use protocol::cause::Cause;
use protocol::request::campaign::Campaign;
use protocol::request::inbox::{ConnectionState, GetInbox, Inbox, SignsInBy};

use super::CliError;
use crate::api::Client;

/// As many commands stand below a list.
const TOLD_AT_MOST: usize = 5;

/// What reconnects this inbox at the terminal.
pub(super) fn start_command(inbox: &Inbox) -> String {
    start_by(inbox, inbox.signs_in_by)
}

fn start_by(inbox: &Inbox, way: SignsInBy) -> String {
    let how = match way {
        SignsInBy::Oauth => "",
        SignsInBy::Password => " --password",
    };
    format!("unpause reconnect start {}{how}", inbox.address)
}

/// What to run for an inbox; `None` where it works, is being checked or goes on by itself.
pub(super) fn of_inbox(inbox: &Inbox) -> Option<String> {
    if inbox.connection.state != ConnectionState::Disconnected {
        return None;
    }
    let address = &inbox.address;
    let verb = match inbox.connection.cause {
        Some(Cause::NeverConnected) | None => "Connect",
        Some(_) => "Reconnect",
    };
    let reconnect = |way| Some(format!("{verb} {address}: {}", start_by(inbox, way)));
    let Some(card) = &inbox.connection.card else {
        return reconnect(inbox.signs_in_by);
    };
    match card.remedy {
        Remedy::Reconnect | Remedy::ReconnectAsInbox => reconnect(inbox.signs_in_by),
        Remedy::NewAppPassword => reconnect(SignsInBy::Password),
        Remedy::SignInInstead => reconnect(SignsInBy::Oauth),
        Remedy::CorrectServers => Some(format!(
            "Correct the servers of {address}: unpause inbox update {address} --smtp HOST:PORT --imap HOST:PORT"
        )),
        Remedy::AskAdmin | Remedy::AskConsent => Some(format!(
            "Once an administrator of {} has allowed it: {}",
            address.domain(),
            start_command(inbox)
        )),
        // Whoever runs the relay is who sits here.
        Remedy::TellOperator => Some(format!(
            "Correct the registration at {}; what the relay meets there: unpause doctor",
            inbox.provider
        )),
        Remedy::Wait | Remedy::Nothing => None,
    }
}

/// What to run for a campaign that is paused, with the inboxes at hand.
fn of_campaign_among(campaign: &Campaign, inboxes: &[Inbox]) -> Option<String> {
    match &campaign.status {
        State::Paused {
            by: PausedBy::Person,
            ..
        } => Some(format!(
            "Resume \"{}\": unpause campaign resume {}",
            campaign.name, campaign.id
        )),
        State::Paused {
            by: PausedBy::Cause { inbox, .. },
            ..
        } => inboxes
            .iter()
            .find(|one| one.id == *inbox)
            .and_then(of_inbox),
        State::Draft | State::Running | State::Finished { .. } => None,
    }
}

/// What to run for a campaign; on a line of its own, empty where nothing is to be run.
pub(super) async fn of_campaign(client: &Client, campaign: &Campaign) -> Result<String, CliError> {
    let mut inboxes = Vec::new();
    if let State::Paused {
        by: PausedBy::Cause { inbox, .. },
        ..
    } = &campaign.status
    {
        let inbox_id = inbox.clone();
        inboxes.push(client.call(&GetInbox { inbox_id }).await?);
    }
    let next = of_campaign_among(campaign, &inboxes);
    Ok(next.map_or_else(String::new, |next| format!("\n{next}")))
}

/// What to run below a list of inboxes and campaigns, inboxes first: a line for each, once, and how many more there are.
pub(super) fn of_all(inboxes: &[Inbox], campaigns: &[Campaign]) -> String {
    let all = inboxes.iter().filter_map(of_inbox);
    let paused = campaigns
        .iter()
        .filter_map(|campaign| of_campaign_among(campaign, inboxes));
    let mut lines: Vec<String> = Vec::new();
    for line in all.chain(paused) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let more = lines.len().saturating_sub(TOLD_AT_MOST);
    lines.truncate(TOLD_AT_MOST);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn inbox(state: &str, way: &str, remedy: Option<&str>) -> Inbox {
        let mut connection = json!({"state": state, "since": "2026-11-23T09:00:00Z"});
        if let Some(remedy) = remedy {
            connection["cause"] = json!("permission_ended");
            connection["card"] = json!({
                "title": "t", "explanation": "e", "button": null, "acts": "person", "remedy": remedy,
            });
        }
        let server = json!({"host": "mail.acme.example", "port": 465, "tls": "implicit"});
        serde_json::from_value(json!({
            "id": "inb_1", "address": "jane@acme.example", "provider": "google", "smtp": server, "imap": server,
            "signs_in_by": way, "connection": connection, "held": 0, "unsettled": 0,
        }))
        .unwrap()
    }

    fn campaign(id: &str, status: &Value) -> Campaign {
        serde_json::from_value(json!({
            "id": id, "name": "Spring", "inboxes": ["inb_1"], "steps": [], "status": status, "unsubscribe": true,
            "counts": protocol::request::campaign::Counts::default(),
        }))
        .unwrap()
    }

    #[test]
    fn whoever_is_lost_has_one_command_and_whoever_waits_has_none() {
        let start = "unpause reconnect start jane@acme.example";
        let with_password = "unpause reconnect start jane@acme.example --password";
        for (state, way, remedy, ending) in [
            ("disconnected", "oauth", None, start),
            ("disconnected", "password", None, with_password),
            ("disconnected", "oauth", Some("reconnect"), start),
            ("disconnected", "password", Some("reconnect"), with_password),
            (
                "disconnected",
                "oauth",
                Some("new_app_password"),
                with_password,
            ),
            ("disconnected", "password", Some("sign_in_instead"), start),
            ("disconnected", "oauth", Some("ask_consent"), start),
            (
                "disconnected",
                "password",
                Some("correct_servers"),
                "unpause inbox update jane@acme.example --smtp HOST:PORT --imap HOST:PORT",
            ),
            (
                "disconnected",
                "oauth",
                Some("tell_operator"),
                "unpause doctor",
            ),
        ] {
            let next = of_inbox(&inbox(state, way, remedy)).unwrap();
            assert!(next.ends_with(&format!(": {ending}")), "{remedy:?} {next}");
        }
        for (state, remedy) in [
            ("connected", None),
            ("checking", None),
            ("waiting", Some("wait")),
            ("waiting", Some("reconnect")),
            ("disconnected", Some("wait")),
        ] {
            assert_eq!(
                of_inbox(&inbox(state, "oauth", remedy)),
                None,
                "{state} {remedy:?}"
            );
        }
    }

    #[test]
    fn below_a_list_each_command_stands_once() {
        let lost = inbox("disconnected", "oauth", Some("reconnect"));
        let since = "2026-11-23T09:00:00Z";
        let by_cause = json!({"state": "paused", "since": since,
            "by": {"by": "cause", "inbox": "inb_1", "cause": "permission_ended"}});
        let by_person = json!({"state": "paused", "since": since, "by": {"by": "person"}});
        let both = [
            campaign("cmp_1", &by_cause),
            campaign("cmp_2", &by_cause),
            campaign("cmp_3", &by_person),
            campaign("cmp_4", &json!({"state": "running"})),
        ];
        assert_eq!(
            of_all(std::slice::from_ref(&lost), &both),
            "\nReconnect jane@acme.example: unpause reconnect start jane@acme.example\n\
             Resume \"Spring\": unpause campaign resume cmp_3"
        );
        let many: Vec<_> = (0..9)
            .map(|n| campaign(&format!("cmp_{n}"), &by_person))
            .collect();
        let told = of_all(&[], &many);
        assert_eq!(told.lines().count(), 1 + TOLD_AT_MOST + 1, "{told}");
        assert!(told.ends_with("\nand 4 more"), "{told}");
        assert_eq!(of_all(&[inbox("connected", "oauth", None)], &both[3..]), "");
    }
}
