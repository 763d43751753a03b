//! The relay's keys are renewed: paired devices hear from the key that they know until they have followed, and those that
//! did not in time, or whose key somebody may have, hear from a relay that is not theirs any more.

use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey as DalekKey};
use protocol::renewal::{self, Renewal, Renewed};
use protocol::signed::{SIGNATURE_BYTES, VerifyingKey};
use reqwest::header::{ETAG, IF_NONE_MATCH, ORIGIN};
use reqwest::{Method, RequestBuilder, StatusCode};
use sandbox::device::Device;
use serde_json::{Value, json};

use super::devices::{Paired, RELAY_KEY, pair};
use super::{EXTENSION, Relay, answer};

const DAY: Duration = Duration::from_hours(24);

impl Relay {
    async fn renew(&self, at_once: bool) -> Value {
        self.operate("/v1/relay-keys", json!({ "at_once": at_once }))
            .await
    }

    async fn show_keys(&self) -> Value {
        answer(self.by_operator(Method::GET, "/v1/relay-keys"))
            .await
            .body
    }

    fn ask_status(&self) -> RequestBuilder {
        self.ask(Method::GET, "/v1/status")
            .header(ORIGIN, EXTENSION)
    }

    /// What a device is told to seal to.
    async fn sealing_for(&self, device: &Paired, named: Option<&str>) -> Value {
        let mut asked = self
            .ask(Method::GET, "/v1/relay-key")
            .header(ORIGIN, EXTENSION);
        if let Some(named) = named {
            asked = asked.header(RELAY_KEY, named);
        }
        device.answer(asked).await.body["relay_key"].clone()
    }
}

async fn is_signed(key: &VerifyingKey, text: &str, signature: &[u8; SIGNATURE_BYTES]) -> bool {
    let signature = Signature::from_bytes(signature);
    DalekKey::from_bytes(&key.to_bytes())
        .is_ok_and(|key| key.verify_strict(text.as_bytes(), &signature).is_ok())
}

/// Where a status leads a device that knows this key.
async fn follow(status: &Value, known: &str) -> Option<Renewed> {
    let renewals: Vec<Renewal> =
        serde_json::from_value(status.get("renewals").cloned().unwrap_or(json!([]))).unwrap();
    let known = VerifyingKey::try_from(known.to_owned()).unwrap();
    renewal::follow(&known, &renewals, is_signed).await
}

fn behind(listed: &Value) -> Vec<&Value> {
    let devices = listed["devices"].as_array().unwrap().iter();
    devices.map(|device| &device["behind_until"]).collect()
}

#[tokio::test]
async fn a_device_follows_from_the_key_that_it_knows_over_two_renewals() {
    let relay = Relay::start().await;
    let mut device = relay.pair().await;
    let first = device.relay_key.clone();
    let sealing = relay.sealing_for(&device, None).await;
    let tag = device.answer(relay.ask_status()).await.headers[ETAG].clone();

    let made = relay.renew(false).await;
    assert_eq!(made["devices"], 1);
    let shown = relay.show_keys().await;
    assert_eq!(shown["behind"][0]["id"], device.id);
    assert_eq!(shown["known_by"].as_array().unwrap().len(), 2);
    // Whoever has the status as it was is told of this all the same.
    let told = device
        .answer(relay.ask_status().header(IF_NONE_MATCH, tag))
        .await;
    assert_eq!(told.status, StatusCode::OK);
    let second = follow(&told.body, &first).await.unwrap();
    assert_eq!(second.signing.fingerprint(), made["fingerprint"]);
    assert_eq!(
        relay.sealing_for(&device, None).await,
        sealing,
        "what it has pinned"
    );

    // Away meanwhile, also over a restart.
    relay.renew(false).await;
    let relay = relay.restart().await;
    // The first answer brings the challenge of this start, by the key that it knows.
    device
        .answer(relay.ask_status())
        .await
        .expect_problem(401, "unauthenticated");
    let third = follow(&device.answer(relay.ask_status()).await.body, &first)
        .await
        .unwrap();
    assert_ne!(third.signing, second.signing);
    let listed = answer(relay.get("/v1/devices", &relay.session)).await.body;
    assert!(behind(&listed)[0].is_string(), "{listed}");

    device.relay_key = third.signing.to_string();
    let named = device.relay_key.clone();
    let followed = device
        .answer(relay.ask_status().header(RELAY_KEY, &named))
        .await;
    assert_eq!(followed.status, StatusCode::OK);
    assert_eq!(followed.body.get("renewals"), None);
    let now = relay.sealing_for(&device, Some(&named)).await;
    assert_eq!(now, third.sealing.to_string());
    let listed = answer(relay.get("/v1/devices", &relay.session)).await.body;
    assert_eq!(behind(&listed), [&Value::Null]);
    assert_eq!(relay.show_keys().await["behind"], json!([]));
    // What was on its way, and names no key, is answered as before.
    device.relay_key = first;
    device.answer(relay.ask_status()).await;
}

