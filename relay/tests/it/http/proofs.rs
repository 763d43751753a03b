//! Proving anew whose a session is before it changes who comes in. Which endpoints ask for it as such is in `roles`.

use std::time::Duration;

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::accounts::PASSWORD;
use super::passkeys::authenticator::Authenticator;
use super::{Answer, Relay, answer};

const TEN: Duration = Duration::from_mins(10);

impl Relay {
    async fn prove(&self, token: &str, password: &str) -> Answer {
        let asked = json!({ "password": password });
        answer(self.post("/v1/account/proof", token, &asked)).await
    }

    async fn invite(&self, token: &str, name: &str) -> Answer {
        let asked = json!({ "name": name, "role": "client" });
        answer(self.post("/v1/accounts", token, &asked)).await
    }
}

fn ok(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

/// Row: who comes in is to be changed | the last proof of who asks is ten minutes old | 401 `proof_needed` | the person | this changes who comes in, and the last proof of who you are is older than ten minutes: …
#[tokio::test]
async fn after_ten_minutes_a_session_proves_anew_before_it_changes_who_comes_in() {
    let relay = Relay::start().await;
    let jane = relay.join("jane", "owner", json!([])).await;
    relay
        .clock
        .advance(TEN.saturating_sub(Duration::from_millis(1)));
    ok(&relay.invite(&jane.token, "one").await);
    relay.clock.advance(Duration::from_millis(1));
    let refused = relay.invite(&jane.token, "two").await;
    refused.expect_problem(401, "proof_needed");
    assert_eq!(
        refused.headers[WWW_AUTHENTICATE],
        "Bearer error=\"insufficient_user_authentication\", max_age=\"600\""
    );
    assert_eq!(
        relay.last("createAccount").await["outcome"],
        "proof_needed",
        "who was refused is on record"
    );
    assert!(relay.works(&jane.token).await, "it goes on all the same");
    let other = relay.sign_in_as("jane", PASSWORD).await.body["token"].clone();
    let wrong = relay.prove(&jane.token, "tall ships sail at nine").await;
    wrong.expect_problem(422, "invalid");
    assert_eq!(wrong.body["field"], "password");
    relay
        .invite(&jane.token, "two")
        .await
        .expect_problem(401, "proof_needed");
    let proved = relay.prove(&jane.token, PASSWORD).await;
    assert_eq!(proved.body["until"], "1970-01-01T00:36:40.000Z");
    ok(&relay.invite(&jane.token, "two").await);
    relay.clock.advance(TEN);
    let other = other.as_str().unwrap();
    ok(&relay.prove(&jane.token, PASSWORD).await);
    relay
        .invite(other, "three")
        .await
        .expect_problem(401, "proof_needed");
    // The operator proves nothing: he is who may run a command there.
    relay
        .operate("/v1/accounts", json!({ "name": "four", "role": "client" }))
        .await;
}

#[tokio::test]
async fn a_passkey_proves_as_well_and_each_session_for_itself() {
    let relay = Relay::start().await;
    let (mut hers, said) = (Authenticator::es256(), relay.said());
    let added = relay.add_passkey(&relay.session, &mut hers, &said).await;
    ok(&added);
    let other = relay.sign_in().await;
    relay.clock.advance(TEN);
    // An account without a password has nothing to type.
    let typed = relay.prove(&relay.session, PASSWORD).await;
    typed.expect_problem(422, "invalid");
    ok(&relay.prove_by(&relay.session, &mut hers, &said).await);
    ok(&relay.invite(&relay.session, "one").await);
    relay
        .invite(&other, "two")
        .await
        .expect_problem(401, "proof_needed");
    let neither = json!({});
    let neither = answer(relay.post("/v1/account/proof", &other, &neither)).await;
    neither.expect_problem(422, "invalid");
    relay.clock.advance(TEN);
    let signed_in = relay.sign_in_by_key(&mut hers, &said).await;
    ok(&signed_in);
    let signed_in = signed_in.body["token"].as_str().unwrap();
    ok(&relay.invite(signed_in, "two").await);
    let by_link = relay.sign_in().await;
    ok(&relay.invite(&by_link, "three").await);
}

#[tokio::test]
async fn ones_own_session_ends_at_once_and_others_after_a_proof() {
    let relay = Relay::start().await;
    let jane = relay.join("jane", "client", json!([])).await;
    let other = relay.sign_in_as("jane", PASSWORD).await.body["token"].clone();
    let other = other.as_str().unwrap();
    relay.clock.advance(TEN);
    let listed = answer(relay.get("/v1/sessions", &jane.token)).await.body;
    let id_of = |is_current: bool| {
        let mut sessions = listed["sessions"].as_array().unwrap().iter();
        let found = sessions.find(|one| one["is_current"] == is_current);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (own, others) = (id_of(true), id_of(false));
    let end = |id: &str| {
        let asked = relay.ask(Method::DELETE, &format!("/v1/sessions/{id}"));
        answer(asked.bearer_auth(&jane.token))
    };
    end(&others).await.expect_problem(401, "proof_needed");
    assert!(relay.works(other).await);
    ok(&relay.prove(&jane.token, PASSWORD).await);
    ok(&end(&others).await);
    assert!(!relay.works(other).await);
    relay.clock.advance(TEN);
    ok(&end(&own).await);
    assert!(!relay.works(&jane.token).await);
}

#[tokio::test]
async fn a_password_is_its_own_proof_and_the_first_one_needs_another() {
    let relay = Relay::start().await;
    relay.clock.advance(TEN);
    let first = relay.set_password(&relay.session, None, PASSWORD).await;
    first.expect_problem(401, "proof_needed");
    let fresh = relay.sign_in().await;
    ok(&relay.set_password(&fresh, None, PASSWORD).await);
    relay.clock.advance(TEN);
    let second = "and others sail at six";
    let set = relay.set_password(&fresh, Some(PASSWORD), second).await;
    ok(&set);
    // Who knew the password of before has proved it.
    ok(&relay.invite(&fresh, "one").await);
    // Guesses at it wait, wherever they are made.
    for _ in 0..10 {
        let wrong = relay.prove(&fresh, PASSWORD).await;
        wrong.expect_problem(422, "invalid");
    }
    let began = tokio::time::Instant::now();
    ok(&relay.prove(&fresh, second).await);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn an_account_has_fifty_sessions_and_the_idlest_makes_room() {
    let relay = Relay::start().await;
    let jane = relay.join("jane", "member", json!([])).await;
    let mut tokens = Vec::new();
    for _ in 0..49 {
        relay.clock.advance(Duration::from_secs(61));
        let session = relay.sign_in_as("jane", PASSWORD).await;
        tokens.push(session.body["token"].as_str().unwrap().to_owned());
    }
    // The first one is used again, so that the second one is the idlest.
    assert!(relay.works(&jane.token).await);
    relay.clock.advance(Duration::from_secs(61));
    let next = relay.sign_in_as("jane", PASSWORD).await;
    ok(&next);
    assert!(!relay.works(&tokens[0]).await);
    assert!(relay.works(&tokens[1]).await && relay.works(&jane.token).await);
    assert!(relay.works(&relay.session).await, "another account's");
    let listed = answer(relay.get("/v1/sessions", &jane.token)).await.body;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 50);
}
