//! Copies in the sent folder where nobody but the relay makes them: one of each message, whenever the relay ends.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::Delivered;

use super::restored::{LEADS, NO_COPY, ground, manual, wait_accepted};
use crate::app::{Ground, JANE, Relay};

/// How many copies stand in the sent folder, by recipient.
fn copies(ground: &Ground) -> BTreeMap<String, usize> {
    let folder = ground.sandbox.control().folder(JANE, "Sent").unwrap();
    let mut counts = BTreeMap::new();
    for message in folder.messages {
        let text = String::from_utf8_lossy(&message.raw).into_owned();
        let to = text.lines().find_map(|line| line.strip_prefix("To: "));
        *counts.entry(to.unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn one_each() -> BTreeMap<String, usize> {
    LEADS.iter().map(|lead| ((*lead).to_owned(), 1)).collect()
}

/// Three messages are accepted, and the clock stands: nobody knows yet who makes copies.
async fn accepted(ground: &Ground) -> Relay {
    let relay = ground.start().await;
    let inbox = relay.connect(ground, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    wait_accepted(ground, &relay, &campaign, LEADS.len()).await;
    relay
}

/// Long enough for every look, and for a copy too many.
async fn pass(ground: &Ground) {
    ground
        .drive_until("every copy", async || {
            ground.clock.advance(Duration::from_secs(10));
            (copies(ground) == one_each()).then_some(())
        })
        .await;
    let until = ground.clock.now() + Duration::from_mins(10);
    ground
        .drive_until("time to pass", async || {
            ground.clock.advance(Duration::from_secs(2));
            (ground.clock.now() > until).then_some(())
        })
        .await;
    assert_eq!(copies(ground), one_each());
}

#[tokio::test]
async fn a_relay_that_is_ended_in_order_makes_the_copies_first() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = accepted(&ground).await;
    assert_eq!(copies(&ground), BTreeMap::new());
    relay.stop().await;
    assert_eq!(copies(&ground), one_each());
    let relay = ground.start().await;
    pass(&ground).await;
    relay.stop().await;
    assert_eq!(copies(&ground), one_each());
}

#[tokio::test]
async fn a_relay_that_was_killed_makes_the_copies_that_are_not_there_at_the_next_sign_in() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = accepted(&ground).await;
    relay.kill();
    assert_eq!(copies(&ground), BTreeMap::new());
    // One was made, and the relay was killed before it had written that down.
    let Delivered { raw, .. } = ground.sandbox.control().delivered().remove(1);
    let raw = String::from_utf8(raw.to_vec()).unwrap();
    ground.sandbox.control().deliver_into(JANE, "Sent", raw);
    let relay = ground.start().await;
    pass(&ground).await;
    // Nothing is owed any more.
    relay.kill();
    let relay = ground.start().await;
    pass(&ground).await;
    relay.stop().await;
    assert_eq!(copies(&ground), one_each());
}
