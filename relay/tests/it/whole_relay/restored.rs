//! A database that was put back from a copy of its own: what was sent since is not sent again, what nothing shows is
//! held, who was stopped stays stopped, and another relay on the same ledger is met.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use protocol::campaign::Step;
use protocol::delivery::{Decision, NoEvidence, State, Suppression};
use protocol::id::{CampaignId, InboxId};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::record::NewLead;
use relay::tag::Named;
use sandbox::profile::{GENERIC, SentCopy};
use sandbox::{Options, Profile, SentCopyFault};

use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

pub(super) static NO_COPY: Profile = Profile {
    sent_copy: SentCopy::ByClient,
    ..GENERIC
};

const TIMING: &str = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\nrest_minute_ms = 20";
pub(super) const HOUR: Duration = Duration::from_hours(1);
/// A distance of an hour is a middle, 20 % more at the most.
pub(super) const LONGEST_DISTANCE: Duration = Duration::from_mins(75);
pub(super) const LEADS: [&str; 3] = ["ann@a.example", "bob@b.example", "cat@c.example"];

pub(super) async fn ground(
    profile: &'static Profile,
    provider: &'static str,
    clock: Clock,
) -> Ground {
    let options = Options {
        profile,
        // The credentials in a database that was put back are old as well: here they outlive it.
        access_token_for: Duration::from_hours(24 * 30),
        ..Options::default()
    };
    Ground::at(Client::Public, clock, TIMING, provider, options).await
}

/// A campaign to three leads, an hour apart, of which one has its message.
pub(super) async fn first_sent(ground: &Ground) -> (Relay, InboxId, CampaignId) {
    let relay = ground.start().await;
    let inbox = relay.connect(ground, HOUR).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    wait_accepted(ground, &relay, &campaign, 1).await;
    (relay, inbox, campaign)
}

pub(super) async fn wait_accepted(ground: &Ground, relay: &Relay, campaign: &CampaignId, n: usize) {
    ground
        .drive_until("a message to be accepted", async || {
            (relay.list(campaign, Some("accepted")).await.len() == n).then_some(())
        })
        .await;
}

/// Copies the plain files of a folder.
pub(super) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // A relay's socket is none.
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Lets the second message be sent after the data folder was saved, and puts that back.
async fn forget_the_second(ground: &Ground, relay: Relay, campaign: &CampaignId) -> Relay {
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    let relay = ground.start().await;
    ground.clock.advance(LONGEST_DISTANCE);
    wait_accepted(ground, &relay, campaign, 2).await;
    // Not in order: no copies are made at its end.
    relay.kill();
    copy(&ground.path("saved"), &ground.path("data"));
    ground.start().await
}

pub(super) fn recipients(ground: &Ground) -> Vec<String> {
    let delivered = ground.sandbox.control().delivered();
    delivered.into_iter().map(|one| one.recipient).collect()
}

#[tokio::test]
async fn what_was_sent_after_the_database_was_saved_is_not_sent_again() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let (relay, _, campaign) = first_sent(&ground).await;
    let relay = forget_the_second(&ground, relay, &campaign).await;
    wait_accepted(&ground, &relay, &campaign, 2).await;
    let accepted = relay.list(&campaign, Some("accepted")).await;
    let sent = ground.sandbox.control().delivered();
    let second = accepted
        .iter()
        .find(|one| one.to.as_str() == LEADS[1])
        .unwrap();
    // The restored ledger gives it the id that it had.
    let id = format!("<{}>", second.message_id.clone().unwrap());
    assert_eq!(sent[1].message_id.as_deref(), Some(id.as_str()));
    assert_eq!(second.attempts, 1);
    ground
        .drive_until("the third message", async || {
            ground.clock.advance(Duration::from_mins(5));
            (recipients(&ground).len() >= 3).then_some(())
        })
        .await;
    assert_eq!(recipients(&ground), LEADS);
    relay.stop().await;
}

