//! Accounts: how one comes by a password, signs in by it, and what ends when it changes. What each role may do is in
//! `roles`, what a client sees in `clients`.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::devices::Paired;
use super::{Answer, EXTENSION, Relay, answer};

/// What accounts of these tests have.
pub(super) const PASSWORD: &str = "tall ships sail at noon";

/// An account that somebody has taken.
pub(super) struct Somebody {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) token: String,
}

impl Relay {
    /// The operator makes an account, and somebody takes it.
    pub(super) async fn join(&self, name: &str, role: &str, inboxes: Value) -> Somebody {
        let asked = json!({ "name": name, "role": role, "inboxes": inboxes });
        let invitation = self.operate("/v1/accounts", asked).await;
        let session = self.accept(&invitation, PASSWORD).await;
        assert_eq!(session.status, StatusCode::OK, "{}", session.body);
        Somebody {
            id: text(&invitation["account"]["id"]),
            name: name.to_owned(),
            token: text(&session.body["token"]),
        }
    }

    async fn accept(&self, invitation: &Value, password: &str) -> Answer {
        let url = text(&invitation["url"]);
        let (_, code) = url.split_once("/login#invitation=").unwrap();
        let (code, name) = code.split_once("&name=").unwrap();
        assert!(!name.is_empty(), "for a password manager");
        let taken = json!({ "code": code, "password": password });
        answer(
            self.ask(Method::POST, "/v1/invitations/accept")
                .json(&taken),
        )
        .await
    }

    pub(super) async fn sign_in_as(&self, name: &str, password: &str) -> Answer {
        let asked = json!({ "name": name, "password": password });
        answer(self.ask(Method::POST, "/v1/sign-ins").json(&asked)).await
    }

    pub(super) async fn works(&self, token: &str) -> bool {
        answer(self.get("/v1/status", token)).await.status == StatusCode::OK
    }

