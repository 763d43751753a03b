//! What mends itself or is corrected elsewhere, a client secret that ran out, a door that was shut: once what is on record
//! works again, everything resumes without a sign-in.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::{CampaignId, InboxId};
use protocol::reconnect::{Grant, State};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::{GrantType, Options, Point};

use crate::app::{Client, Ground, JANE, PASSWORD, Relay, wait_for};

/// The life of an access token here. The relay's clock is moved, the sandbox's is not.
const TOKEN_FOR: Duration = Duration::from_mins(10);
/// An hour and what the tries of inboxes are spread over.
const HOUR: Duration = Duration::from_mins(70);
const REFRESH: Point = Point::TokenRequestReceived {
    grant_type: GrantType::RefreshToken,
};

/// An inbox whose first step was sent when the secret ran out; its second step waits.
async fn lose(ground: &Ground, relay: &Relay) -> (InboxId, CampaignId) {
    let inbox = relay.connect(ground, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 2).await;
    wait_for("the first step to be accepted", async || {
        (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
    })
    .await;
    let control = ground.sandbox.control();
    control.end_secrets(true);
    control.end_sessions(JANE).unwrap();
    // The access token ends, and a new one is refused.
    ground.clock.advance(Duration::from_hours(1));
    wait_until_lost(ground, relay, &inbox, Cause::AppMisconfigured).await;
    (inbox, campaign)
}

async fn wait_until_lost(ground: &Ground, relay: &Relay, inbox: &InboxId, wanted: Cause) {
    let is_lost = async || match relay.inbox(inbox).await.connection {
        Connection::Disconnected { cause, .. } => (cause == wanted).then_some(()),
        _ => None,
    };
    ground
        .drive_until("the inbox to be disconnected", is_lost)
        .await;
}

async fn ground() -> Ground {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    Ground::with(Client::Confidential, TOKEN_FOR, clock, "").await
}

/// The second step is sent, once, and nobody has signed in.
async fn check_resumed(ground: &Ground, relay: &Relay, campaign: &CampaignId) {
    let is_sent = async || (relay.list(campaign, Some("accepted")).await.len() == 2).then_some(());
    ground
        .drive_until("the second step to be accepted", is_sent)
        .await;
    let control = ground.sandbox.control();
    assert_eq!(control.delivered().len(), 2);
    assert_eq!(control.grants(JANE).len(), 1, "somebody signed in");
    let receipts = relay.app().store.list_receipts(None, None).await.unwrap();
    assert_eq!(receipts.len(), 2, "one for each time that it resumed");
}

#[tokio::test]
async fn a_relay_that_is_started_with_a_corrected_registration_resumes_by_itself() {
    let ground = ground().await;
    let relay = ground.start().await;
    let (_, campaign) = lose(&ground, &relay).await;
    relay.stop().await;
    ground.sandbox.control().end_secrets(false);
    let relay = ground.start().await;
    check_resumed(&ground, &relay, &campaign).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_registration_that_is_corrected_at_the_provider_is_found_within_the_hour() {
    let ground = ground().await;
    let relay = ground.start().await;
    let (inbox, campaign) = lose(&ground, &relay).await;
    let lost = relay.inbox(&inbox).await.connection;
    let control = ground.sandbox.control();
    let held = control.hold(REFRESH);
    ground.clock.advance(HOUR);
    held.reached().await;
    held.release();
    // That was refused as before, and changed nothing; the next one is not.
    let held = control.hold(REFRESH);
    ground.clock.advance(HOUR);
    held.reached().await;
    assert_eq!(relay.inbox(&inbox).await.connection, lost);
    control.end_secrets(false);
    held.release();
    check_resumed(&ground, &relay, &campaign).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_permission_that_ended_meanwhile_is_a_persons_to_mend() {
    let ground = ground().await;
    let relay = ground.start().await;
    let (inbox, _) = lose(&ground, &relay).await;
    relay.stop().await;
    ground.sandbox.control().end_secrets(false);
    ground.sandbox.control().revoke(JANE).unwrap();
    let relay = ground.start().await;
    wait_until_lost(&ground, &relay, &inbox, Cause::PermissionEnded).await;
    relay.stop().await;
}

async fn connect_by_password(relay: &Relay) -> InboxId {
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = Grant::Password {
        user: JANE.to_owned(),
        password: Secret::new(PASSWORD),
    };
    let reconnect = relay.grant(&inbox, &grant).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    inbox
}

async fn mail_server() -> Ground {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    Ground::at(Client::Public, clock, "", "imap", Options::default()).await
}

#[tokio::test]
async fn a_door_that_is_shut_is_named_and_opens_again_by_itself() {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let control = ground.sandbox.control();
    let inbox = connect_by_password(&relay).await;
    control.switch_smtp_off(JANE, true);
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_until_lost(&ground, &relay, &inbox, Cause::SmtpOff).await;
    control.switch_smtp_off(JANE, false);
    ground.clock.advance(HOUR);
    ground
        .drive_until("the message to be accepted", async || {
            (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
        })
        .await;
    assert_eq!(control.delivered().len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn a_password_that_was_called_wrong_is_not_shown_again() {
    let ground = mail_server().await;
    let relay = ground.start().await;
    let inbox = connect_by_password(&relay).await;
    let control = ground.sandbox.control();
    control.change_password(JANE, "another-password").unwrap();
    relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_until_lost(&ground, &relay, &inbox, Cause::SignInRefused).await;
    let mut events = control.events();
    for _ in 0..30 {
        ground.clock.advance(Duration::from_mins(10));
        ground
            .drive_until("a moment to pass", async || Some(()))
            .await;
    }
    while let Ok(event) = events.try_recv() {
        let signs_in = [Point::SmtpAuthenticating, Point::ImapAuthenticating];
        assert!(!signs_in.contains(&event.point), "{event:?}");
    }
    relay.stop().await;
}