#[tokio::test]
async fn what_nothing_shows_is_held_for_a_person_who_says_what_was_sent() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let (relay, _, campaign) = first_sent(&ground).await;
    let relay = forget_the_second(&ground, relay, &campaign).await;
    let held = ground
        .drive_until("what may be sent to be held", async || {
            let held = relay.list(&campaign, Some("unsettled")).await;
            (held.len() == 2).then_some(held)
        })
        .await;
    for one in &held {
        assert_eq!(one.no_evidence, Some(NoEvidence::Restored), "{one:?}");
    }
    for _ in 0..20 {
        ground.clock.advance(HOUR);
    }
    let app = relay.app();
    for (lead, decision) in [(LEADS[1], Decision::Leave), (LEADS[2], Decision::SendAgain)] {
        let one = held.iter().find(|one| one.to.as_str() == lead).unwrap();
        app.store
            .record_decision(&one.id, decision, app.clock.now())
            .await
            .unwrap();
    }
    app.bell.wake_inboxes();
    ground
        .drive_until("the third message", async || {
            ground.clock.advance(Duration::from_mins(5));
            (recipients(&ground).len() >= 3).then_some(())
        })
        .await;
    assert_eq!(recipients(&ground), LEADS);
    relay.stop().await;
}

#[tokio::test]
async fn what_a_server_that_makes_no_copies_any_more_does_not_show_is_held() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let (relay, _, campaign) = first_sent(&ground).await;
    let control = ground.sandbox.control();
    control.set_sent_copy(Some(SentCopyFault::Never));
    let relay = forget_the_second(&ground, relay, &campaign).await;
    let held = ground
        .drive_until("what may be sent to be held", async || {
            let held = relay.list(&campaign, Some("unsettled")).await;
            (held.len() == 2).then_some(held)
        })
        .await;
    let held: Vec<_> = held.iter().map(|one| one.to.as_str()).collect();
    assert_eq!(held, LEADS[1..]);
    assert_eq!(recipients(&ground), LEADS[..2]);
    relay.stop().await;
}

/// A draft to these leads, which nobody has started.
pub(super) async fn draft(
    relay: &Relay,
    inbox: &InboxId,
    leads: &[&str],
    n_steps: usize,
) -> CampaignId {
    let app = relay.app();
    let first = Step {
        subject: "Hello".to_owned(),
        body: "This is the message.".to_owned(),
        wait_ms: 0,
        ..Step::default()
    };
    let mut steps = vec![first; n_steps];
    for later in steps.iter_mut().skip(1) {
        later.wait_ms = 3_600_000;
    }
    let inboxes = std::slice::from_ref(inbox);
    let now = app.clock.now();
    let campaign = app.store.create_campaign("Draft", inboxes, &steps, now);
    let campaign = campaign.await.unwrap().id;
    let leads: Vec<_> = (2..)
        .zip(leads)
        .map(|(row, address)| NewLead {
            row,
            address: address.parse().unwrap(),
            fields: BTreeMap::new(),
        })
        .collect();
    app.store.import_leads(&campaign, &leads).await.unwrap();
    campaign
}

