//! Devices prove by their key who they are, and hear from nobody but the relay. What somebody makes of what he heard,
//! changed, kept or guessed is told no.

use protocol::signed::VerifyingKey;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH,
    ORIGIN,
};
use reqwest::{Method, RequestBuilder, StatusCode};
use sandbox::device::{Device, Proof, Question, Said};
use serde_json::{Value, json};

use super::{Answer, EXTENSION, Relay, STRANGER, answer};

/// Another extension in the same browser, and the same extension in another profile of Firefox.
const OTHERS: [&str; 2] = [
    "chrome-extension://ponmlkjihgfedcbaponmlkjihgfedcba",
    "moz-extension://0a1b2c3d-0000-4000-8000-000000000000",
];

/// In which a device names the key by which it knows the relay.
pub(super) const RELAY_KEY: &str = "unpause-relay-key";

/// A device that is paired.
pub(super) struct Paired {
    pub(super) device: Device,
    pub(super) id: String,
    pub(super) relay_key: String,
}

impl Paired {
    /// Pairs from this origin.
    pub(super) async fn at(relay: &Relay, origin: Option<&'static str>) -> Self {
        let pairing = relay.operate("/v1/pairings", json!({})).await;
        Self::by(relay, &pairing, origin).await
    }

    /// Pairs from this origin by a pairing that somebody made.
    pub(super) async fn by(relay: &Relay, pairing: &Value, origin: Option<&'static str>) -> Self {
        let device = Device::new().unwrap();
        let paired = pair(relay, &device, pairing, origin).await;
        assert_eq!(paired.status, StatusCode::OK, "{}", paired.body);
        let allowed = paired.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(allowed.map(|allowed| allowed.to_str().unwrap()), origin);
        Self {
            device,
            id: paired.body["id"].as_str().unwrap().to_owned(),
            relay_key: key_in(pairing),
        }
    }

    /// Signs it, asks, and takes nothing that the relay has not signed.
    pub(super) async fn answer(&self, asked: RequestBuilder) -> Answer {
        let (asked, proof) = sign(&self.device, asked);
        let (answer, is_its) = hear(&self.device, &self.relay_key, asked, &proof).await;
        assert!(is_its, "{}: {}", answer.status, answer.body);
        answer
    }

    /// The same, and whether the relay that it knows has said it.
    pub(super) async fn hear(&self, asked: RequestBuilder) -> (Answer, bool) {
        let (asked, proof) = sign(&self.device, asked);
        hear(&self.device, &self.relay_key, asked, &proof).await
    }
}

/// Pairs with the code and the key of a pairing.
pub(super) async fn pair(
    relay: &Relay,
    device: &Device,
    pairing: &Value,
    origin: Option<&'static str>,
) -> Answer {
    let proof = device.prove(pairing["code"].as_str().unwrap());
    let body = json!({ "proof": proof, "name": "Jane's browser" });
    let mut asked = relay.ask(Method::POST, "/v1/devices").json(&body);
    if let Some(origin) = origin {
        asked = asked.header(ORIGIN, origin);
    }
    for _ in 0..2 {
        let before = device.challenge();
        let (asked, proof) = sign(device, asked.try_clone().unwrap());
        let (answer, is_its) = hear(device, &key_in(pairing), asked, &proof).await;
        assert!(is_its, "an answer that is not signed: {}", answer.body);
        // The first answer brings the challenge.
        if answer.status != StatusCode::UNAUTHORIZED || device.challenge() == before {
            return answer;
        }
    }
    panic!("refused with the relay's own challenge");
}

fn key_in(pairing: &Value) -> String {
    let link = pairing["link"].as_str().unwrap();
    link.split_once("&key=").unwrap().1.to_owned()
}

/// The same request with what proves whose it is.
fn sign(device: &Device, asked: RequestBuilder) -> (RequestBuilder, Proof) {
    sign_with(device, asked, None)
}

