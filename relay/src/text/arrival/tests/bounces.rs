//! Bounces in the forms of many servers, the delays and successes that look like them, and complaints.

use base64::Engine as _;
use protocol::reply::EnhancedCode;

use super::*;

const RECIPIENT: &str = "Final-Recipient: rfc822; ann@a.example\n";
const REFUSED: &str = "Diagnostic-Code: smtp; 550 5.1.1 no such mailbox\n";
const SORRY: (&str, &str) = (
    "text/plain",
    "It could not be delivered to ann@a.example.\n",
);

fn bounce(text: &str) -> Bounce {
    match read(text) {
        Arrival::Bounce(bounce) => *bounce,
        other => panic!("{other:?}\n{text}"),
    }
}

/// It is a bounce of our message.
fn check(what: &str, text: &str) {
    let found = bounce(text);
    assert!(
        found.of.ids.contains(&"one@acme.example".to_owned()),
        "{what}: {found:?}"
    );
    assert!(
        found.failure_of("ann@a.example").is_some(),
        "{what}: {found:?}"
    );
}

fn report(kind: &str, status: &str, returned_kind: &str) -> String {
    let status = format!("Reporting-MTA: dns; mail.example\n\n{status}");
    let parts = [
        SORRY,
        ("message/delivery-status", &status),
        (returned_kind, OURS),
    ];
    mixed(kind, &parts)
}

#[test]
fn reports_are_read_in_the_forms_of_many_servers() {
    let failed = format!("{RECIPIENT}Action: failed\nStatus: 5.1.1\n{REFUSED}");
    for (what, text) in [
        (
            "the standard form",
            report(
                "multipart/report; report-type=delivery-status",
                &failed,
                "message/rfc822",
            ),
        ),
        (
            "no report-type",
            report("multipart/report", &failed, "text/rfc822-headers"),
        ),
        (
            "no report at all",
            report("multipart/mixed", &failed, "message/rfc822"),
        ),
        (
            "in other letters",
            report(
                "Multipart/Report; Report-Type=DELIVERY-STATUS",
                &failed,
                "Text/RFC822-Headers",
            ),
        ),
        (
            "returned as text",
            report("multipart/report", &failed, "text/rfc822; charset=us-ascii"),
        ),
        (
            "returned as global headers",
            report("multipart/report", &failed, "message/global-headers"),
        ),
        (
            "returned as plain text",
            report("multipart/report", &failed, "text/plain; name=original.txt"),
        ),
        (
            "a comment behind the action",
            report(
                "multipart/report",
                &failed.replace("failed", "failed (expired)"),
                "message/rfc822",
            ),
        ),
        (
            "an action of another word",
            report(
                "multipart/report",
                &failed.replace("failed", "Failure"),
                "message/rfc822",
            ),
        ),
        (
            "no action",
            report(
                "multipart/report",
                &failed.replace("Action: failed\n", ""),
                "message/rfc822",
            ),
        ),
        (
            "no action, no status",
            report(
                "multipart/report",
                &format!("{RECIPIENT}{REFUSED}"),
                "message/rfc822",
            ),
        ),
        (
            "an old status",
            report(
                "multipart/report",
                &failed.replace("5.1.1\n", "550\n"),
                "message/rfc822",
            ),
        ),
        (
            "no type of the address",
            report(
                "multipart/report",
                &failed.replace("rfc822; ", ""),
                "message/rfc822",
            ),
        ),
        (
            "no word but the recipient",
            report("multipart/report", RECIPIENT, "message/rfc822"),
        ),
        (
            "one group for all",
            report("multipart/report", &failed, "message/rfc822")
                .replace("mail.example\n\nFinal", "mail.example\nFinal"),
        ),
        (
            "internationalised",
            report(
                "multipart/report; report-type=delivery-status",
                &failed,
                "message/global",
            )
            .replace("message/delivery-status", "message/global-delivery-status")
            .replace("rfc822; ann", "utf-8; ann"),
        ),
    ] {
        check(what, &text);
    }
}

