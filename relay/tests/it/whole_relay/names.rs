//! A provider that replaces the ids of messages, and does not tell: what it made of them is read from the sent
//! folder, so that follow-ups stay in their thread and answers are known.

use std::time::Duration;

use protocol::delivery::{State, Suppression};
use protocol::id::InboxId;
use protocol::reconnect::{Grant, State as ReconnectState};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::profile::{GENERIC, MessageIds};
use sandbox::{Options, Profile};

use crate::app::{Client, Ground, JANE, PASSWORD, Relay};

/// As Exchange does it, where its reply does not name the new id.
static REPLACES: Profile = Profile {
    message_ids: MessageIds::Replaced {
        original_in: "X-Microsoft-Original-Message-ID",
        told: false,
    },
    ..GENERIC
};

/// The same, where the reply to the final dot names the new id.
static TELLS: Profile = Profile {
    message_ids: MessageIds::Replaced {
        original_in: "X-Microsoft-Original-Message-ID",
        told: true,
    },
    ..GENERIC
};

const LEADS: [&str; 2] = ["ann@a.example", "bob@b.example"];

async fn start(profile: &'static Profile) -> Ground {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let options = Options {
        profile,
        ..Options::default()
    };
    Ground::at(
        Client::Public,
        clock,
        "poll_ms = 60000",
        "microsoft",
        options,
    )
    .await
}

async fn connect(relay: &Relay) -> InboxId {
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = Grant::Password {
        user: JANE.to_owned(),
        password: Secret::new(PASSWORD),
    };
    let reconnect = relay.grant(&inbox, &grant).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(
        matches!(outcome, ReconnectState::Resumed { .. }),
        "{outcome:?}"
    );
    inbox
}

/// Row: id rewritten and not told | the server replaces the Message-ID; its reply does not name it | accepted | nobody | the message is accepted
#[tokio::test]
async fn an_id_that_was_replaced_in_silence_is_learned_and_its_answers_are_known() {
    let ground = start(&REPLACES).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&relay).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    ground
        .drive_until("the first messages", async || {
            let accepted = relay.list(&campaign, Some("accepted")).await;
            (accepted.len() == LEADS.len()).then_some(())
        })
        .await;
    // The relay ends before it has looked, and Ann answers to the id that she knows.
    relay.stop().await;
    let theirs = |lead: &str| {
        let delivered = control.delivered();
        let to_lead = delivered.iter().rfind(|message| message.recipient == lead);
        let text = String::from_utf8_lossy(&to_lead.unwrap().raw).into_owned();
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("Message-ID: <")?.strip_suffix('>'));
        (id.unwrap().to_owned(), text.clone())
    };
    let (anns, _) = theirs(LEADS[0]);
    control.deliver(
        JANE,
        format!(
            "From: {}\r\nIn-Reply-To: <{anns}>\r\n\r\nGladly.\r\n",
            LEADS[0]
        ),
    );
    let relay = ground.start().await;
    let all = ground
        .drive_until("the names and the answer", async || {
            let all = relay.list(&campaign, None).await;
            let named = all
                .iter()
                .filter(|row| row.step == 1 && row.wire_id.is_some());
            let answered = |row: &&_| {
                let row: &protocol::request::delivery::Delivery = row;
                row.status
                    == State::Suppressed {
                        why: Suppression::Replied,
                    }
            };
            (named.count() == LEADS.len() && all.iter().any(|row| answered(&row))).then_some(all)
        })
        .await;
    for row in all.iter().filter(|row| row.step == 1) {
        let (id, _) = theirs(row.to.as_str());
        assert_eq!(row.wire_id.as_ref(), Some(&id));
        assert_ne!(row.wire_id, row.message_id);
    }

    // The follow-up to Bob carries both, the one that he knows last.
    let first = all
        .iter()
        .find(|row| row.step == 1 && row.to.as_str() == LEADS[1])
        .unwrap();
    // The wait passes only while Jane's inbox can send: from when all that arrived is read.
    ground
        .drive_until("the gap to be read", async || {
            (!relay.inbox(&inbox).await.gap_open).then_some(())
        })
        .await;
    ground.clock.advance(Duration::from_hours(1));
    ground
        .drive_until("the follow-up", async || {
            (control.delivered().len() == LEADS.len() + 1).then_some(())
        })
        .await;
    let (_, follow_up) = theirs(LEADS[1]);
    let (ours, wire) = (
        first.message_id.as_ref().unwrap(),
        first.wire_id.as_ref().unwrap(),
    );
    let unfolded = follow_up.replace("\r\n ", " ");
    assert!(
        unfolded.contains(&format!("References: <{ours}> <{wire}>")),
        "{follow_up}"
    );
    assert!(
        unfolded.contains(&format!("In-Reply-To: <{wire}>")),
        "{follow_up}"
    );
    relay.stop().await;
}

/// Row: id rewritten and told | the server replaces the Message-ID; its 250 names it | accepted | nobody | the message is accepted
#[tokio::test]
async fn an_id_that_was_replaced_and_told_is_known_from_the_reply() {
    let ground = start(&TELLS).await;
    let relay = ground.start().await;
    let inbox = connect(&relay).await;
    let campaign = relay.start_campaign(&inbox, &LEADS[..1], 1).await;
    let accepted = ground
        .drive_until("the message", async || {
            relay.list(&campaign, Some("accepted")).await.pop()
        })
        .await;
    let delivered = ground.sandbox.control().delivered();
    let text = String::from_utf8_lossy(&delivered[0].raw).into_owned();
    let theirs = text
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: <")?.strip_suffix('>'));
    assert_eq!(accepted.wire_id.as_deref(), theirs);
    assert_ne!(accepted.wire_id, accepted.message_id);
    relay.stop().await;
}
