//! What a device hands over, and what somebody makes of it who can ask as that device, or who kept what he saw: it
//! opens for its relay, its reconnect and its inbox, once.

use std::convert::Infallible;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hpke::rand_core::{TryCryptoRng, TryRng};
use protocol::budget::Budget;
use protocol::cause::Cause;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::{Grant, State, sealing_context};
use protocol::sealed::{OpeningKey, RelayKey};
use protocol::secret::Secret;
use relay::store::inbox::NewInbox;
use reqwest::StatusCode;
use sandbox::control::Point;
use serde_json::{Value, json};

use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, JOHN, Relay};

/// A generator that counts: these tests need bytes, not randomness.
struct Counting(u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = self.0.wrapping_add(1);
        Ok(u32::from(self.0))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

/// A relay and somebody who speaks to it as its operator.
struct Scene {
    ground: Ground,
    relay: Relay,
    inbox: InboxId,
    operator: reqwest::Client,
}

impl Scene {
    async fn set(client: Client) -> Self {
        let ground = Ground::new(client).await;
        let relay = ground.start().await;
        let inbox = relay.add_inbox(Duration::ZERO).await;
        let operator = operator(&ground);
        Self {
            ground,
            relay,
            inbox,
            operator,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let asked = self.operator.post(self.relay.url(path));
        let answer = asked.json(body).send().await;
        let answer = answer.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn start(&self, inbox: &InboxId) -> ReconnectId {
        let path = format!("/v1/inboxes/{inbox}/reconnects");
        let (status, started) = self.post(&path, &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{started}");
        ReconnectId::new(started["reconnect"]["id"].as_str().unwrap())
    }

    async fn hand_over(&self, reconnect: &ReconnectId, sealed: &str) -> (StatusCode, Value) {
        let path = format!("/v1/reconnects/{reconnect}/grant");
        self.post(&path, &json!({ "sealed": sealed })).await
    }

    fn key(&self) -> RelayKey {
        let app = self.relay.app();
        app.keys.sealing(None, app.clock.now())
    }

    /// The reconnect ended because nobody could open what came, and nothing of it is kept.
    async fn expect_unsealable(&self, reconnect: &ReconnectId, sealed: &str, what: &str) {
        let (status, told) = self.hand_over(reconnect, sealed).await;
        assert_eq!(status, StatusCode::OK, "{what}: {told}");
        assert_eq!(
            (&told["state"], &told["cause"]),
            (&json!("refused"), &json!("unsealable")),
            "{what}: {told}"
        );
        let kept = self
            .relay
            .app()
            .store
            .load_reconnect(reconnect)
            .await
            .unwrap();
        assert!(
            matches!(
                kept.state,
                State::Refused {
                    cause: Cause::Unsealable,
                    ..
                }
            ),
            "{what}: {:?}",
            kept.state
        );
        assert_eq!(kept.payload, None, "{what}");
    }
}

fn seal(key: &RelayKey, context: &str, plain: &[u8]) -> String {
    let sealed = key.seal(context, plain, &mut Counting(7)).unwrap();
    let text = serde_json::to_value(sealed).unwrap();
    text.as_str().unwrap().to_owned()
}

fn seal_grant(key: &RelayKey, reconnect: &ReconnectId, inbox: &InboxId, grant: &Grant) -> String {
    let plain = serde_json::to_vec(grant).unwrap();
    seal(key, &sealing_context(reconnect, inbox), &plain)
}

/// Makes something to hand over for a reconnect.
type Forge<'a> = &'a dyn Fn(&ReconnectId) -> String;

#[tokio::test]
async fn a_blob_opens_only_for_the_reconnect_the_inbox_and_the_relay_it_was_sealed_for() {
    let scene = Scene::set(Client::Public).await;
    let app = scene.relay.app();
    let other_inbox = {
        let inbox = scene.relay.inbox(&scene.inbox).await;
        let new = NewInbox {
            address: JOHN.parse().unwrap(),
            provider: inbox.provider.clone(),
            smtp: inbox.smtp.clone(),
            imap: inbox.imap.clone(),
            budget: Budget::default(),
        };
        let made = app
            .store
            .create_inbox(new, &inbox.connection, app.clock.now());
        made.await.unwrap().id
    };
    let grant = scene.ground.sign_in(JANE, ALL).await;
    let other_reconnect = scene.start(&other_inbox).await;
    let other_key = OpeningKey::derive(&[9; 32]);
    let (key, inbox) = (scene.key(), scene.inbox.clone());
    let at_rest = |id: &ReconnectId| {
        let context = relay::credentials::reconnect_context(id);
        app.keys.seal(&context, &grant).unwrap().to_string()
    };
    let forgeries: [(&str, Forge<'_>); 8] = [
        ("for another reconnect", &|_| {
            seal_grant(&key, &other_reconnect, &inbox, &grant)
        }),
        ("for another inbox", &|id| {
            seal_grant(&key, id, &other_inbox, &grant)
        }),
        ("for another relay", &|id| {
            seal_grant(other_key.public(), id, &inbox, &grant)
        }),
        ("no grant", &|id| {
            seal(&key, &sealing_context(id, &inbox), b"{\"kind\":\"admin\"}")
        }),
        ("one bit turned", &|id| {
            let mut blob = URL_SAFE_NO_PAD
                .decode(seal_grant(&key, id, &inbox, &grant))
                .unwrap();
            let last = blob.len() - 1;
            blob[last] ^= 1;
            URL_SAFE_NO_PAD.encode(blob)
        }),
        ("cut off", &|id| {
            seal_grant(&key, id, &inbox, &grant)
                .split_at(60)
                .0
                .to_owned()
        }),
        // What the database holds is no hand-over, though the same key file opens it.
        ("what is sealed at rest", &at_rest),
        ("nothing", &|_| String::new()),
    ];
    for (what, forge) in forgeries {
        let reconnect = scene.start(&inbox).await;
        let sealed = forge(&reconnect);
        scene.expect_unsealable(&reconnect, &sealed, what).await;
    }
    assert!(app.store.find_credentials(&inbox).await.unwrap().is_none());

    // The same grant, sealed as it should be, is taken: it was not the grant that was refused.
    let reconnect = scene.start(&inbox).await;
    let sealed = seal_grant(&key, &reconnect, &inbox, &grant);
    let (status, told) = scene.hand_over(&reconnect, &sealed).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let outcome = scene.relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    scene.relay.stop().await;
}

#[tokio::test]
async fn a_hand_over_that_comes_again_is_taken_once() {
    let scene = Scene::set(Client::Confidential).await;
    let grant = scene.ground.sign_in(JANE, ALL).await;
    let reconnect = scene.start(&scene.inbox).await;
    let sealed = seal_grant(&scene.key(), &reconnect, &scene.inbox, &grant);
    // While it is being proved, so that the second one does not just find it over.
    let held = scene.ground.sandbox.control().hold(Point::UserInfo);
    let (first, second) = tokio::join!(
        scene.hand_over(&reconnect, &sealed),
        scene.hand_over(&reconnect, &sealed)
    );
    let mut statuses = [first.0.as_u16(), second.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", first.1, second.1);
    held.reached().await;
    let other = Grant::Password {
        user: JANE.to_owned(),
        password: Secret::new("somebody else's"),
    };
    let other = seal_grant(&scene.key(), &reconnect, &scene.inbox, &other);
    for sealed in [&sealed, &other] {
        let (status, told) = scene.hand_over(&reconnect, sealed).await;
        assert_eq!(
            (status, &told["code"]),
            (StatusCode::CONFLICT, &json!("conflict")),
            "{told}"
        );
    }
    held.release();
    let outcome = scene.relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");

    // Afterwards it opens nothing: not its own reconnect, which is over, and not the next one.
    let (status, told) = scene.hand_over(&reconnect, &sealed).await;
    assert_eq!(
        (status, &told["code"]),
        (StatusCode::CONFLICT, &json!("conflict"))
    );
    let next = scene.start(&scene.inbox).await;
    assert_ne!(next, reconnect);
    scene
        .expect_unsealable(&next, &sealed, "replayed into the next reconnect")
        .await;
    // One code was exchanged, once: a provider that sees a code twice ends the grant (RFC 6749 §4.1.2).
    let grants = scene.ground.sandbox.control().grants(JANE);
    assert!(
        grants.len() == 1 && grants[0].live,
        "{} grants",
        grants.len()
    );
    scene.relay.stop().await;
}

#[tokio::test]
async fn a_code_that_was_used_already_ends_the_reconnect_and_gives_nothing() {
    let scene = Scene::set(Client::Confidential).await;
    let grant = scene.ground.sign_in(JANE, ALL).await;
    let first = scene.relay.grant(&scene.inbox, &grant).await;
    let outcome = scene.relay.outcome(&first).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    // Whoever saw the code hands it over in a reconnect of his own, sealed as it should be.
    let second = scene.start(&scene.inbox).await;
    let sealed = seal_grant(&scene.key(), &second, &scene.inbox, &grant);
    let (status, told) = scene.hand_over(&second, &sealed).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let outcome = scene.relay.outcome(&second).await;
    let cause = Cause::CodeRefused;
    assert!(
        matches!(&outcome, State::Refused { cause: found, .. } if *found == cause),
        "{outcome:?}"
    );
    let kept = scene
        .relay
        .app()
        .store
        .load_reconnect(&second)
        .await
        .unwrap();
    assert_eq!(kept.payload, None);
    scene.relay.stop().await;
}
