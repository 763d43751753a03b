//! What arrives counts for the lead that it is about, however it names it, and for nobody else.

use std::time::Duration;

use protocol::delivery::{State, Suppression};
use protocol::request::delivery::Delivery;

use crate::app::{Client, Ground, JANE, wait_for};

/// What is to become of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stopped(Suppression),
    WrittenTo,
}

/// A lead, what arrives about it (made from its first delivery), and what that makes of it.
type Case = (&'static str, fn(&Delivery) -> String, Fate);

/// What a server that replaces ids tells without a host, and writes with one.
const BARE_ID: &str = "0100018C1a2b3c4d-5e6f7a8b-0000-000000";

fn id(first: &Delivery) -> &str {
    first.message_id.as_deref().unwrap()
}

fn mail(from: &str, fields: &str, body: &str) -> String {
    format!("From: {from}\r\nTo: {JANE}\r\nMessage-ID: <x@a.example>\r\n{fields}\r\n\r\n{body}\r\n")
}

fn report(status: &str, returned: &str) -> String {
    let fields = "Subject: Undelivered\r\nContent-Type: multipart/report; boundary=b";
    let body = format!(
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}\r\n--b--"
    );
    mail("MAILER-DAEMON@mail.example", fields, &body)
}

fn failed(first: &Delivery) -> String {
    let to = &first.to;
    format!(
        "Final-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such mailbox\r\n"
    )
}

const REPLIED: Fate = Fate::Stopped(Suppression::Replied);
const BOUNCED: Fate = Fate::Stopped(Suppression::Bounced);

const CASES: &[Case] = &[
    (
        "case@a.example",
        |first| {
            mail(
                "x@a.example",
                &format!("In-Reply-To: <{}>", id(first).to_uppercase()),
                "Yes",
            )
        },
        REPLIED,
    ),
    (
        "folded@a.example",
        |first| {
            mail(
                "x@a.example",
                &format!("References: <{}>", id(first).replace('@', "\r\n @")),
                "Yes",
            )
        },
        REPLIED,
    ),
    (
        "rewritten@a.example",
        |_| {
            mail(
                "x@a.example",
                &format!("In-Reply-To: <{BARE_ID}@eu-west-1.amazonses.com>"),
                "Yes",
            )
        },
        REPLIED,
    ),
    (
        "noids@a.example",
        |first| mail(first.to.as_str(), "Subject: AW: Something", "Ja"),
        REPLIED,
    ),
    (
        "subject@a.example",
        |first| {
            mail(
                first.to.as_str(),
                "Subject: [#1] Hello\r\nIn-Reply-To: <other@a.example>",
                "Yes",
            )
        },
        REPLIED,
    ),
    (
        "elsewhere@a.example",
        |first| {
            mail(
                first.to.as_str(),
                "Subject: Re: Lunch\r\nIn-Reply-To: <other@a.example>",
                "Yes",
            )
        },
        Fate::WrittenTo,
    ),
    (
        "anew@a.example",
        |first| mail(first.to.as_str(), "Subject: Lunch on Friday?", "Call me."),
        REPLIED,
    ),
    (
        "fromhome@a.example",
        |first| {
            let fields = format!("Reply-To: <{}>\r\nSubject: Lunch on Friday?", first.to);
            mail("home@h.example", &fields, "Call me.")
        },
        REPLIED,
    ),
    (
        "newsletter@a.example",
        |first| {
            let fields = "Subject: News of spring\r\nList-Unsubscribe: <https://a.example/u>";
            mail(first.to.as_str(), fields, "Much is new.")
        },
        Fate::WrittenTo,
    ),
    (
        "listed@a.example",
        |first| {
            let fields = "Subject: News of spring\r\nList-Id: <news.a.example>";
            mail(first.to.as_str(), fields, "Much is new.")
        },
        Fate::WrittenTo,
    ),
    (
        "handedout@a.example",
        |first| {
            let fields = "Subject: News of spring\r\nPrecedence: list";
            mail(first.to.as_str(), fields, "Much is new.")
        },
        Fate::WrittenTo,
    ),
    (
        "bulk@a.example",
        |first| {
            let fields = "Subject: News of spring\r\nPrecedence: bulk";
            mail(first.to.as_str(), fields, "Much is new.")
        },
        Fate::WrittenTo,
    ),
    (
        "machine@a.example",
        |first| {
            let fields = "Subject: News of spring\r\nAuto-Submitted: auto-generated";
            mail(first.to.as_str(), fields, "Much is new.")
        },
        Fate::WrittenTo,
    ),
    (
        JANE,
        |_| mail(JANE, "Subject: A note to myself", "Milk."),
        Fate::WrittenTo,
    ),
    (
        "stranger@a.example",
        |_| mail("zoe@z.example", "Subject: Re: Hello", "Yes"),
        Fate::WrittenTo,
    ),
    (
        "ours@a.example",
        |first| {
            mail(
                JANE,
                &format!("X-Unpause-Delivery: dlv_2\r\nIn-Reply-To: <{}>", id(first)),
                "Two",
            )
        },
        Fate::WrittenTo,
    ),
    (
        "outlook@a.example",
        |first| {
            mail(
                first.to.as_str(),
                &format!(
                    "X-Auto-Response-Suppress: All\r\nIn-Reply-To: <{}>",
                    id(first)
                ),
                "Yes",
            )
        },
        REPLIED,
    ),
    (
        "repeats@a.example",
        |first| {
            let tag = id(first).split_once('@').unwrap().0;
            mail(
                first.to.as_str(),
                &format!(
                    "X-Correlation-ID: {tag}\r\nX-Unpause-Delivery: {}\r\nIn-Reply-To: <{}>",
                    first.id,
                    id(first)
                ),
                "Yes",
            )
        },
        REPLIED,
    ),
    // A list that hands our own message out, and puts its own address into From.
    (
        "reflected@a.example",
        |first| {
            mail(
                "list@l.example",
                "Subject: Hello\r\nList-Id: <l.example>",
                "Hi",
            )
            .replace("x@a.example", id(first))
            .replace(
                "Subject",
                &format!("In-Reply-To: <{}>\r\nSubject", id(first)),
            )
        },
        Fate::WrittenTo,
    ),
    (
        "bare@a.example",
        |first| report(&failed(first), ""),
        BOUNCED,
    ),
    (
        "marked@a.example",
        |first| {
            report(
                "Status: 5.1.1\r\n",
                &format!("X-Unpause-Delivery: {}\r\n", first.id),
            )
        },
        BOUNCED,
    ),
    (
        "titled@a.example",
        |first| {
            report(
                &failed(first),
                "Message-ID: <rewritten@x.example>\r\nSubject: Hello\r\n",
            )
        },
        BOUNCED,
    ),
    (
        "notours@a.example",
        |first| {
            report(
                &failed(first),
                "Message-ID: <lunch@acme.example>\r\nSubject: Lunch\r\n",
            )
        },
        Fate::WrittenTo,
    ),
    (
        "delayed@a.example",
        |first| {
            report(
                &format!(
                    "{}\r\n{}",
                    failed(first).replace("failed", "delayed"),
                    "Final-Recipient: rfc822; zoe@z.example\r\nAction: failed\r\n"
                ),
                &format!("Message-ID: <{}>\r\n", id(first)),
            )
        },
        Fate::WrittenTo,
    ),
    (
        "angry@a.example",
        |first| {
            mail(
                "fbl@loop.example",
                "Content-Type: multipart/report; report-type=feedback-report; boundary=b",
                &format!(
                    "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{}>\r\n\r\n--b--",
                    id(first)
                ),
            )
        },
        Fate::Stopped(Suppression::Complained),
    ),
    // It arrives last: when it counts, everything has been read.
    (
        "last@a.example",
        |first| {
            mail(
                "x@a.example",
                &format!("In-Reply-To: <{}>", id(first)),
                "Yes",
            )
        },
        REPLIED,
    ),
];

