//! The audit log, for owners: who did what, when and from where.

use protocol::account::AccountName;
use protocol::id::{CampaignId, InboxId};
use protocol::request::audit::{AuditEntry, Way};
use serde_json::Value;
use web::when;
use yew::{Callback, Html, html};

use super::part;
use crate::event::Event;
use crate::model::Model;

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    html! {
        <>
            { part::heading("What was done") }
            <p>{ "Everything that changed something, and who was refused. It is kept for 400 days; " }<code>{ "unpause audit export" }</code>{ " prints all of it." }</p>
            { part::slot(&model.page.activity, send, |(entries, has_more)| {
                if entries.is_empty() {
                    return part::empty("Nothing is on record yet.", None);
                }
                let rows = entries.iter().map(|entry| row(entry, model));
                html! {
                    <>
                        { part::table("What was done", &["When", "Who", "What", "Outcome", "From"], rows) }
                        if *has_more {
                            { part::more(entries.len(), None, send) }
                        }
                    </>
                }
            }) }
        </>
    }
}

fn row(entry: &AuditEntry, model: &Model) -> Html {
    // The name of what was made means something to programs alone.
    let fields = entry.fields.iter().filter(|(name, _)| *name != "id");
    let fields = fields.map(|(name, value)| {
        let name = name.trim_end_matches("_id").replace('_', " ");
        format!("{name} {}", tell(value, model))
    });
    let fields = fields.collect::<Vec<_>>().join(" · ");
    html! {
        <tr key={entry.request_id.to_string()}>
            <td>{ when::element(entry.at, when::past(entry.at, model.now)) }</td>
            <th scope="row">{ who(entry) }</th>
            <td>{ what(&entry.action) }<br /><span class="quiet">{ fields }</span></td>
            <td>{ outcome(entry) }</td>
            <td class="quiet">{ from(entry) }</td>
        </tr>
    }
}

/// A value in words; of inboxes and campaigns what people call them.
fn tell(value: &Value, model: &Model) -> String {
    match value {
        Value::String(text) if text.starts_with(InboxId::PREFIX) => {
            model.address_of(&InboxId::new(text.as_str()))
        }
        Value::String(text) if text.starts_with(CampaignId::PREFIX) => {
            let found = model.find_campaign(&CampaignId::new(text.as_str()));
            found.map_or_else(|| text.clone(), |campaign| campaign.name.clone())
        }
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let all: Vec<_> = all.iter().map(|one| tell(one, model)).collect();
            all.join(", ")
        }
        value => value.to_string(),
    }
}

fn who(entry: &AuditEntry) -> String {
    let account = entry.account.as_ref().map(AccountName::as_str);
    match (entry.way, account) {
        (Way::Operator, _) => "The command line".to_owned(),
        (Way::Session, Some(name)) => name.to_owned(),
        (Way::Device, Some(name)) => format!("{name}, by an extension"),
        (Way::Key, Some(name)) => format!("{name}, by a key"),
        (Way::Link, _) => "Whoever had the link".to_owned(),
        (Way::Nobody, Some(name)) => format!("Somebody as {name}"),
        (_, None) => "Somebody".to_owned(),
    }
}

fn from(entry: &AuditEntry) -> String {
    match (&entry.peer, entry.way) {
        (Some(peer), _) => peer.clone(),
        (None, Way::Operator) => "This relay's machine".to_owned(),
        (None, _) => "Many addresses".to_owned(),
    }
}

fn outcome(entry: &AuditEntry) -> String {
    let words = match entry.outcome.as_deref() {
        None => "Not known: the relay ended meanwhile",
        Some("done") => "Done",
        Some("unauthenticated") => "Not let in",
        Some("forbidden") => "Not allowed",
        Some("not_found") => "Not found",
        Some("invalid") => "Refused: not valid",
        Some("conflict") => "Refused: not possible then",
        Some(_) => "Failed",
    };
    if entry.times > 1 {
        format!("{words}, {} times", entry.times)
    } else {
        words.to_owned()
    }
}

/// What an endpoint does, in words; one that is new here by its name.
fn what(action: &str) -> &str {
    match action {
        "signIn" => "Sign in by password",
        "createSession" => "Sign in by a link",
        "acceptInvitation" => "Take an invitation",
        "setPassword" => "Set the own password",
        "createAccount" => "Make an account",
        "createInvitation" => "Make a link for a password",
        "updateAccount" => "Change an account",
        "deleteAccount" => "Remove an account",
        "createLoginLink" => "Make a sign-in link",
        "deleteSession" => "End a session",
        "deleteSessions" => "End all sessions",
        "createPairing" => "Make a pairing link",
        "createDevice" => "Pair an extension",
        "deleteDevice" => "Revoke an extension",
        "createKey" => "Make a key",
        "deleteKey" => "End a key",
        "createInbox" => "Add an inbox",
        "updateInbox" => "Correct an inbox's servers",
        "deleteInbox" => "Remove an inbox",
        "answerInbox" => "Answer what an inbox asks",
        "startReconnect" => "Begin a reconnect",
        "grantReconnect" => "Hand over a sign-in",
        "refuseReconnect" => "Give a reconnect up",
        "confirmReconnect" => "Confirm another account",
        "hostReconnect" => "Make a sign-in link for an inbox",
        "answerHostedSignIn" => "Sign in at the provider",
        "createCampaign" => "Make a campaign",
        "importLeads" => "Import leads",
        "startCampaign" => "Start a campaign",
        "pauseCampaign" => "Pause a campaign",
        "resumeCampaign" => "Resume a campaign",
        "settleDelivery" => "Decide a message",
        "settleDeliveries" => "Decide all messages in doubt",
        "putBackDeliveries" => "Put messages back",
        "updatePace" => "Change an inbox's pace",
        "keepRelay" => "Say which relay stays",
        "testAlerts" => "Test the alerts",
        "createSuppression" => "Never write to somebody",
        "deleteSuppression" => "Allow writing to somebody",
        action => action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_called_by_its_name() {
        assert_eq!(what("createKey"), "Make a key");
        assert_eq!(what("createMoon"), "createMoon");
    }
}
