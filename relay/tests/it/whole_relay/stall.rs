//! An inbox that stays connected and lets nothing through: it says so after an hour, and asks after a day.

use std::time::Duration;

use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::{AccountDoes, AccountFault, Stage};
use serde_json::Value;

use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

pub(super) async fn connection_of(ground: &Ground, relay: &Relay, inbox: &InboxId) -> Value {
    let asked = operator(ground).get(relay.url(&format!("/v1/inboxes/{inbox}")));
    let answer = asked.send().await.unwrap();
    answer.json::<Value>().await.unwrap()["connection"].take()
}

async fn check_that_it_is_told(breaks: impl Fn(&Ground, bool), said: &str) {
    let start = Timestamp::from_ms(1_795_417_920_000);
    let clock = Clock::manual(start);
    let access_for = Duration::from_hours(96);
    let ground = Ground::with(Client::Public, access_for, clock, "poll_ms = 600000").await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    breaks(&ground, true);
    let broke_at = ground.clock.now();
    let campaign = relay
        .start_campaign(&inbox, &["ann@a.example", "bob@b.example"], 1)
        .await;

    let wait_until = async |state: &str, title: &str| {
        wait_for(title, async || {
            ground.clock.advance(Duration::from_mins(2));
            let shown = connection_of(&ground, &relay, &inbox).await;
            let is_meant =
                shown["state"] == state && (title.is_empty() || shown["card"]["title"] == title);
            is_meant.then_some(shown)
        })
        .await
    };
    let shown = wait_until("waiting", "jane@acme.example waits for its server").await;
    let since: Timestamp = shown["since"].as_str().unwrap().parse().unwrap();
    let lasted = ground.clock.now().since(since);
    assert!(since >= broke_at, "{shown}");
    assert!(lasted >= Duration::from_hours(1), "told after {lasted:?}");
    assert!(lasted <= Duration::from_mins(150), "told after {lasted:?}");
    let words = shown["evidence"].as_str().unwrap();
    assert!(words.contains(said), "{words}");
    assert_eq!(shown["card"]["acts"], "nobody", "{shown}");

    // A day is many looks: a machine under load is given time for each part of it.
    for hours in [6, 12, 18] {
        wait_for("some hours to pass", async || {
            ground.clock.advance(Duration::from_mins(2));
            let shown = connection_of(&ground, &relay, &inbox).await;
            assert_eq!(shown["since"].as_str().unwrap(), since.to_string());
            let lasted = ground.clock.now().since(since);
            (lasted >= Duration::from_hours(hours)).then_some(())
        })
        .await;
    }
    let shown = wait_until("waiting", "jane@acme.example has waited for a day").await;
    let lasted = ground.clock.now().since(since);
    assert_eq!(shown["since"].as_str().unwrap(), since.to_string());
    assert!(lasted >= Duration::from_hours(24), "asked after {lasted:?}");
    assert!(lasted <= Duration::from_hours(26), "asked after {lasted:?}");
    assert_ne!(shown["card"]["acts"], "nobody", "{shown}");
    assert!(shown["card"]["button"].is_string(), "{shown}");

    breaks(&ground, false);
    let _ = wait_until("connected", "").await;
    wait_for("everything to be sent", async || {
        ground.clock.advance(Duration::from_mins(2));
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == 2).then_some(())
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn a_server_that_puts_everything_off_is_told_after_an_hour_and_asked_about_after_a_day() {
    let breaks = |ground: &Ground, on: bool| {
        let words = b"451 4.7.1 qwerty uiop".to_vec();
        let fault = AccountFault {
            stage: Stage::Mail,
            after: 0,
            does: AccountDoes::Say(words),
        };
        let control = ground.sandbox.control();
        control.trouble_account(JANE, on.then_some(fault));
    };
    check_that_it_is_told(breaks, "qwerty uiop").await;
}

#[tokio::test]
async fn servers_that_are_away_are_told_after_an_hour_and_asked_about_after_a_day() {
    let breaks = |ground: &Ground, on: bool| ground.sandbox.control().down(on);
    check_that_it_is_told(breaks, "").await;
}

/// INBOX is read all the while: that ends nothing for what is due.
#[tokio::test]
async fn a_sent_folder_that_does_not_open_is_told_after_an_hour_and_asked_about_after_a_day() {
    let breaks = |ground: &Ground, on: bool| {
        ground.sandbox.control().shut_folder("Sent", on);
        if on {
            ground.sandbox.control().end_sessions(JANE).unwrap();
        }
    };
    check_that_it_is_told(breaks, "this folder is shut").await;
}
