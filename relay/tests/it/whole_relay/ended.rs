//! A relay that is told to end while a server lets it wait: it waits for the reply to a final dot, and for nothing else.

use std::time::Duration;

use protocol::id::{CampaignId, InboxId};
use protocol::reconnect::State as ReconnectState;
use relay::clock::Clock;
use sandbox::Point;

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

/// What a supervisor gives at the least, and some of it.
const SOON: Duration = Duration::from_secs(6);

async fn connected() -> (Ground, Relay, InboxId) {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    (ground, relay, inbox)
}

async fn expect_sent_once(ground: &Ground, campaign: &CampaignId) {
    let relay = ground.start().await;
    let sent = wait_for("the message to be accepted", async || {
        assert!(relay.list(campaign, Some("unsettled")).await.is_empty());
        relay.list(campaign, Some("accepted")).await.pop()
    })
    .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    assert!(sent.no_evidence.is_none());
    relay.stop().await;
}

#[tokio::test]
async fn a_server_that_lets_wait_before_the_message_is_handed_over_is_given_up() {
    for point in [
        Point::SmtpConnected,
        Point::SmtpAuthenticating,
        Point::SmtpMail,
    ] {
        let (ground, relay, inbox) = connected().await;
        let held = ground.sandbox.control().hold(point);
        let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
        held.reached().await;
        let began = Clock::system();
        relay.stop().await;
        let took = began.uptime();
        assert!(took < SOON, "{point:?}: {took:?}");
        held.release();
        expect_sent_once(&ground, &campaign).await;
    }
}

#[tokio::test]
async fn a_server_that_lets_the_reader_wait_is_given_up() {
    for point in [Point::ImapAuthenticating, Point::ImapSelected] {
        let (ground, relay, inbox) = connected().await;
        let control = ground.sandbox.control();
        let held = control.hold(point);
        if point == Point::ImapAuthenticating {
            control.end_sessions(JANE).unwrap();
        } else {
            control.deliver(JANE, "From: x@x.example\r\n\r\nHello.\r\n");
        }
        relay.nudge(&inbox);
        held.reached().await;
        let began = Clock::system();
        relay.stop().await;
        let took = began.uptime();
        assert!(took < SOON, "{point:?}: {took:?}");
        held.release();
        // What was given up says nothing of the inbox.
        let relay = ground.start().await;
        let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
        wait_for("the message to be accepted", async || {
            relay.list(&campaign, Some("accepted")).await.pop()
        })
        .await;
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_reconnect_whose_server_lets_wait_goes_on_at_the_next_start() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = ground.sign_in(JANE, ALL).await;
    let held = ground.sandbox.control().hold(Point::SmtpAuthenticating);
    let reconnect = relay.grant(&inbox, &grant).await;
    held.reached().await;
    let began = Clock::system();
    relay.stop().await;
    let took = began.uptime();
    assert!(took < SOON, "{took:?}");
    held.release();
    let relay = ground.start().await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(
        matches!(outcome, ReconnectState::Resumed { .. }),
        "{outcome:?}"
    );
    relay.stop().await;
}

#[tokio::test]
async fn the_reply_to_a_final_dot_is_waited_for() {
    let (ground, relay, inbox) = connected().await;
    let held = ground.sandbox.control().hold(Point::SmtpStored);
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    held.reached().await;
    let began = Clock::system();
    let stopping = tokio::spawn(relay.stop());
    wait_for("four seconds to pass", async || {
        (began.uptime() >= Duration::from_secs(4)).then_some(())
    })
    .await;
    assert!(!stopping.is_finished(), "the reply was not waited for");
    held.release();
    stopping.await.unwrap();
    // Known at the next start, before anything is looked for.
    let relay = ground.start().await;
    assert_eq!(relay.list(&campaign, Some("accepted")).await.len(), 1);
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}