    pub(super) async fn set_password(
        &self,
        token: &str,
        current: Option<&str>,
        password: &str,
    ) -> Answer {
        let body = json!({ "current": current, "password": password });
        answer(self.post("/v1/account/password", token, &body)).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The use of one person: a link, and nothing to think of before it.
#[tokio::test]
async fn the_first_link_signs_in_as_the_owner_who_may_set_a_password_later() {
    let relay = Relay::start().await;
    let account = answer(relay.get("/v1/account", &relay.session)).await.body;
    assert_eq!(
        (&account["name"], &account["role"], &account["has_password"]),
        (&json!("owner"), &json!("owner"), &json!(false))
    );
    let refused = relay.sign_in_as("owner", "").await;
    refused.expect_problem(401, "unauthenticated");
    let other = relay.sign_in().await;
    let set = relay.set_password(&relay.session, None, PASSWORD).await;
    assert_eq!(
        (set.status, &set.body["has_password"]),
        (StatusCode::OK, &json!(true))
    );
    assert!(relay.works(&relay.session).await);
    assert!(
        !relay.works(&other).await,
        "a new password ends the other sessions"
    );
    let signed_in = relay.sign_in_as(" OWNER", PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.body);
    assert!(relay.works(signed_in.body["token"].as_str().unwrap()).await);
    // The operator's link goes on to work, also where the password is forgotten.
    assert!(relay.works(&relay.sign_in().await).await);
}

/// Row: a wrong password | signing in by name and password | 401 unauthenticated | the person | the name or the password is wrong
#[tokio::test]
async fn a_wrong_password_a_name_that_nobody_has_and_an_account_without_one_are_told_the_same() {
    let relay = Relay::start().await;
    relay.join("jane@acme.example", "member", json!([])).await;
    let mut told = Vec::new();
    for (name, password) in [
        ("jane@acme.example", "tall ships sail at nine"),
        ("nobody@acme.example", PASSWORD),
        ("owner", PASSWORD),
    ] {
        let refused = relay.sign_in_as(name, password).await;
        refused.expect_problem(401, "unauthenticated");
        told.push(refused.body["detail"].clone());
    }
    assert_eq!(told, [told[0].clone(), told[0].clone(), told[0].clone()]);
}

#[tokio::test]
async fn whoever_guesses_waits_and_whoever_has_the_right_one_comes_in_meanwhile() {
    let relay = Relay::start().await;
    relay.join("jane", "member", json!([])).await;
    for n in 0..10 {
        let refused = relay
            .sign_in_as("jane", &format!("guess number {n}, or so"))
            .await;
        refused.expect_problem(401, "unauthenticated");
    }
    let began = Instant::now();
    let (wrong, right) = tokio::join!(
        relay.sign_in_as("jane", "one guess more, or so"),
        relay.sign_in_as("jane", PASSWORD),
    );
    wrong.expect_problem(401, "unauthenticated");
    assert_eq!(right.status, StatusCode::OK, "{}", right.body);
    assert!(
        began.elapsed() >= Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn an_invitation_works_once_for_one_account_and_ends_what_was_open() {
    let relay = Relay::start().await;
    let asked = json!({ "name": "jane", "role": "member" });
    let invitation = relay.operate("/v1/accounts", asked.clone()).await;
    answer(relay.by_operator(Method::POST, "/v1/accounts").json(&asked))
        .await
        .expect_problem(409, "conflict");
    for (password, words) in [
        ("too short", "at least 15 characters, found 9"),
        ("aaaaaaaaaaaaaaaaaaaa", "over and over"),
    ] {
        let refused = relay.accept(&invitation, password).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(refused.body["field"], "password");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(
            detail.contains(words) && !detail.contains(password),
            "{detail}"
        );
    }
    let session = relay.accept(&invitation, PASSWORD).await;
    assert_eq!(session.status, StatusCode::OK, "{}", session.body);
    let again = relay.accept(&invitation, PASSWORD).await;
    again.expect_problem(422, "invalid");
    assert_eq!(again.body["field"], "code");
    let token = session.body["token"].as_str().unwrap();
    // A forgotten password: another link, which is the last one.
    let path = format!(
        "/v1/accounts/{}/invitations",
        text(&invitation["account"]["id"])
    );
    let first = relay.operate(&path, json!({})).await;
    let second = relay.operate(&path, json!({})).await;
    relay
        .accept(&first, PASSWORD)
        .await
        .expect_problem(422, "invalid");
    assert!(
        relay.works(token).await,
        "until it is taken nothing changes"
    );
    let other = "the tide turns at seven";
    assert_eq!(relay.accept(&second, other).await.status, StatusCode::OK);
    assert!(!relay.works(token).await);
    relay
        .sign_in_as("jane", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(relay.sign_in_as("jane", other).await.status, StatusCode::OK);
    // An invitation that nobody takes ends.
    let late = relay.operate(&path, json!({})).await;
    relay.clock.advance(Duration::from_hours(72));
    relay
        .accept(&late, PASSWORD)
        .await
        .expect_problem(422, "invalid");
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it() {
    let relay = Relay::start().await;
    let jane = relay.join("jane", "client", json!([])).await;
    let other = "the tide turns at seven";
    for current in [None, Some("tall ships sail at nine")] {
        let refused = relay.set_password(&jane.token, current, other).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(refused.body["field"], "current");
    }
    let elsewhere = relay.sign_in_as("jane", PASSWORD).await.body;
    let set = relay.set_password(&jane.token, Some(PASSWORD), other).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    assert!(relay.works(&jane.token).await);
    assert!(!relay.works(elsewhere["token"].as_str().unwrap()).await);
    assert!(relay.works(&relay.session).await, "others' sessions go on");
    relay
        .sign_in_as("jane", PASSWORD)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let relay = Relay::start().await;
    let owner = answer(relay.get("/v1/account", &relay.session)).await.body;
    let path = format!("/v1/accounts/{}", text(&owner["id"]));
    let demote = |path: &str| relay.post(path, &relay.session, &json!({ "role": "member" }));
    let remove = || relay.by_operator(Method::DELETE, &path);
    answer(demote(&path)).await.expect_problem(409, "conflict");
    answer(remove()).await.expect_problem(409, "conflict");
    let second = relay.join("second", "owner", json!([])).await;
    assert_eq!(answer(remove()).await.status, StatusCode::OK);
    assert!(
        !relay.works(&relay.session).await,
        "its sessions went with it"
    );
    let path = format!("/v1/accounts/{}", second.id);
    answer(relay.post(&path, &second.token, &json!({ "role": "client" })))
        .await
        .expect_problem(409, "conflict");
    // The operator signs in as whoever is owner now.
    let account = answer(relay.get("/v1/account", &relay.sign_in().await)).await;
    assert_eq!(account.body["id"], second.id);
}

#[tokio::test]
async fn a_device_has_the_rights_of_who_paired_it_and_goes_with_him() {
    let relay = Relay::start().await;
    let inbox = json!({ "address": "jane@acme.example", "provider": "sandbox" });
    relay.operate("/v1/inboxes", inbox).await;
    let jane = relay.join("jane", "member", json!([])).await;
    let pairing = answer(relay.post("/v1/pairings", &jane.token, &json!({}))).await;
    assert_eq!(pairing.status, StatusCode::OK, "{}", pairing.body);
    let device = Paired::by(&relay, &pairing.body, Some(EXTENSION)).await;
    let status = || relay.ask(Method::GET, "/v1/status");
    let n_seen = async || {
        let seen = device.answer(status()).await;
        seen.body["inboxes"].as_array().map(Vec::len)
    };
    assert_eq!(n_seen().await, Some(1));
    let path = format!("/v1/accounts/{}", jane.id);
    answer(
        relay
            .by_operator(Method::POST, &path)
            .json(&json!({ "role": "client" })),
    )
    .await;
    assert_eq!(n_seen().await, Some(0), "at once");
    let own = answer(relay.get("/v1/devices", &jane.token)).await.body;
    assert_eq!(own["devices"][0]["account"], "jane");
    answer(relay.by_operator(Method::DELETE, &path)).await;
    device
        .answer(status())
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn sessions_and_devices_are_seen_and_ended_by_their_account_and_by_an_owner() {
    let relay = Relay::start().await;
    let [jane, cleo] = [
        relay.join("jane", "member", json!([])).await,
        relay.join("cleo", "member", json!([])).await,
    ];
    let names = async |token: &str| {
        let listed = answer(relay.get("/v1/sessions", token)).await.body;
        let sessions = listed["sessions"].as_array().unwrap().clone();
        let mut names: Vec<_> = sessions.iter().map(|one| text(&one["account"])).collect();
        names.sort();
        (names, sessions)
    };
    let (own, sessions) = names(&cleo.token).await;
    assert_eq!(own, ["cleo"]);
    assert_eq!(names(&relay.session).await.0, ["cleo", "jane", "owner"]);
    let end = async |token: &str| {
        let path = format!("/v1/sessions/{}", text(&sessions[0]["id"]));
        answer(relay.ask(Method::DELETE, &path).bearer_auth(token)).await
    };
    let foreign = end(&jane.token).await;
    foreign.expect_problem(404, "not_found");
    assert!(relay.works(&cleo.token).await);
    let all = relay
        .ask(Method::DELETE, "/v1/sessions")
        .bearer_auth(&jane.token);
    assert_eq!(answer(all).await.body["ended"], 1, "his own alone");
    assert!(relay.works(&cleo.token).await && !relay.works(&jane.token).await);
    assert_eq!(end(&relay.session).await.status, StatusCode::OK);
    assert!(!relay.works(&cleo.token).await);
    let pairing = relay.operate("/v1/pairings", json!({})).await;
    let device = Paired::by(&relay, &pairing, None).await;
    let cleo = relay.sign_in_as(&cleo.name, PASSWORD).await.body;
    let revoke = relay.ask(Method::DELETE, &format!("/v1/devices/{}", device.id));
    answer(revoke.bearer_auth(cleo["token"].as_str().unwrap()))
        .await
        .expect_problem(404, "not_found");
}

/// Row: a password that was stolen elsewhere | it is set for an account | 422 invalid | the person | expected a password that is not easily guessed, found one of the passwords that are tried first
#[tokio::test]
async fn a_password_of_the_lists_of_stolen_ones_is_not_taken() {
    let relay = Relay::start().await;
    for stolen in ["polniypizdec0211", "Polniypizdec0211"] {
        let refused = relay.set_password(&relay.session, None, stolen).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(refused.body["field"], "password");
    }
}

#[tokio::test]
async fn only_a_client_is_given_inboxes() {
    let relay = Relay::start().await;
    let ask = |role: &str| {
        let asked = json!({ "name": "eve", "role": role, "inboxes": ["inb_1"] });
        relay.by_operator(Method::POST, "/v1/accounts").json(&asked)
    };
    for role in ["member", "owner"] {
        let refused = answer(ask(role)).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(refused.body["field"], "inboxes", "{}", refused.body);
    }
}
