//! What servers are and are not: those that somebody names over the API are not reached inside the operator's
//! network, and one message that a server cannot take holds up no other.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::delivery::State;
use sandbox::Options;

use crate::app::person::operator;
use crate::app::{Client, Ground, JANE, PASSWORD, wait_for};
use protocol::reconnect::Grant;
use protocol::secret::Secret;
use relay::clock::Clock;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_server_named_over_the_api_is_not_reached_inside_the_operators_network() {
    // The servers of the configuration are on loopback as well, and they are the operator's own word.
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inside = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let server = serde_json::json!({ "host": "localhost", "port": port, "tls": "implicit" });
    let body = serde_json::json!({
        "address": JANE, "provider": "sandbox", "smtp": server, "imap": server
    });
    let answer = operator(&ground)
        .post(relay.url("/v1/inboxes"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let inbox = relay.app().store.list_inboxes().await.unwrap()[0]
        .id
        .clone();

    let grant = Grant::Password {
        user: JANE.to_owned(),
        password: Secret::new(PASSWORD),
    };
    relay.grant(&inbox, &grant).await;
    let knocked = tokio::time::timeout(Duration::from_millis(300), inside.accept()).await;
    assert!(knocked.is_err(), "somebody knocked");
    relay.stop().await;
}

#[tokio::test]
async fn a_lead_that_the_server_cannot_reach_holds_up_no_other() {
    // This server takes no addresses beyond ASCII.
    let ground = Ground::at(
        Client::Public,
        Clock::system(),
        "poll_ms = 100",
        "sandbox",
        Options::default(),
    )
    .await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let leads = ["ann@a.example", "jörg@b.example", "cy@c.example"];
    let campaign = relay.start_campaign(&inbox, &leads, 1).await;
    let rejected = wait_for("the others to be accepted", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        let rejected = relay.list(&campaign, Some("rejected")).await;
        (accepted.len() == 2).then_some(rejected)
    })
    .await;
    let [rejected] = rejected.as_slice() else {
        panic!("{rejected:?}")
    };
    assert_eq!(rejected.to.as_str(), "jörg@b.example");
    let cause = Cause::RecipientRejected;
    assert_eq!(rejected.status, State::Rejected { cause });
    let words = rejected.words.as_deref().unwrap();
    assert!(words.contains("SMTPUTF8"), "{words}");
    assert_eq!(rejected.attempts, 1);
    relay.stop().await;
}
