//! Somebody else's sign-in that opens the inbox, as it does for a shared mailbox: a person says whether it is meant.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::State;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, JOHN, Relay, wait_for};

/// The operator posts this.
pub(super) async fn post(
    ground: &Ground,
    relay: &Relay,
    path: &str,
    body: Value,
) -> (StatusCode, Value) {
    let asked = operator(ground).post(relay.url(path)).json(&body);
    let answer = asked.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

pub(super) async fn wait_unconfirmed(relay: &Relay, id: &ReconnectId) -> Option<String> {
    wait_for("the reconnect to wait for a person", async || {
        let reconnect = relay.app().store.load_reconnect(id).await.unwrap();
        match reconnect.state {
            State::Unconfirmed => Some(reconnect.signed_in_as),
            State::Refused { evidence, .. } => panic!("refused: {evidence:?}"),
            _ => None,
        }
    })
    .await
}

/// John has signed in for Jane's inbox, which is shared with him.
async fn john_for_jane(ground: &Ground, relay: &Relay) -> (InboxId, ReconnectId) {
    ground.sandbox.control().share(JANE, JOHN).unwrap();
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let id = relay.grant(&inbox, &ground.sign_in(JOHN, ALL).await).await;
    let signed_in_as = wait_unconfirmed(relay, &id).await;
    assert_eq!(signed_in_as.as_deref(), Some(JOHN));
    (inbox, id)
}

/// Row: shared mailbox, or an alias | John signs in for an inbox that is shared with him | unconfirmed | the person | Is this the right account? You signed in as john@acme.example. This inbox is jane@acme.example. It works: it sends and reads with that sign-in. Use it?
/// Row: right person under another address | the account that was confirmed signs in again | resumed | nobody | Resumed.
#[tokio::test]
async fn a_colleague_with_a_shared_mailbox_is_confirmed_once_and_then_known() {
    for client in [Client::Public, Client::Confidential] {
        let ground = Ground::new(client).await;
        let relay = ground.start().await;
        let (inbox, id) = john_for_jane(&ground, &relay).await;
        let before = relay.inbox(&inbox).await;
        assert!(matches!(before.connection, Connection::Disconnected { .. }));
        assert!(before.identity.is_none(), "nothing is written before");

        let path = format!("/v1/reconnects/{id}/confirm");
        let (status, answer) = post(&ground, &relay, &path, json!({})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["signed_in_as"], JOHN, "while it is proved too");
        let outcome = relay.outcome(&id).await;
        assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
        let (status, problem) = post(&ground, &relay, &path, json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT);
        let words = "this reconnect is resumed; there is nothing to confirm";
        assert_eq!(problem["detail"], words);

        // The inbox sends with his permission, as its own address.
        let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
        wait_for("the inbox to send", async || {
            (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
        })
        .await;
        assert_eq!(ground.sandbox.control().delivered()[0].envelope_from, JANE);

        // The same pair again is asked nothing.
        let again = relay.grant(&inbox, &ground.sign_in(JOHN, ALL).await).await;
        let outcome = relay.outcome(&again).await;
        assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
        let again = relay.app().store.load_reconnect(&again).await.unwrap();
        assert_eq!(again.signed_in_as.as_deref(), Some(JOHN));
        relay.stop().await;
    }
}

/// Row: another account that works, and is not meant | the person says that it is not | `wrong_identity`
#[tokio::test]
async fn whoever_is_not_meant_leaves_nothing_and_a_restart_asks_again() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let (inbox, id) = john_for_jane(&ground, &relay).await;
    relay.kill();
    let relay = ground.start().await;
    let path = format!("/v1/reconnects/{id}/refuse");
    let (status, answer) = post(
        &ground,
        &relay,
        &path,
        json!({"why": {"kind": "cancelled"}}),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["cause"], "wrong_identity", "{answer}");
    assert_eq!(answer["evidence"], format!("signed in as {JOHN}"));
    let store = &relay.app().store;
    assert_eq!(store.load_reconnect(&id).await.unwrap().payload, None);
    assert!(store.find_credentials(&inbox).await.unwrap().is_none());
    assert!(relay.inbox(&inbox).await.identity.is_none());
    wait_for("the permission to be given back", async || {
        (!ground.sandbox.control().grants(JOHN)[0].live).then_some(())
    })
    .await;
    relay.stop().await;
}

/// Row: nobody says whether the account is meant | ten minutes pass | expired
#[tokio::test]
async fn nobody_who_confirms_ends_it_in_time_and_what_worked_goes_on() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let hour = Duration::from_hours(1);
    let ground = Ground::with(Client::Public, hour, clock, "").await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let first = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    assert!(matches!(relay.outcome(&first).await, State::Resumed { .. }));

    ground.sandbox.control().share(JANE, JOHN).unwrap();
    let id = relay.grant(&inbox, &ground.sign_in(JOHN, ALL).await).await;
    wait_unconfirmed(&relay, &id).await;
    // Meanwhile the inbox sends with what it had.
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_for("the inbox to send", async || {
        (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
    })
    .await;
    ground
        .clock
        .advance(relay.app().config.timing.reconnect_for);
    let path = format!("/v1/reconnects/{id}/confirm");
    let (status, problem) = post(&ground, &relay, &path, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let outcome = relay.outcome(&id).await;
    let expected = Cause::Expired;
    assert!(matches!(outcome, State::Refused { cause, .. } if cause == expected));
    let after = relay.inbox(&inbox).await;
    assert!(matches!(after.connection, Connection::Connected { .. }));
    relay.stop().await;
}