#[tokio::test]
async fn who_does_not_follow_in_ninety_days_has_to_be_paired_again() {
    let relay = Relay::start().await;
    let (device, other) = (relay.pair().await, relay.pair().await);
    relay.renew(false).await;
    relay.clock.advance(89 * DAY);
    device.answer(relay.ask_status()).await;
    relay.clock.advance(DAY);
    // The first is about the challenge, which is of another day.
    for _ in 0..2 {
        let (_, is_its) = other.hear(relay.ask_status()).await;
        assert!(!is_its, "the key before is over");
    }
    let again = relay.pair().await;
    assert_ne!(again.relay_key, device.relay_key);
    again.answer(relay.ask_status()).await;
    let shown = relay.show_keys().await;
    assert_eq!(shown["behind"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn keys_that_somebody_may_have_announce_nothing() {
    let relay = Relay::start().await;
    let device = relay.pair().await;
    relay.renew(false).await;
    let link = relay.operate("/v1/pairings", json!({})).await;
    let made = relay.renew(true).await;
    assert_eq!(
        (&made["devices"], made.get("follow_until")),
        (&json!(1), None)
    );
    let (heard, is_its) = device.hear(relay.ask_status()).await;
    assert!(!is_its);
    assert_eq!(follow(&heard.body, &device.relay_key).await, None);
    // A link names the key of its time, and is over.
    let mut asked = Device::new().unwrap();
    let late = pair_unheard(&relay, &mut asked, &link).await;
    assert_ne!(late, StatusCode::OK);
    relay.pair().await.answer(relay.ask_status()).await;
    assert_eq!(relay.show_keys().await["behind"][0]["id"], device.id);
}

/// Pairs whoever answers; what it says is believed by nobody.
async fn pair_unheard(relay: &Relay, device: &mut Device, pairing: &Value) -> StatusCode {
    let now = relay.operate("/v1/pairings", json!({})).await;
    let mut with_old_code = now;
    with_old_code["code"] = pairing["code"].clone();
    pair(relay, device, &with_old_code, Some(EXTENSION))
        .await
        .status
}

#[tokio::test]
async fn who_names_a_key_that_is_none_of_the_relays_is_answered_by_the_one_of_now() {
    let relay = Relay::start().await;
    let device = relay.pair().await;
    relay.renew(false).await;
    let strange = VerifyingKey::from_bytes(&[1; 32]).to_string();
    let (_, is_its) = device
        .hear(relay.ask_status().header(RELAY_KEY, &strange))
        .await;
    assert!(!is_its, "it is answered as who knows another key");
    let refused = device
        .hear(relay.ask_status().header(RELAY_KEY, "no key"))
        .await;
    assert_eq!(refused.0.status, StatusCode::UNAUTHORIZED);
    assert!(relay.show_keys().await["behind"][0].is_object());
}
