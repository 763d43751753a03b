//! Inboxes that sign in by a password: what a view is told of them, and that nothing of OAuth is asked for.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::id::ReconnectId;
use protocol::reconnect::{Grant, State};
use protocol::secret::Secret;
use relay::clock::Clock;
use sandbox::Options;
use serde_json::{Value, json};

use super::confirming::{post, wait_unconfirmed};
use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, JOHN, PASSWORD, Relay, wait_for};

/// The sandbox as any server that takes passwords, configured without an issuer or a client.
async fn mail_server() -> Ground {
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\nrest_minute_ms = 20";
    Ground::at(
        Client::Public,
        Clock::system(),
        timing,
        "imap",
        Options::default(),
    )
    .await
}

fn password(user: &str, password: &str) -> Grant {
    Grant::Password {
        user: user.to_owned(),
        password: Secret::new(password),
    }
}

async fn get(ground: &Ground, relay: &Relay, path: &str) -> Value {
    let asked = operator(ground).get(relay.url(path));
    asked.send().await.unwrap().json().await.unwrap()
}

async fn start(ground: &Ground, relay: &Relay, inbox: &str) -> (u16, Value) {
    let url = relay.url(&format!("/v1/inboxes/{inbox}/reconnects"));
    let asked = operator(ground).post(url).json(&json!({}));
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_server_of_passwords_alone_needs_no_issuer_and_has_no_sign_in_page() {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let shown = get(&ground, &relay, &format!("/v1/inboxes/{inbox}")).await;
    assert_eq!(shown["signs_in_by"], "password", "before anybody has");
    assert_eq!(shown.get("user"), None);
    let (status, started) = start(&ground, &relay, inbox.as_str()).await;
    assert_eq!(status, 200, "{started}");
    assert_eq!(started["reconnect"]["state"], "started");
    assert_eq!(started.get("authorization"), None, "{started}");

    // A wrong one is refused with the server's words, and changes nothing.
    let wrong = relay.grant(&inbox, &password(JANE, "not-the-one")).await;
    let outcome = relay.outcome(&wrong).await;
    assert!(
        matches!(
            &outcome,
            State::Refused {
                cause: Cause::SignInRefused,
                ..
            }
        ),
        "{outcome:?}"
    );
    let store = &relay.app().store;
    assert!(store.find_credentials(&inbox).await.unwrap().is_none());
    let right = relay.grant(&inbox, &password(JANE, PASSWORD)).await;
    assert!(matches!(relay.outcome(&right).await, State::Resumed { .. }));

    let control = ground.sandbox.control();
    control.change_password(JANE, "another-password").unwrap();
    relay.nudge(&inbox);
    wait_for("the inbox to be lost", async || {
        let shown = get(&ground, &relay, &format!("/v1/inboxes/{inbox}")).await;
        (shown["connection"]["cause"] == "sign_in_refused").then_some(())
    })
    .await;
    let again = relay
        .grant(&inbox, &password(JANE, "another-password"))
        .await;
    assert!(matches!(relay.outcome(&again).await, State::Resumed { .. }));
    let status = get(&ground, &relay, "/v1/status").await;
    assert_eq!(status["sites"], json!([]), "it has no page to be shown on");
    relay.stop().await;
}

/// The question of a reconnect that waits to be confirmed.
async fn question(ground: &Ground, relay: &Relay, id: &ReconnectId) -> Value {
    wait_unconfirmed(relay, id).await;
    let shown = get(ground, relay, &format!("/v1/reconnects/{id}")).await;
    assert_eq!(shown["state"], "unconfirmed", "{shown}");
    shown["question"].clone()
}

/// Row: a password where the inbox has an account | John gives his user name and password for Jane's healthy inbox | unconfirmed | the person | Is this the right account? jane@acme.example signs in with the sandbox today. You gave a user name and password for john@acme.example. It works: it sends and reads with that sign-in, which takes the place of today's. Use it?
#[tokio::test]
async fn a_password_never_takes_the_place_of_an_account_without_a_person_who_says_so() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let by_page = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    assert!(matches!(
        relay.outcome(&by_page).await,
        State::Resumed { .. }
    ));
    let store = &relay.app().store;
    let before = store
        .find_credentials(&inbox)
        .await
        .unwrap()
        .unwrap()
        .sealed;
    let grant_is_live = || ground.sandbox.control().grants(JANE)[0].live;

    // Another person's, and her own: either is another way to sign in than that of today.
    for user in [JOHN, JANE] {
        let id = relay.grant(&inbox, &password(user, PASSWORD)).await;
        assert_eq!(
            question(&ground, &relay, &id).await,
            json!({
                "inbox": JANE,
                "given": { "kind": "password", "user": user },
                "replaces": { "kind": "account", "provider": "the sandbox" },
            })
        );
        let path = format!("/v1/reconnects/{id}/refuse");
        let no = json!({ "why": { "kind": "cancelled" } });
        let (status, answer) = post(&ground, &relay, &path, no).await;
        assert_eq!(
            (status.as_u16(), &answer["state"]),
            (200, &json!("refused"))
        );
        assert_eq!(store.load_reconnect(&id).await.unwrap().payload, None);
        let now = store.find_credentials(&inbox).await.unwrap().unwrap();
        assert_eq!(now.sealed, before, "{user}");
        assert!(grant_is_live(), "{user}");
    }
    // The inbox goes on with what it has.
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_for("the inbox to send", async || {
        (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
    })
    .await;

    // What is wrong is refused like any password, and asks nobody anything.
    let wrong = relay.grant(&inbox, &password(JOHN, "not-his")).await;
    let outcome = relay.outcome(&wrong).await;
    let refused =
        |cause| matches!(&outcome, State::Refused { cause: found, .. } if *found == cause);
    assert!(refused(Cause::SignInRefused), "{outcome:?}");

    // Confirmed, across a restart, it takes the place; then that name is the inbox's, with any password.
    let id = relay.grant(&inbox, &password(JOHN, PASSWORD)).await;
    wait_unconfirmed(&relay, &id).await;
    relay.kill();
    let relay = ground.start().await;
    let path = format!("/v1/reconnects/{id}/confirm");
    let (status, answer) = post(&ground, &relay, &path, json!({})).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    let outcome = relay.outcome(&id).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    let after = relay.inbox(&inbox).await;
    assert_eq!(after.password_user.as_deref(), Some(JOHN));
    let control = ground.sandbox.control();
    control.change_password(JOHN, "another-password").unwrap();
    let again = relay
        .grant(&inbox, &password(JOHN, "another-password"))
        .await;
    let outcome = relay.outcome(&again).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    relay.stop().await;
}

/// Row: another user name | John gives his for Jane's inbox, which has a password | unconfirmed | the person | Is this the right account? jane@acme.example signs in with the user name jane@acme.example and a password today. You gave a user name and password for john@acme.example. It works: it sends and reads with that sign-in, which takes the place of today's. Use it?
#[tokio::test]
async fn another_user_name_is_asked_about_and_the_same_one_is_not() {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;

    // Before it ever signed in, its address is its user name, and any other one is asked about.
    let id = relay.grant(&inbox, &password(JOHN, PASSWORD)).await;
    assert_eq!(
        question(&ground, &relay, &id).await,
        json!({ "inbox": JANE, "given": { "kind": "password", "user": JOHN } })
    );
    let path = format!("/v1/reconnects/{id}/refuse");
    let no = json!({ "why": { "kind": "cancelled" } });
    post(&ground, &relay, &path, no).await;
    let store = &relay.app().store;
    assert!(store.find_credentials(&inbox).await.unwrap().is_none());

    let first = relay.grant(&inbox, &password(JANE, PASSWORD)).await;
    assert!(matches!(relay.outcome(&first).await, State::Resumed { .. }));
    let before = store
        .find_credentials(&inbox)
        .await
        .unwrap()
        .unwrap()
        .sealed;
    let id = relay.grant(&inbox, &password(JOHN, PASSWORD)).await;
    assert_eq!(
        question(&ground, &relay, &id).await["replaces"],
        json!({ "kind": "password", "user": JANE })
    );
    let now = store.find_credentials(&inbox).await.unwrap().unwrap();
    assert_eq!(now.sealed, before);
    // Nobody says that it is meant; another sign-in waits until this one is over.
    let path = format!("/v1/reconnects/{id}/refuse");
    let no = json!({ "why": { "kind": "cancelled" } });
    post(&ground, &relay, &path, no).await;
    let control = ground.sandbox.control();
    control.change_password(JANE, "another-password").unwrap();
    let same = relay
        .grant(&inbox, &password(JANE, "another-password"))
        .await;
    let outcome = relay.outcome(&same).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    relay.stop().await;
}

#[tokio::test]
async fn how_an_inbox_signs_in_follows_what_it_was_connected_with() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let told = async || {
        let shown = get(&ground, &relay, &format!("/v1/inboxes/{inbox}")).await;
        (shown["signs_in_by"].clone(), shown["user"].clone())
    };
    assert_eq!(told().await, (json!("oauth"), Value::Null));

    // Somebody else's name and password are taken here only where the servers take them for this inbox.
    let by_password = relay.grant(&inbox, &password(JANE, PASSWORD)).await;
    let outcome = relay.outcome(&by_password).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    assert_eq!(told().await, (json!("password"), Value::Null));
    let by_name = relay
        .grant(&inbox, &password("JANE@acme.example", PASSWORD))
        .await;
    let outcome = relay.outcome(&by_name).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    assert_eq!(
        told().await,
        (json!("password"), json!("JANE@acme.example"))
    );
    let refused = relay.grant(&inbox, &password(JOHN, "not-his")).await;
    assert!(matches!(
        relay.outcome(&refused).await,
        State::Refused { .. }
    ));
    assert_eq!(
        told().await,
        (json!("password"), json!("JANE@acme.example"))
    );

    // Its provider has a sign-in page all the same, and who used that goes on so.
    let (_, started) = start(&ground, &relay, inbox.as_str()).await;
    assert!(started["authorization"].is_object(), "{started}");
    let by_page = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let outcome = relay.outcome(&by_page).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    assert_eq!(told().await, (json!("oauth"), Value::Null));
    relay.stop().await;
}
