//! What arrived while the relay could not read counts before anything leaves.

use std::time::Duration;

use protocol::connection::Connection;
use protocol::delivery::{State, Suppression};
use protocol::id::{CampaignId, InboxId};
use protocol::receipt::Receipt;
use protocol::reconnect::State as ReconnectState;
use protocol::request::delivery::Delivery;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::Point;

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

const LEADS: [&str; 3] = ["ann@a.example", "bob@b.example", "cy@c.example"];

async fn connect(ground: &Ground, relay: &Relay, gap: Duration) -> InboxId {
    relay.connect(ground, gap).await
}

async fn wait_for_accepted(relay: &Relay, campaign: &CampaignId, n: usize) -> Vec<Delivery> {
    wait_for("the first messages to be accepted", async || {
        let accepted = relay.list(campaign, Some("accepted")).await;
        (accepted.len() == n).then_some(accepted)
    })
    .await
}

/// Jane's permission ends, something arrives for her meanwhile, and she reconnects.
async fn lose_and_reconnect(arrives: impl Fn(&Delivery) -> String) -> (Receipt, Vec<Delivery>) {
    lose_and_reconnect_in("INBOX", arrives).await
}

/// The same, and what arrived stands in this folder by then.
async fn lose_and_reconnect_in(
    folder: &str,
    arrives: impl Fn(&Delivery) -> String,
) -> (Receipt, Vec<Delivery>) {
    let ground = Ground::new(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    let accepted = wait_for_accepted(&relay, &campaign, LEADS.len()).await;

    control.revoke(JANE).unwrap();
    wait_for("the inbox to be lost", async || {
        let connection = relay.inbox(&inbox).await.connection;
        matches!(connection, Connection::Disconnected { .. }).then_some(())
    })
    .await;
    control.deliver_into(JANE, folder, arrives(&accepted[0]));

    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let outcome = relay.outcome(&reconnect).await;
    let ReconnectState::Resumed { receipt, .. } = outcome else {
        panic!("{outcome:?}");
    };
    let receipt = relay
        .app()
        .store
        .load_receipt(&receipt, |_| true)
        .await
        .unwrap();
    let all = relay.list(&campaign, None).await;
    relay.stop().await;
    (receipt, all)
}

fn check_skipped(receipt: &Receipt, all: &[Delivery], why: Suppression) {
    assert_eq!(
        (
            receipt.held,
            receipt.to_send,
            receipt.skipped,
            receipt.in_doubt
        ),
        (0, 0, 0, 0),
        "none would have left in that second: {receipt:?}"
    );
    let follow_up = |lead: &str| {
        let found = all
            .iter()
            .find(|row| row.to.as_str() == lead && row.step == 2);
        found.unwrap()
    };
    assert_eq!(follow_up(LEADS[0]).status, State::Suppressed { why });
    for lead in &LEADS[1..] {
        let row = follow_up(lead);
        assert!(matches!(row.status, State::Planned { .. }), "{row:?}");
    }
}

fn answer_from(from: &str, first: &Delivery) -> String {
    let id = first.message_id.as_deref().unwrap();
    format!(
        "From: {from}\r\nTo: {JANE}\r\nSubject: Re: Hello\r\nMessage-ID: <reply@a.example>\r\n\
         In-Reply-To: <{id}>\r\nReferences: <{id}>\r\n\r\nGladly.\r\n"
    )
}

#[tokio::test]
async fn a_reply_that_arrived_in_the_outage_stops_its_lead() {
    let answer = |first: &Delivery| answer_from(first.to.as_str(), first);
    let (receipt, all) = lose_and_reconnect(answer).await;
    check_skipped(&receipt, &all, Suppression::Replied);
}

#[tokio::test]
async fn a_reply_that_was_archived_or_moved_in_the_outage_stops_its_lead() {
    for folder in ["Archive", "Junk", "Clients/Ann"] {
        let answer = |first: &Delivery| answer_from(first.to.as_str(), first);
        let (receipt, all) = lose_and_reconnect_in(folder, answer).await;
        check_skipped(&receipt, &all, Suppression::Replied);
    }
}

/// A rule or a person files answers into a folder that is made while the relay reads: no new session is needed to see it.
#[tokio::test]
async fn an_answer_in_a_folder_that_is_made_while_the_session_stands_stops_its_lead() {
    let ground = Ground::new(Client::Public).await;
    let control = ground.sandbox.control();
    // More than are gone through at every reading.
    for n in 0..30 {
        let kept = "From: old@a.example\r\n\r\nHello.\r\n";
        control.deliver_into(JANE, &format!("Clients/{n}"), kept);
    }
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay, Duration::ZERO).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    let accepted = wait_for_accepted(&relay, &campaign, LEADS.len()).await;
    let mut events = control.events();
    assert!(control.folder(JANE, "Answers/Spring").is_none());
    let answer = answer_from(accepted[0].to.as_str(), &accepted[0]);
    control.deliver_into(JANE, "Answers/Spring", answer);
    let stopped = wait_for("the answer to count", async || {
        relay.list(&campaign, Some("suppressed")).await.pop()
    })
    .await;
    assert_eq!((stopped.to.as_str(), stopped.step), (LEADS[0], 2));
    while let Ok(event) = events.try_recv() {
        assert_ne!(event.point, Point::ImapAuthenticating, "signed in anew");
    }
    relay.stop().await;
}

