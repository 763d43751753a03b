//! A relay that is killed in any stage of a reconnect goes on at the right one.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::{Stage, State};
use relay::store::reconnect::Advance;
use sandbox::{GrantType, Point};

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

/// A reconnect that was handed over and stands at a point of the provider's, which holds it.
async fn kill_at(ground: &Ground, point: Point) -> (InboxId, ReconnectId, State) {
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = ground.sign_in(JANE, ALL).await;
    let held = ground.sandbox.control().hold(point);
    let reconnect = relay.grant(&inbox, &grant).await;
    held.reached().await;
    let state = relay
        .app()
        .store
        .load_reconnect(&reconnect)
        .await
        .unwrap()
        .state;
    relay.kill();
    drop(held);
    (inbox, reconnect, state)
}

fn verifying(stage: Stage) -> State {
    State::Verifying { stage }
}

async fn expect_resumed(relay: &Relay, inbox: &InboxId, reconnect: &ReconnectId) {
    let outcome = relay.outcome(reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    let inbox = relay.inbox(inbox).await;
    assert!(matches!(inbox.connection, Connection::Connected { .. }));
}

#[tokio::test]
async fn a_kill_outside_the_two_windows_costs_nothing() {
    for (client, point, stage) in [
        (Client::Public, Point::UserInfo, Stage::Exchanged),
        (Client::Confidential, Point::UserInfo, Stage::Exchanged),
        (Client::Public, Point::SmtpAuthenticating, Stage::Refreshed),
        (Client::Public, Point::ImapAuthenticating, Stage::Refreshed),
        (Client::Public, Point::ImapSelected, Stage::Adopted),
    ] {
        let ground = Ground::new(client).await;
        let (inbox, reconnect, state) = kill_at(&ground, point).await;
        assert_eq!(state, verifying(stage), "{point:?}");
        let relay = ground.start().await;
        expect_resumed(&relay, &inbox, &reconnect).await;
        assert!(ground.sandbox.control().grants(JANE)[0].live);
        relay.stop().await;
    }
}

/// Row: reconnect interrupted | SIGKILL between the provider's answer and its record | interrupted
#[tokio::test]
async fn a_kill_between_the_providers_answer_and_its_record_ends_the_reconnect_as_interrupted() {
    let received = |grant_type| Point::TokenRequestReceived { grant_type };
    for (client, point, stage) in [
        (
            Client::Confidential,
            received(GrantType::AuthorizationCode),
            Stage::Exchanging,
        ),
        (
            Client::Confidential,
            Point::TokenAnswerReady,
            Stage::Exchanging,
        ),
        (
            Client::Public,
            received(GrantType::RefreshToken),
            Stage::Refreshing,
        ),
        (Client::Public, Point::TokenAnswerReady, Stage::Refreshing),
    ] {
        let ground = Ground::new(client).await;
        let (inbox, reconnect, state) = kill_at(&ground, point).await;
        assert_eq!(state, verifying(stage), "{point:?}");
        let relay = ground.start().await;
        let outcome = relay.outcome(&reconnect).await;
        assert!(
            matches!(
                outcome,
                State::Refused {
                    cause: Cause::Interrupted,
                    ..
                }
            ),
            "{outcome:?}"
        );
        // One more click, and it works.
        let again = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
        expect_resumed(&relay, &inbox, &again).await;
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_kill_before_anything_was_used_leaves_the_reconnect_where_it_was() {
    let ground = Ground::new(Client::Confidential).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let app = relay.app();
    let until = app.clock.now() + Duration::from_mins(5);
    let (started, _) = app
        .store
        .start_reconnect(&inbox, app.clock.now(), until)
        .await
        .unwrap();
    relay.kill();

    // The person is still at the provider.
    let relay = ground.start().await;
    let state = relay.app().store.load_reconnect(&started.id).await.unwrap();
    assert_eq!(state.state, State::Started { expires_at: until });
    // The hand-over is on record, and nobody has begun with it.
    let grant = ground.sign_in(JANE, ALL).await;
    relay.hand_over(&started.id, &grant).await;
    relay.kill();

    let relay = ground.start().await;
    expect_resumed(&relay, &inbox, &started.id).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_kill_after_both_sign_ins_signs_in_again() {
    let ground = Ground::new(Client::Public).await;
    let (inbox, reconnect, _) = kill_at(&ground, Point::SmtpAuthenticating).await;
    let path = ground.path("data").join(relay::app::DATABASE_FILE);
    let store = wait_for("the database to be free", async || {
        relay::store::Store::open(&path, &ground.clock).await.ok()
    })
    .await;
    let advance = Advance {
        stage: Stage::SignedIn,
        payload: None,
        signed_in: None,
    };
    store.advance_reconnect(&reconnect, advance).await.unwrap();
    store.close().await;
    drop(store);

    let relay = ground.start().await;
    expect_resumed(&relay, &inbox, &reconnect).await;
    relay.stop().await;
}

#[tokio::test]
async fn credentials_that_die_before_the_gap_was_read_end_the_reconnect_and_the_next_one_works() {
    let ground = Ground::new(Client::Public).await;
    let (inbox, reconnect, _) = kill_at(&ground, Point::ImapSelected).await;
    ground.sandbox.control().revoke(JANE).unwrap();
    let relay = ground.start().await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Refused { .. }), "{outcome:?}");
    let again = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    expect_resumed(&relay, &inbox, &again).await;
    relay.stop().await;
}