#[tokio::test]
async fn a_draft_that_may_have_been_started_is_held_when_it_is_started() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let campaign = draft(&relay, &inbox, &LEADS, 1).await;
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));

    let relay = ground.start().await;
    let start = async |relay: &Relay| {
        let app = relay.app();
        let now = app.clock.now();
        app.store.start_campaign(&campaign, now).await.unwrap();
        app.bell.wake_inboxes();
    };
    start(&relay).await;
    wait_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    relay.kill();
    copy(&ground.path("saved"), &ground.path("data"));

    let relay = ground.start().await;
    ground
        .drive_until("what is missing to be asked", async || {
            relay.app().watch.is_settled(&inbox).then_some(())
        })
        .await;
    start(&relay).await;
    let held = relay.list(&campaign, Some("unsettled")).await;
    assert_eq!(held.len(), LEADS.len(), "{held:?}");
    for _ in 0..20 {
        ground.clock.advance(HOUR);
    }
    assert_eq!(recipients(&ground), LEADS);
    let sent = held.iter().find(|one| one.to.as_str() == LEADS[2]).unwrap();
    let (app, again) = (relay.app(), Decision::SendAgain);
    let now = app.clock.now();
    app.store
        .record_decision(&sent.id, again, now)
        .await
        .unwrap();
    app.bell.wake_inboxes();
    ground
        .drive_until("what a person wants sent", async || {
            (recipients(&ground).len() > LEADS.len()).then_some(())
        })
        .await;
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_was_only_off_holds_nothing() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let (relay, _, campaign) = first_sent(&ground).await;
    relay.kill();
    ground.clock.advance(LONGEST_DISTANCE);
    let relay = ground.start().await;
    wait_accepted(&ground, &relay, &campaign, 2).await;
    assert_eq!(relay.list(&campaign, Some("unsettled")).await, []);
    relay.stop().await;
}