fn sign_with(
    device: &Device,
    asked: RequestBuilder,
    nonce: Option<&str>,
) -> (RequestBuilder, Proof) {
    let (http, request) = asked.build_split();
    let mut request = request.unwrap();
    let field = |fields: &HeaderMap, name: &str| {
        let value = fields.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let content_type = field(request.headers(), CONTENT_TYPE.as_str());
    let known = field(request.headers(), IF_NONE_MATCH.as_str());
    let named = field(request.headers(), RELAY_KEY);
    let body = request.body().and_then(|body| body.as_bytes());
    let question = Question {
        method: request.method().as_str(),
        path: request.url().path(),
        query: request.url().query(),
        content_type: content_type.as_deref(),
        if_none_match: known.as_deref(),
        relay_key: named.as_deref(),
        body: body.unwrap_or_default(),
    };
    let proof = match nonce {
        Some(nonce) => device.sign_with(&question, nonce),
        None => device.sign(&question),
    };
    for (name, value) in proof.fields() {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    (RequestBuilder::from_parts(http, request), proof)
}

/// What comes back, and whether the relay of this key has said it to that question.
async fn hear(
    device: &Device,
    relay_key: &str,
    asked: RequestBuilder,
    proof: &Proof,
) -> (Answer, bool) {
    let response = asked.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    let field = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let is_its = device.is_said(
        relay_key,
        proof,
        &Said {
            status: status.as_u16(),
            content_digest: field("content-digest").unwrap_or_default(),
            challenge: field("unpause-challenge").unwrap_or_default(),
            etag: field("etag"),
            signature_input: field("signature-input").unwrap_or_default(),
            signature: field("signature").unwrap_or_default(),
            body: &body,
        },
    );
    let text = String::from_utf8(body.to_vec()).unwrap();
    let answer = Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    };
    (answer, is_its)
}

/// Row: device revoked | a request of a device after it was revoked | 401 unauthenticated | the person | the key that signed this is not known here: the device was revoked, or never paired
#[tokio::test]
async fn a_code_pairs_one_device_once_and_a_revoked_device_is_out() {
    let relay = Relay::start().await;
    let pairing = relay.operate("/v1/pairings", json!({})).await;
    let link = pairing["link"].as_str().unwrap();
    assert!(
        link.starts_with("unpause://pair?relay=http%3A%2F%2F127.0.0.1%3A"),
        "{link}"
    );
    // One number everywhere: the dashboard shows what the extension makes of the link's key.
    let shown = answer(relay.get("/v1/relay-key", &relay.session))
        .await
        .body;
    let named = VerifyingKey::try_from(key_in(&pairing)).unwrap();
    assert_eq!(shown["fingerprint"], named.fingerprint());
    assert_eq!(pairing["fingerprint"], named.fingerprint());
    let device = Device::new().unwrap();
    let paired = pair(&relay, &device, &pairing, Some(EXTENSION)).await;
    assert_eq!(paired.status, StatusCode::OK);
    let again = pair(&relay, &device, &pairing, Some(EXTENSION)).await;
    again.expect_problem(422, "invalid");

    let paired = Paired {
        device,
        id: paired.body["id"].as_str().unwrap().to_owned(),
        relay_key: key_in(&pairing),
    };
    let status = || {
        relay
            .ask(Method::GET, "/v1/status")
            .header(ORIGIN, EXTENSION)
    };
    let read = paired.answer(status()).await;
    assert_eq!(
        (read.status, &read.headers[ACCESS_CONTROL_ALLOW_ORIGIN]),
        (StatusCode::OK, &EXTENSION.parse().unwrap())
    );
    paired
        .answer(relay.ask(Method::GET, "/v1/devices"))
        .await
        .expect_problem(403, "forbidden");
    let devices = answer(relay.get("/v1/devices", &relay.session)).await.body;
    assert_eq!(devices["devices"][0]["origin"], EXTENSION);
    let path = format!("/v1/devices/{}", paired.id);
    let revoke = || answer(relay.ask(Method::DELETE, &path).bearer_auth(&relay.session));
    assert_eq!(revoke().await.status, StatusCode::OK);
    let refused = paired.answer(status()).await;
    refused.expect_problem(401, "unauthenticated");
    assert_eq!(
        refused.headers[ACCESS_CONTROL_ALLOW_ORIGIN], EXTENSION,
        "it can read that it was revoked"
    );
    revoke().await.expect_problem(404, "not_found");
}

/// What a device may read and change, without anything that must exist.
fn requests(relay: &Relay) -> [RequestBuilder; 2] {
    let refuse = "/v1/reconnects/rec_x/refuse";
    [
        relay.ask(Method::GET, "/v1/status"),
        relay
            .ask(Method::POST, refuse)
            .json(&json!({ "why": { "kind": "cancelled" } })),
    ]
}

#[tokio::test]
async fn a_devices_key_is_good_only_where_it_was_paired() {
    let relay = Relay::start().await;
    let device = relay.pair().await;
    let own_page = format!("http://{}", relay.running.address());
    for origin in OTHERS.into_iter().chain([own_page.as_str()]) {
        for asked in requests(&relay) {
            let refused = device.answer(asked.header(ORIGIN, origin)).await;
            refused.expect_problem(403, "forbidden");
            let detail = refused.body["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("found {origin:?}")), "{detail}");
            assert!(!detail.contains(EXTENSION), "{detail}");
        }
    }
    for origin in [STRANGER, "null", ""] {
        for asked in requests(&relay) {
            let refused = device.answer(asked.header(ORIGIN, origin)).await;
            refused.expect_problem(403, "forbidden");
            assert_eq!(refused.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
        }
    }
    // Its own extension: there is no such reconnect, and that is all that is wrong.
    let [read, change] = requests(&relay);
    assert_eq!(
        device.answer(read.header(ORIGIN, EXTENSION)).await.status,
        StatusCode::OK
    );
    device
        .answer(change.header(ORIGIN, EXTENSION))
        .await
        .expect_problem(404, "not_found");
    // A browser leaves the origin out where an extension reads what it was allowed to, and never where it changes.
    let [read, change] = requests(&relay);
    assert_eq!(device.answer(read).await.status, StatusCode::OK);
    let unnamed = device.answer(change).await;
    unnamed.expect_problem(403, "forbidden");
    assert!(
        unnamed.body["detail"]
            .as_str()
            .unwrap()
            .contains("found none")
    );
}

#[tokio::test]
async fn what_is_no_browser_is_bound_to_no_origin() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    let [read, change] = requests(&relay);
    assert_eq!(device.answer(read).await.status, StatusCode::OK);
    device.answer(change).await.expect_problem(404, "not_found");
    let devices = answer(relay.get("/v1/devices", &relay.session)).await.body;
    assert_eq!(devices["devices"][0].get("origin"), None);
}

/// What was heard on the way is good for nothing a second time, and not after ten minutes either.
#[tokio::test]
async fn a_request_that_was_heard_is_not_taken_again() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    for asked in requests(&relay) {
        let (asked, proof) = sign(&device.device, asked);
        let again = asked.try_clone().unwrap();
        let (first, is_its) = hear(&device.device, &device.relay_key, asked, &proof).await;
        assert!(is_its && first.status != StatusCode::UNAUTHORIZED);
        let (second, _) = hear(&device.device, &device.relay_key, again, &proof).await;
        second.expect_problem(401, "unauthenticated");
        assert_eq!(
            second.body["detail"],
            "this request was sent before: its nonce is used"
        );
    }
    // Held back before it arrived, and sent to a relay that was started again.
    let [read, _] = requests(&relay);
    let (held, _) = sign(&device.device, read);
    let old = held.build().unwrap();
    let relay = relay.restart().await;
    let mut late = relay.ask(Method::GET, "/v1/status");
    for (name, value) in old.headers() {
        late = late.header(name, value);
    }
    answer(late).await.expect_problem(401, "unauthenticated");
}

/// What somebody on the way does to a request.
type Change = fn(&mut reqwest::Request);

/// Each thing that a signature covers, changed on the way.
#[tokio::test]
async fn a_request_that_was_changed_on_the_way_does_nothing() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    let refuse = "/v1/reconnects/rec_x/refuse";
    let said = json!({ "why": { "kind": "cancelled" } });
    let ask = || relay.ask(Method::POST, refuse).json(&said);
    let changes: [(&str, Change); 8] = [
        ("body", |asked| {
            let other = json!({ "why": { "kind": "window_closed" } }).to_string();
            *asked.body_mut() = Some(other.into());
        }),
        // Nothing is said of it, not even that it is none.
        ("no JSON", |asked| *asked.body_mut() = Some("{".into())),
        ("path", |asked| {
            asked.url_mut().set_path("/v1/reconnects/rec_y/refuse");
        }),
        ("query", |asked| asked.url_mut().set_query(Some("a=b"))),
        ("type", |asked| {
            let other = "application/json; charset=utf-8".parse().unwrap();
            asked.headers_mut().insert(CONTENT_TYPE, other);
        }),
        ("tag", |asked| {
            asked
                .headers_mut()
                .insert(IF_NONE_MATCH, "*".parse().unwrap());
        }),
        ("digest", |asked| {
            let other = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
            asked
                .headers_mut()
                .insert("content-digest", other.parse().unwrap());
        }),
        ("method", |asked| *asked.method_mut() = Method::GET),
    ];
    for (name, change) in changes {
        let (asked, _) = sign(&device.device, ask());
        let (http, asked) = asked.build_split();
        let mut asked = asked.unwrap();
        change(&mut asked);
        let refused = answer(RequestBuilder::from_parts(http, asked)).await;
        // No such endpoint, where the method is another one.
        let is_refused =
            [StatusCode::UNAUTHORIZED, StatusCode::METHOD_NOT_ALLOWED].contains(&refused.status);
        assert!(is_refused, "{name}: {} {}", refused.status, refused.body);
    }
    // Unchanged, it is heard.
    device.answer(ask()).await.expect_problem(404, "not_found");
}

