//! An attempt whose owner is gone is settled while the relay runs, not only at the next start.

use std::time::Duration;

use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::engine::pace::pace;
use relay::engine::turns::take_turn;
use relay::store::delivery::Claim;

use crate::app::{Client, Ground};

#[tokio::test]
async fn an_attempt_whose_lease_runs_out_is_doubted_and_then_settled() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let life = Duration::from_hours(24);
    let ground = Ground::with(Client::Public, life, clock, "poll_ms = 60000").await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    // One message goes its way, so that the inbox's task has looked for doubts and found none.
    let first = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    ground
        .drive_until("the first message", async || {
            let accepted = relay.list(&first, Some("accepted")).await;
            (accepted.len() == 1).then_some(())
        })
        .await;

    // Somebody takes the second one and is never heard of again.
    let second = relay.plan_campaign(&inbox, &["bob@b.example"], 1).await;
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
    ground
        .drive_until(
            "a person to be asked, since nothing can prove it",
            async || {
                let unsettled = relay.list(&second, Some("unsettled")).await;
                (unsettled.len() == 1).then_some(())
            },
        )
        .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}
