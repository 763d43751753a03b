//! Reconnects of a whole relay: who joins, who is refused, and what is left of a refusal.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::reconnect::State;
use sandbox::control::Point;
use serde_json::{Value, json};

use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, JOHN, wait_for};

#[tokio::test]
async fn a_second_start_joins_the_first() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let operator = operator(&ground);
    let start = async || -> Value {
        let url = relay.url(&format!("/v1/inboxes/{inbox}/reconnects"));
        let asked = operator.post(url).json(&json!({}));
        asked.send().await.unwrap().json().await.unwrap()
    };
    let (one, two) = tokio::join!(start(), start());
    assert_eq!(
        one["reconnect"]["id"], two["reconnect"]["id"],
        "{one} {two}"
    );
    let mut joined = [one["joined"].as_bool(), two["joined"].as_bool()];
    joined.sort();
    assert_eq!(joined, [Some(false), Some(true)]);
    relay.stop().await;
}

/// Row: another account signed in, and does not open the inbox | John signs in for Jane's inbox | `wrong_identity`
/// Row: scope unticked | the permission to read is not given | `scope_missing`
#[tokio::test]
async fn what_a_refused_reconnect_held_is_deleted_here_and_revoked_there() {
    for (client, who, scope, cause) in [
        (Client::Public, JOHN, ALL, Cause::WrongIdentity),
        (Client::Confidential, JOHN, ALL, Cause::WrongIdentity),
        (
            Client::Public,
            JANE,
            "openid email offline_access mail.send",
            Cause::ScopeMissing,
        ),
        (
            Client::Confidential,
            JANE,
            "openid email offline_access mail.send",
            Cause::ScopeMissing,
        ),
    ] {
        let ground = Ground::new(client).await;
        let relay = ground.start().await;
        let inbox = relay.add_inbox(Duration::ZERO).await;
        let grant = ground.sign_in(who, scope).await;
        let reconnect = relay.grant(&inbox, &grant).await;
        let outcome = relay.outcome(&reconnect).await;
        assert!(
            matches!(&outcome, State::Refused { cause: found, .. } if *found == cause),
            "{client:?} {outcome:?}"
        );
        let store = &relay.app().store;
        let left = store.load_reconnect(&reconnect).await.unwrap();
        assert_eq!(left.payload, None, "{client:?} {cause:?}");
        assert!(store.find_credentials(&inbox).await.unwrap().is_none());
        let control = ground.sandbox.control();
        wait_for("the permission to be revoked", async || {
            let grants = control.grants(who);
            (grants.len() == 1 && !grants[0].live).then_some(())
        })
        .await;
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_refused_reconnect_leaves_what_worked_before() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let first = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    assert!(matches!(relay.outcome(&first).await, State::Resumed { .. }));
    let wrong = relay.grant(&inbox, &ground.sign_in(JOHN, ALL).await).await;
    assert!(matches!(relay.outcome(&wrong).await, State::Refused { .. }));
    let after = relay.inbox(&inbox).await;
    assert!(matches!(after.connection, Connection::Connected { .. }));
    assert!(ground.sandbox.control().grants(JANE)[0].live);
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_for("the inbox to send", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == 1).then_some(())
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn a_refused_reconnect_of_a_working_inbox_does_not_stop_it() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = ground.sign_in(JANE, ALL).await;
    let first = relay.grant(&inbox, &grant).await;
    assert!(matches!(relay.outcome(&first).await, State::Resumed { .. }));

    let held = ground.sandbox.control().hold(Point::UserInfo);
    let wrong = relay.grant(&inbox, &ground.sign_in(JOHN, ALL).await).await;
    held.reached().await;
    // Looks while somebody reconnects, finds that it is not its turn, and waits to be told.
    let campaign = relay
        .start_campaign(&inbox, &["ann@leads.example"], 1)
        .await;
    // That look shows nowhere; a few of our own give it the time.
    let mut looks = 0;
    wait_for("the inbox's task to have looked", async || {
        looks += relay.list(&campaign, Some("planned")).await.len();
        (looks > 20).then_some(())
    })
    .await;
    held.release();
    assert!(matches!(relay.outcome(&wrong).await, State::Refused { .. }));
    wait_for("the message to be accepted", async || {
        (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn an_inbox_tells_how_its_connection_changed() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let first = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    assert!(matches!(relay.outcome(&first).await, State::Resumed { .. }));
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_for("the inbox to send", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == 1).then_some(())
    })
    .await;
    ground.sandbox.control().revoke(JANE).unwrap();
    relay.start_campaign(&inbox, &["bob@b.example"], 1).await;
    wait_for("the loss", async || {
        let connection = relay.inbox(&inbox).await.connection;
        matches!(connection, Connection::Disconnected { .. }).then_some(())
    })
    .await;

    let operator = operator(&ground);
    let ask = async |id: &str| -> Value {
        let url = relay.url(&format!("/v1/inboxes/{id}/changes"));
        operator
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let told = ask(&inbox.to_string()).await;
    let changes = told["changes"].as_array().unwrap();
    let seen: Vec<_> = changes
        .iter()
        .map(|change| (change["state"].as_str().unwrap(), change.get("cause")))
        .collect();
    let ended = json!("permission_ended");
    assert_eq!(
        seen.first(),
        Some(&("disconnected", Some(&ended))),
        "{told}"
    );
    assert_eq!(seen.last(), Some(&("connected", None)), "{told}");
    assert!((2..=3).contains(&seen.len()), "{told}");
    let times: Vec<_> = changes.iter().map(|change| change["at"].as_str()).collect();
    assert!(
        times.is_sorted_by(|later, earlier| later >= earlier),
        "{told}"
    );
    let unknown = ask("inb_nowhere").await;
    assert_eq!(unknown["code"], "not_found");
    relay.stop().await;
}
