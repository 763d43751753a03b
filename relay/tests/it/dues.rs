//! When each delivery may leave, on the ledger's real file: computed apart from the relay, by adding up the time in
//! which its campaign and its inbox could both send, and compared for equality after every event. Whose message goes
//! next, and how long anything waits at the most, are computed apart too.

#![cfg(test)]

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use world::{Happening, Shape, World};

mod books;
mod world;

/// Orders of events that are tried, and events in each at the most.
const ORDERS: u32 = 64;
const EVENTS_AT_MOST: usize = 50;

fn any_shape() -> impl Strategy<Value = Shape> {
    let waits = prop::collection::vec(prop_oneof![Just(0_u64), 1..40_u64, 1..400_u64], 0..3);
    let campaign = (1..=8_u64, waits);
    prop::collection::vec(campaign, 1..=3).prop_map(|campaigns| Shape { campaigns })
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let inbox = || 0..World::INBOXES;
    let campaign = || 0..3_usize;
    prop_oneof![
        14 => (1..40_u64).prop_map(|slots| Happening::Run { slots }),
        6 => (inbox(), 0..6_usize).prop_map(|(inbox, end)| Happening::Try { inbox, end }),
        3 => (inbox(), 0..4_usize).prop_map(|(inbox, nth)| Happening::Settle { inbox, nth }),
        3 => inbox().prop_map(|inbox| Happening::Lose { inbox }),
        4 => inbox().prop_map(|inbox| Happening::Reconnect { inbox }),
        4 => inbox().prop_map(|inbox| Happening::ReadGap { inbox }),
        2 => (inbox(), any::<bool>()).prop_map(|(inbox, rests)| Happening::Rest { inbox, rests }),
        2 => campaign().prop_map(|campaign| Happening::Pause { campaign }),
        3 => campaign().prop_map(|campaign| Happening::Resume { campaign }),
        2 => campaign().prop_map(|campaign| Happening::Start { campaign }),
        2 => prop_oneof![Just(60_u64), Just(3 * 86_400), 1..10_000_u64]
            .prop_map(|seconds| Happening::Sleep { seconds }),
        2 => prop_oneof![
            Just(-365 * 86_400_i64), Just(365 * 86_400), Just(-14 * 3_600), -100..100_i64,
        ].prop_map(|seconds| Happening::SetClock { seconds }),
        2 => (0..10_000_u64).prop_map(|off_for| Happening::Restart { off_for }),
        3 => Just(Happening::Save),
        4 => (any::<bool>(), any::<bool>(), 0..10_000_u64).prop_map(
            |(makes_copies, is_read, off_for)| Happening::PutBack { makes_copies, is_read, off_for }
        ),
        2 => inbox().prop_map(|inbox| Happening::Decide { inbox }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ORDERS,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x0d0e_5011),
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    /// Outages, pauses, rests, sleeps, restarts, set clocks, restored databases, decisions and reconnects in any order:
    /// after each, every delivery may leave exactly when its campaign and inbox will have been able to send for as long
    /// as it waits, what is claimed is first in its campaign, nothing waits for longer than what stands before it takes,
    /// and nothing is sent that has arrived.
    #[test]
    fn a_delivery_may_leave_exactly_when_its_wait_was_lived(
        shape in any_shape(),
        is_started in any::<bool>(),
        events in prop::collection::vec(any_happening(), 1..EVENTS_AT_MOST),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(shape).await;
            if is_started {
                world.happen(Happening::Start { campaign: 0 }).await;
            }
            for event in events {
                world.happen(event).await;
                world.check().await;
            }
            world.finish().await;
        });
    }
}

async fn play(
    campaigns: Vec<(u64, Vec<u64>)>,
    events: impl IntoIterator<Item = Happening>,
) -> World {
    let mut world = World::new(Shape { campaigns }).await;
    for event in events {
        world.happen(event).await;
        world.check().await;
    }
    world
}

