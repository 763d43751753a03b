//! The mark and what it promises: nothing leaves that it does not know, and what it knows of an inbox outlives a
//! database that does not.

use std::fs;
use std::time::Duration;

use protocol::delivery::Decision;
use protocol::id::InboxId;

use super::restored::{LEADS, NO_COPY, copy, ground, manual, recipients, wait_accepted};
use crate::app::person::{ALL, operator};
use crate::app::{Ground, JANE, Relay};

async fn connect(ground: &Ground, relay: &Relay, inbox: &InboxId) {
    let reconnect = relay.grant(inbox, &ground.sign_in(JANE, ALL).await).await;
    relay.outcome(&reconnect).await;
}

#[tokio::test]
async fn nothing_leaves_while_the_mark_cannot_be_written_and_it_goes_on_by_itself() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    connect(&ground, &relay, &inbox).await;
    // A folder stands where the new mark is written; a full disk or a folder without rights refuses it as well.
    let in_the_way = ground.path("unpause.mark.new");
    fs::create_dir(&in_the_way).unwrap();
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    let app = relay.app();
    let rest = ground
        .drive_until("the inbox to rest", async || app.bell.find_rest(&inbox))
        .await;
    assert!(rest.words.contains("the mark "), "{}", rest.words);
    assert!(rest.words.contains("cannot be written"), "{}", rest.words);
    let until = ground.clock.now() + Duration::from_mins(10);
    ground
        .drive_until("time to pass", async || {
            (ground.clock.now() > until).then_some(())
        })
        .await;
    assert_eq!(recipients(&ground), Vec::<String>::new());
    fs::remove_dir(&in_the_way).unwrap();
    wait_accepted(&ground, &relay, &campaign, LEADS.len()).await;
    assert_eq!(recipients(&ground).len(), LEADS.len());
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_starts_without_a_mark_sends_once_it_can_write_one_and_knows_its_database_then()
 {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    connect(&ground, &relay, &inbox).await;
    relay.stop().await;
    let in_the_way = ground.path("unpause.mark.new");
    fs::create_dir(&in_the_way).unwrap();
    let relay = ground.start().await;
    let campaign = relay.start_campaign(&inbox, &LEADS[..2], 1).await;
    let until = ground.clock.now() + Duration::from_mins(5);
    ground
        .drive_until("time to pass", async || {
            (ground.clock.now() > until).then_some(())
        })
        .await;
    assert_eq!(recipients(&ground), Vec::<String>::new());
    fs::remove_dir(&in_the_way).unwrap();
    wait_accepted(&ground, &relay, &campaign, 2).await;
    relay.kill();
    // It is the newest: nothing is held.
    let relay = ground.start().await;
    let later = relay.start_campaign(&inbox, &LEADS[2..], 1).await;
    wait_accepted(&ground, &relay, &later, 1).await;
    assert_eq!(recipients(&ground).len(), LEADS.len());
    relay.stop().await;
}

#[tokio::test]
async fn an_inbox_that_is_added_again_after_its_database_was_lost_mails_nobody_again_by_itself() {
    let ground = ground(&NO_COPY, "openid", manual()).await;
    let relay = ground.start().await;
    relay.stop().await;
    copy(&ground.path("data"), &ground.path("saved"));
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    connect(&ground, &relay, &inbox).await;
    let lost = relay.start_campaign(&inbox, &LEADS, 1).await;
    wait_accepted(&ground, &relay, &lost, LEADS.len()).await;
    // Not in order: no copies are made at its end.
    relay.kill();
    copy(&ground.path("saved"), &ground.path("data"));
    // The relay runs on it for a while.
    ground.start().await.stop().await;
    let relay = ground.start().await;
    let added = operator(&ground)
        .post(relay.url("/v1/inboxes"))
        .json(&serde_json::json!({"address": JANE, "provider": "openid", "distance_ms": 0, "daily_cap": 0}))
        .send()
        .await
        .unwrap();
    assert!(added.status().is_success(), "{added:?}");
    let added: serde_json::Value = added.json().await.unwrap();
    let inbox = InboxId::new(added["id"].as_str().unwrap().to_owned());
    connect(&ground, &relay, &inbox).await;
    let again = relay.start_campaign(&inbox, &LEADS, 1).await;
    let until = ground.clock.now() + Duration::from_mins(10);
    ground
        .drive_until("time to pass", async || {
            (ground.clock.now() > until).then_some(())
        })
        .await;
    assert_eq!(recipients(&ground), LEADS);
    let held = relay.list(&again, Some("unsettled")).await;
    assert_eq!(held.len(), LEADS.len());
    // Who has decided once has been asked.
    let app = relay.app();
    let decided = app
        .store
        .record_decisions(&again, Decision::Leave, app.clock.now());
    assert_eq!(decided.await.unwrap(), 3);
    let new = relay.start_campaign(&inbox, &["dan@d.example"], 1).await;
    wait_accepted(&ground, &relay, &new, 1).await;
    relay.stop().await;
    let wanted = [&LEADS[..], &["dan@d.example"]].concat();
    assert_eq!(recipients(&ground), wanted);
}
