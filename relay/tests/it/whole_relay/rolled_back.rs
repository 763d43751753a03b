//! Data, key and mark put back together, as a rolled-back machine has them, and two relays that run on copies of all of
//! it: only copies in the sent folder tell. What was met in the time that is lost is not lost with it.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::time::Duration;

use protocol::cause::Cause;
use protocol::delivery::{State, Suppression};
use protocol::evidence::Stage;
use protocol::id::{CampaignId, InboxId};
use protocol::request::delivery::Delivery;
use protocol::standing::{Alike, Refusal, Remote};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::config::Config;
use relay::store::addressed::Addressed;
use relay::store::doubt::Bounced;
use relay::store::standing::Which;
use sandbox::profile::{GENERIC, SentCopy};
use sandbox::{Options, Profile};

use super::restored::{
    HOUR, LEADS, LONGEST_DISTANCE, copy, draft, first_sent, ground, manual, recipients,
    wait_accepted,
};
use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

static LATE: Profile = Profile {
    sent_copy: SentCopy::ByServer {
        late_by: Duration::from_secs(1),
    },
    ..GENERIC
};

/// What is beside the data folder.
const BESIDE: [&str; 3] = ["unpause.key", "unpause.mark", "unpause.stops"];

/// A relay whose inbox is connected.
async fn connected(ground: &Ground, distance: Duration) -> (Relay, InboxId) {
    let relay = ground.start().await;
    let inbox = relay.connect(ground, distance).await;
    (relay, inbox)
}

/// Copies everything that a relay keeps from one folder of the ground to another.
fn copy_all(ground: &Ground, from: &str, to: &str) {
    fs::create_dir_all(ground.path(to)).unwrap();
    copy(
        &ground.path(from).join("data"),
        &ground.path(to).join("data"),
    );
    for name in BESIDE {
        let from = ground.path(from).join(name);
        if from.exists() {
            fs::copy(from, ground.path(to).join(name)).unwrap();
        }
    }
}

async fn start(relay: &Relay, campaign: &CampaignId) {
    let app = relay.app();
    let now = app.clock.now();
    app.store.start_campaign(campaign, now).await.unwrap();
    app.bell.wake_inboxes();
}