/// Whoever has heard a signature asks something else with it, or changes what was asked: what comes back is not signed, or
/// the device would believe it.
#[tokio::test]
async fn what_was_asked_by_somebody_else_with_a_devices_signature_is_answered_unsigned() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    let client = relay.join("mallory", "client", json!([])).await;
    let (held, proof) = sign(&device.device, relay.ask(Method::GET, "/v1/status"));
    let (_, held) = held.build_split();
    let signature = held.unwrap().headers()["signature"].clone();
    let believed = async |asked: RequestBuilder| {
        let (answer, is_its) = hear(&device.device, &device.relay_key, asked, &proof).await;
        assert!(!answer.headers.contains_key("signature"), "{}", answer.body);
        is_its
    };
    for (method, path) in [
        (Method::GET, "/healthz"),
        (Method::GET, "/openapi.json"),
        (Method::GET, "/nope"),
        (Method::GET, "/v1/status"),
        (Method::DELETE, "/v1/status"),
    ] {
        let asked = relay.ask(method, path);
        let asked = asked.header("signature", &signature);
        assert!(!believed(asked).await, "{path}");
    }
    let by_session = relay.get("/v1/status", &client.token);
    assert!(!believed(by_session.header("signature", &signature)).await);
    // With all that was signed, and something else in it.
    let refuse = || relay.ask(Method::POST, "/v1/reconnects/rec_x/refuse");
    let why = json!({ "why": { "kind": "cancelled" } });
    let (asked, proof) = sign(&device.device, refuse().json(&why));
    let (http, asked) = asked.build_split();
    for body in ["{}", "no JSON", ""] {
        let mut asked = asked.as_ref().unwrap().try_clone().unwrap();
        *asked.body_mut() = Some(body.into());
        let asked = RequestBuilder::from_parts(http.clone(), asked);
        let (refused, is_its) = hear(&device.device, &device.relay_key, asked, &proof).await;
        assert!(!is_its, "{body}: {}", refused.body);
    }
    // Its own refusals are signed, and what is sent once more is not answered to it.
    let (asked, proof) = sign(&device.device, refuse().json(&why));
    let again = asked.try_clone().unwrap();
    let (refused, is_its) = hear(&device.device, &device.relay_key, asked, &proof).await;
    refused.expect_problem(404, "not_found");
    assert!(is_its);
    let (refused, is_its) = hear(&device.device, &device.relay_key, again, &proof).await;
    refused.expect_problem(401, "unauthenticated");
    assert!(!is_its);
}

