//! What a view is shown of what the background knows. Pure.

use std::collections::BTreeMap;

use protocol::campaign;
use protocol::id::InboxId;
use protocol::request::campaign::Campaign;
use protocol::request::inbox::{ConnectionState, Inbox};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::card::{self, Card, Progress};

use super::record::{Reach, Record};
use super::sites;
use crate::flow::authorization::redirect_uri;
use crate::flow::{Ending, State};
use crate::message::{Quiet, Relay, Snapshot};

/// The links for another browser that are in memory. Whoever has one can sign in once.
pub type Links = BTreeMap<InboxId, Secret>;

/// What the popup and the options page show.
pub fn draw(record: &Record, links: &Links) -> Snapshot {
    let campaigns = campaigns(record);
    let mut loud: Vec<&Inbox> = record
        .inboxes()
        .iter()
        .filter(|inbox| is_loud(record, inbox))
        .collect();
    loud.sort_by_key(|inbox| lost_at(record, inbox));
    let working = record
        .inboxes()
        .iter()
        .filter(|inbox| !is_loud(record, inbox));
    let cards: Vec<Card> = loud
        .into_iter()
        .map(|inbox| draw_card(record, links.get(&inbox.id), inbox))
        .collect();
    let is_well = cards.is_empty()
        && record
            .inboxes()
            .iter()
            .all(|inbox| inbox.connection.state == ConnectionState::Connected);
    Snapshot {
        relay: relay(record),
        well: if is_well {
            all_well(record.inboxes().len(), campaigns)
        } else {
            String::new()
        },
        cards,
        working: working
            .map(|inbox| Quiet {
                address: inbox.address.to_string(),
                doing: doing(inbox, campaigns),
            })
            .collect(),
        sites: sites::list(record),
        pairing_problem: record.pairing_problem.clone(),
        redirects: redirects(record),
    }
}

/// What a prompt shows: the card of its inbox, without a link, or nothing at all.
pub fn draw_prompt(record: &Record, inbox: Option<&InboxId>) -> Snapshot {
    let card = inbox.and_then(|id| {
        let inbox = record.inboxes().iter().find(|inbox| inbox.id == *id)?;
        Some(draw_card(record, None, inbox))
    });
    Snapshot {
        relay: match &card {
            Some(_) => relay(record),
            None => Relay::NotPaired,
        },
        cards: card.into_iter().collect(),
        working: Vec::new(),
        well: String::new(),
        sites: Vec::new(),
        pairing_problem: None,
        redirects: Vec::new(),
    }
}

/// What an inbox does that needs no attention, in the words of the other surfaces.
fn doing(inbox: &Inbox, campaigns: &[Campaign]) -> String {
    if inbox.connection.state != ConnectionState::Connected {
        return inbox.connection.state.word().to_owned();
    }
    let n = campaigns
        .iter()
        .filter(|campaign| campaign.inboxes.contains(&inbox.id))
        .count();
    match n {
        0 => String::new(),
        1 => "1 campaign".to_owned(),
        n => format!("{n} campaigns"),
    }
}

fn all_well(n_inboxes: usize, campaigns: &[Campaign]) -> String {
    let inboxes = match n_inboxes {
        1 => "Your inbox is connected.".to_owned(),
        n => format!("All {n} inboxes are connected."),
    };
    let n_sending = campaigns
        .iter()
        .filter(|campaign| matches!(campaign.status, campaign::State::Running))
        .count();
    match n_sending {
        0 => format!("{inboxes} No campaign is sending."),
        1 => format!("{inboxes} 1 campaign is sending."),
        n => format!("{inboxes} {n} campaigns are sending."),
    }
}

fn draw_card(record: &Record, made: Option<&Secret>, inbox: &Inbox) -> Card {
    let mut progress = record.flow(&inbox.id).progress();
    if let Some(Progress::Elsewhere { link }) = &mut progress {
        *link = made.cloned();
    }
    card::draw(inbox, campaigns(record), progress.as_ref())
}

fn is_loud(record: &Record, inbox: &Inbox) -> bool {
    inbox.connection.state == ConnectionState::Disconnected || record.flow(&inbox.id) != State::Idle
}

/// When the outage of a card began, so that a card stays where it is when it ends well.
fn lost_at(record: &Record, inbox: &Inbox) -> Timestamp {
    match record.flow(&inbox.id) {
        State::Over {
            ending:
                Ending::Resumed {
                    receipt: Some(receipt),
                    ..
                },
        } => receipt.lost_at,
        _ => inbox.connection.since,
    }
}

fn campaigns(record: &Record) -> &[Campaign] {
    record
        .passing
        .status
        .as_ref()
        .map_or(&[], |status| status.campaigns.as_slice())
}

fn relay(record: &Record) -> Relay {
    let Some(paired) = &record.kept.paired else {
        return Relay::NotPaired;
    };
    let (url, fingerprint) = (paired.relay.clone(), paired.key.fingerprint());
    match record.passing.reach {
        Reach::Revoked => Relay::Revoked { url },
        Reach::Gone | Reach::Other => Relay::Gone {
            url,
            fingerprint,
            last_at: record.passing.last_at,
            is_other: record.passing.reach == Reach::Other,
        },
        Reach::Here => Relay::Here { url, fingerprint },
        Reach::Unknown => Relay::Asking { url, fingerprint },
    }
}

