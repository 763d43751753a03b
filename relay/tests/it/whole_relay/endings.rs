//! How a sign-in ends that brings nothing: what whoever showed it tells the relay, and what the relay finds out.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::reconnect::{Grant, State};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::confirming::post;
use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, Relay};

/// A fresh reconnect that ends so.
async fn refuse(ground: &Ground, relay: &Relay, body: Value) -> Value {
    let inboxes = relay.app().store.list_inboxes().await.unwrap();
    let inbox = &inboxes[0].id;
    let app = relay.app();
    let now = app.clock.now();
    let until = now + app.config.timing.reconnect_for;
    let (reconnect, _) = app.store.start_reconnect(inbox, now, until).await.unwrap();
    let path = format!("/v1/reconnects/{}/refuse", reconnect.id);
    let (status, answer) = post(ground, relay, &path, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// Row: redirect address not registered | the person closes the provider's error page; the relay asks the provider | `app_misconfigured`
/// Row: provider's page closed | the person closes it; the provider knows the address | cancelled
#[tokio::test]
async fn a_page_that_was_closed_is_told_from_an_address_that_the_provider_does_not_know() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    relay.add_inbox(Duration::ZERO).await;
    let closed = |address: &str| json!({"why": {"kind": "closed", "redirect_uri": address}});

    let unknown = "https://abc.chromiumapp.example/oauth/sandbox";
    let answer = refuse(&ground, &relay, closed(unknown)).await;
    assert_eq!(answer["cause"], "app_misconfigured", "{answer}");
    assert_eq!(answer["card"]["acts"], "operator");
    assert_eq!(answer["card"]["button"], "Copy the report for the operator");
    let evidence = answer["evidence"].as_str().unwrap();
    assert!(evidence.contains(unknown), "{evidence}");
    assert!(evidence.contains("redirect_uri_mismatch"), "{evidence}");

    let known = "https://abcdefghijklmnopabcdefghijklmnop.chromiumapp.org/oauth/sandbox";
    for body in [closed(known), json!({"why": {"kind": "closed"}})] {
        let answer = refuse(&ground, &relay, body).await;
        assert_eq!(answer["cause"], "cancelled", "{answer}");
    }
    // What is no address, or too long, is asked about nowhere.
    for address in [
        "no address",
        &format!("https://a.example/{}", "x".repeat(3_000)),
    ] {
        let answer = refuse(&ground, &relay, closed(address)).await;
        assert_eq!(answer["cause"], "cancelled", "{answer}");
    }
    ground.sandbox.control().down(true);
    let answer = refuse(&ground, &relay, closed(unknown)).await;
    assert_eq!(answer["cause"], "cancelled", "{answer}");
    relay.stop().await;
}

/// Row: admin approval needed | AADSTS65004 in the redirect | `admin_approval`
/// Row: client secret wrong, met by a browser | `invalid_client` from the token endpoint | `app_misconfigured`
#[tokio::test]
async fn what_whoever_showed_the_page_tells_becomes_a_cause() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    relay.add_inbox(Duration::ZERO).await;
    for (error, description, cause) in [
        ("access_denied", "", "consent_refused"),
        ("access_denied", "AADSTS65004: declined", "admin_approval"),
        ("invalid_client", "", "app_misconfigured"),
        ("unauthorized_client", "", "app_misconfigured"),
        // The answer of a token endpoint to a public client's browser.
        ("invalid_grant", "the code is not good", "code_refused"),
    ] {
        let why = json!({"kind": "provider", "error": error, "description": description});
        let answer = refuse(&ground, &relay, json!({"why": why})).await;
        assert_eq!(answer["cause"], cause, "{error}: {answer}");
    }
    for word in ["cancelled", "mixed_up"] {
        let answer = refuse(&ground, &relay, json!({"why": {"kind": word}})).await;
        assert_eq!(answer["cause"], word, "{answer}");
        // A provider that says the same is not taken for one of us.
        let why = json!({"kind": "provider", "error": word});
        let answer = refuse(&ground, &relay, json!({"why": why})).await;
        assert_ne!(answer["cause"], word, "{answer}");
    }
    relay.stop().await;
}

/// What a reconnect is refused for.
async fn refused(ground: &Ground, relay: &Relay, grant: &Grant) -> Cause {
    let inboxes = relay.app().store.list_inboxes().await.unwrap();
    let reconnect = relay.grant(&inboxes[0].id, grant).await;
    match relay.outcome(&reconnect).await {
        State::Refused { cause, .. } => cause,
        other => panic!("{:?}: {other:?}", ground.client),
    }
}