async fn pace_of(ground: &Ground, relay: &Relay, inbox: &InboxId) -> serde_json::Value {
    let asked = operator(ground)
        .get(relay.url(&format!("/v1/inboxes/{inbox}/pace")))
        .send();
    asked.await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_rolled_back_machine_waits_for_the_copies_of_what_was_sent_last() {
    let ground = ground(&LATE, "sandbox", Clock::system()).await;
    let (relay, inbox) = connected(&ground, Duration::ZERO).await;
    let campaign = draft(&relay, &inbox, &LEADS, 2).await;
    relay.stop().await;
    copy_all(&ground, "", "saved");
    let relay = ground.start().await;
    start(&relay, &campaign).await;
    wait_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    // Before the copies have come.
    relay.stop().await;
    assert_eq!(recipients(&ground), LEADS);
    copy_all(&ground, "saved", "");
    let sent = ground.sandbox.control().delivered();
    let id = sent[0].message_id.clone().unwrap();
    let answer = format!(
        "From: {}\r\nTo: {JANE}\r\nSubject: Re: Hello\r\nMessage-ID: <answer@a.example>\r\n\
         In-Reply-To: {id}\r\n\r\nNot now.\r\n",
        LEADS[0]
    );
    ground.sandbox.control().deliver(JANE, answer);
    let relay = ground.start().await;
    start(&relay, &campaign).await;
    let pace = pace_of(&ground, &relay, &inbox).await;
    assert_eq!(pace["held_by"], "copies", "{pace}");
    assert!(pace["not_before"].is_string(), "{pace}");
    wait_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    wait_for("nothing to hold it any more", async || {
        let pace = pace_of(&ground, &relay, &inbox).await;
        pace.get("held_by").is_none().then_some(())
    })
    .await;
    // What the answer names was not known when it was read first.
    let stopped = wait_for("who answered to be stopped", async || {
        relay.list(&campaign, Some("suppressed")).await.pop()
    })
    .await;
    assert_eq!(stopped.to.as_str(), LEADS[0]);
    assert_eq!(recipients(&ground), LEADS);
    relay.stop().await;
}

#[tokio::test]
async fn an_inbox_whose_server_makes_no_copies_waits_for_none_at_a_start() {
    let ground = ground(&super::restored::NO_COPY, "openid", manual()).await;
    let (relay, inbox) = connected(&ground, Duration::ZERO).await;
    relay.stop().await;
    let relay = ground.start().await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    // The clock stands.
    wait_for("the messages", async || {
        (recipients(&ground).len() == LEADS.len()).then_some(())
    })
    .await;
    let _ = campaign;
    relay.stop().await;
}

#[tokio::test]
async fn a_second_copy_of_one_message_is_another_relays_and_one_that_was_moved_is_not() {
    let ground = ground(&GENERIC, "sandbox", Clock::system()).await;
    let (relay, inbox, campaign) = first_sent(&ground).await;
    let app = relay.app();
    let late = app.watch.started_at() + Duration::from_secs(5);
    wait_for("copies to have had their time", async || {
        (app.clock.now() > late).then_some(())
    })
    .await;
    let sent = ground.sandbox.control().delivered();
    let raw = String::from_utf8(sent[0].raw.to_vec()).unwrap();
    let n_shown = async || {
        let folder = ground.sandbox.control().folder(JANE, "Sent").unwrap();
        folder.messages.len()
    };
    let before = n_shown().await;
    // A person moves it to another folder and back.
    ground
        .sandbox
        .control()
        .deliver_into(JANE, "Sent", raw.clone());
    // What comes behind it is compared after it.
    let planned = relay.list(&campaign, Some("planned")).await;
    assert_eq!((before, planned.len()), (1, 2));
    let compared_from = app.clock.now() + Duration::from_secs(1);
    wait_for("it to be compared", async || {
        (app.clock.now() > compared_from).then_some(())
    })
    .await;
    assert_eq!(app.store.find_another_relay().await.unwrap(), None);

    let date = raw.lines().find(|line| line.starts_with("Date:")).unwrap();
    let again = raw.replace(date, "Date: Mon, 5 Jan 2026 10:00:00 +0000");
    ground.sandbox.control().deliver_into(JANE, "Sent", again);
    wait_for("the other relay to be met", async || {
        app.store.find_another_relay().await.unwrap()
    })
    .await;
    assert!(app.watch.is_settled(&inbox));
    relay.stop().await;
}

fn twin(ground: &Ground) -> Config {
    let mut config = ground.config();
    config.data = ground.path("twin/data");
    config.key_file = ground.path("twin/unpause.key");
    config.mark_file = ground.path("twin/unpause.mark");
    config
}

#[tokio::test]
async fn two_relays_on_live_copies_double_what_leaves_within_a_distance_and_then_stop() {
    // INBOX is read by the minute: the claims themselves have to see it.
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 60000";
    let options = Options {
        profile: &GENERIC,
        access_token_for: HOUR,
        ..Options::default()
    };
    let ground = Ground::at(Client::Public, Clock::system(), timing, "sandbox", options).await;
    let (relay, inbox) = connected(&ground, Duration::from_secs(1)).await;
    let leads: Vec<String> = (0..25).map(|n| format!("lead{n}@a{n}.example")).collect();
    let leads: Vec<&str> = leads.iter().map(String::as_str).collect();
    let campaign = draft(&relay, &inbox, &leads, 1).await;
    relay.stop().await;
    copy_all(&ground, "", "twin");
    let first = ground.start().await;
    let second = ground.try_start_with(twin(&ground)).await.unwrap();
    start(&first, &campaign).await;
    start(&second, &campaign).await;
    wait_for("one of the two to stop", async || {
        for relay in [&first, &second] {
            let met = relay.app().store.find_another_relay().await.unwrap();
            // One that began later takes what the other has sent for lost, and holds the rest for a person.
            let held = relay.list(&campaign, Some("unsettled")).await;
            if met.is_some() || !held.is_empty() {
                return Some(());
            }
        }
        None
    })
    .await;
    let mut times: HashMap<String, usize> = HashMap::new();
    for recipient in recipients(&ground) {
        *times.entry(recipient).or_default() += 1;
    }
    assert!(!times.is_empty());
    let n_doubled = times.values().filter(|n| **n > 1).count();
    assert!(n_doubled <= 2, "{times:?}");
    first.stop().await;
    second.stop().await;
}

fn bounced(gateway: &str) -> Bounced {
    Bounced {
        refusal: Refusal {
            alike: Alike {
                stage: Stage::Body,
                code: None,
                enhanced: None,
            },
            cause: Cause::RecipientRejected,
            is_inbox_wide: false,
            words: "no such mailbox".to_owned(),
        },
        remote: Remote::Other(gateway.to_owned()),
    }
}

async fn note_bounce(relay: &Relay, of: &Delivery) {
    let store = &relay.app().store;
    let inboxes = store.list_inboxes().await.unwrap();
    let addressed = Addressed {
        delivery: of.id.clone(),
        inbox: inboxes[0].id.clone(),
        lead: of.lead.clone(),
        address: of.to.to_string(),
    };
    let now = relay.app().clock.now();
    let bounced = bounced("gateway.example");
    let stopped = store.note_bounce(&addressed, &bounced, now).await;
    assert!(stopped.unwrap());
}

#[tokio::test]
async fn who_bounced_after_the_database_was_saved_stays_stopped_and_who_was_put_back_does_not() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let (relay, inbox) = connected(&ground, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    wait_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    let relay = ground.start().await;
    let accepted = relay.list(&campaign, Some("accepted")).await;
    let of = |lead: &str| accepted.iter().find(|one| one.to.as_str() == lead).unwrap();
    for lead in [LEADS[0], LEADS[1]] {
        note_bounce(&relay, of(lead)).await;
    }
    let which = Which {
        delivery: Some(of(LEADS[1]).id.clone()),
        ..Which::default()
    };
    let store = &relay.app().store;
    let now = relay.app().clock.now();
    let back = store.put_back_deliveries(&campaign, &which, now).await;
    assert_eq!(back.unwrap().moved, 1);
    relay.stop().await;
    copy(&ground.path("saved"), &ground.path("data"));

    let relay = ground.start().await;
    let stopped = relay.list(&campaign, Some("suppressed")).await;
    let stopped: Vec<_> = stopped
        .iter()
        .map(|one| (one.to.as_str(), one.status.clone()))
        .collect();
    let why = Suppression::Bounced;
    assert_eq!(stopped, [(LEADS[0], State::Suppressed { why })]);
    let planned = relay.list(&campaign, Some("planned")).await;
    let planned: BTreeSet<&str> = planned.iter().map(|one| one.to.as_str()).collect();
    assert_eq!(planned, BTreeSet::from([LEADS[1], LEADS[2]]));
    relay.stop().await;
}

#[tokio::test]
async fn who_answered_in_the_lost_time_after_a_bounce_is_not_put_back() {
    let ground = ground(&GENERIC, "sandbox", manual()).await;
    let (relay, inbox) = connected(&ground, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    wait_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    let accepted = relay.list(&campaign, Some("accepted")).await;
    let of = |lead: &str| accepted.iter().find(|one| one.to.as_str() == lead).unwrap();
    for lead in [LEADS[0], LEADS[1]] {
        note_bounce(&relay, of(lead)).await;
    }
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    let relay = ground.start().await;
    let answered = Addressed {
        inbox: inbox.clone(),
        delivery: of(LEADS[0]).id.clone(),
        lead: of(LEADS[0]).lead.clone(),
        address: LEADS[0].to_owned(),
    };
    let now = relay.app().clock.now();
    relay.app().store.note_reply(&answered, now).await.unwrap();
    relay.stop().await;
    copy(&ground.path("saved"), &ground.path("data"));

    let relay = ground.start().await;
    let now = relay.app().clock.now();
    let store = &relay.app().store;
    let all = Which::default();
    let back = store.put_back_deliveries(&campaign, &all, now);
    let back = back.await.unwrap();
    assert_eq!(
        (back.moved, back.kept),
        (1, vec![(Suppression::Replied, 1)])
    );
    relay.stop().await;
}

#[tokio::test]
async fn what_was_sent_to_somebody_who_was_stopped_in_the_lost_time_counts_as_found() {
    // Nobody promises copies, so that what is not accounted for is held.
    let ground = ground(&GENERIC, "openid", manual()).await;
    let (relay, _, campaign) = first_sent(&ground).await;
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    let relay = ground.start().await;
    ground.clock.advance(LONGEST_DISTANCE);
    wait_accepted(&ground, &relay, &campaign, 2).await;
    let accepted = relay.list(&campaign, Some("accepted")).await;
    let second = accepted
        .iter()
        .find(|one| one.to.as_str() == LEADS[1])
        .unwrap();
    let now = relay.app().clock.now();
    let store = &relay.app().store;
    store.note_complaint(&second.lead, now).await.unwrap();
    relay.stop().await;
    copy(&ground.path("saved"), &ground.path("data"));

    let relay = ground.start().await;
    wait_accepted(&ground, &relay, &campaign, 2).await;
    ground
        .drive_until("the third message", async || {
            ground.clock.advance(Duration::from_mins(5));
            (recipients(&ground).len() >= 3).then_some(())
        })
        .await;
    assert_eq!(relay.list(&campaign, Some("unsettled")).await, []);
    assert_eq!(recipients(&ground), LEADS);
    relay.stop().await;
}

/// How long the sandbox's copies may take: what a start waits for.
const WITHIN: Duration = Duration::from_secs(3);

/// Restarts one after the other, each sooner than copies may come, keep no message back for longer than one start does;
/// and what was put back waits anew.
#[tokio::test]
async fn what_earlier_processes_waited_counts_where_nothing_was_put_back() {
    let ground = ground(&GENERIC, "sandbox", Clock::system()).await;
    let (relay, inbox) = connected(&ground, Duration::ZERO).await;
    let campaign = draft(&relay, &inbox, &LEADS, 1).await;
    relay.stop().await;
    let put_back = || {
        fs::copy(ground.path("unpause.mark"), ground.path("saved.mark")).unwrap();
        fs::rename(ground.path("saved.mark"), ground.path("unpause.mark")).unwrap();
    };
    for turn in 0..2 {
        put_back();
        // By this test's own clock: what the runs have lived at the least and at the most.
        let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
        for run in 0..8 {
            let (began, n_before) = (Clock::system(), recipients(&ground).len());
            let relay = ground.start().await;
            let started = Clock::system();
            if (turn, run) == (0, 0) {
                start(&relay, &campaign).await;
            }
            let pace = pace_of(&ground, &relay, &inbox).await;
            let now = Clock::system().now();
            let left = pace["not_before"].as_str().map_or(Duration::ZERO, |at| {
                at.parse::<Timestamp>().unwrap().since(now)
            });
            let lived = most + began.uptime();
            assert!(
                left + lived >= WITHIN,
                "run {run}: {left:?} after {lived:?}"
            );
            let at_most = WITHIN.saturating_sub(least);
            assert!(left <= at_most, "run {run}: {left:?} after {least:?}");
            wait_for("a second to pass", async || {
                (started.uptime() >= Duration::from_secs(1)).then_some(())
            })
            .await;
            if lived < Duration::from_secs(1) {
                assert_eq!(recipients(&ground).len(), n_before);
            }
            least += started.uptime();
            relay.stop().await;
            most += began.uptime();
            if left.is_zero() {
                break;
            }
        }
        assert!(least >= Duration::from_secs(2), "{least:?}");
        assert!(most <= Duration::from_secs(20), "{most:?}");
    }
    assert_eq!(recipients(&ground), LEADS);
}
