//! Properties of the ledger on its real file, over orders of events: conversations that end in every way,
//! kills, expired leases, pauses, outages, reconnects, replies, bounces and people who decide. What really
//! was accepted is counted by a server that the store knows nothing of.

#![cfg(test)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use server::Fate;
use world::{Happening, Refusal, Shape, World};

mod connecting;
mod drained;
mod invariants;
mod people;
pub(crate) mod sending;
pub(crate) mod server;
pub(crate) mod world;

/// Orders of events that are tried, and events in each at the most.
const ORDERS: u32 = 48;
const EVENTS_AT_MOST: usize = 60;

/// Campaigns that an order of events can bring to their end, or nearly.
fn any_shape() -> impl Strategy<Value = Shape> {
    (
        1..=6_u64,
        prop_oneof![Just(1_usize), Just(2), Just(2), Just(3)],
        prop::bool::weighted(0.8),
        prop::option::weighted(0.15, 0..4_usize),
    )
        .prop_map(
            |(n_leads, n_steps, copies_by_server, copies_stop_after)| Shape {
                n_leads,
                n_steps,
                copies_by_server,
                copies_stop_after,
            },
        )
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Never), Just(Fate::Now), Just(Fate::Late)]
}

fn any_refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        Just(Refusal::Recipient),
        Just(Refusal::Greylisted),
        Just(Refusal::Message),
        Just(Refusal::SignIn),
        Just(Refusal::Closing),
        Just(Refusal::Unreachable),
    ]
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let inbox = || 0..World::INBOXES;
    let nth = || 0..64_usize;
    let decision = prop_oneof![
        Just(protocol::delivery::Decision::Leave),
        Just(protocol::delivery::Decision::SendAgain),
        Just(protocol::delivery::Decision::Cancel),
    ];
    // What lets things go on is far more frequent than what stops them, or little would ever be sent.
    prop_oneof![
        24 => inbox().prop_map(|inbox| Happening::Claim { inbox }),
        12 => (nth(), any::<bool>()).prop_map(|(job, claim_next)| Happening::Accept { job, claim_next }),
        5 => (nth(), any_refusal()).prop_map(|(job, how)| Happening::Refuse { job, how }),
        10 => (nth(), any_fate()).prop_map(|(job, fate)| Happening::LoseReply { job, fate }),
        3 => (prop::array::uniform4(any_fate()), prop::option::of(0..6_usize))
            .prop_map(|(fates, torn_after)| Happening::Kill { fates, torn_after }),
        1 => prop::array::uniform4(any_fate()).prop_map(|fates| Happening::ExpireLeases { fates }),
        1 => nth().prop_map(|job| Happening::RenewLease { job }),
        2 => nth().prop_map(|job| Happening::WriteStale { job }),
        12 => inbox().prop_map(|inbox| Happening::Settle { inbox }),
        1 => inbox().prop_map(|inbox| Happening::RenumberFolder { inbox }),
        3 => (nth(), decision).prop_map(|(nth, decision)| Happening::Decide { nth, decision }),
        2 => nth().prop_map(|nth| Happening::Reply { nth }),
        2 => nth().prop_map(|nth| Happening::Bounce { nth }),
        2 => Just(Happening::Pause),
        8 => Just(Happening::Resume),
        1 => inbox().prop_map(|inbox| Happening::Fail { inbox }),
        4 => (inbox(), any::<bool>()).prop_map(|(inbox, passes)| Happening::Probe { inbox, passes }),
        4 => inbox().prop_map(|inbox| Happening::Lose { inbox }),
        12 => inbox().prop_map(|inbox| Happening::Reconnect { inbox }),
        5 => inbox().prop_map(|inbox| Happening::StepReconnect { inbox }),
        1 => inbox().prop_map(|inbox| Happening::RefuseReconnect { inbox }),
        10 => inbox().prop_map(|inbox| Happening::ReadGap { inbox }),
        6 => Just(Happening::WaitUntilDue),
        6 => prop_oneof![
            Just(1_u64), Just(20), Just(60), Just(10 * 60), Just(14 * 3_600)
        ].prop_map(|seconds| Happening::Wait { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ORDERS,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x1ed6_e201),
        max_shrink_iters: 1_000,
        ..ProptestConfig::default()
    })]

    /// After every event: nothing is accepted twice, no step goes before its time or before the step
    /// ahead of it, at most two attempts of an inbox are under way, every step of every lead is counted
    /// once, and a late writer changes nothing. And whatever happened, once all goes well the campaign
    /// comes to its end with nothing lost.
    #[test]
    fn no_order_of_events_loses_doubles_or_hurries_a_message(
        shape in any_shape(),
        events in prop::collection::vec(any_happening(), 1..EVENTS_AT_MOST),
        mishaps in prop::collection::vec(any_fate(), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::start(shape).await;
            for event in events {
                world.happen(event).await;
                world.check().await;
            }
            world.drain(mishaps).await;
        });
    }
}

