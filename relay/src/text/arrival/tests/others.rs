//! Answers, and what looks like one: automatic answers, receipts, challenges, our own messages.

use super::*;

const THREAD: &str = "In-Reply-To: <one@acme.example>\nReferences: <one@acme.example>";

fn from_ann(subject: &str, fields: &str, body: &str) -> String {
    message(
        &format!("From: Ann Lee <Ann@a.example>\nSubject: {subject}\n{fields}"),
        body,
    )
}

fn answer(text: &str) -> Answer {
    match read(text) {
        Arrival::Reply(answer) => answer,
        other => panic!("{other:?}\n{text}"),
    }
}

#[test]
fn an_answer_names_its_thread() {
    let found = answer(&from_ann(
        "Re: Hello",
        "In-Reply-To: <two@acme.example>\nReferences: <one@acme.example>\n <two@acme.example>",
        "Yes.\n",
    ));
    assert_eq!(found.to, ["two@acme.example", "one@acme.example"]);
    assert_eq!(found.from.as_deref(), Some("ann@a.example"));
    assert_eq!(parse(b""), Arrival::Other);
    assert_eq!(parse(b"Subject: Hi\r\n\r\nHi.\r\n"), Arrival::Other);
}

#[test]
fn an_answer_without_ids_is_told_by_its_subject_its_thread_or_its_calendar() {
    for (what, text) in [
        ("Re", from_ann("Re: Hello", "", "Yes.\n")),
        ("another language", from_ann("AW: Hello", "", "Ja.\n")),
        (
            "a tag before it",
            from_ann("[EXTERN] SV: Hello", "", "Ja.\n"),
        ),
        (
            "a thread of Outlook",
            from_ann(
                "Hello",
                "Thread-Index: AQHZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "Yes.\n",
            ),
        ),
        (
            "a calendar",
            from_ann(
                "Accepted: Talk",
                "Content-Type: text/calendar; method=REPLY",
                "BEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR\n",
            ),
        ),
        (
            "a calendar among parts",
            from_ann(
                "Accepted: Talk",
                "Content-Class: urn:content-classes:calendarmessage\nContent-Type: multipart/alternative; boundary=b",
                "--b\nContent-Type: text/plain\n\nYes\n--b\nContent-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\n--b--\n",
            ),
        ),
    ] {
        let found = answer(&text);
        assert!(found.is_marked && found.to.is_empty(), "{what}: {found:?}");
    }
    let found = answer(&from_ann("Hello", "", "Hi.\n"));
    assert!(!found.is_marked, "{found:?}");
    let listed = from_ann("Re: Hello", "List-Id: <all.a.example>", "Hi.\n");
    assert_eq!(read(&listed), Arrival::Other);
}

#[test]
fn a_person_whose_words_look_automatic_has_answered() {
    for (what, text) in [
        (
            "back from holiday",
            from_ann(
                "Re: Hello",
                THREAD,
                "Sorry, I was out of the office. Automatic reply was on. Friday?\n",
            ),
        ),
        (
            "speaks of a bounce",
            from_ann(
                "Re: Hello",
                THREAD,
                "I got this:\n\n> Mail delivery failed\n> <bob@acme.example>: 550 5.1.1 no such mailbox\n",
            ),
        ),
        (
            "not automatic",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nAuto-Submitted: no (by hand)"),
                "Yes.\n",
            ),
        ),
        (
            "is written with Outlook",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nX-Auto-Response-Suppress: DR, OOF, AutoReply"),
                "Yes.\n",
            ),
        ),
        (
            "repeats our header",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nX-Unpause-Delivery: dlv_1"),
                "Yes.\n",
            ),
        ),
        (
            "answers an automatic answer",
            from_ann("Re: Automatic reply: Hello", THREAD, "Yes.\n"),
        ),
        (
            "through a list",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nPrecedence: list\nList-Id: <l.a.example>"),
                "Yes.\n",
            ),
        ),
        (
            "asks for a confirmation",
            from_ann(
                "Re: Please confirm your visit",
                THREAD,
                "Please confirm the day: https://cal.example/ann\nI will wait for your mail.\n",
            ),
        ),
        (
            "is the postmaster",
            message(
                &format!("From: postmaster@a.example\nSubject: Re: Hello\n{THREAD}"),
                "Yes, we could not reach you by phone. Call +1 550 123 4567.\n",
            ),
        ),
        (
            "is handed on by a rule",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nX-MS-Exchange-Inbox-Rules-Loop: sales@acme.example"),
                "No, thank you.\n",
            ),
        ),
        (
            "is handed on by a rule that says who it is",
            from_ann(
                "Re: Hello",
                &format!(
                    "{THREAD}\nX-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent\nAuto-Submitted: auto-forwarded"
                ),
                "No, thank you.\n",
            ),
        ),
        (
            "forwards a notice",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nContent-Type: multipart/mixed; boundary=b"),
                "--b\nContent-Type: text/plain\n\nSee.\n--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; bob@b.example\nAction: failed\n\n--b--\n",
            ),
        ),
    ] {
        assert_eq!(answer(&text).to, ["one@acme.example"], "{what}");
    }
}

/// What mail programs of people put above what they quote.
const QUOTED: &str = "-----Original Message-----\nFrom: jane@acme.example\nTo: ann@a.example\nSubject: Hello\n\nHi\n";