#[test]
fn wrapped_and_nested_reports_are_followed() {
    let failed = format!("{RECIPIENT}Action: failed\nStatus: 5.1.1\n");
    let inner = report(
        "multipart/report; report-type=delivery-status",
        &failed,
        "message/rfc822",
    );
    // The boundary of what stands within is another.
    let inner = inner.replace("\"b\"", "\"c\"").replace("--b", "--c");
    check(
        "a gateway wraps it",
        &mixed("multipart/mixed", &[SORRY, ("message/rfc822", &inner)]),
    );
    let related = format!(
        "--d\nContent-Type: text/plain\n\nIt failed.\n--d\nContent-Type: message/rfc822\n\n{OURS}\n--d--\n"
    );
    let parts = [("multipart/mixed; boundary=d", related.as_str())];
    check("parts within parts", &mixed("multipart/mixed", &parts));
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(8_000);
    let deep = format!("{OURS}{nested}");
    check(
        "deep",
        &mixed(
            "multipart/report",
            &[
                SORRY,
                ("message/delivery-status", &failed),
                ("message/rfc822", &deep),
            ],
        ),
    );
    // What is hidden so is not dug out; the recipient is told all the same.
    let encoded = base64::engine::general_purpose::STANDARD.encode(nested);
    let hidden = (
        "message/rfc822\nContent-Transfer-Encoding: base64",
        encoded.as_str(),
    );
    let found = bounce(&mixed(
        "multipart/report",
        &[SORRY, ("message/delivery-status", &failed), hidden],
    ));
    assert!(found.of.ids.is_empty(), "{found:?}");
    assert_eq!(found.of.addresses, ["ann@a.example"]);
}