#[tokio::test]
async fn what_arrives_counts_for_its_lead_however_it_names_the_message() {
    let ground = Ground::new(Client::Public).await;
    let control = ground.sandbox.control();
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let leads: Vec<&str> = CASES.iter().map(|(lead, ..)| *lead).collect();
    let campaign = relay.start_campaign(&inbox, &leads, 2).await;
    let accepted = wait_for("the first messages to be accepted", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == leads.len()).then_some(accepted)
    })
    .await;
    for (lead, arrives, _) in CASES {
        let first = accepted
            .iter()
            .find(|row| row.to.as_str() == *lead)
            .unwrap();
        if lead.starts_with("rewritten") {
            let store = &relay.app().store;
            store.note_wire_id(&first.id, BARE_ID).await.unwrap();
        }
        control.deliver(JANE, arrives(first));
    }
    let all = wait_for("everything to be read", async || {
        let all = relay.list(&campaign, None).await;
        let last = |row: &&Delivery| row.to.as_str() == "last@a.example" && row.step == 2;
        let is_read = matches!(
            all.iter().find(last).unwrap().status,
            State::Suppressed { .. }
        );
        is_read.then_some(all)
    })
    .await;
    relay.stop().await;
    for (lead, _, fate) in CASES {
        let row = |step| {
            all.iter()
                .find(|row| row.to.as_str() == *lead && row.step == step)
                .unwrap()
        };
        let found = match row(2).status {
            State::Suppressed { why } => Fate::Stopped(why),
            State::Planned { .. } => Fate::WrittenTo,
            ref other => panic!("{lead}: {other:?}"),
        };
        assert_eq!(found, *fate, "{lead}");
        let is_bounced = matches!(row(1).status, State::Bounced { .. });
        assert_eq!(is_bounced, *fate == BOUNCED, "{lead}: {:?}", row(1));
    }
    let bare = all
        .iter()
        .find(|row| row.to.as_str() == "bare@a.example" && row.step == 1);
    let words = bare.and_then(|row| row.words.as_deref());
    assert_eq!(words, Some("550 5.1.1 no such mailbox"));
}