#[tokio::test]
async fn a_campaign_that_is_started_in_an_outage_waits_for_no_part_of_it() {
    let mut world = play(
        vec![(4, vec![30])],
        [
            Happening::Lose { inbox: 0 },
            Happening::Run { slots: 200 },
            Happening::Start { campaign: 0 },
            Happening::Run { slots: 100 },
            Happening::Reconnect { inbox: 0 },
        ],
    )
    .await;
    let sent = world.n_accepted();
    world.happen(Happening::Run { slots: 1 }).await;
    assert!(
        world.n_accepted() > sent,
        "the first message leaves at once"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_pause_within_an_outage_counts_once() {
    let mut world = play(
        vec![(2, vec![30])],
        [
            Happening::Start { campaign: 0 },
            Happening::Run { slots: 2 },
            Happening::Lose { inbox: 0 },
            Happening::Run { slots: 50 },
            Happening::Pause { campaign: 0 },
            Happening::Run { slots: 50 },
            Happening::Resume { campaign: 0 },
            Happening::Run { slots: 50 },
            Happening::Reconnect { inbox: 0 },
        ],
    )
    .await;
    world.finish().await;
}

/// What was put back again and again, because its server closed each connection before it could be said, keeps its
/// place.
#[tokio::test]
async fn what_is_put_back_keeps_its_place() {
    const PUT_BACK: usize = 1;
    let mut world = play(
        vec![(6, vec![])],
        [
            Happening::Start { campaign: 0 },
            Happening::Try {
                inbox: 0,
                end: PUT_BACK,
            },
            Happening::Run { slots: 1 },
            Happening::Try {
                inbox: 0,
                end: PUT_BACK,
            },
            Happening::Run { slots: 1 },
            Happening::Try {
                inbox: 0,
                end: PUT_BACK,
            },
            Happening::Run { slots: 1 },
        ],
    )
    .await;
    world.finish().await;
    // The leads are dealt to two inboxes in turn.
    assert_eq!(world.order(0), [0, 2, 4]);
}

#[tokio::test]
async fn the_next_wait_counts_from_when_a_doubt_began_whenever_its_copy_is_found() {
    const DOUBTED: usize = 4;
    let mut world = play(
        vec![(2, vec![300])],
        [
            Happening::Start { campaign: 0 },
            Happening::Try {
                inbox: 0,
                end: DOUBTED,
            },
            Happening::Run { slots: 20 },
            Happening::Settle { inbox: 0, nth: 0 },
            Happening::Run { slots: 1 },
        ],
    )
    .await;
    world.finish().await;
}

/// The clock was a year ahead when a message was deferred, and right when it was accepted: its copy is older than the
/// deferral, by what the database that is put back says.
#[tokio::test]
async fn a_copy_is_believed_whatever_the_clock_on_the_wall_was_set_to() {
    const DEFERRED: usize = 2;
    let year = 365 * 86_400;
    let mut world = play(
        vec![(1, vec![])],
        [
            Happening::Start { campaign: 0 },
            Happening::SetClock { seconds: year },
            Happening::Try {
                inbox: 0,
                end: DEFERRED,
            },
            Happening::Save,
            Happening::SetClock { seconds: -year },
            Happening::Run { slots: 8 },
            Happening::PutBack {
                makes_copies: true,
                is_read: true,
                off_for: 60,
            },
        ],
    )
    .await;
    world.finish().await;
    assert_eq!(world.n_accepted(), 1);
}

/// Of a list that nobody copied, what was due by the time of the put-back is held, with the steps that a lost ledger
/// may have come to; what was not yet due waits on.
#[tokio::test]
async fn what_may_have_been_sent_is_held_and_the_rest_waits_on() {
    let mut world = play(
        vec![(4, vec![100, 2_000])],
        [
            Happening::Start { campaign: 0 },
            Happening::Run { slots: 1 },
            Happening::Save,
            Happening::Run { slots: 30 },
            Happening::PutBack {
                makes_copies: false,
                is_read: true,
                off_for: 60,
            },
        ],
    )
    .await;
    // Of the two first leads the second step, of the others the first.
    assert_eq!(world.n_held(), 4);
    world.finish().await;
    assert_eq!(world.n_accepted(), 12);
}

/// A stop of the relay between two beats costs what it lived since the last, and nothing more.
#[tokio::test]
async fn a_crash_costs_no_more_than_the_time_since_the_last_beat() {
    let mut world = play(
        vec![(2, vec![100])],
        [
            Happening::Start { campaign: 0 },
            Happening::Run { slots: 2 },
        ],
    )
    .await;
    let before = world.due_in().await;
    assert_eq!(before.len(), 2);
    let lived = Duration::from_secs(29);
    world.crash_after(lived).await;
    for (before, after) in before.into_iter().zip(world.due_in().await) {
        // What was lived may be lost, and is never counted twice.
        assert!(
            after <= before && after + lived >= before,
            "{before:?} {after:?}"
        );
    }
}