/// What the relay did not say, or said to another question, is not taken.
#[tokio::test]
async fn an_answer_that_is_another_s_is_known() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    let status = || relay.ask(Method::GET, "/v1/status");
    let (asked, proof) = sign(&device.device, status());
    let (_, other) = sign(&device.device, status());
    let response = asked.send().await.unwrap();
    let headers = response.headers().clone();
    let body = response.bytes().await.unwrap();
    let field = |name: &str| headers[name].to_str().unwrap();
    let said = Said {
        status: 200,
        content_digest: field("content-digest"),
        challenge: field("unpause-challenge"),
        etag: Some(field("etag")),
        signature_input: field("signature-input"),
        signature: field("signature"),
        body: &body,
    };
    let is_taken = |proof, said| device.device.is_said(&device.relay_key, proof, &said);
    assert!(is_taken(&proof, said));
    assert!(!is_taken(&other, said), "an answer of before");
    for changed in [
        Said {
            status: 304,
            ..said
        },
        Said {
            body: b"{}",
            ..said
        },
        Said { etag: None, ..said },
        Said {
            challenge: "another",
            ..said
        },
    ] {
        assert!(!is_taken(&proof, changed), "{changed:?}");
    }
    let another = Device::new().unwrap().public_key();
    assert!(!device.device.is_said(&another, &proof, &said));
}

