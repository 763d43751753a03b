//! Refusals after the sign-in: those that pass by themselves disconnect nobody, however often they come, and
//! one that stays is told once, whichever task meets it.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::InboxId;
use protocol::reconnect::State;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::{Gate, Trouble};

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

/// The clock of its relay stands until it is moved, so that no retry comes by itself.
async fn standing() -> Ground {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    Ground::with(Client::Public, Duration::from_hours(1), clock, "").await
}

async fn connect(ground: &Ground, relay: &Relay) -> InboxId {
    relay.connect(ground, Duration::ZERO).await
}

/// Both sign-ins passed after a refusal that comes later than they do.
async fn drive_until_dismissed(ground: &Ground, relay: &Relay, inbox: &InboxId, cause: Cause) {
    let is_dismissed = async || match relay.inbox(inbox).await.connection {
        Connection::Connected { dismissed, .. } => (dismissed == Some(cause)).then_some(()),
        _ => None,
    };
    ground
        .drive_until("both sign-ins to pass", is_dismissed)
        .await;
}

async fn panic_if_disconnected(relay: &Relay, inbox: &InboxId) {
    let connection = relay.inbox(inbox).await.connection;
    assert!(
        !matches!(connection, Connection::Disconnected { .. }),
        "{connection:?}"
    );
}

