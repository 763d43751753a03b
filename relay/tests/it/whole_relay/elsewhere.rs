//! What arrives at another of our inboxes than the one that wrote: ids are ours wherever they come to, and whoever
//! was written to answers at any of them.

use std::time::Duration;

use protocol::delivery::{State, Suppression};
use protocol::id::InboxId;
use protocol::reconnect::State as ReconnectState;
use protocol::request::delivery::Delivery;

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE, JOHN, Relay, wait_for};

const LEADS: [&str; 11] = [
    "ann@a.example",
    "bob@b.example",
    "cold@c.example",
    "own@c.example",
    "other@c.example",
    "thread@c.example",
    "cy@c.example",
    "hal@h.example",
    "dan@d.example",
    "eve@e.example",
    JOHN,
];

async fn connect(ground: &Ground, relay: &Relay, address: &str) -> InboxId {
    let inbox = relay.add_inbox_of(address, Duration::ZERO).await;
    let grant = ground.sign_in(address, ALL).await;
    let reconnect = relay.grant(&inbox, &grant).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(
        matches!(outcome, ReconnectState::Resumed { .. }),
        "{outcome:?}"
    );
    inbox
}

fn mail(from: &str, to: &str, fields: &str) -> String {
    let subject = if fields.contains("Subject:") {
        ""
    } else {
        "Subject: Re: Hello\r\n"
    };
    format!(
        "From: {from}\r\nTo: {to}\r\nMessage-ID: <x@a.example>\r\n{subject}{fields}\r\n\r\nYes.\r\n"
    )
}

fn failed(of: &Delivery, id: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mail.example\r\nTo: {JOHN}\r\nSubject: Undelivered\r\n\
         Content-Type: multipart/report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; {}\r\n\
         Action: failed\r\nStatus: 5.1.1\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{id}>\r\n--b--\r\n",
        of.to
    )
}

#[tokio::test]
async fn whoever_was_written_to_answers_at_whatever_inbox_of_ours() {
    let ground = Ground::new(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = connect(&ground, &relay, JANE).await;
    connect(&ground, &relay, JOHN).await;
    let campaign = relay.start_campaign(&inbox, &LEADS, 2).await;
    let accepted = wait_for("the first messages to be accepted", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == LEADS.len()).then_some(accepted)
    })
    .await;
    let id = |lead: &str| {
        let first = accepted.iter().find(|row| row.to.as_str() == lead).unwrap();
        first.message_id.as_deref().unwrap()
    };
    let answers = |lead: &str| format!("In-Reply-To: <{}>", id(lead));
    let [ann, bob, cold, own, other, thread, cy, hal, dan, eve, john] = LEADS;
    control.deliver(JOHN, mail("ann.lee@home.example", JOHN, &answers(ann)));
    // Who names nothing answers by his subject, and by writing at all.
    control.deliver(JOHN, mail(bob, JOHN, "X-None: 1"));
    control.deliver(JOHN, mail(cold, JOHN, "Subject: Stop writing"));
    let by_another = format!("Subject: For {own}\r\nReply-To: {own}");
    control.deliver(JOHN, mail("assistant@c.example", JOHN, &by_another));
    // Not at what has another thread, and not by somebody else of the same domain.
    let in_another = "Subject: Re: The fair\r\nIn-Reply-To: <fair@c.example>";
    control.deliver(JOHN, mail(thread, JOHN, in_another));
    control.deliver(
        JOHN,
        mail("another@c.example", JOHN, "Subject: Stop writing"),
    );
    // Jane hands on what she wrote to Cy.
    control.deliver(JOHN, mail(JANE, JOHN, &format!("References: <{}>", id(cy))));
    // And lets John answer Hal for her.
    let on_behalf = format!("Subject: Hal asks\r\nReply-To: {hal}");
    control.deliver(JOHN, mail(JANE, JOHN, &on_behalf));
    let of_dan = accepted.iter().find(|row| row.to.as_str() == dan).unwrap();
    control.deliver(JOHN, failed(of_dan, id(dan)));
    // John is one of ours, and Jane's lead.
    control.deliver(JANE, mail(JOHN, JANE, &answers(john)));
    control.deliver(JOHN, mail(eve, JOHN, &answers(eve)));

    let fates = wait_for("everything to be read", async || {
        let all = relay.list(&campaign, None).await;
        let fate = |lead: &str| {
            let row = all
                .iter()
                .find(|row| row.to.as_str() == lead && row.step == 2);
            match &row.unwrap().status {
                State::Suppressed { why } => Some(*why),
                State::Planned { .. } => None,
                other => panic!("{lead}: {other:?}"),
            }
        };
        let fates = LEADS.map(fate);
        // The last that each of the two gets.
        (fates[9].is_some() && fates[10].is_some()).then_some(fates)
    })
    .await;
    relay.stop().await;
    let replied = Some(Suppression::Replied);
    let bounced = Some(Suppression::Bounced);
    let expected = [
        (ann, replied),
        (bob, replied),
        (cold, replied),
        (own, replied),
        (other, None),
        (thread, None),
        (cy, None),
        (hal, None),
        (dan, bounced),
        (eve, replied),
        (john, replied),
    ];
    let found: Vec<_> = LEADS.into_iter().zip(fates).collect();
    assert_eq!(found, expected);
}