#[test]
fn a_person_whose_subject_speaks_of_a_failure_has_answered() {
    for subject in [
        "Undelivered parcels",
        "[#12] Undelivered parcels",
        "Sendung nicht zugestellt",
        "Could not deliver on Friday",
        "Failed delivery attempts - your offer",
        "Failure notice period",
        "Delivery failed? Re: Hello",
        "Undeliverable: Re: Hello",
        "We could not deliver - Hello",
    ] {
        for words in [
            "No, thank you.",
            "We do not deliver to your region. Sorry.",
            "Not yet. I will try next week.",
            "The parcel was delivered.",
            "My colleague's address gave 550 5.1.1 user unknown.",
        ] {
            for quoted in ["> Dear Ann, hello.\n", QUOTED] {
                let body = format!("{words}\n\n{quoted}");
                let found = answer(&from_ann(subject, THREAD, &body));
                assert_eq!(found.to, ["one@acme.example"], "{subject} {body}");
            }
        }
    }
    for (subject, words) in [
        ("Undelivered parcels", "No, thank you."),
        (
            "Re: Hello",
            "No. Mail to sales@a.example failed permanently, user unknown.",
        ),
        ("Re: Hello", "Not yet. I will try next week."),
    ] {
        for quoted in ["> Dear Ann, hello.\n", QUOTED] {
            let fields = format!("From: postmaster@a.example\nSubject: {subject}\n{THREAD}");
            let found = answer(&message(&fields, &format!("{words}\n\n{quoted}")));
            assert_eq!(found.to, ["one@acme.example"], "{subject} {words} {quoted}");
        }
    }
}

#[test]
fn automatic_answers_receipts_and_challenges_are_nobodys() {
    for (what, text) in [
        (
            "RFC 3834",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nAuto-Submitted: auto-replied (vacation)"),
                "Away.\n",
            ),
        ),
        (
            "Exchange",
            from_ann(
                "Re: Hello",
                &format!(
                    "{THREAD}\nX-Auto-Response-Suppress: All\nX-MS-Exchange-Inbox-Rules-Loop: ann@a.example"
                ),
                "Away.\n",
            ),
        ),
        (
            "cPanel",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nX-Autorespond: Hello\nPrecedence: bulk"),
                "Away.\n",
            ),
        ),
        (
            "a subject",
            from_ann("Automatische Antwort: Hello", THREAD, "Ich bin nicht da.\n"),
        ),
        (
            "an encoded subject",
            from_ann(
                "=?utf-8?q?R=C3=A9ponse_automatique_=3A?= Hello",
                THREAD,
                "Absent.\n",
            ),
        ),
        (
            "a null path",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nReturn-Path: <>"),
                "Away.\n",
            ),
        ),
        (
            "nobody's address",
            message(
                &format!("From: no-reply@a.example\nSubject: Re: Hello\n{THREAD}"),
                "We have got it.\n",
            ),
        ),
        (
            "a null path, and what was sent",
            from_ann(
                "Re: Hello",
                &format!("{THREAD}\nReturn-Path: <>"),
                &format!("I am away.\n\n{OURS}"),
            ),
        ),
        (
            "a receipt",
            from_ann(
                "Read: Hello",
                &format!(
                    "{THREAD}\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b"
                ),
                "--b\nContent-Type: text/plain\n\nRead.\n--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n",
            ),
        ),
        (
            "a receipt without a type",
            from_ann(
                "Not read: Hello",
                &format!("{THREAD}\nContent-Type: multipart/report; boundary=b"),
                "--b\nContent-Type: message/disposition-notification\n\nDisposition: x; deleted\n--b--\n",
            ),
        ),
        (
            "a challenge",
            message(
                &format!("From: verify@guard.example\nSubject: Re: Hello\n{THREAD}"),
                "Your message to ann@a.example waits until you confirm it: https://guard.example/c/1\n",
            ),
        ),
        (
            "a challenge from the lead",
            from_ann(
                "Re: Hello [please verify]",
                THREAD,
                "Your mail is held. Click to prove that you are a person and verify: http://guard.example/2\n",
            ),
        ),
        (
            "a challenge in German",
            from_ann(
                "Re: Hello (Bestätigung nötig)",
                &format!("{THREAD}\nContent-Type: text/plain; charset=utf-8"),
                "Ihre Nachricht wird zugestellt, sobald Sie sie bestätigen: https://guard.example/3\n",
            ),
        ),
    ] {
        let found = read(&text);
        assert!(
            matches!(found, Arrival::Other | Arrival::Automatic(_)),
            "{what}: {found:?}"
        );
        let is_automatic = !["a receipt", "a challenge"]
            .iter()
            .any(|other| what.starts_with(other));
        assert_eq!(
            matches!(found, Arrival::Automatic(_)),
            is_automatic,
            "{what}"
        );
    }
}

#[test]
fn a_message_that_names_without_end_costs_what_a_long_thread_costs() {
    let all: Vec<String> = (0..5_000).map(|n| format!("<{n}@acme.example>")).collect();
    let references = all.join("\n ");
    let fields = format!("In-Reply-To: <4999@acme.example>\nReferences: <> {references}");
    let found = answer(&from_ann("Re: Hello", &fields, "Yes.\n"));
    assert_eq!(found.to.len(), IDS_MAX);
    for id in ["4999@acme.example", "0@acme.example", "4998@acme.example"] {
        assert!(found.to.contains(&id.to_owned()), "{id}");
    }
}

#[test]
fn a_copy_shows_both_its_ids() {
    let headers = "Message-ID: <theirs@mail.example>\r\nX-Google-Original-Message-ID: <one@acme.example>\r\n\
        X-Unpause-Delivery: dlv_1\r\n\r\n";
    let copy = parse_copy(headers.as_bytes());
    assert_eq!(copy.message_id.as_deref(), Some("theirs@mail.example"));
    assert_eq!(copy.original_ids, ["one@acme.example"]);
    assert_eq!(copy.delivery.as_deref(), Some("dlv_1"));
}
