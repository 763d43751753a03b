//! Access tokens are replaced ahead of their end, one refresh at a time, and a rotated refresh token is on
//! record before it is needed.

use std::time::Duration;

use protocol::connection::Connection;
use protocol::id::InboxId;
use protocol::reconnect::State;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::credentials::{Credentials, inbox_context};
use sandbox::{GrantType, Point};
use sqlx::Connection as _;

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

/// The life of an access token here. The relay's clock is moved, the sandbox's is not.
const TOKEN_FOR: Duration = Duration::from_mins(10);
const REFRESH: Point = Point::TokenRequestReceived {
    grant_type: GrantType::RefreshToken,
};

async fn ground(client: Client) -> Ground {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    Ground::with(client, TOKEN_FOR, clock, "poll_ms = 60000").await
}

async fn connect(ground: &Ground, relay: &Relay) -> InboxId {
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = ground.sign_in(JANE, ALL).await;
    let reconnect = relay.grant(&inbox, &grant).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    inbox
}

/// Longer than copies of what was sent before are waited for at a start.
const COPIES_WITHIN: Duration = Duration::from_secs(4);

async fn wait_until_read(ground: &Ground, relay: &Relay, inbox: &InboxId) {
    ground.clock.advance(COPIES_WITHIN);
    wait_for("the inbox to be read", async || {
        (!relay.inbox(inbox).await.gap_open).then_some(())
    })
    .await;
}

fn n_refreshes(ground: &Ground) -> u32 {
    let grants = ground.sandbox.control().grants(JANE);
    grants.last().unwrap().n_refreshes
}

#[tokio::test]
async fn an_access_token_is_replaced_ahead_of_its_end_and_each_rotated_token_is_kept() {
    for client in [Client::Public, Client::Confidential] {
        let ground = ground(client).await;
        let mut relay = ground.start().await;
        let inbox = connect(&ground, &relay).await;
        wait_until_read(&ground, &relay, &inbox).await;
        assert_eq!(n_refreshes(&ground), 1, "the reconnect's own proof");
        for round in 1..=4 {
            // Still good at the server: the relay does not wait for a refusal.
            relay.stop().await;
            ground.clock.advance(TOKEN_FOR / 2 + Duration::from_secs(1));
            relay = ground.start().await;
            wait_until_read(&ground, &relay, &inbox).await;
            assert_eq!(n_refreshes(&ground), 1 + round);
        }
        // A refresh token that was used before would have ended the grant (RFC 9700 §4.14.2).
        assert!(ground.sandbox.control().grants(JANE)[0].live);
        let after = relay.inbox(&inbox).await;
        assert!(matches!(after.connection, Connection::Connected { .. }));
        relay.stop().await;
    }
}

#[tokio::test]
async fn an_access_token_that_lives_is_not_replaced() {
    let ground = ground(Client::Public).await;
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    relay.stop().await;
    ground.clock.advance(TOKEN_FOR / 10);
    let relay = ground.start().await;
    wait_until_read(&ground, &relay, &inbox).await;
    assert_eq!(n_refreshes(&ground), 1);
    relay.stop().await;
}

#[tokio::test]
async fn two_refreshes_of_an_inbox_are_never_under_way_at_once() {
    let ground = ground(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    relay.stop().await;
    ground.clock.advance(TOKEN_FOR);

    let mut events = control.events();
    let held = control.hold(REFRESH);
    let relay = ground.start().await;
    held.reached().await;
    let app = relay.app();
    for _ in 0..20 {
        relay.nudge(&inbox);
        app.bell.wake_inboxes();
        tokio::task::yield_now().await;
    }
    let now = app.clock.now();
    let second = app
        .store
        .claim_refresh(&inbox, now, now + Duration::from_mins(1));
    assert!(!second.await.unwrap(), "the right to refresh is taken");
    held.release();
    wait_until_read(&ground, &relay, &inbox).await;
    let mut n_requests = 0;
    while let Ok(event) = events.try_recv() {
        n_requests += u32::from(event.point == REFRESH);
    }
    assert_eq!(n_requests, 1);
    assert!(control.grants(JANE)[0].live);
    relay.stop().await;
}

#[tokio::test]
async fn a_refresh_that_ends_after_a_reconnect_does_not_replace_the_newer_credentials() {
    let ground = ground(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    relay.stop().await;
    ground.clock.advance(TOKEN_FOR);

    let held = control.hold(REFRESH);
    let relay = ground.start().await;
    held.reached().await;
    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    let newer = refresh_token(&relay, &inbox).await;
    held.release();
    wait_until_read(&ground, &relay, &inbox).await;
    wait_for("the late refresh to end", async || {
        (control.grants(JANE)[0].n_refreshes == 2).then_some(())
    })
    .await;
    // Stopping waits for what the inbox's task is at.
    relay.stop().await;
    let relay = ground.start().await;
    wait_until_read(&ground, &relay, &inbox).await;
    assert!(
        newer == refresh_token(&relay, &inbox).await,
        "the late refresh replaced the newer token"
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_rotated_token_outlives_a_database_that_is_busy() {
    let ground = ground(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    relay.stop().await;
    ground.clock.advance(TOKEN_FOR);

    let answer = control.hold(Point::TokenAnswerReady);
    let relay = ground.start().await;
    answer.reached().await;
    // Somebody else writes for longer than the relay's database waits for its turn, which is 5 s.
    let database = format!("sqlite://{}", ground.path("data/unpause.db").display());
    let mut other = sqlx::AnyConnection::connect(&database).await.unwrap();
    let begin = sqlx::query("BEGIN IMMEDIATE");
    begin.execute(&mut other).await.unwrap();
    answer.release();
    let watch = Clock::system();
    wait_for("the database's patience to end", async || {
        (watch.uptime() > Duration::from_secs(6)).then_some(())
    })
    .await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let is_read = async || (!relay.inbox(&inbox).await.gap_open).then_some(());
    ground.drive_until("the inbox to be read", is_read).await;
    relay.stop().await;

    ground.clock.advance(TOKEN_FOR);
    let relay = ground.start().await;
    wait_until_read(&ground, &relay, &inbox).await;
    assert!(control.grants(JANE)[0].live, "a token was used twice");
    relay.stop().await;
}

async fn refresh_token(relay: &Relay, inbox: &InboxId) -> String {
    let app = relay.app();
    let stored = app.store.find_credentials(inbox).await.unwrap().unwrap();
    let context = inbox_context(inbox);
    match app.keys.open(&context, &stored.sealed).unwrap() {
        Credentials::OAuth { refresh_token, .. } => refresh_token.expose().to_owned(),
        Credentials::Password { .. } => panic!("a password"),
    }
}
