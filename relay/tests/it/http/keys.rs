//! API keys: what a program with one may do, from where, and until when. What each scope opens is in `roles`.

use std::time::Duration;

use reqwest::header::{HOST, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::reach::BEHIND_US;
use super::{Answer, EXTENSION, Relay, answer};

/// A millisecond less than one.
const ALMOST_A_DAY: Duration = Duration::from_millis(86_399_999);

impl Relay {
    /// Somebody makes a key with these scopes.
    pub(super) async fn make_key(&self, token: &str, scopes: &[&str]) -> String {
        let asked = json!({ "name": "reports", "scopes": scopes });
        let made = answer(self.post("/v1/keys", token, &asked)).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
        made.body["key"].as_str().unwrap().to_owned()
    }

    async fn list_keys(&self, token: &str) -> Vec<Value> {
        let listed = answer(self.get("/v1/keys", token)).await;
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.body);
        listed.body["keys"].as_array().unwrap().clone()
    }

    async fn status(&self, key: &str) -> Answer {
        answer(self.get("/v1/status", key)).await
    }
}

/// Row: an API key that ended | a program's call | 401 unauthenticated | the person | `this API key ended at 1970-01-02T00:16:40.000Z: make another one in the dashboard or with unpause key add`
#[tokio::test]
async fn a_key_reads_until_its_end_and_is_listed_with_its_last_use() {
    let relay = Relay::start_as(BEHIND_US).await;
    let asked = json!({ "name": " Reports ", "scopes": ["read"], "days": 1 });
    let made = answer(relay.post("/v1/keys", &relay.session, &asked)).await;
    let key = made.body["key"].as_str().unwrap();
    // Long enough that nobody guesses it: 192 bits behind what programs that look for secrets know it by.
    assert!(key.starts_with("upk_") && key.len() == 36, "{}", key.len());
    assert_eq!(made.body["listed"]["name"], "Reports");
    let [listed] = &relay.list_keys(&relay.session).await[..] else {
        panic!("one key")
    };
    assert_eq!(listed.get("used_at"), None);
    assert!(!listed.to_string().contains(key), "shown once");
    relay.clock.advance(ALMOST_A_DAY);
    let asked = relay.get("/v1/status", key);
    let read = answer(asked.header("x-forwarded-for", "198.51.100.7")).await;
    assert_eq!(read.status, StatusCode::OK, "{}", read.body);
    let session = relay.sign_in().await;
    let listed = &relay.list_keys(&session).await[0];
    assert_eq!(listed["used_from"], "198.51.100.7");
    assert_eq!(listed["used_at"], "1970-01-02T00:16:39.999Z");
    relay.clock.advance(Duration::from_millis(1));
    let late = relay.status(key).await;
    late.expect_problem(401, "unauthenticated");
    let detail = late.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("ended at 1970-01-02T00:16:40.000Z"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_key_is_deleted_by_its_account_or_an_owner_and_goes_with_the_account() {
    let relay = Relay::start_as(BEHIND_US).await;
    let jane = relay.join("jane", "member", json!([])).await;
    let joe = relay.join("joe", "member", json!([])).await;
    let keys = [
        relay.make_key(&jane.token, &["read"]).await,
        relay.make_key(&jane.token, &["read"]).await,
        relay.make_key(&jane.token, &["read"]).await,
    ];
    assert_eq!(relay.list_keys(&joe.token).await, Vec::<Value>::new());
    assert_eq!(relay.list_keys(&relay.session).await.len(), 3);
    // All were made at once: which of them is listed where is not known.
    let ids: Vec<_> = (relay.list_keys(&jane.token).await.iter())
        .map(|key| key["id"].as_str().unwrap().to_owned())
        .collect();
    let delete = async |id: &str, token: &str| {
        let path = format!("/v1/keys/{id}");
        answer(relay.ask(Method::DELETE, &path).bearer_auth(token)).await
    };
    let n_good = async || {
        let mut n = 0;
        for key in &keys {
            n += usize::from(relay.status(key).await.status == StatusCode::OK);
        }
        n
    };
    delete(&ids[0], &joe.token)
        .await
        .expect_problem(404, "not_found");
    assert_eq!(n_good().await, 3);
    assert_eq!(delete(&ids[0], &jane.token).await.status, StatusCode::OK);
    assert_eq!(n_good().await, 2);
    assert_eq!(delete(&ids[1], &relay.session).await.status, StatusCode::OK);
    assert_eq!(n_good().await, 1);
    let path = format!("/v1/accounts/{}", jane.id);
    let removed = answer(relay.by_operator(Method::DELETE, &path)).await;
    assert_eq!(removed.status, StatusCode::OK);
    assert_eq!(n_good().await, 0);
}

#[tokio::test]
async fn a_key_may_no_more_than_its_account_may_now() {
    let relay = Relay::start_as(BEHIND_US).await;
    let inbox = json!({ "address": "jane@acme.example", "provider": "sandbox" });
    relay.operate("/v1/inboxes", inbox).await;
    let jane = relay.join("jane", "member", json!([])).await;
    let key = relay.make_key(&jane.token, &["read", "suppressions"]).await;
    let stop = |whom: &str| relay.post("/v1/suppressions", &key, &json!({ "whom": whom }));
    assert_eq!(answer(stop("a.example")).await.status, StatusCode::OK);
    let n_seen = async || {
        relay.status(&key).await.body["inboxes"]
            .as_array()
            .map(Vec::len)
    };
    assert_eq!(n_seen().await, Some(1));
    let path = format!("/v1/accounts/{}", jane.id);
    relay.operate(&path, json!({ "role": "client" })).await;
    answer(stop("b.example"))
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(n_seen().await, Some(0));
}

/// Row: an API key without https | a key is asked for where the relay is reached by plain http | 409 conflict | the person | an API key is sent with every request, so it is good over https alone
#[tokio::test]
async fn keys_are_for_relays_that_are_reached_by_https_alone() {
    let relay = Relay::start().await;
    let asked = json!({ "name": "reports", "scopes": ["read"] });
    let refused = answer(relay.post("/v1/keys", &relay.session, &asked)).await;
    refused.expect_problem(409, "conflict");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("over https alone"), "{detail}");
    relay
        .status("upk_whatever")
        .await
        .expect_problem(403, "forbidden");
    // One that was made while it was, once it is not any more.
    let relay = Relay::start_as(BEHIND_US).await;
    let key = relay.make_key(&relay.session, &["read"]).await;
    let past = relay.get("/v1/status", &key).header(HOST, "127.0.0.1");
    answer(past).await.expect_problem(403, "forbidden");
    let plain = relay.get("/v1/status", &key);
    let plain = plain.header("x-forwarded-proto", "http");
    answer(plain).await.expect_problem(403, "forbidden");
    let (folder, clock) = relay.stop().await;
    let relay = Relay::start_in(folder, clock).await;
    relay.status(&key).await.expect_problem(403, "forbidden");
}

/// One that was deleted since the backup would be good again.
#[tokio::test]
async fn no_key_of_a_database_that_was_put_back_lets_anybody_in() {
    let relay = Relay::start_as(BEHIND_US).await;
    let key = relay.make_key(&relay.session, &["read"]).await;
    let (folder, clock) = relay.stop().await;
    let relay = Relay::open(folder, clock, BEHIND_US).await;
    assert_eq!(relay.status(&key).await.status, StatusCode::OK);
    // As a backup has it.
    relay
        .meddle("INSERT INTO meta (name, value) VALUES ('backup', '{}')")
        .await;
    let (folder, clock) = relay.stop().await;
    let mut relay = Relay::open(folder, clock, BEHIND_US).await;
    relay
        .status(&key)
        .await
        .expect_problem(401, "unauthenticated");
    relay.session = relay.sign_in().await;
    assert_eq!(relay.list_keys(&relay.session).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_no_key_lets_nobody_in_and_no_page_of_others_shows_one() {
    let relay = Relay::start_as(BEHIND_US).await;
    let key = relay.make_key(&relay.session, &["read"]).await;
    for wrong in [
        "upk_",
        "upk_guess",
        &key[4..],
        &format!("{key}x"),
        &key.to_uppercase(),
    ] {
        let refused = relay.status(wrong).await;
        refused.expect_problem(401, "unauthenticated");
        assert!(!refused.body.to_string().contains(wrong) || wrong == "upk_");
    }
    let extension = relay.get("/v1/status", &key).header(ORIGIN, EXTENSION);
    answer(extension).await.expect_problem(403, "forbidden");
    // A key makes nothing that outlasts it.
    for path in [
        "/v1/keys",
        "/v1/pairings",
        "/v1/login-links",
        "/v1/accounts",
    ] {
        let asked = relay.post(path, &key, &json!({}));
        answer(asked).await.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_with_its_field() {
    let relay = Relay::start_as(BEHIND_US).await;
    let long = "x".repeat(101);
    for (asked, field) in [
        (json!({ "name": "", "scopes": ["read"] }), "name"),
        (json!({ "name": long, "scopes": ["read"] }), "name"),
        (json!({ "name": "a\nb", "scopes": ["read"] }), "name"),
        (json!({ "name": "a", "scopes": [] }), "scopes"),
        (
            json!({ "name": "a", "scopes": ["read"], "days": 0 }),
            "days",
        ),
        (
            json!({ "name": "a", "scopes": ["read"], "days": 367 }),
            "days",
        ),
    ] {
        let refused = answer(relay.post("/v1/keys", &relay.session, &asked)).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(refused.body["field"], field, "{}", refused.body);
    }
    let unknown = json!({ "name": "a", "scopes": ["admin"] });
    let refused = answer(relay.post("/v1/keys", &relay.session, &unknown)).await;
    refused.expect_problem(422, "invalid");
    for _ in 0..50 {
        relay.make_key(&relay.session, &["read"]).await;
    }
    let asked = json!({ "name": "one more", "scopes": ["read"] });
    let refused = answer(relay.post("/v1/keys", &relay.session, &asked)).await;
    refused.expect_problem(409, "conflict");
}