#[test]
fn notices_in_words_are_read_in_the_forms_of_many_servers() {
    let quoted = OURS.replace("\nSubject", "\nX-Mailer: none\nSubject");
    for (what, text) in [
        (
            "qmail",
            notice(
                "Subject: failure notice",
                &format!(
                    "Hi. This is the mail program at mail.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ann@a.example>:\n203.0.113.5 does not like recipient.\nRemote host said: 550 5.1.1 no such mailbox\nGiving up on 203.0.113.5.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <jane@acme.example>\n{OURS}\nHi\n"
                ),
            ),
        ),
        (
            "qmail, too long in the queue",
            notice(
                "Subject: failure notice",
                &format!(
                    "<ann@a.example>:\nConnected to 203.0.113.5 but greeting failed.\nI'm not going to try again; this message has been in the queue too long.\n\n--- Below\n\n{OURS}"
                ),
            ),
        ),
        (
            "Exim",
            notice(
                "Subject: Mail delivery failed: returning message to sender\nX-Failed-Recipients: ann@a.example\nAuto-Submitted: auto-replied",
                &format!(
                    "It could not be delivered to one or more of its recipients.\n\n  ann@a.example\n    host mx.a.example [203.0.113.5]\n    SMTP error from remote mail server after RCPT TO:<ann@a.example>:\n    550 5.1.1 no such mailbox\n\n------ This is a copy of the headers. ------\n\nReturn-path: <jane@acme.example>\nReceived: from [203.0.113.9] (helo=acme)\n\tby host.example with esmtpa\n{OURS}"
                ),
            ),
        ),
        (
            "Exim, tried for days",
            notice(
                "Subject: Mail delivery failed\nX-Failed-Recipients: ann@a.example",
                &format!(
                    "This is a permanent error.\n\n  ann@a.example\n    retry timeout exceeded\n\n{OURS}"
                ),
            ),
        ),
        (
            "GMX, quoted address",
            notice(
                "Subject: Mail delivery failed",
                &format!(
                    "The following address\nfailed:\n\n\"ann@a.example\":\nSMTP error from remote server after RCPT command:\nhost: mx.a.example\n5.1.1 no such mailbox\n\n--- The header of the original message is following. ---\n\nReceived: from x\n\tby y\n{quoted}"
                ),
            ),
        ),
        (
            "Zoho, words alone",
            notice(
                "Subject: Undelivered Mail Returned to Sender",
                &format!(
                    "It could not be delivered to one or more of its recipients. This is a permanent error.\n\nann@a.example, ERROR CODE :550 - 5.1.1 no such mailbox\n\n{OURS}"
                ),
            ),
        ),
        (
            "163, Chinese",
            notice(
                "From: Postmaster@mail.example\nSubject: =?utf-8?b?57O757uf6YCA5L+h?=\nContent-Type: text/plain; charset=utf-8",
                &format!(
                    "抱歉,您的邮件被退回来了……\n收件人:ann@a.example\n退信原因:550 User not found\n\n{OURS}"
                ),
            ),
        ),
        (
            "Courier, quoted below marks",
            notice(
                "Subject: NOTICE: mail delivery status.",
                &format!(
                    "The message was not delivered.\n\n<ann@a.example>:\n   >>> RCPT TO:<ann@a.example>\n   <<< 550 5.1.1 no such mailbox\n\n> {}\n",
                    OURS.trim_end().replace('\n', "\n> ")
                ),
            ),
        ),
        (
            "a server of an unknown language",
            mixed(
                "multipart/mixed",
                &[
                    ("text/plain; charset=utf-8", "Ka ci ann@a.example."),
                    ("message/rfc822", OURS),
                ],
            ),
        ),
        (
            "Yahoo, a report without a status",
            mixed(
                "multipart/report; report-type=delivery-status",
                &[
                    (
                        "text/plain",
                        "Sorry, we were unable to deliver it to\n\n<ann@a.example>:\n550: 5.1.1 no such mailbox\n",
                    ),
                    ("message/rfc822", OURS),
                ],
            ),
        ),
        (
            "HTML alone",
            mixed(
                "multipart/mixed",
                &[
                    (
                        "text/html",
                        "<p>Your message to <b>ann@a.example</b> couldn't be delivered.</p><p>550 5.1.1 no such mailbox</p>",
                    ),
                    ("message/rfc822", OURS),
                ],
            ),
        ),
        (
            "German, null path",
            message(
                "Return-Path: <>\nFrom: Mailsystem <system@mail.example>\nSubject: Unzustellbar: Hello",
                &format!(
                    "Die Nachricht konnte an ann@a.example nicht zugestellt werden.\n\n{OURS}"
                ),
            ),
        ),
        (
            "French",
            message(
                "From: postmaster@mail.example\nSubject: =?utf-8?q?=C3=89chec_de_la_remise?=\nContent-Type: text/plain; charset=utf-8",
                &format!("Votre message n'a pas pu être remis à ann@a.example.\n\n{OURS}"),
            ),
        ),
        (
            "in reply to ours, nothing returned",
            message(
                "From: postmaster@a.example\nSubject: Re: Hello\nIn-Reply-To: <one@acme.example>",
                "Error: could not be reached:\n\n   ann@a.example   550 user unknown\n",
            ),
        ),
        (
            "nothing but its subject and what it quotes is a server's",
            message(
                "Subject: Undeliverable: Hello\nFrom: System <system@mail.example>",
                &format!("Your message could not be delivered to ann@a.example.\n\n{OURS}"),
            ),
        ),
        (
            "a postmaster in reply to ours, no code",
            message(
                "From: postmaster@a.example\nSubject: Undeliverable: Hello\nIn-Reply-To: <one@acme.example>",
                "It could not be delivered.\n\n   ann@a.example\n",
            ),
        ),
        (
            "by whoever, of an unknown language, with what came back",
            message(
                "Subject: Undeliverable: Hello\nFrom: System <system@mail.example>",
                &format!("Ka ci ann@a.example.\n\n{OURS}"),
            ),
        ),
        (
            "Mimecast, no code",
            notice(
                "Subject: [Postmaster] Email Delivery Failure",
                &format!(
                    "Your message could not be delivered.\nRecipient: ann@a.example\n\n{OURS}"
                ),
            ),
        ),
    ] {
        check(what, &text);
    }
}

