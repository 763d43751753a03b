//! Sessions of the dashboard, and what becomes of a token that somebody else has when they end.

use std::time::Duration;

use reqwest::header::USER_AGENT;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use sandbox::device::Device;

use super::devices::pair;
use super::{EXTENSION, Relay, answer};

impl Relay {
    /// A relay at which nobody is signed in.
    async fn start_without_sessions() -> Self {
        let relay = Self::start().await;
        let asked = relay.by_operator(Method::DELETE, "/v1/sessions");
        assert_eq!(answer(asked).await.status, StatusCode::OK);
        relay
    }

    /// Signs a browser in and answers its token.
    async fn sign_in_by(&self, browser: &str) -> String {
        let link = self.operate("/v1/login-links", json!({})).await;
        let (_, code) = link["url"].as_str().unwrap().split_once("code=").unwrap();
        let asked = self
            .ask(Method::POST, "/v1/sessions")
            .header(USER_AGENT, browser)
            .json(&json!({ "code": code }));
        let session = answer(asked).await;
        assert_eq!(session.status, StatusCode::OK, "{}", session.body);
        session.body["token"].as_str().unwrap().to_owned()
    }

    async fn lets_in(&self, token: &str) -> bool {
        let asked = answer(self.get("/v1/status", token)).await;
        if asked.status == StatusCode::OK {
            return true;
        }
        asked.expect_problem(401, "unauthenticated");
        false
    }

    async fn list(&self, token: &str) -> Vec<Value> {
        self.listed(self.get("/v1/sessions", token)).await
    }

    async fn list_as_operator(&self) -> Vec<Value> {
        self.listed(self.by_operator(Method::GET, "/v1/sessions"))
            .await
    }

    async fn listed(&self, asked: RequestBuilder) -> Vec<Value> {
        let listed = answer(asked).await;
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.body);
        listed.body["sessions"].as_array().unwrap().clone()
    }

    async fn delete(&self, path: &str, token: &str) -> super::Answer {
        answer(self.ask(Method::DELETE, path).bearer_auth(token)).await
    }
}

