//! Somebody sets the clock back: nothing stands still for that long, and nothing is sent twice.

use std::collections::HashMap;
use std::time::Duration;

use protocol::delivery::State;
use protocol::id::{CampaignId, InboxId};
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::store::delivery::Claim;
use sandbox::DropAfterData;

use crate::app::{Client, Ground, Relay, wait_for};

const LEADS: [&str; 4] = [
    "ann@a.example",
    "bob@b.example",
    "cy@c.example",
    "dan@d.example",
];
const GAP: Duration = Duration::from_mins(2);
const NIGHT: Duration = Duration::from_hours(14);

async fn start() -> (Ground, Relay, InboxId) {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let day = Duration::from_hours(24);
    let ground = Ground::with(Client::Public, day, clock, "poll_ms = 60000").await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, GAP).await;
    (ground, relay, inbox)
}

/// Lets the clock run until so many deliveries are accepted; answers how long that took.
async fn run_until_accepted(
    ground: &Ground,
    relay: &Relay,
    campaign: &CampaignId,
    n: usize,
) -> Duration {
    let began = ground.clock.uptime();
    wait_for("the messages to be accepted", async || {
        ground.clock.advance(Duration::from_secs(20));
        let accepted = relay.list(campaign, Some("accepted")).await;
        (accepted.len() >= n).then_some(())
    })
    .await;
    ground.clock.uptime().saturating_sub(began)
}

fn assert_each_once_a_step(ground: &Ground, n_steps: usize) {
    let mut by_lead = HashMap::<String, usize>::new();
    for message in ground.sandbox.control().delivered() {
        *by_lead.entry(message.recipient).or_default() += 1;
    }
    for lead in LEADS {
        assert_eq!(by_lead.get(lead), Some(&n_steps), "{lead}: {by_lead:?}");
    }
}

/// Row: wall clock set back | the clock is set back while the relay runs | accepted | nobody | none is lost, none sent twice
#[tokio::test]
async fn a_clock_that_is_set_back_while_the_relay_runs_stops_nothing_and_doubles_nothing() {
    let (ground, relay, inbox) = start().await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    run_until_accepted(&ground, &relay, &campaign, 1).await;
    // The second one is stored, and its reply never comes.
    let control = ground.sandbox.control();
    control.drop_after_data(DropAfterData {
        chance: 1.0,
        stored_share: 1.0,
    });
    wait_for("a message in doubt", async || {
        ground.clock.advance(Duration::from_secs(20));
        (control.delivered().len() == 2).then_some(())
    })
    .await;
    control.reset_faults();

    ground.clock.set(ground.clock.now() - NIGHT);
    // What is left of the first steps: three gaps, and the minute after which the clock is looked at.
    let took = run_until_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    assert!(took < Duration::from_mins(15), "{took:?}");
    // Each second step waits an hour.
    let took = run_until_accepted(&ground, &relay, &campaign, 2 * LEADS.len()).await;
    assert!(took < Duration::from_mins(75), "{took:?}");
    assert_each_once_a_step(&ground, 2);
    relay.stop().await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_between_two_runs_stops_nothing_and_doubles_nothing() {
    let (ground, relay, inbox) = start().await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    run_until_accepted(&ground, &relay, &campaign, 2).await;
    relay.stop().await;

    ground.clock.set(ground.clock.now() - NIGHT);
    let relay = ground.start().await;
    let took = run_until_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    assert!(took < Duration::from_mins(10), "{took:?}");
    assert_each_once_a_step(&ground, 1);
    let all = relay.list(&campaign, None).await;
    let accepted =
        |row: &protocol::request::delivery::Delivery| matches!(row.status, State::Accepted { .. });
    assert!(all.iter().all(accepted), "{all:?}");
    relay.stop().await;
}

#[tokio::test]
async fn an_attempt_that_nobody_ends_is_settled_after_one_lease_by_the_new_clock() {
    let (ground, relay, inbox) = start().await;
    let campaign = relay.plan_campaign(&inbox, &LEADS[..1], 1).await;
    let now = ground.clock.now();
    let claim = Claim {
        owes_copy: false,
        inbox: inbox.clone(),
        domain: "acme.example".to_owned(),
        tags: relay::tag::Tags::new([7; 32]),
        now,
        lease_until: now + Duration::from_mins(1),
        sent: None,
        take_turn,
        pace,
        rests: Rests::of(Duration::from_mins(1)),
    };
    let job = relay.app().store.claim_delivery(&claim).await.unwrap();
    assert!(job.is_some());
    ground.clock.set(now - NIGHT);
    let began = ground.clock.uptime();
    wait_for("a person to be asked", async || {
        ground.clock.advance(Duration::from_secs(30));
        let unsettled = relay.list(&campaign, Some("unsettled")).await;
        (unsettled.len() == 1).then_some(())
    })
    .await;
    let took = ground.clock.uptime().saturating_sub(began);
    let lease = relay.app().config.timing.lease_for;
    assert!(took < lease + Duration::from_mins(10), "{took:?}");
    assert!(ground.sandbox.control().delivered().is_empty());
    relay.stop().await;
}