async fn play(shape: Shape, events: impl IntoIterator<Item = Happening>) -> World {
    let mut world = World::start(shape).await;
    for event in events {
        world.happen(event).await;
        world.check().await;
    }
    world
}

const TWO_STEPS: Shape = Shape {
    n_leads: 2,
    n_steps: 2,
    copies_by_server: true,
    copies_stop_after: None,
};

#[tokio::test]
async fn an_inbox_that_comes_back_before_the_other_sends_again_and_its_waits_were_shifted() {
    let mut world = play(
        TWO_STEPS,
        [
            Happening::Claim { inbox: 0 },
            Happening::Accept {
                job: 0,
                claim_next: false,
            },
            Happening::Lose { inbox: 0 },
            Happening::Lose { inbox: 1 },
            Happening::Wait { seconds: 3_600 },
            Happening::Reconnect { inbox: 0 },
        ],
    )
    .await;
    assert_eq!(world.status().await, protocol::campaign::State::Running);
    world.drain(Vec::new()).await;
}

#[tokio::test]
async fn a_pause_that_begins_in_an_outage_hides_none_of_it() {
    let mut world = play(
        TWO_STEPS,
        [
            Happening::Claim { inbox: 0 },
            Happening::Accept {
                job: 0,
                claim_next: false,
            },
            Happening::Lose { inbox: 0 },
            Happening::Wait { seconds: 3_600 },
            Happening::Pause,
            Happening::Wait { seconds: 5 },
            Happening::Reconnect { inbox: 0 },
            Happening::Wait { seconds: 5 },
            Happening::Resume,
        ],
    )
    .await;
    world.drain(Vec::new()).await;
}

/// One lead, whose second step is under way when an answer to the first arrives.
async fn answered_while_sending(then: Happening) {
    let shape = Shape {
        n_leads: 1,
        ..TWO_STEPS
    };
    let mut world = play(
        shape,
        [
            Happening::Claim { inbox: 0 },
            Happening::Accept {
                job: 0,
                claim_next: false,
            },
            Happening::Wait { seconds: 60 },
            Happening::Claim { inbox: 0 },
            Happening::Reply { nth: 0 },
            then,
        ],
    )
    .await;
    world.drain(Vec::new()).await;
}

#[tokio::test]
async fn a_deferred_step_of_a_lead_that_answered_meanwhile_is_not_tried_again() {
    let how = Refusal::Greylisted;
    answered_while_sending(Happening::Refuse { job: 0, how }).await;
}

#[tokio::test]
async fn a_rejected_step_of_a_lead_that_answered_meanwhile_ends_the_campaign() {
    let how = Refusal::Recipient;
    answered_while_sending(Happening::Refuse { job: 0, how }).await;
}

#[tokio::test]
async fn a_lost_step_of_a_lead_that_answered_meanwhile_is_settled_and_not_sent_again() {
    let fate = Fate::Never;
    answered_while_sending(Happening::LoseReply { job: 0, fate }).await;
}

#[tokio::test]
async fn a_campaign_whose_last_message_left_during_a_pause_ends_when_it_goes_on() {
    let shape = Shape {
        n_leads: 1,
        n_steps: 1,
        ..TWO_STEPS
    };
    let mut world = play(
        shape,
        [
            Happening::Claim { inbox: 0 },
            Happening::Pause,
            Happening::Accept {
                job: 0,
                claim_next: false,
            },
            Happening::Resume,
        ],
    )
    .await;
    world.drain(Vec::new()).await;
}

#[tokio::test]
async fn a_message_that_the_server_stores_late_is_not_sent_again_before_it_shows() {
    let shape = Shape {
        n_leads: 3,
        n_steps: 1,
        ..TWO_STEPS
    };
    let mut world = play(
        shape,
        [
            Happening::Claim { inbox: 0 },
            Happening::Accept {
                job: 0,
                claim_next: true,
            },
            Happening::LoseReply {
                job: 0,
                fate: Fate::Late,
            },
            Happening::Wait { seconds: 20 },
            Happening::Settle { inbox: 0 },
            Happening::Wait { seconds: 60 },
            Happening::Settle { inbox: 0 },
        ],
    )
    .await;
    world.drain(Vec::new()).await;
}

/// The first message is copied, and no other: the second one's absence means nothing, whatever the first one showed.
#[tokio::test]
async fn a_server_that_stops_making_copies_is_sent_nothing_twice() {
    let shape = Shape {
        n_leads: 4,
        n_steps: 1,
        copies_stop_after: Some(1),
        ..TWO_STEPS
    };
    let mut world = play(
        shape,
        [
            Happening::Claim { inbox: 0 },
            Happening::Accept {
                job: 0,
                claim_next: true,
            },
            Happening::LoseReply {
                job: 0,
                fate: Fate::Now,
            },
            Happening::Wait { seconds: 600 },
            Happening::Settle { inbox: 0 },
            Happening::Wait {
                seconds: 14 * 3_600,
            },
            Happening::Settle { inbox: 0 },
        ],
    )
    .await;
    world.drain(Vec::new()).await;
}
