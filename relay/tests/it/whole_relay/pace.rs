//! How fast an inbox sends: what it begins with, and what changing it does while a campaign runs.

use std::time::Duration;

use protocol::delivery::State;
use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::Options;
use serde_json::{Value, json};

use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, Relay, wait_for};

const LEADS: [&str; 4] = [
    "ann@a.example",
    "bob@b.example",
    "cy@c.example",
    "di@d.example",
];

async fn ask(ground: &Ground, relay: &Relay, path: &str, body: Option<Value>) -> Value {
    let operator = operator(ground);
    let url = relay.url(path);
    let asked = match body {
        None => operator.get(url),
        Some(body) => operator.post(url).json(&body),
    };
    let answer = asked.send().await.unwrap();
    answer.json().await.unwrap()
}

async fn pace_of(ground: &Ground, relay: &Relay, inbox: &InboxId, change: Option<Value>) -> Value {
    ask(ground, relay, &format!("/v1/inboxes/{inbox}/pace"), change).await
}

#[tokio::test]
async fn an_inbox_begins_with_its_providers_pace_unless_another_is_asked_for() {
    for (provider, distance_ms, daily_cap) in [
        ("imap", json!(90_000), json!(50)),
        ("sandbox", json!(0), Value::Null),
    ] {
        let ground = Ground::at(
            Client::Public,
            Clock::system(),
            "",
            provider,
            Options::default(),
        )
        .await;
        let relay = ground.start().await;
        let usual = json!({ "address": JANE, "provider": provider });
        let inbox = ask(&ground, &relay, "/v1/inboxes", Some(usual)).await;
        let inbox = InboxId::new(inbox["id"].as_str().unwrap());
        let shown = pace_of(&ground, &relay, &inbox, None).await;
        assert_eq!(shown["distance_ms"], distance_ms, "{shown}");
        assert_eq!(shown["daily_cap"], daily_cap, "{shown}");
        assert_eq!(shown["tried"], 0, "{shown}");
        let asked = json!({
            "address": "ada@acme.example", "provider": provider, "distance_ms": 5_000, "daily_cap": 0
        });
        let inbox = ask(&ground, &relay, "/v1/inboxes", Some(asked)).await;
        let inbox = InboxId::new(inbox["id"].as_str().unwrap());
        let shown = pace_of(&ground, &relay, &inbox, None).await;
        assert_eq!(shown["distance_ms"], 5_000, "{shown}");
        assert_eq!(shown["daily_cap"], Value::Null, "{shown}");
        // What a change does not speak of stays.
        let changed = pace_of(&ground, &relay, &inbox, Some(json!({ "daily_cap": 7 }))).await;
        assert_eq!(changed["distance_ms"], 5_000, "{changed}");
        assert_eq!(changed["daily_cap"], 7, "{changed}");
        let refused = pace_of(
            &ground,
            &relay,
            &inbox,
            Some(json!({ "distance_ms": 86_400_001 })),
        );
        assert_eq!(refused.await["field"], "distance_ms");
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_change_holds_for_the_next_message_and_moves_nothing_that_is_due() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let day = Duration::from_hours(24);
    let ground = Ground::with(Client::Public, day, clock, "poll_ms = 60000").await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::from_hours(5)).await;
    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let _ = relay.outcome(&reconnect).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    let accepted = async |n: usize| {
        wait_for("messages to be accepted", async || {
            let accepted = relay.list(&campaign, Some("accepted")).await;
            (accepted.len() == n).then_some(())
        })
        .await;
    };
    let planned = async || {
        let mut dues = Vec::new();
        for row in relay.list(&campaign, None).await {
            if let State::Planned { due, .. } = row.status {
                dues.push((row.id, due));
            }
        }
        dues
    };
    accepted(1).await;
    let before = planned().await;
    let waits = pace_of(&ground, &relay, &inbox, None).await;
    assert_eq!(waits["held_by"], "distance", "{waits}");
    assert_eq!(waits["tried"], 1, "{waits}");

    // No time passes: the second leaves because the distance is another one, and the cap ends it there.
    let change = json!({ "distance_ms": 0, "daily_cap": 2 });
    let _ = pace_of(&ground, &relay, &inbox, Some(change)).await;
    accepted(2).await;
    let held = wait_for("the cap to be used up", async || {
        let pace = pace_of(&ground, &relay, &inbox, None).await;
        (pace["held_by"] == "daily_cap").then_some(pace)
    })
    .await;
    assert_eq!(held["tried"], 2, "{held}");
    let opens_at: Timestamp = held["not_before"].as_str().unwrap().parse().unwrap();
    assert_eq!(opens_at, ground.clock.now() + day);
    let after = planned().await;
    assert_eq!(after.len(), 2);
    for due in &after {
        assert!(before.contains(due), "{due:?} is not of {before:?}");
    }

    // A minute before it opens nothing has left; then two do.
    ground
        .clock
        .advance(day.saturating_sub(Duration::from_mins(1)));
    relay.nudge(&inbox);
    wait_for("the inbox to be read", async || {
        let read_at = relay.inbox(&inbox).await.last_read_at;
        (read_at >= Some(ground.clock.now())).then_some(())
    })
    .await;
    assert_eq!(relay.list(&campaign, Some("accepted")).await.len(), 2);
    ground.clock.advance(Duration::from_mins(1));
    accepted(4).await;
    relay.stop().await;
}
