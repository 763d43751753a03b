//! What submission servers answer that the standards do not have, and what is made of it.

use protocol::cause::{Cause, classify};
use protocol::evidence::{Finding, Said, Stage};
use protocol::provider::ProviderId;
use protocol::timestamp::Timestamp;
use relay::smtp::Outcome;
use relay::smtp::reading::{find_wire_id, find_wire_id_beside};

use super::{PASSWORD, bearer, open, password, refused, reply, send_one, smtp};
use crate::peer::Peer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[tokio::test]
async fn the_last_line_of_a_reply_counts_where_its_lines_have_several_codes() {
    let failure = refused(
        "TLS
         S: 220-mail.example ESMTP
         S: 521 5.7.1 Service unavailable; client [203.0.113.9] blocked
         close",
        &password(),
    )
    .await;
    let words = "5.7.1 Service unavailable; client [203.0.113.9] blocked";
    let said = Said::Smtp(reply(521, words));
    assert_eq!(failure, smtp(Stage::Greeting, said));

    let (outcome, is_usable, _) = send_one(
        "C: MAIL FROM:<jane@acme.example>
         S: 250 ok
         C: RCPT TO:<bob@example.org>
         S: 250-checking
         S: 550-5.1.1 No such user
         S: 550 5.1.1 here
         C: RSET
         S: 250 ok
         C: QUIT
         S: 221 bye",
    )
    .await;
    let refused = Outcome::Refused {
        stage: Stage::Rcpt,
        reply: reply(550, "5.1.1 No such user\nhere"),
    };
    assert_eq!((outcome, is_usable), (refused, true));
}

#[tokio::test]
async fn the_next_way_to_sign_in_is_tried_where_one_that_was_offered_is_not_known() {
    let [user, secret] = ["jane@acme.example", PASSWORD].map(|text| STANDARD.encode(text));
    for refusal in [
        "504 5.7.4 Unrecognized authentication type",
        "500 5.5.1 what",
        "535 5.7.8 Mechanism not supported",
    ] {
        let peer = Peer::start(&format!(
            "TLS
             S: 220 mail.example ESMTP
             C: EHLO relay.example
             S: 250-mail.example
             S: 250 AUTH PLAIN LOGIN
             C: AUTH PLAIN *
             S: {refusal}
             C: AUTH LOGIN
             S: 334 VXNlcm5hbWU6
             C: {user}
             S: 334 UGFzc3dvcmQ6
             C: {secret}
             S: 235 2.7.0 ok
             C: QUIT
             S: 221 bye"
        ))
        .await;
        let session = open(&peer, &password()).await.unwrap();
        session.quit().await;
        peer.finish().await;
    }
}

#[tokio::test]
async fn a_verdict_on_who_signs_in_is_no_reason_to_try_another_way() {
    let hello = "TLS
         S: 220 mail.example ESMTP
         C: EHLO relay.example
         S: 250-mail.example
         S: 250 AUTH PLAIN LOGIN XOAUTH2\n";
    for (sign_in, way, code, words) in [
        (password(), "PLAIN", 535, "5.7.8 Bad credentials"),
        (password(), "PLAIN", 454, "4.7.0 Temporary failure"),
        (bearer(), "XOAUTH2", 504, "5.7.4 Unrecognized"),
    ] {
        let script = format!("{hello}C: AUTH {way} *\nS: {code} {words}");
        let failure = refused(&script, &sign_in).await;
        assert_eq!(failure, smtp(Stage::Auth, Said::Smtp(reply(code, words))));
    }
    // Where neither is taken, what the first one was refused with is told; a verdict of the second is the truth.
    for (second, code, words) in [
        ("504 5.7.4 no LOGIN", 504, "5.7.4 no PLAIN"),
        ("535 5.7.8 Bad credentials", 535, "5.7.8 Bad credentials"),
    ] {
        let script = format!(
            "{hello}C: AUTH PLAIN *
             S: 504 5.7.4 no PLAIN
             C: AUTH LOGIN
             S: {second}"
        );
        let failure = refused(&script, &password()).await;
        assert_eq!(failure, smtp(Stage::Auth, Said::Smtp(reply(code, words))));
    }
}

#[tokio::test]
async fn another_service_at_the_port_is_named_at_once_as_settings_that_do_not_fit() {
    for (greeting, named) in [
        ("* OK [CAPABILITY IMAP4rev1] ready", "an IMAP server"),
        ("+OK POP3 ready", "a POP3 server"),
        ("SSH-2.0-OpenSSH_9.2", "an SSH server"),
    ] {
        for tls in ["TLS\n", ""] {
            let failure = refused(&format!("{tls}S: {greeting}"), &password()).await;
            let is_named = matches!(
                &failure.said,
                Said::Found(Finding::OtherService { words })
                    if words.contains(named) && words.contains(greeting)
            );
            assert!(is_named, "{failure:?}");
            let evidence = failure.at(ProviderId::new("imap"), Timestamp::from_ms(0));
            assert_eq!(classify(&evidence), Cause::SettingsWrong);
        }
    }
}

#[tokio::test]
async fn the_recipient_in_the_last_reply_is_no_id_and_the_left_side_of_one_is() {
    let left = "0100018c1a2b3c4d-5e6f7a8b-0000-4c4d-8e8f-a1b2c3d4e5f6-000000";
    for (answer, by_form, beside) in [
        ("2.0.0 <bob@example.org> v0Q2B5bZ2XcUAAA Saved", None, None),
        (
            "2.1.5 Ok <bob@example.org>",
            Some("<bob@example.org>"),
            None,
        ),
        (&format!("Ok {left}"), Some(left), Some(left)),
    ] {
        let (outcome, _, _) = send_one(&format!(
            "C: MAIL FROM:<jane@acme.example>
             S: 250 ok
             C: RCPT TO:<bob@example.org>
             S: 250 ok
             C: DATA
             S: 354 go
             C DATA
             S: 250 {answer}
             C: QUIT
             S: 221 bye"
        ))
        .await;
        let Outcome::Accepted { reply } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(find_wire_id(&reply).as_deref(), by_form, "{answer}");
        let addresses = ["bob@example.org", "jane@acme.example"];
        let id = find_wire_id_beside(&reply, &addresses);
        assert_eq!(id.as_deref(), beside, "{answer}");
    }
}