/// Unchanged answers are signed too, and say so only where nothing has changed.
#[tokio::test]
async fn what_has_not_changed_is_said_by_the_relay_itself() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    let status = || relay.ask(Method::GET, "/v1/status");
    let first = device.answer(status()).await;
    let tag = first.headers[ETAG].to_str().unwrap().to_owned();
    let same = device.answer(status().header(IF_NONE_MATCH, &tag)).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
}

/// Nobody comes in by what somebody knows: the relay's public key, a device's public key, a token of old.
#[tokio::test]
async fn what_is_public_opens_nothing() {
    let relay = Relay::start().await;
    let paired = relay.pair().await;
    let stranger = Device::new().unwrap();
    for asked in requests(&relay) {
        let (asked, _) = sign(&stranger, asked);
        let refused = answer(asked.header(ORIGIN, EXTENSION)).await;
        refused.expect_problem(401, "unauthenticated");
    }
    // The device's key is named, and another has signed.
    for asked in requests(&relay) {
        let (asked, _) = sign(&stranger, asked);
        let (http, asked) = asked.build_split();
        let mut asked = asked.unwrap();
        let input = asked.headers()["signature-input"].to_str().unwrap();
        let named = input.replace(&stranger.public_key(), &paired.device.public_key());
        assert_ne!(input, named);
        asked
            .headers_mut()
            .insert("signature-input", named.parse().unwrap());
        answer(RequestBuilder::from_parts(http, asked))
            .await
            .expect_problem(401, "unauthenticated");
    }
    for text in [paired.device.public_key(), paired.relay_key.clone()] {
        let asked = relay.get("/v1/status", &text);
        answer(asked).await.expect_problem(401, "unauthenticated");
    }
    // A signature beside a token that is good is judged as a signature.
    let [read, _] = requests(&relay);
    let (asked, _) = sign(&stranger, read);
    let asked = asked.header(AUTHORIZATION, format!("Bearer {}", relay.session));
    answer(asked).await.expect_problem(401, "unauthenticated");
}