#[test]
fn a_bounce_without_ids_names_the_recipient_and_what_is_shown_of_the_message() {
    let status = format!("{RECIPIENT}Action: failed\nStatus: 5.1.1\n");
    let found = bounce(&mixed(
        "multipart/report",
        &[SORRY, ("message/delivery-status", &status)],
    ));
    assert_eq!(found.of.addresses, ["ann@a.example"]);
    assert_eq!((found.of.ids.len(), &found.of.subject), (0, &None));
    let shown = "From: jane@acme.example\nSubject: Hello\nX-Unpause-Delivery: dlv_1\n";
    let found = bounce(&mixed(
        "multipart/report",
        &[
            SORRY,
            ("message/delivery-status", &status),
            ("text/rfc822-headers", shown),
        ],
    ));
    assert_eq!(found.of.delivery.as_deref(), Some("dlv_1"));
    assert_eq!(found.of.subject.as_deref(), Some("Hello"));
    let words = notice(
        "Subject: DELIVERY FAILURE: User ann (ann@a.example) not listed",
        "Your message\n\n  Subject: Hello\n\nwas not delivered to:\n\n  ann@a.example\n\nbecause:\n\n  User not listed\n",
    );
    assert_eq!(bounce(&words).of.addresses, ["ann@a.example"]);
}

#[test]
fn a_bounce_tells_who_refused_and_why() {
    let status = "Reporting-MTA: dns; out.mail.example\n\nOriginal-Recipient: rfc822;ann@a.example\n\
         Final-Recipient: rfc822;ann@elsewhere.example\nAction: failed\nStatus: 5.7.705\n\
         Remote-MTA: dns;mx.a.example\nDiagnostic-Code: smtp;550 5.7.705 Access denied, over threshold\n";
    let found = bounce(&mixed(
        "multipart/report",
        &[
            ("message/delivery-status", status),
            ("message/rfc822", OURS),
        ],
    ));
    assert_eq!(found.reporting_mta.as_deref(), Some("out.mail.example"));
    let failure = found.failure_of("Ann@a.example").unwrap();
    assert_eq!(failure.recipient.as_deref(), Some("ann@elsewhere.example"));
    assert_eq!(failure.original_recipient.as_deref(), Some("ann@a.example"));
    assert_eq!(failure.status, Some(EnhancedCode::new(5, 7, 705)));
    assert_eq!(failure.remote_mta.as_deref(), Some("mx.a.example"));
    let Some(Diagnostic::Reply(reply)) = &failure.diagnostic else {
        panic!("{failure:?}")
    };
    assert_eq!(
        (reply.code, reply.text.as_str()),
        (550, "Access denied, over threshold")
    );
}

#[test]
fn a_full_mailbox_and_what_was_given_up_are_soft() {
    use Hardness::{Hard, Soft};
    for (fields, expected) in [
        ("Status: 5.1.1", Hard),
        ("Status: 5.2.2", Soft),
        ("Status: 4.4.1", Soft),
        ("Status: 5.4.7", Soft),
        ("Status: 5.0.0\nDiagnostic-Code: smtp; 550 no", Hard),
        ("Diagnostic-Code: smtp; 552 full", Soft),
        ("Diagnostic-Code: smtp; 550 5.2.2 full", Soft),
        ("Diagnostic-Code: smtp; 421 busy", Soft),
        ("Diagnostic-Code: x-local; gone", Hard),
    ] {
        let status = format!("{RECIPIENT}Action: failed\n{fields}\n");
        let found = bounce(&mixed(
            "multipart/report",
            &[
                ("message/delivery-status", &status),
                ("message/rfc822", OURS),
            ],
        ));
        assert_eq!(found.failures[0].hardness(), expected, "{fields}");
    }
}

#[test]
fn a_mixed_report_counts_for_the_failed_alone() {
    let status = format!(
        "{RECIPIENT}Action: delayed\nStatus: 4.4.1\n\nFinal-Recipient: rfc822; zoe@z.example\nAction: failed\nStatus: 5.1.1\n"
    );
    let found = bounce(&mixed(
        "multipart/report",
        &[
            ("message/delivery-status", &status),
            ("message/rfc822", OURS),
        ],
    ));
    assert_eq!(found.failure_of("ann@a.example"), None);
    assert!(found.failure_of("zoe@z.example").is_some());
    assert_eq!(found.of.addresses, ["zoe@z.example"]);
}

