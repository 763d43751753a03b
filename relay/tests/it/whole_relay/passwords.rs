//! Inboxes that sign in by a password: what a view is told of them, and that nothing of OAuth is asked for.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::reconnect::{Grant, State};
use protocol::secret::Secret;
use relay::clock::Clock;
use sandbox::Options;
use serde_json::{Value, json};

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