#[tokio::test]
async fn a_greeting_does_not_confirm_what_was_refused_after_the_sign_in() {
    let ground = standing().await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    let refusal = Trouble::Say(b"530 5.7.0 Authentication required".to_vec());
    control.trouble(Gate::SmtpMail, Some(JANE), refusal);
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    drive_until_dismissed(&ground, &relay, &inbox, Cause::SettingsWrong).await;
    let refusal = Trouble::Say(b"554 5.3.2 No SMTP service here for now".to_vec());
    let greeted = control.trouble(Gate::SmtpGreeting, None, refusal);
    let accepted = async || {
        panic_if_disconnected(&relay, &inbox).await;
        (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
    };
    ground
        .drive_until("the message to be accepted", accepted)
        .await;
    assert!(greeted.is_met());
    relay.stop().await;
}

#[tokio::test]
async fn what_only_probes_were_refused_must_be_confirmed_like_anything_else() {
    let ground = Ground::new(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_for("both sessions to be open", async || {
        (relay.list(&campaign, Some("accepted")).await.len() == 1).then_some(())
    })
    .await;
    let say = |said: &[u8]| Trouble::Say(said.to_vec());
    let refusal = || say(b"NO [AUTHENTICATIONFAILED] Invalid credentials");
    let troubles = [
        control.trouble(Gate::SmtpMail, Some(JANE), say(b"421 4.3.2 Closing")),
        control.trouble(Gate::SmtpAuth, Some(JANE), say(b"535 5.7.8 No")),
        control.trouble(Gate::ImapAuth, Some(JANE), refusal()),
        control.trouble(Gate::ImapAuth, Some(JANE), refusal()),
    ];
    // The session that reads stays open, so the new one that sends is refused first.
    relay.start_campaign(&inbox, &["bob@b.example"], 1).await;
    wait_for("all to be met and over", async || {
        panic_if_disconnected(&relay, &inbox).await;
        let connection = relay.inbox(&inbox).await.connection;
        let works = matches!(connection, Connection::Connected { .. });
        (works && troubles.iter().all(sandbox::Met::is_met)).then_some(())
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn a_message_that_was_accepted_in_between_makes_a_refusal_a_new_one() {
    let ground = standing().await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    let refusal = || Trouble::Say(b"550 5.7.1 Not your address".to_vec());
    control.trouble(Gate::SmtpMail, Some(JANE), refusal());
    // The first message of the second session is accepted, the next one in it is not.
    control.trouble(Gate::SmtpMail, Some(JANE), Trouble::Wait(Duration::ZERO));
    let again = control.trouble(Gate::SmtpMail, Some(JANE), refusal());
    let leads = ["ann@a.example", "bob@b.example"];
    let campaign = relay.start_campaign(&inbox, &leads, 1).await;
    drive_until_dismissed(&ground, &relay, &inbox, Cause::SenderRefused).await;
    let accepted = async || {
        panic_if_disconnected(&relay, &inbox).await;
        (relay.list(&campaign, Some("accepted")).await.len() == leads.len()).then_some(())
    };
    ground
        .drive_until("both messages to be accepted", accepted)
        .await;
    assert!(again.is_met());
    relay.stop().await;
}

#[tokio::test]
async fn a_refusal_that_passed_is_forgotten_once_messages_are_accepted() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    for lead in ["ann@a.example", "bob@b.example", "cat@c.example"] {
        let refusal = Trouble::Say(b"550 5.7.1 Not your address".to_vec());
        let met = ground
            .sandbox
            .control()
            .trouble(Gate::SmtpMail, Some(JANE), refusal);
        let campaign = relay.start_campaign(&inbox, &[lead], 1).await;
        wait_for("the message and its refusal to be over", async || {
            let connection = relay.inbox(&inbox).await.connection;
            assert!(
                !matches!(connection, Connection::Disconnected { .. }),
                "{connection:?}"
            );
            let accepted = relay.list(&campaign, Some("accepted")).await.len() == 1;
            let works = matches!(
                connection,
                Connection::Connected {
                    dismissed: None,
                    ..
                }
            );
            (met.is_met() && accepted && works).then_some(())
        })
        .await;
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_refused_sign_in_is_found_although_the_other_connection_is_lost_at_the_same_time() {
    // What passes is waited for so long that nothing would be found after it.
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 600000\npoll_ms = 600000";
    let hour = Duration::from_hours(1);
    let ground = Ground::with(Client::Public, hour, Clock::system(), timing).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay).await;
    let busy = Trouble::Say(b"451 4.3.0 Local error in processing".to_vec());
    let busy = control.trouble(Gate::SmtpMail, Some(JANE), busy);
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    wait_for("the message to wait for another try", async || {
        let waiting = relay.list(&campaign, Some("planned")).await;
        (busy.is_met() && waiting.len() == 1).then_some(())
    })
    .await;
    relay.stop().await;
    control.switch_smtp_off(JANE, true);
    // The first look compares the sent folder, reads INBOX and listens there; the one after copies have had their time
    // compares and reads again. Then it opens a connection to send and goes to the sent folder, both at once.
    for _ in 0..5 {
        control.trouble(Gate::ImapFolder, Some(JANE), Trouble::Wait(Duration::ZERO));
    }
    let lost = control.trouble(Gate::ImapFolder, Some(JANE), Trouble::Lose);
    let relay = ground.start().await;
    let cause = wait_for("the inbox to be disconnected", async || {
        match relay.inbox(&inbox).await.connection {
            Connection::Disconnected { cause, .. } => Some(cause),
            _ => None,
        }
    })
    .await;
    assert_eq!(cause, Cause::SmtpOff);
    assert!(lost.is_met());
    relay.stop().await;
}

#[tokio::test]
async fn what_a_reconnect_meets_while_it_reads_the_gap_is_told_once() {
    let lines = tracing_subscriber::fmt().json().with_writer(|| LogLines);
    // The other tests of this process, if there are any, have none.
    lines.try_init().unwrap();
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    for _ in 0..10 {
        let refusal = Trouble::Say(b"NO [AUTHORIZATIONFAILED] Not as this user".to_vec());
        ground
            .sandbox
            .control()
            .trouble(Gate::ImapFolder, Some(JANE), refusal);
    }
    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(matches!(outcome, State::Refused { .. }), "{outcome:?}");
    let cause = wait_for("the inbox to be disconnected", async || {
        match relay.inbox(&inbox).await.connection {
            Connection::Disconnected { cause, .. } => Some(cause),
            _ => None,
        }
    })
    .await;
    assert_eq!(cause, Cause::MailboxDenied);
    relay.stop().await;
    let log = String::from_utf8(log().clone()).unwrap();
    let alerts = log.lines().filter(|line| line.contains("relay::notify"));
    assert_eq!(alerts.count(), 1, "{log}");
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn log() -> std::sync::MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the relay logs, kept.
struct LogLines;

impl io::Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        log().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
