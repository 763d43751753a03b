//! Refusals that are the inbox's and refusals that are a lead's: what is put back, what is set aside, and what a person
//! may say about it.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::delivery::Decision;
use protocol::id::{CampaignId, InboxId};
use protocol::standing::Answer;
use relay::store::standing::Which;
use sandbox::{AccountDoes, AccountFault, SentCopyFault, Stage};

use crate::app::{Client, Ground, JANE, Relay, wait_for};

const LEADS: [&str; 6] = [
    "ann@a.example",
    "bob@b.example",
    "cy@c.example",
    "dan@d.example",
    "eve@e.example",
    "flo@f.example",
];
const WORDS: &str = "550 5.7.331 qerty uvwx";

async fn start(gap: Duration) -> (Ground, Relay, InboxId) {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, gap).await;
    (ground, relay, inbox)
}

async fn wait_for_accepted(relay: &Relay, campaign: &CampaignId, n: usize) {
    wait_for("the messages to be accepted", async || {
        let accepted = relay.list(campaign, Some("accepted")).await;
        (accepted.len() == n).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_account_that_is_refused_asks_keeps_every_lead_and_goes_on_when_it_is_answered() {
    let (ground, relay, inbox) = start(Duration::ZERO).await;
    let control = ground.sandbox.control();
    let fault = AccountFault {
        stage: Stage::Rcpt,
        after: 1,
        does: AccountDoes::Say(WORDS.as_bytes().to_vec()),
    };
    control.trouble_account(JANE, Some(fault));
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    let store = relay.app().store.clone();
    let shown = wait_for("a person to be asked", async || {
        let standing = store.load_inbox(&inbox).await.unwrap().standing;
        let shown = standing.show(relay.app().clock.now());
        shown.filter(|shown| shown.asks)
    })
    .await;
    assert_eq!(
        (shown.words.as_str(), shown.alike.as_str()),
        (WORDS, "rcpt-550-5.7.331")
    );
    assert!(relay.list(&campaign, Some("rejected")).await.is_empty());
    control.trouble_account(JANE, None);
    let now = relay.app().clock.now();
    store
        .answer_standing(&inbox, Answer::Account, now)
        .await
        .unwrap();
    relay.nudge(&inbox);
    wait_for_accepted(&relay, &campaign, LEADS.len()).await;
    assert_eq!(control.delivered().len(), LEADS.len());
    let again = store.answer_standing(&inbox, Answer::Account, now).await;
    assert!(again.is_err(), "nothing is asked any more");
    relay.stop().await;
}

#[tokio::test]
async fn a_lead_that_was_set_aside_can_be_put_back_and_its_campaign_goes_on() {
    let (ground, relay, inbox) = start(Duration::ZERO).await;
    let control = ground.sandbox.control();
    control.refuse_recipient(LEADS[1], "550 5.1.1 zxcv");
    control.refuse_recipient(LEADS[5], "550 5.1.1 zxcv");
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    let store = relay.app().store.clone();
    wait_for("the two to be set aside", async || {
        let rejected = relay.list(&campaign, Some("rejected")).await;
        (rejected.len() == 2).then_some(())
    })
    .await;
    let rejected = relay.list(&campaign, Some("rejected")).await;
    assert_eq!(rejected[0].alike.as_deref(), Some("rcpt-550-5.1.1"));
    control.reset_faults();
    let now = relay.app().clock.now();
    let which = |cause| Which {
        cause: Some(cause),
        alike: Some("rcpt-550-5.1.1".to_owned()),
        ..Which::default()
    };
    let put_back = async |which: &Which| {
        let moved = store.put_back_deliveries(&campaign, which, now).await;
        relay.nudge(&inbox);
        moved.unwrap().moved
    };
    assert_eq!(put_back(&which(Cause::MessageRejected)).await, 0);
    let one = Which {
        delivery: Some(rejected[0].id.clone()),
        ..Which::default()
    };
    assert_eq!(put_back(&one).await, 1);
    assert_eq!(put_back(&which(Cause::RecipientRejected)).await, 1);
    wait_for("every first step to be accepted", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        let firsts = accepted.iter().filter(|row| row.step == 1).count();
        (firsts == LEADS.len()).then_some(())
    })
    .await;
    let suppressed = relay.list(&campaign, Some("suppressed")).await;
    assert!(suppressed.is_empty(), "{suppressed:?}");
    relay.stop().await;
}

#[tokio::test]
async fn doubts_are_at_most_two_and_a_person_decides_them_at_once() {
    let (ground, relay, inbox) = start(Duration::ZERO).await;
    let control = ground.sandbox.control();
    control.set_sent_copy(Some(SentCopyFault::Never));
    let fault = AccountFault {
        stage: Stage::AfterData,
        after: 0,
        does: AccountDoes::Lose,
    };
    control.trouble_account(JANE, Some(fault));
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    let store = relay.app().store.clone();
    let all = async |state| relay.list(&campaign, Some(state)).await.len();
    wait_for("two to be open", async || {
        (all("in_doubt").await + all("unsettled").await == 2).then_some(())
    })
    .await;
    let rests = protocol::standing::Rests::of(relay.app().config.timing.rest_minute);
    let now = relay.app().clock.now();
    let next = store.find_next_due(&inbox, &rests, now).await.unwrap();
    let day = relay.app().config.timing.rest_minute * 24 * 60;
    assert!(
        next.unwrap() > now + day / 2,
        "{next:?} is soon after {now}"
    );
    // Another folder proves nothing.
    control.renumber(JANE, "Sent").unwrap();
    wait_for("them to be unsettled", async || {
        (all("unsettled").await == 2).then_some(())
    })
    .await;
    control.trouble_account(JANE, None);
    let moved = store
        .record_decisions(&campaign, Decision::Leave, now)
        .await
        .unwrap();
    assert_eq!(moved, 2);
    relay.nudge(&inbox);
    wait_for_accepted(&relay, &campaign, LEADS.len()).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_refused_try_keeps_the_distance_too() {
    let gap = Duration::from_millis(700);
    let (ground, relay, inbox) = start(gap).await;
    let control = ground.sandbox.control();
    let fault = AccountFault {
        stage: Stage::Rcpt,
        after: 0,
        does: AccountDoes::Say(WORDS.as_bytes().to_vec()),
    };
    control.trouble_account(JANE, Some(fault));
    relay.start_campaign(&inbox, &LEADS, 1).await;
    let met = wait_for("three tries", async || {
        let met = control.account_met_at_ms(JANE);
        (met.len() >= 3).then_some(met)
    })
    .await;
    for (earlier, later) in met.iter().zip(met.iter().skip(1)) {
        assert!(later - earlier >= 500, "{met:?}");
    }
    relay.stop().await;
}