/// Row: a session's token was stolen | Sign out | 401 unauthenticated | the person | the token is not known here: the session is over, or the relay was started again
#[tokio::test]
async fn a_stolen_token_ends_with_the_session_at_sign_out() {
    let relay = Relay::start_without_sessions().await;
    let stolen = relay.sign_in_by("Firefox").await;
    let other = relay.sign_in_by("An old phone\u{9b}").await;
    assert!(relay.lets_in(&stolen).await && relay.lets_in(&other).await);
    let done = relay.delete("/v1/sessions/current", &stolen).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert!(!relay.lets_in(&stolen).await);
    assert!(relay.lets_in(&other).await, "another one goes on");
    let again = relay.delete("/v1/sessions/current", &stolen).await;
    again.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn sessions_are_listed_with_when_and_whence_and_ended_singly_and_at_once() {
    let relay = Relay::start_without_sessions().await;
    let laptop = relay.sign_in_by("Firefox").await;
    relay.clock.advance(Duration::from_mins(9));
    let phone = relay.sign_in_by("An old phone").await;
    let listed = relay.list(&laptop).await;
    let told: Vec<_> = listed
        .iter()
        .map(|session| {
            let field = |name: &str| session[name].clone();
            (field("browser"), field("peer"), field("is_current"))
        })
        .collect();
    let one =
        |browser: &str, is_current: bool| (json!(browser), json!("127.0.0.1"), json!(is_current));
    // Both were used now; their order is that of their names.
    assert_eq!(told.len(), 2, "{listed:?}");
    assert!(told.contains(&one("Firefox", true)), "{told:?}");
    assert!(told.contains(&one("An old phone", false)), "{told:?}");
    for session in &listed {
        assert!(session.get("token").is_none() && session.get("token_hash").is_none());
        assert!(session["made_at"].is_string() && session["used_at"].is_string());
    }
    assert!(
        relay
            .list_as_operator()
            .await
            .iter()
            .all(|session| session["is_current"] == false)
    );

    let of_phone = listed.iter().find(|session| session["is_current"] == false);
    let path = format!("/v1/sessions/{}", of_phone.unwrap()["id"].as_str().unwrap());
    assert_eq!(relay.delete(&path, &laptop).await.status, StatusCode::OK);
    assert!(!relay.lets_in(&phone).await && relay.lets_in(&laptop).await);
    relay
        .delete(&path, &laptop)
        .await
        .expect_problem(404, "not_found");
    let nobodys = answer(relay.by_operator(Method::DELETE, "/v1/sessions/current")).await;
    nobodys.expect_problem(404, "not_found");

    let another = relay.sign_in_by("Firefox").await;
    let all = answer(relay.by_operator(Method::DELETE, "/v1/sessions")).await;
    assert_eq!(
        (all.status, &all.body["ended"]),
        (StatusCode::OK, &json!(2))
    );
    assert!(!relay.lets_in(&laptop).await && !relay.lets_in(&another).await);
    assert_eq!(relay.list_as_operator().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_device_neither_lists_nor_ends_sessions() {
    let relay = Relay::start_without_sessions().await;
    let session = relay.sign_in_by("Firefox").await;
    let device = relay.pair().await;
    for (method, path) in [
        (Method::GET, "/v1/sessions"),
        (Method::DELETE, "/v1/sessions"),
        (Method::DELETE, "/v1/sessions/current"),
    ] {
        let asked = relay.ask(method, path);
        device
            .answer(asked.header(reqwest::header::ORIGIN, EXTENSION))
            .await
            .expect_problem(403, "forbidden");
    }
    assert!(relay.lets_in(&session).await);
}

/// Row: a session that nobody uses | twelve hours pass | 401 unauthenticated | the person | the token is not known here: the session is over, or the relay was started again
#[tokio::test]
async fn a_session_ends_half_a_day_after_its_last_use_and_a_month_after_it_began() {
    let relay = Relay::start_without_sessions().await;
    let [used, idle] = [relay.sign_in_by("one").await, relay.sign_in_by("two").await];
    let hours = Duration::from_hours;
    relay.clock.advance(hours(11));
    assert!(relay.lets_in(&used).await);
    relay.clock.advance(hours(1));
    assert!(!relay.lets_in(&idle).await, "12 hours without use");
    assert_eq!(relay.list(&used).await.len(), 1);
    for _ in 0..64 {
        relay.clock.advance(hours(11));
        assert!(relay.lets_in(&used).await);
    }
    // 12 + 64 · 11 = 716 of 720 hours.
    relay.clock.advance(hours(4));
    assert!(!relay.lets_in(&used).await, "30 days at the most");
}

/// Row: somebody else had the relay's address while it was down | the relay starts | 401 unauthenticated | the person | the token is not known here: the session is over, or the relay was started again
#[tokio::test]
async fn what_others_may_have_got_while_the_relay_was_down_lets_nobody_in() {
    let relay = Relay::start_without_sessions().await;
    let session = relay.sign_in_by("Firefox").await;
    let link = relay.operate("/v1/login-links", json!({})).await;
    let pairing = relay.operate("/v1/pairings", json!({})).await;
    let device = relay.pair().await;
    let relay = relay.restart().await;
    assert!(!relay.lets_in(&session).await);
    let (_, code) = link["url"].as_str().unwrap().split_once("code=").unwrap();
    let login = relay
        .ask(Method::POST, "/v1/sessions")
        .json(&json!({ "code": code }));
    answer(login).await.expect_problem(422, "invalid");
    // What a device shows, nobody can have got: its key, and a code that it never says.
    let status = || relay.ask(Method::GET, "/v1/status");
    device
        .answer(status())
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(device.answer(status()).await.status, StatusCode::OK);
    let new = Device::new().unwrap();
    let paired = pair(&relay, &new, &pairing, Some(EXTENSION)).await;
    assert_eq!(paired.status, StatusCode::OK, "{}", paired.body);
    let again = relay.sign_in_by("Firefox").await;
    assert!(relay.lets_in(&again).await);
}