#[tokio::test]
async fn what_the_inbox_wrote_itself_is_no_answer_wherever_it_was_moved() {
    let note = |first: &Delivery| answer_from(JANE, first);
    let (receipt, all) = lose_and_reconnect_in("Archive", note).await;
    assert_eq!((receipt.held, receipt.skipped), (0, 0), "{receipt:?}");
    let suppressed = |row: &&Delivery| matches!(row.status, State::Suppressed { .. });
    assert_eq!(all.iter().find(suppressed).map(|row| &row.id), None);
}

#[tokio::test]
async fn one_message_that_cannot_be_read_is_passed_over_and_the_campaign_goes_on() {
    let ground = Ground::new(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    control.deliver(JANE, "From: before@a.example\r\n\r\nHello.\r\n");
    let inbox = connect(&ground, &relay, Duration::ZERO).await;
    control.make_unreadable(Some("poison"));
    control.deliver(
        JANE,
        "From: x@x.example\r\nSubject: poison\r\n\r\nHello.\r\n",
    );
    let behind = wait_for("the message to be passed over", async || {
        let position = relay.inbox(&inbox).await.read_position?;
        (position.uid_next == 3).then_some(position)
    })
    .await;

    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    let accepted = wait_for_accepted(&relay, &campaign, LEADS.len()).await;
    // Between two more that cannot be read stands an answer.
    let poison = "From: y@x.example\r\nSubject: poison\r\n\r\nHello.\r\n";
    control.deliver(JANE, poison);
    control.deliver(JANE, answer_from(LEADS[0], &accepted[0]));
    control.deliver(JANE, poison);
    let answered = wait_for("the answer to count", async || {
        let suppressed = relay.list(&campaign, Some("suppressed")).await;
        (!suppressed.is_empty()).then_some(suppressed)
    })
    .await;
    assert_eq!(answered[0].to.as_str(), LEADS[0]);
    let all_behind = wait_for("all of them to be behind", async || {
        let position = relay.inbox(&inbox).await.read_position?;
        (position.uid_next == 6).then_some(position)
    })
    .await;
    assert_eq!(behind.uid_validity, all_behind.uid_validity);
    let connection = relay.inbox(&inbox).await.connection;
    assert!(
        matches!(connection, Connection::Connected { .. }),
        "{connection:?}"
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_reading_that_never_works_ends_the_reconnect_with_the_servers_words() {
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\n\
                  reconnect_for_ms = 3000";
    let hour = Duration::from_hours(1);
    let ground = Ground::with(Client::Public, hour, Clock::system(), timing).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    control.deliver(JANE, "From: before@a.example\r\n\r\nHello.\r\n");
    let inbox = connect(&ground, &relay, Duration::ZERO).await;
    control.revoke(JANE).unwrap();
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    wait_for("the inbox to be lost", async || {
        let connection = relay.inbox(&inbox).await.connection;
        matches!(connection, Connection::Disconnected { .. }).then_some(())
    })
    .await;
    let sent_before = control.delivered().len();
    control.make_unreadable(Some(""));
    control.deliver(JANE, "From: meanwhile@a.example\r\n\r\nHello.\r\n");

    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let outcome = relay.outcome(&reconnect).await;
    let ReconnectState::Refused { evidence, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        evidence.words().contains("a message cannot be read"),
        "{evidence:?}"
    );
    let connection = relay.inbox(&inbox).await.connection;
    assert!(
        matches!(&connection, Connection::Disconnected { evidence: Some(told), .. } if *told == evidence),
        "{connection:?}"
    );
    assert_eq!(
        control.delivered().len(),
        sent_before,
        "sent before the gap was read"
    );

    // What was wrong is over, and the next click does what this one could not.
    control.make_unreadable(None);
    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(
        matches!(outcome, ReconnectState::Resumed { .. }),
        "{outcome:?}"
    );
    wait_for_accepted(&relay, &campaign, LEADS.len()).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_bounce_that_arrived_in_the_outage_stops_its_lead_and_marks_the_message() {
    let (receipt, all) = lose_and_reconnect(|first| {
        let id = first.message_id.as_deref().unwrap();
        let to = &first.to;
        format!(
            "From: MAILER-DAEMON@mail.example\r\nTo: {JANE}\r\nSubject: Undelivered\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n\
             Final-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{id}>\r\nSubject: Hello\r\n\r\n--b--\r\n"
        )
    })
    .await;
    check_skipped(&receipt, &all, Suppression::Bounced);
    assert!(
        matches!(all[0].status, State::Bounced { .. }),
        "{:?}",
        all[0]
    );
}

#[tokio::test]
async fn a_night_of_sleep_is_read_before_anything_is_sent_and_ends_in_no_burst() {
    let gap = Duration::from_mins(1);
    let start = Timestamp::from_ms(1_795_417_920_000);
    let ground = Ground::with(
        Client::Public,
        Duration::from_hours(24),
        Clock::manual(start),
        "poll_ms = 60000",
    )
    .await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay, gap).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    let first = ground
        .drive_until("the first messages to be accepted", async || {
            let accepted = relay.list(&campaign, Some("accepted")).await;
            (accepted.len() == LEADS.len()).then_some(accepted)
        })
        .await;
    assert_eq!(control.delivered().len(), LEADS.len());

    // The lid closes. Ann answers. In the morning every follow-up is long due.
    let id = first[0].message_id.as_deref().unwrap();
    control.deliver(
        JANE,
        format!(
            "From: {}\r\nIn-Reply-To: <{id}>\r\n\r\nGladly.\r\n",
            first[0].to
        ),
    );
    let reading = control.hold(Point::ImapSelected);
    let mut events = control.events();
    ground.clock.advance(Duration::from_hours(14));
    reading.reached().await;
    while let Ok(event) = events.try_recv() {
        assert_ne!(event.point, Point::SmtpMail, "sent before the gap was read");
    }
    reading.release();

    let all = ground
        .drive_until("the follow-ups", async || {
            let all = relay.list(&campaign, None).await;
            let accepted = |row: &&Delivery| matches!(row.status, State::Accepted { .. });
            (all.iter().filter(accepted).count() == 2 * LEADS.len() - 1).then_some(all)
        })
        .await;
    let mut sent_at: Vec<_> = all
        .iter()
        .filter_map(|row| match row.status {
            State::Accepted { at } => Some(at),
            _ => None,
        })
        .collect();
    sent_at.sort();
    for pair in sent_at.windows(2) {
        let apart = pair[1].since(pair[0]);
        assert!(apart >= gap.mul_f64(0.8), "a burst: {sent_at:?}");
    }
    let to_ann = control
        .delivered()
        .iter()
        .filter(|message| message.recipient == LEADS[0])
        .count();
    assert_eq!(to_ann, 1, "who answered is not written to again");
    relay.stop().await;
}

/// Row: 14 hours of sleep with 300 messages due | the clock jumps | accepted | nobody | each message leaves one gap after the other
#[tokio::test]
async fn three_hundred_messages_due_after_a_night_of_sleep_leave_one_gap_after_the_other() {
    let gap = Duration::from_mins(2);
    let start = Timestamp::from_ms(1_795_417_920_000);
    let day = Duration::from_hours(24);
    let clock = Clock::manual(start);
    let ground = Ground::with(Client::Public, day, clock, "poll_ms = 60000").await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay, gap).await;
    let leads: Vec<String> = (0..303).map(|n| format!("lead{n}@a.example")).collect();
    let leads: Vec<&str> = leads.iter().map(String::as_str).collect();
    let campaign = relay.start_campaign(&inbox, &leads, 1).await;
    let run_until = async |n: usize| {
        wait_for("more messages to be accepted", async || {
            ground.clock.advance(Duration::from_secs(20));
            let accepted = relay.list(&campaign, Some("accepted")).await;
            (accepted.len() >= n).then_some(accepted)
        })
        .await
    };
    run_until(3).await;

    let reading = control.hold(Point::ImapSelected);
    let mut events = control.events();
    ground.clock.advance(Duration::from_hours(14));
    let woke_at = ground.clock.now();
    reading.reached().await;
    while let Ok(event) = events.try_recv() {
        assert_ne!(event.point, Point::SmtpMail, "sent before the gap was read");
    }
    reading.release();
    let accepted = run_until(15).await;
    let mut sent_at: Vec<_> = accepted
        .iter()
        .filter_map(|row| match row.status {
            State::Accepted { at } => Some(at),
            _ => None,
        })
        .collect();
    sent_at.sort();
    for pair in sent_at.windows(2) {
        let apart = pair[1].since(pair[0]);
        assert!(apart >= gap.mul_f64(0.8), "a burst: {sent_at:?}");
    }
    let since = sent_at.iter().filter(|at| **at >= woke_at).count();
    let shortest = gap.mul_f64(0.8).as_secs();
    let gaps = ground.clock.now().since(woke_at).as_secs() / shortest;
    assert!(since as u64 <= gaps + 1, "{since} in {gaps} gaps");
    assert_eq!(control.delivered().len(), accepted.len());
    relay.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_in_the_middle_of_a_batch_ends_the_batch_and_the_gap_is_read() {
    let start = Timestamp::from_ms(1_795_417_920_000);
    let ground = Ground::with(
        Client::Public,
        Duration::from_hours(24),
        Clock::manual(start),
        "poll_ms = 60000",
    )
    .await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay, Duration::ZERO).await;
    let spring = relay.start_campaign(&inbox, &LEADS[..1], 2).await;
    let first = wait_for_accepted(&relay, &spring, 1).await;

    // A second campaign is on its way when the lid closes; Ann answers to the first.
    let sending = control.hold(Point::SmtpStored);
    let summer = relay.start_campaign(&inbox, &LEADS[1..], 1).await;
    ground
        .drive_until("the batch to begin", async || {
            let attempting = relay.list(&summer, Some("attempting")).await;
            (!attempting.is_empty()).then_some(())
        })
        .await;
    sending.reached().await;
    let id = first[0].message_id.as_deref().unwrap();
    control.deliver(
        JANE,
        format!(
            "From: {}\r\nIn-Reply-To: <{id}>\r\n\r\nGladly.\r\n",
            first[0].to
        ),
    );
    ground.clock.advance(Duration::from_hours(14));
    sending.release();

    ground
        .drive_until("the second campaign to end", async || {
            let accepted = relay.list(&summer, Some("accepted")).await;
            (accepted.len() == 2).then_some(())
        })
        .await;
    let follow_up = ground
        .drive_until("the follow-up's fate", async || {
            let all = relay.list(&spring, None).await;
            let due = |row: &&Delivery| {
                row.step == 2
                    && !matches!(row.status, State::Planned { .. } | State::Attempting { .. })
            };
            all.iter().find(due).cloned()
        })
        .await;
    let why = Suppression::Replied;
    assert_eq!(follow_up.status, State::Suppressed { why });
    relay.stop().await;
}