/// Whoever answered in the relay's place heard the proof of a code: it is good for no other key.
#[tokio::test]
async fn who_heard_a_pairing_pairs_nothing_of_his_own() {
    let relay = Relay::start().await;
    let pairing = relay.operate("/v1/pairings", json!({})).await;
    let (jane, mallory) = (Device::new().unwrap(), Device::new().unwrap());
    let heard = jane.prove(pairing["code"].as_str().unwrap());
    let body = json!({ "proof": heard, "name": "Jane's browser" });
    let asked = relay.ask(Method::POST, "/v1/devices").json(&body);
    // Of the minutes that count: somebody who talks with the relay himself.
    let (status, _) = sign(&mallory, relay.ask(Method::GET, "/v1/status"));
    let refused = answer(status).await;
    let challenge = refused.headers["unpause-challenge"].to_str().unwrap();
    let nonce = format!("{challenge}.1");
    let (asked, _) = sign_with(&mallory, asked, Some(&nonce));
    answer(asked).await.expect_problem(422, "invalid");
    let unsigned = relay.ask(Method::POST, "/v1/devices").json(&body);
    answer(unsigned)
        .await
        .expect_problem(401, "unauthenticated");
    // Jane's own request, as it was heard: made for no challenge of this relay.
    let asked = relay.ask(Method::POST, "/v1/devices").json(&body);
    let (asked, _) = sign(&jane, asked);
    answer(asked).await.expect_problem(401, "unauthenticated");
    let devices = answer(relay.get("/v1/devices", &relay.session)).await.body;
    assert_eq!(devices["devices"], json!([]));
    let paired = pair(&relay, &jane, &pairing, None).await;
    assert_eq!(paired.status, StatusCode::OK, "{}", paired.body);
}

/// The challenge of an answer is good for some minutes; who slept longer is told another, and is heard then.
#[tokio::test]
async fn a_device_that_slept_signs_once_more() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    let status = || relay.ask(Method::GET, "/v1/status");
    let (stale, proof) = sign_with(&device.device, status(), Some("of-last-week.1"));
    let (refused, is_its) = hear(&device.device, &device.relay_key, stale, &proof).await;
    assert!(is_its);
    refused.expect_problem(401, "unauthenticated");
    assert_eq!(device.answer(status()).await.status, StatusCode::OK);
}

/// A device shows how things stand and no message: it gets the text of none, and no browser keeps what it got.
#[tokio::test]
async fn a_device_gets_no_text_of_a_message() {
    let relay = Relay::start().await;
    let device = Paired::at(&relay, None).await;
    let new = json!({ "address": "jane@acme.example", "provider": "sandbox" });
    let inbox = relay.operate("/v1/inboxes", new).await;
    let steps = json!([{ "subject": "A subject of ours", "body": "A text of ours" }]);
    let draft = json!({ "name": "Spring", "inboxes": [inbox["id"]], "steps": steps });
    let campaign = relay.operate("/v1/campaigns", draft).await;
    let path = format!("/v1/campaigns/{}", campaign["id"].as_str().unwrap());

    let status = device.answer(relay.ask(Method::GET, "/v1/status")).await;
    assert_eq!(status.headers["cache-control"], "no-store");
    let shown = &status.body["campaigns"][0];
    assert_eq!(
        (&shown["name"], &shown["status"]),
        (&json!("Spring"), &campaign["status"])
    );
    assert!(!status.body.to_string().contains("of ours"), "{shown}");
    for path in ["/v1/campaigns", &path] {
        let refused = device.answer(relay.ask(Method::GET, path)).await;
        refused.expect_problem(403, "forbidden");
    }
    // Whoever is signed in reads them.
    let whole = answer(relay.get(&path, &relay.session)).await;
    assert_eq!(whole.body["steps"][0]["body"], "A text of ours");
}