#[tokio::test]
async fn who_was_stopped_after_the_database_was_saved_stays_stopped() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let (relay, _, campaign) = first_sent(&ground).await;
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    let relay = ground.start().await;
    ground.clock.advance(Duration::from_mins(1));
    let planned = relay.list(&campaign, Some("planned")).await;
    let second = planned
        .iter()
        .find(|one| one.to.as_str() == LEADS[1])
        .unwrap();
    let now = relay.app().clock.now();
    assert!(
        relay
            .app()
            .store
            .note_complaint(&second.lead, now)
            .await
            .unwrap()
    );
    let [kept, taken_off] = ["never.example", "again.example"].map(|whom| whom.parse().unwrap());
    let store = &relay.app().store;
    store.suppress(&kept, now).await.unwrap();
    store.suppress(&taken_off, now).await.unwrap();
    assert!(store.allow_again(&taken_off, now).await.unwrap());
    relay.stop().await;
    copy(&ground.path("saved"), &ground.path("data"));

    let relay = ground.start().await;
    let suppressed = relay
        .list(&campaign, Some("suppressed"))
        .await
        .pop()
        .unwrap();
    assert_eq!(suppressed.to.as_str(), LEADS[1]);
    let why = Suppression::Complained;
    assert_eq!(suppressed.status, State::Suppressed { why });
    let listed = relay.app().store.list_suppressed(None, 10).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|one| one.whom.as_str()).collect();
    assert_eq!(listed, [LEADS[1], "never.example"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_copy_that_another_relay_makes_stops_everything_until_a_person_says_which_stays() {
    let ground = ground(&GENERIC, "sandbox", Clock::system()).await;
    let (relay, inbox, campaign) = first_sent(&ground).await;
    let app = relay.app();
    let planned = relay.list(&campaign, Some("planned")).await;
    let second = planned
        .iter()
        .find(|one| one.to.as_str() == LEADS[1])
        .unwrap();
    let named = Named {
        campaign: &campaign,
        lead: &second.lead,
        step: 1,
        resends: 0,
    };
    let tag = app.keys.tags().make(&named);
    // What a process before this one sent may be copied this late.
    let late = app.watch.started_at() + Duration::from_secs(5);
    wait_for("copies to have had their time", async || {
        (app.clock.now() > late).then_some(())
    })
    .await;
    let copied = format!(
        "From: {JANE}\r\nTo: {}\r\nSubject: Hello\r\nMessage-ID: <{tag}@acme.example>\r\nX-Correlation-ID: {tag}\r\n\r\nHello\r\n",
        LEADS[1]
    );
    ground.sandbox.control().deliver_into(JANE, "Sent", copied);
    wait_for("the other relay to be met", async || {
        app.store.find_another_relay().await.unwrap()
    })
    .await;
    wait_accepted(&ground, &relay, &campaign, 2).await;
    assert_eq!(recipients(&ground), LEADS[..1]);

    let operator = operator(&ground);
    let ask = |method, path: &str| operator.request(method, relay.url(path)).send();
    let shown = ask(reqwest::Method::GET, "/v1/ledger").await.unwrap();
    let shown: serde_json::Value = shown.json().await.unwrap();
    assert!(shown["another_relay_since"].is_string(), "{shown}");
    let kept = ask(reqwest::Method::POST, "/v1/ledger/keep").await.unwrap();
    assert!(kept.status().is_success(), "{kept:?}");
    assert_eq!(app.store.find_another_relay().await.unwrap(), None);
    let again = ask(reqwest::Method::POST, "/v1/ledger/keep").await.unwrap();
    assert_eq!(again.status(), 409);
    assert!(app.watch.is_settled(&inbox));
    relay.stop().await;
}

#[tokio::test]
async fn a_mark_that_another_relay_writes_stops_everything() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let (relay, _, campaign) = first_sent(&ground).await;
    let path = ground.path("unpause.mark");
    let text = fs::read_to_string(&path).unwrap();
    let mut mark: serde_json::Value = serde_json::from_str(&text).unwrap();
    mark["run"] = "of-another-relay".into();
    fs::write(&path, mark.to_string()).unwrap();
    ground
        .drive_until("the other relay to be met", async || {
            relay.app().store.find_another_relay().await.unwrap()
        })
        .await;
    ground.clock.advance(HOUR);
    relay.stop().await;
    // A restart is no answer.
    let relay = ground.start().await;
    ground.clock.advance(HOUR);
    let since = relay.app().store.find_another_relay().await.unwrap();
    assert!(since.is_some());
    assert_eq!(recipients(&ground), LEADS[..1]);
    assert!(relay.app().store.stay().await.unwrap());
    ground
        .drive_until("the second message", async || {
            (recipients(&ground).len() >= 2).then_some(())
        })
        .await;
    let _ = campaign;
    relay.stop().await;
}

#[tokio::test]
async fn a_second_relay_on_the_same_mark_does_not_start() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let relay = ground.start().await;
    let mut config = ground.config();
    config.data = ground.path("other");
    let refused = ground.try_start_with(config).await.err().unwrap();
    let words = refused.to_string();
    assert!(
        words.starts_with("another relay is using the mark ") && words.contains("`mark_file`"),
        "{words}"
    );
    assert!(!ground.path("other").exists(), "it left a file behind");
    relay.stop().await;
}

#[tokio::test]
async fn a_list_that_is_imported_again_holds_whom_lost_messages_went_to() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    let relay = ground.start().await;
    let lost = relay.start_campaign(&inbox, &LEADS[..2], 1).await;
    wait_accepted(&ground, &relay, &lost, 2).await;
    relay.stop().await;
    copy(&ground.path("saved"), &ground.path("data"));

    let relay = ground.start().await;
    ground
        .drive_until("the lost messages to be found", async || {
            let ledger = relay.app().store.load_ledger().await.unwrap();
            (ledger.written_to.len() == 2 && ledger.comparing.is_empty()).then_some(())
        })
        .await;
    let again = relay.start_campaign(&inbox, &LEADS, 1).await;
    ground
        .drive_until("the third lead to be written to", async || {
            (recipients(&ground).len() >= 3).then_some(())
        })
        .await;
    let held = relay.list(&again, Some("unsettled")).await;
    let held: Vec<&str> = held.iter().map(|one| one.to.as_str()).collect();
    assert_eq!(held, LEADS[..2]);
    assert_eq!(recipients(&ground), LEADS);
    relay.stop().await;
}

pub(super) fn manual() -> Clock {
    Clock::manual(Timestamp::from_ms(1_795_417_920_000))
}