fn redirects(record: &Record) -> Vec<String> {
    let (Some(base), Some(status)) = (&record.redirect_base, &record.passing.status) else {
        return Vec::new();
    };
    let mut redirects: Vec<String> = status
        .sites
        .iter()
        .map(|site| redirect_uri(base, &site.provider))
        .collect();
    redirects.dedup();
    redirects
}

#[cfg(test)]
mod tests {
    use web::card::{Face, Link};

    use super::super::example;
    use super::*;
    use crate::flow;

    #[test]
    fn what_needs_the_person_comes_first_and_longest_first() {
        let mut record = example::record(ConnectionState::Connected, 1);
        let status = example::status(vec![
            example::inbox("ada", ConnectionState::Disconnected, 9),
            example::inbox("bob", ConnectionState::Checking, 3),
            example::inbox("cleo", ConnectionState::Disconnected, 5),
            example::inbox("dan", ConnectionState::Connected, 1),
            example::inbox("eve", ConnectionState::Waiting, 2),
        ]);
        record.note_status(status, None, Timestamp::from_ms(0));
        let snapshot = draw(&record, &Links::new());
        let cards: Vec<&str> = snapshot
            .cards
            .iter()
            .map(|card| card.address.as_str())
            .collect();
        assert_eq!(cards, ["cleo@acme.example", "ada@acme.example"]);
        let working: Vec<(&str, &str)> = snapshot
            .working
            .iter()
            .map(|quiet| (quiet.address.as_str(), quiet.doing.as_str()))
            .collect();
        assert_eq!(
            working,
            [
                ("bob@acme.example", "being checked"),
                ("dan@acme.example", "1 campaign"),
                ("eve@acme.example", "waiting")
            ]
        );
        assert_eq!(snapshot.well, "");
    }

    #[test]
    fn all_is_well_where_every_inbox_is_connected_and_not_where_one_waits() {
        let mut record = example::record(ConnectionState::Connected, 1);
        assert_eq!(
            draw(&record, &Links::new()).well,
            "Your inbox is connected. 1 campaign is sending."
        );
        assert_eq!(draw(&record, &Links::new()).working[0].doing, "1 campaign");
        for (state, well) in [
            (
                ConnectionState::Connected,
                "All 2 inboxes are connected. 1 campaign is sending.",
            ),
            (ConnectionState::Waiting, ""),
            (ConnectionState::Checking, ""),
            (ConnectionState::Disconnected, ""),
        ] {
            let jane = example::inbox("jane", ConnectionState::Connected, 1);
            let status = example::status(vec![jane, example::inbox("bob", state, 3)]);
            record.note_status(status, None, Timestamp::from_ms(0));
            assert_eq!(draw(&record, &Links::new()).well, well, "{state:?}");
        }
    }

    #[test]
    fn a_card_stays_while_its_reconnect_has_something_to_say() {
        let mut record = example::record(ConnectionState::Connected, 1);
        assert!(draw(&record, &Links::new()).cards.is_empty());
        let state = flow::State::Starting {
            wish: flow::Wish::default(),
            deadline: Timestamp::from_ms(9),
        };
        record.set_flow(&InboxId::new("inb_jane"), state);
        assert_eq!(draw(&record, &Links::new()).cards.len(), 1);
    }

    #[test]
    fn a_link_is_shown_on_pages_of_ours_alone_and_only_while_it_waits() {
        let mut record = example::record(ConnectionState::Disconnected, 1);
        let jane = InboxId::new("inb_jane");
        let link = Secret::new("https://relay.example/oauth/start?ticket=t1cket");
        let links = Links::from([(jane.clone(), link.clone())]);
        let shown = |snapshot: Snapshot| match snapshot.cards.into_iter().next().unwrap().face {
            Face::Working { link, .. } => link,
            _ => None,
        };
        assert_eq!(shown(draw(&record, &links)), None, "nothing is under way");
        record.set_flow(&jane, example::waiting_elsewhere());
        assert_eq!(shown(draw(&record, &links)), Some(Link::Here(link)));
        assert_eq!(
            shown(draw(&record, &Links::new())),
            Some(Link::Gone),
            "the worker was ended since"
        );
        let prompt = draw_prompt(&record, Some(&jane));
        assert_eq!(shown(prompt), Some(Link::Gone));
    }

    #[test]
    fn a_prompt_shows_its_inbox_and_a_false_one_nothing() {
        let mut record = example::record(ConnectionState::Disconnected, 1);
        record.redirect_base = Some("https://abc.chromiumapp.org/".to_owned());
        let jane = InboxId::new("inb_jane");
        let shown = draw_prompt(&record, Some(&jane));
        assert_eq!(shown.cards.len(), 1);
        assert!(shown.working.is_empty() && shown.redirects.is_empty());
        let nothing = draw_prompt(&record, None);
        assert!(nothing.cards.is_empty());
        assert_eq!(nothing.relay, Relay::NotPaired);
        assert_eq!(
            draw(&record, &Links::new()).redirects,
            ["https://abc.chromiumapp.org/oauth/sandbox"]
        );
    }
}