#[test]
fn delays_and_successes_are_no_bounces() {
    let status = |action: &str| {
        format!("{RECIPIENT}Action: {action}\nStatus: 4.2.2\nDiagnostic-Code: smtp; 550 no\n")
    };
    for (what, text) in [
        (
            "delayed",
            report(
                "multipart/report; report-type=delivery-status",
                &status("delayed"),
                "message/rfc822",
            ),
        ),
        (
            "relayed",
            report(
                "multipart/report; report-type=delivery-status",
                &status("relayed"),
                "message/rfc822",
            ),
        ),
        (
            "delivered",
            report(
                "multipart/report; report-type=delivery-status",
                &status("delivered"),
                "message/rfc822",
            ),
        ),
        (
            "expanded",
            report("multipart/report", &status("expanded"), "message/rfc822"),
        ),
        (
            "a transient status",
            report(
                "multipart/report",
                &format!("{RECIPIENT}Status: 4.4.1\n"),
                "message/rfc822",
            ),
        ),
        (
            "Exim's warning",
            notice(
                "Subject: Warning: message delayed 24 hours\nX-Failed-Recipients: ann@a.example",
                &format!(
                    "It has not yet been delivered after more than 24 hours:\n\n  ann@a.example\n\nNo action is required.\n\n{OURS}"
                ),
            ),
        ),
        (
            "sendmail's warning",
            notice(
                "Subject: Warning: could not send message for past 4 hours",
                &format!(
                    "The message could not be delivered for the last 4 hours.\nIt will be retried until it is 5 days old.\n\n<ann@a.example>... Deferred: 451 4.7.1 greylisted\n\n{OURS}"
                ),
            ),
        ),
        (
            "a delay in words",
            mixed(
                "multipart/mixed",
                &[
                    (
                        "text/plain",
                        "We will keep trying to reach ann@a.example. You need not resend.",
                    ),
                    ("message/rfc822", OURS),
                ],
            ),
        ),
        (
            "a delay in German",
            notice(
                "Subject: Verzögerung\nContent-Type: text/plain; charset=utf-8",
                &format!(
                    "Die Zustellung an ann@a.example verzögert sich. Es wird weiter versucht.\n\n{OURS}"
                ),
            ),
        ),
        (
            "a success in words",
            notice(
                "Subject: Delivered",
                &format!("It was successfully delivered to ann@a.example.\n\n{OURS}"),
            ),
        ),
    ] {
        assert_eq!(read(&text), Arrival::Other, "{what}");
    }
}

#[test]
fn a_complaint_names_the_message_that_is_complained_about() {
    let feedback = "Feedback-Type: KIND\nUser-Agent: Loop/1.0\nVersion: 1\nOriginal-Rcpt-To: <ann@a.example>\n";
    let complaint = |kind: &str, content: &str| {
        let feedback = feedback.replace("KIND", kind);
        mixed(
            content,
            &[
                ("message/feedback-report", &feedback),
                ("message/rfc822", OURS),
            ],
        )
    };
    for kind in ["abuse", "Fraud", "opt-out", "other"] {
        for content in [
            "multipart/report; report-type=feedback-report",
            "multipart/report",
        ] {
            let Arrival::Complaint(of) = read(&complaint(kind, content)) else {
                panic!("{kind} {content}")
            };
            assert_eq!(of.ids, ["one@acme.example"]);
            assert_eq!(
                of.addresses.first().map(String::as_str),
                Some("ann@a.example")
            );
        }
    }
    for kind in ["not-spam", "auth-failure"] {
        let text = complaint(kind, "multipart/report; report-type=feedback-report");
        assert_eq!(read(&text), Arrival::Other, "{kind}");
    }
    // Microsoft's and Amazon's have no type.
    let hidden = format!("X-HmXmrOriginalRecipient: ann@a.example\n{OURS}");
    let desk = mixed("multipart/mixed", &[("message/rfc822", &hidden)]).replace(
        "Mail Delivery System <mailer-daemon@mail.example>",
        "staff@loop.example",
    );
    assert!(
        matches!(read(&desk), Arrival::Complaint(of) if of.addresses == ["ann@a.example"; 2][..1] || of.ids == ["one@acme.example"])
    );
    // People who hand the message back, whatever they are called.
    for person in [
        desk.replace("staff@loop.example", "arfan@loop.example"),
        format!("In-Reply-To: <one@acme.example>\n{desk}"),
    ] {
        assert_ne!(person, desk);
        assert!(!matches!(read(&person), Arrival::Complaint(_)), "{person}");
    }
}
