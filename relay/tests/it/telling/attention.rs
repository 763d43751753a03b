//! What is nobody's deed: an API key that is about to end and a certificate that is not renewed are told once, also over
//! the relay's end.

use std::time::Duration;

use protocol::account::Role;
use protocol::id::KeyId;
use protocol::key::Scope;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::store::key::NewApiKey;

use super::receiver::{Receiver, Seen};
use super::{ground, with_hooks};
use crate::app::{Relay, wait_for};

const DAY: Duration = Duration::from_hours(24);

async fn make_key(relay: &Relay, name: &str, days: u32) -> Timestamp {
    let (app, doors) = (relay.app(), relay.app().store.doors());
    let now = app.clock.now();
    let code = Secret::new(format!("code-{name}"));
    let account = name.parse().unwrap();
    let of = doors
        .create_account(&account, Role::Member, &[], &code, (now, now + DAY))
        .await
        .unwrap();
    let new = NewApiKey {
        id: KeyId::new(format!("key_{name}")),
        name: format!("reports of {name}"),
        scopes: [Scope::Read].into(),
        made_at: now,
        ends_at: now + DAY * days,
    };
    let key = Secret::new(format!("upk_{name}"));
    doors.create_key(&of, &key, &new).await.unwrap();
    new.ends_at
}

/// What came of this type, each key once: a relay that stops may tell again what it has just told.
fn told(receiver: &Receiver, what: &str) -> Vec<Seen> {
    let mut told: Vec<Seen> = Vec::new();
    for one in receiver.seen() {
        if one.body["type"] == what && told.iter().all(|known| known.id != one.id) {
            told.push(one);
        }
    }
    told
}

#[tokio::test]
async fn a_key_that_is_about_to_end_is_told_once_two_weeks_before_or_at_the_last_fifth_of_its_life()
{
    let ground = ground().await;
    let receiver = Receiver::start().await;
    let config = with_hooks(&ground, &[("ops", &receiver)]);
    let mut relay = ground.start_with(config.clone()).await;
    let long_ends_at = make_key(&relay, "long", 90).await;
    let short_ends_at = make_key(&relay, "short", 10).await;
    // Every half day for a hundred, and a new process now and then.
    for half in 1..=200 {
        ground.clock.advance(DAY / 2);
        if half % 10 == 0 {
            relay.stop().await;
            relay = ground.start_with(config.clone()).await;
        }
        let now = ground.clock.now();
        let due = |ends_at: Timestamp, before: Duration| u64::from(now >= ends_at - before);
        let expected = due(long_ends_at, DAY * 14) + due(short_ends_at, DAY * 2);
        let n_told = wait_for(
            &format!("{expected} to be told at half day {half}"),
            async || {
                let told = told(&receiver, "key_ends").len() as u64;
                (told >= expected).then_some(told)
            },
        )
        .await;
        assert_eq!(n_told, expected, "at half day {half}");
    }
    relay.stop().await;
    let seen = told(&receiver, "key_ends");
    let keys: Vec<_> = seen.iter().map(|one| one.id.clone()).collect();
    assert_eq!(keys.len(), 2, "{seen:?}");
    // A key's instant is when it was to be told, whenever it was seen.
    let from = |ends_at: Timestamp, days| (ends_at - DAY * days).as_ms();
    assert_eq!(
        keys,
        [
            format!("key_ends_key_short_{}", from(short_ends_at, 2)),
            format!("key_ends_key_long_{}", from(long_ends_at, 14)),
        ]
    );
    let data = &seen[0].body["data"];
    assert_eq!(data["name"], "reports of short");
    assert_eq!(data["account"], "short");
    assert_eq!(data["ends_at"], short_ends_at.to_string());
    assert!(!seen[0].body.to_string().contains("upk_"), "{data}");
}

#[tokio::test]
async fn a_certificate_that_is_not_renewed_is_told_once_a_day_also_by_a_relay_that_is_started_again()
 {
    let ground = ground().await;
    let receiver = Receiver::start().await;
    let config = with_hooks(&ground, &[("ops", &receiver)]);
    let mut relay = ground.start_with(config.clone()).await;
    let since = ground.clock.now();
    let ends_at = since + DAY * 30;
    let mut n_written = 0;
    for hour in 0..72_u32 {
        let app = relay.app();
        let is_told = app
            .store
            .tell_of_certificate(since, Some(ends_at), hour + 1, app.clock.now())
            .await
            .unwrap();
        n_written += u32::from(is_told);
        app.bell.tell();
        if hour % 9 == 8 {
            relay.stop().await;
            relay = ground.start_with(config.clone()).await;
        }
        ground.clock.advance(Duration::from_hours(1));
    }
    assert_eq!(n_written, 3);
    wait_for("each day's to be told", async || {
        (told(&receiver, "certificate_not_renewed").len() >= 3).then_some(())
    })
    .await;
    relay.stop().await;
    let seen = told(&receiver, "certificate_not_renewed");
    assert_eq!(seen.len(), 3, "{seen:?}");
    let data = &seen[0].body["data"];
    assert_eq!(data["ends_at"], ends_at.to_string());
    assert!(data["remedy"].as_str().unwrap().contains("unpause doctor"));
}
