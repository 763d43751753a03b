//! Leads that are added to a campaign that runs get what the others get, once, behind them; and what a person changes of
//! single leads, of the campaign and of the inbox holds on the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::delivery::State;
use protocol::request::delivery::Delivery;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use serde_json::{Value, json};

use super::people::drive_until;
use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

async fn post(ground: &Ground, relay: &Relay, path: &str, body: Value) -> (u16, Value) {
    let asked = operator(ground).post(relay.url(path)).json(&body);
    let answer = asked.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

async fn import(ground: &Ground, relay: &Relay, campaign: &str, list: &str) -> Value {
    let asked = operator(ground)
        .post(relay.url(&format!("/v1/campaigns/{campaign}/leads")))
        .header("content-type", "text/csv")
        .body(list.to_owned());
    asked.send().await.unwrap().json().await.unwrap()
}

async fn find(ground: &Ground, relay: &Relay, campaign: &str, name: &str) -> String {
    let path = format!("/v1/campaigns/{campaign}/leads?search={name}");
    let asked = operator(ground).get(relay.url(&path));
    let found: Value = asked.send().await.unwrap().json().await.unwrap();
    found["leads"][0]["id"].as_str().unwrap().to_owned()
}

/// What each person got, in the order in which it came.
fn list_by_person(ground: &Ground) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in ground.sandbox.control().delivered() {
        let text = String::from_utf8_lossy(&message.raw).into_owned();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let body = body.trim().to_owned();
        all.entry(message.recipient.clone()).or_default().push(body);
    }
    all
}

#[tokio::test]
async fn leads_that_are_added_while_it_runs_get_what_the_others_get_and_nobody_gets_it_twice() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let day = Duration::from_hours(24);
    let ground = Ground::with(Client::Public, day, clock, "poll_ms = 1000").await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 2).await;
    wait_for("the first message", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == 1).then_some(())
    })
    .await;
    let id = campaign.as_str();

    let list =
        "email,name\nbob@b.example,Bob\ncy@c.example,Cy\nANN@a.example,Ann\ndi@d.example,Di\n";
    let added = import(&ground, &relay, id, list).await;
    let told = |answer: &Value| {
        (
            answer["added"].as_u64(),
            answer["already"].as_u64(),
            answer["started"].as_bool(),
        )
    };
    assert_eq!(told(&added), (Some(3), Some(1), Some(true)), "{added}");
    let again = import(&ground, &relay, id, list).await;
    assert_eq!(told(&again), (Some(0), Some(4), Some(true)), "{again}");
    drive_until(
        &ground,
        "the first messages of those that were added",
        async || {
            let all = relay.list(&campaign, Some("accepted")).await;
            let of_all = ["bob@b.example", "cy@c.example", "di@d.example"]
                .iter()
                .all(|who| all.iter().any(|one| one.to.as_str() == *who));
            of_all.then_some(())
        },
    )
    .await;

    // Cy is held, Di is deleted, and the second message has other words for all of them.
    let (cy, di) = (
        find(&ground, &relay, id, "cy@").await,
        find(&ground, &relay, id, "di@").await,
    );
    let held = post(&ground, &relay, &format!("/v1/leads/{cy}/pause"), json!({})).await;
    assert_eq!((held.0, held.1["state"].as_str()), (200, Some("paused")));
    let delete = operator(&ground).delete(relay.url(&format!("/v1/leads/{di}")));
    let deleted: Value = delete.send().await.unwrap().json().await.unwrap();
    assert_eq!(deleted, json!({ "kept_in_ledger": true }));
    let steps = json!([
        { "subject": "Hello", "body": "This is message 1." },
        { "body": "Other words.", "wait_ms": 3_600_000 }
    ]);
    let path = format!("/v1/campaigns/{id}");
    let changed = post(
        &ground,
        &relay,
        &path,
        json!({ "name": "Autumn", "steps": steps }),
    )
    .await;
    assert_eq!(
        (changed.0, changed.1["name"].as_str()),
        (200, Some("Autumn"))
    );
    drive_until(&ground, "the second messages", async || {
        let all = relay.list(&campaign, None).await;
        let has_second = |who: &str| {
            let is_sent = |one: &Delivery| {
                one.step == 2
                    && one.to.as_str() == who
                    && matches!(one.status, State::Accepted { .. })
            };
            all.iter().any(is_sent)
        };
        (has_second("ann@a.example") && has_second("bob@b.example")).then_some(())
    })
    .await;
    let first = "This is message 1.".to_owned();
    let second = "Other words.".to_owned();
    let both = vec![first.clone(), second.clone()];
    let mut wanted = BTreeMap::from([
        ("ann@a.example".to_owned(), both.clone()),
        ("bob@b.example".to_owned(), both.clone()),
        ("cy@c.example".to_owned(), vec![first.clone()]),
        ("di@d.example".to_owned(), vec![first]),
    ]);
    assert_eq!(list_by_person(&ground), wanted);

    // A list that names whom it had deleted changes nothing; Cy goes on where he was held.
    let again = import(&ground, &relay, id, list).await;
    assert_eq!(told(&again), (Some(0), Some(4), Some(true)), "{again}");
    let resumed = post(
        &ground,
        &relay,
        &format!("/v1/leads/{cy}/resume"),
        json!({}),
    )
    .await;
    assert_eq!(resumed.1["state"].as_str(), Some("active"));
    drive_until(&ground, "the campaign to end", async || {
        let loaded = relay.app().store.load_campaign(&campaign).await.unwrap();
        (loaded.status.name() == "finished").then_some(())
    })
    .await;
    wanted.insert("cy@c.example".to_owned(), both);
    assert_eq!(list_by_person(&ground), wanted);
    relay.stop().await;
}

#[tokio::test]
async fn the_permission_of_an_inbox_that_is_removed_is_given_back() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    assert!(ground.sandbox.control().grants(JANE)[0].live);
    let remove = operator(&ground).delete(relay.url(&format!("/v1/inboxes/{inbox}")));
    assert_eq!(remove.send().await.unwrap().status(), 200);
    assert!(!ground.sandbox.control().grants(JANE)[0].live);
    relay.stop().await;
}