/// Row: code used twice | the same code is handed over again | `code_refused`
#[tokio::test]
async fn a_code_is_used_once() {
    let ground = Ground::new(Client::Confidential).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = ground.sign_in(JANE, ALL).await;
    let first = relay.grant(&inbox, &grant).await;
    assert!(matches!(relay.outcome(&first).await, State::Resumed { .. }));
    assert_eq!(refused(&ground, &relay, &grant).await, Cause::CodeRefused);
    relay.stop().await;
}

/// Row: client secret expired | the provider does not take the relay's secret at the exchange | `app_misconfigured`
#[tokio::test]
async fn a_secret_that_is_over_is_the_operators_to_renew() {
    let ground = Ground::new(Client::Confidential).await;
    let relay = ground.start().await;
    relay.add_inbox(Duration::ZERO).await;
    let grant = ground.sign_in(JANE, ALL).await;
    ground.sandbox.control().end_secrets(true);
    let cause = refused(&ground, &relay, &grant).await;
    assert_eq!(cause, Cause::AppMisconfigured);
    // Renewed, the next sign-in works.
    ground.sandbox.control().end_secrets(false);
    let inboxes = relay.app().store.list_inboxes().await.unwrap();
    let grant = ground.sign_in(JANE, ALL).await;
    let again = relay.grant(&inboxes[0].id, &grant).await;
    assert!(matches!(relay.outcome(&again).await, State::Resumed { .. }));
    relay.stop().await;
}

/// Row: provider out of order for the whole sign-in | it answers 503 until the reconnect expires | `temporary_outage` | the person | The provider has a passing fault. It did not pass while the sign-in was proved, so nothing was changed. Try again in a while.
#[tokio::test]
async fn a_fault_that_outlasts_the_reconnect_is_not_said_to_be_waited_for() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let ground = Ground::with(Client::Confidential, Duration::from_hours(1), clock, "").await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = ground.sign_in(JANE, ALL).await;
    ground.sandbox.control().down(true);
    let id = relay.grant(&inbox, &grant).await;
    ground
        .clock
        .advance(relay.app().config.timing.reconnect_for);
    relay.outcome(&id).await;
    let asked = operator(&ground).get(relay.url(&format!("/v1/reconnects/{id}")));
    let shown: Value = asked.send().await.unwrap().json().await.unwrap();
    let shown = shown.get("reconnect").unwrap_or(&shown);
    assert_eq!(shown["cause"], "temporary_outage", "{shown}");
    assert_eq!(shown["card"]["acts"], "person", "{shown}");
    let words = shown["card"]["explanation"].as_str().unwrap();
    assert!(words.ends_with("Try again in a while."), "{words}");
    relay.stop().await;
}

/// Row: no refresh token | the permission comes without offline access | `no_refresh_token`
#[tokio::test]
async fn a_permission_that_does_not_last_is_refused() {
    for client in [Client::Public, Client::Confidential] {
        let ground = Ground::new(client).await;
        let relay = ground.start().await;
        relay.add_inbox(Duration::ZERO).await;
        let grant = ground
            .sign_in(JANE, "openid email mail.send mail.read")
            .await;
        let cause = refused(&ground, &relay, &grant).await;
        assert_eq!(cause, Cause::NoRefreshToken);
        relay.stop().await;
    }
}

/// Row: relay at fault | a table of its database is gone | 500 internal | the operator | …
#[tokio::test]
async fn a_relay_that_fails_says_so_and_names_the_request() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let book = format!("sqlite://{}", ground.path("data/unpause.db").display());
    let mut book = sqlx::SqliteConnection::connect(&book).await.unwrap();
    sqlx::query("ALTER TABLE receipts RENAME TO gone")
        .execute(&mut book)
        .await
        .unwrap();
    book.close().await.unwrap();
    let asked = operator(&ground).get(relay.url("/v1/receipts"));
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "internal", "{problem}");
    assert!(problem["request_id"].is_string(), "{problem}");
    let words = problem["detail"].as_str().unwrap();
    assert!(!words.contains("receipts"), "{words}");
    relay.stop().await;
}

/// Row: inbox that was never connected | it was added, and nobody has signed in | `never_connected`
#[tokio::test]
async fn an_inbox_that_nobody_has_connected_says_what_it_waits_for() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let asked = operator(&ground).get(relay.url(&format!("/v1/inboxes/{inbox}")));
    let shown: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["connection"]["cause"], "never_connected", "{shown}");
    assert_eq!(shown["connection"]["card"]["acts"], "person", "{shown}");
    // What follows at the provider is said before the click.
    let expects = &shown["at_provider"]["expects"];
    assert_eq!(expects, "The sandbox will ask you to allow access.");
    relay.stop().await;
}
