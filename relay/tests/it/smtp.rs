//! Conversations with a submission server: what is said, and what is made of the answers.

#![cfg(test)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::evidence::{Finding, IoFault, Party, Said, Stage};
use protocol::inbox::Address;
use protocol::reply::SmtpReply;
use protocol::secret::Secret;
use relay::failure::Failure;
use relay::sign_in::SignIn;
use relay::smtp::{Envelope, Outcome, Session};

use crate::peer::Peer;

mod connecting;
mod odd;

const TOKEN: &str = "ya29.a0AfB_byA-very-secret-access-token";
const PASSWORD: &str = "abcd efgh ijkl mnop";

/// Greeting to sign-in, for tests about what follows.
const SIGNED_IN: &str = "
    TLS
    S: 220 smtp.acme.example ESMTP
    C: EHLO relay.example
    S: 250-smtp.acme.example
    S: 250 AUTH PLAIN LOGIN XOAUTH2
    C: AUTH XOAUTH2 *
    S: 235 2.7.0 Accepted
";

fn bearer() -> SignIn {
    SignIn::Bearer {
        user: "jane@acme.example".to_owned(),
        access_token: Secret::new(TOKEN),
    }
}

fn password() -> SignIn {
    SignIn::Password {
        user: "jane@acme.example".to_owned(),
        password: Secret::new(PASSWORD),
    }
}

fn envelope(to: &str) -> Envelope {
    Envelope {
        from: "jane@acme.example".parse().unwrap(),
        to: to.parse().unwrap(),
    }
}

async fn open(peer: &Peer, sign_in: &SignIn) -> Result<Session, Failure> {
    Session::open(&peer.dialer(), &peer.server, "relay.example", sign_in).await
}

/// Signs in, sends one message to Bob, and returns the outcome with the transcript.
async fn send_one(script: &str) -> (Outcome, bool, String) {
    let peer = Peer::start(&format!("{SIGNED_IN}{script}")).await;
    let mut session = open(&peer, &bearer()).await.unwrap();
    let outcome = session
        .send(
            &envelope("bob@example.org"),
            b"Subject: hi\r\n\r\nHello\r\n",
        )
        .await;
    let is_usable = session.is_usable();
    session.quit().await;
    (outcome, is_usable, peer.finish().await)
}

/// What opening a session fails with; no secret is in it.
async fn refused(script: &str, sign_in: &SignIn) -> Failure {
    let peer = Peer::start(script).await;
    let failure = open(&peer, sign_in).await.unwrap_err();
    peer.finish().await;
    assert_eq!(failure.party, Party::Smtp);
    let shown = format!("{failure:?} {failure} {}", failure.said);
    for secret in [TOKEN, PASSWORD, "very-secret", "mnop"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for user in [
        "jane@acme.example\u{1}auth=Bearer ",
        "\0jane@acme.example\0",
    ] {
        for secret in [TOKEN, PASSWORD] {
            let encoded = STANDARD.encode(format!("{user}{secret}"));
            assert!(!shown.contains(&encoded[..encoded.len() - 8]), "{shown}");
        }
    }
    failure
}

fn smtp(stage: Stage, said: Said) -> Failure {
    Failure::new(Party::Smtp, stage, said)
}

fn reply(code: u16, text: &str) -> SmtpReply {
    SmtpReply::parse(code, text.lines())
}

fn is_closed(failure: &Failure, stage: Stage) -> bool {
    failure.stage == stage
        && matches!(
            failure.said,
            Said::Io {
                fault: IoFault::Closed,
                ..
            }
        )
}

#[tokio::test]
async fn a_message_is_submitted_with_xoauth2() {
    let response = STANDARD.encode(format!(
        "user=jane@acme.example\x01auth=Bearer {TOKEN}\x01\x01"
    ));
    let peer = Peer::start(&format!(
        r"
        TLS
        S: 220 smtp.acme.example ESMTP
        C: EHLO relay.example
        S: 250-smtp.acme.example
        S: 250-SIZE 35882577
        S: 250 AUTH PLAIN LOGIN XOAUTH2
        C: AUTH XOAUTH2 {response}
        S: 235 2.7.0 Accepted
        C: MAIL FROM:<jane@acme.example> SIZE=28
        S: 250 2.1.0 OK
        C: RCPT TO:<bob@example.org>
        S: 250 2.1.5 OK
        C: DATA
        S: 354 Go ahead
        C: Subject: hi
        C:
        C: ..dot
        C: Hello
        C: .
        S: 250 2.0.0 OK <1@acme.example> [Hostname=x]
        C: QUIT
        S: 221 bye
        "
    ))
    .await;
    let mut session = open(&peer, &bearer()).await.unwrap();
    let message = b"Subject: hi\n\n.dot\nHello\r\n";
    let outcome = session.send(&envelope("bob@example.org"), message).await;
    let expected = reply(250, "2.0.0 OK <1@acme.example> [Hostname=x]");
    assert_eq!(
        outcome,
        Outcome::Accepted {
            reply: expected.clone()
        }
    );
    assert_eq!(
        relay::smtp::reading::find_wire_id(&expected).as_deref(),
        Some("<1@acme.example>")
    );
    session.quit().await;
    peer.finish().await;
}

#[tokio::test]
async fn a_refused_token_is_heard_to_its_end() {
    let challenge = STANDARD
        .encode(r#"{"status":"401","schemes":"Bearer","scope":"https://mail.google.com/"}"#);
    let failure = refused(
        &format!(
            "
            TLS
            S: 220 ready
            C: EHLO relay.example
            S: 250-smtp.acme.example
            S: 250 AUTH XOAUTH2
            C: AUTH XOAUTH2 *
            S: 334 {challenge}
            C:
            S: 535-5.7.8 Username and Password not accepted. For more information, go to
            S: 535 5.7.8 https://support.acme.example/?p=BadCredentials
            "
        ),
        &bearer(),
    )
    .await;
    let mut expected = reply(
        535,
        "5.7.8 Username and Password not accepted. For more information, go to\n5.7.8 https://support.acme.example/?p=BadCredentials",
    );
    expected
        .text
        .push_str("\nstatus 401, schemes Bearer, scope https://mail.google.com/");
    assert_eq!(failure, smtp(Stage::Auth, Said::Smtp(expected)));
}

#[tokio::test]
async fn a_connection_closed_after_the_challenge_keeps_what_the_challenge_said() {
    let challenge = STANDARD.encode(r#"{"status":"401"}"#);
    let script = format!("{}S: 334 {challenge}\nC:\nclose", before("235", SIGNED_IN));
    let failure = refused(&script, &bearer()).await;
    assert!(is_closed(&failure, Stage::Auth), "{failure:?}");
    assert!(
        failure.said.to_string().contains("status 401"),
        "{failure:?}"
    );
}

/// The script up to the line that has `needle`.
fn before(needle: &str, script: &str) -> String {
    let lines: Vec<&str> = script
        .lines()
        .take_while(|line| !line.contains(needle))
        .collect();
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn a_server_that_quotes_the_token_does_not_get_it_into_the_evidence() {
    let response = STANDARD.encode(format!(
        "user=jane@acme.example\x01auth=Bearer {TOKEN}\x01\x01"
    ));
    for quoted in [response.as_str(), &response[..60], TOKEN] {
        let script = format!(
            "{}S: 500 5.5.2 unknown: AUTH XOAUTH2 {quoted}...\n",
            before("235", SIGNED_IN)
        );
        let failure = refused(&script, &bearer()).await;
        let Said::Smtp(reply) = &failure.said else {
            panic!("{failure:?}")
        };
        assert!(
            reply.text.starts_with("unknown: AUTH XOAUTH2 [secret]"),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_password_signs_in_by_plain_and_by_login_only_where_plain_is_missing() {
    let plain = STANDARD.encode(format!("\0jane@acme.example\0{PASSWORD}"));
    let (user, secret) = (
        STANDARD.encode("jane@acme.example"),
        STANDARD.encode(PASSWORD),
    );
    for dialogue in [
        format!("S: 250 AUTH LOGIN PLAIN\nC: AUTH PLAIN {plain}\nS: 235 ok"),
        format!(
            "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {user}\nS: 334 UGFzc3dvcmQ6\nC: {secret}\nS: 235 ok"
        ),
    ] {
        let script = format!(
            "TLS\nS: 220 hi\nC: EHLO relay.example\nS: 250-hi\n{dialogue}\nC: QUIT\nS: 221 bye"
        );
        let peer = Peer::start(&script).await;
        open(&peer, &password()).await.unwrap().quit().await;
        peer.finish().await;
    }
}

#[tokio::test]
async fn a_refused_password_is_the_servers_reply() {
    for (offer, dialogue) in [
        ("PLAIN", "C: AUTH PLAIN *\n"),
        (
            "LOGIN",
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 334 UGFzc3dvcmQ6\nC: *\n",
        ),
        ("LOGIN", "C: AUTH LOGIN\n"),
    ] {
        let script = format!(
            "TLS\nS: 220 hi\nC: EHLO relay.example\nS: 250-hi\nS: 250 AUTH {offer}\n{dialogue}S: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled"
        );
        let failure = refused(&script, &password()).await;
        let words = "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled";
        assert_eq!(failure, smtp(Stage::Auth, Said::Smtp(reply(535, words))));
    }
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_no_verdict_of_the_server() {
    for (offer, sign_in, (needed, offered)) in [
        (
            "AUTH PLAIN LOGIN",
            bearer(),
            ("AUTH XOAUTH2", "AUTH PLAIN LOGIN"),
        ),
        (
            "AUTH XOAUTH2",
            password(),
            ("AUTH PLAIN or LOGIN", "AUTH XOAUTH2"),
        ),
        (
            "HELP",
            password(),
            ("AUTH PLAIN or LOGIN", "no AUTH at all"),
        ),
    ] {
        let script = format!("TLS\nS: 220 hi\nC: EHLO relay.example\nS: 250-hi\nS: 250 {offer}\n");
        let failure = refused(&script, &sign_in).await;
        let finding = Finding::NoSignInOffered {
            needed: needed.to_owned(),
            offered: offered.to_owned(),
        };
        assert_eq!(failure, smtp(Stage::Auth, Said::Found(finding)));
    }
}

#[tokio::test]
async fn starttls_leads_to_tls_and_to_a_second_hello() {
    let peer = Peer::start(
        "
        S: 220 hi
        C: EHLO relay.example
        S: 250-hi
        S: 250-AUTH LOGIN
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 2.0.0 ready
        TLS
        C: EHLO relay.example
        S: 250-hi
        S: 250 AUTH XOAUTH2
        C: AUTH XOAUTH2 *
        S: 235 ok
        C: QUIT
        S: 221 bye
        ",
    )
    .await;
    open(&peer, &bearer()).await.unwrap().quit().await;
    peer.finish().await;
}

/// Row: server without TLS | the submission server offers no STARTTLS | `tls_failed`
#[tokio::test]
async fn without_tls_nothing_is_signed_in() {
    let hello = "S: 220 hi\nC: EHLO relay.example\nS: 250-hi\n";
    for (rest, expected) in [
        (
            "S: 250 AUTH PLAIN\n",
            "the server offers no TLS: STARTTLS is missing from its EHLO",
        ),
        (
            "S: 250 STARTTLS\nC: STARTTLS\nS! 220 ready\\r\\n250-AUTH PLAIN\\r\\n",
            "the server sent plain text behind its answer to STARTTLS",
        ),
    ] {
        let failure = refused(&format!("{hello}{rest}"), &password()).await;
        assert_eq!(
            failure,
            smtp(
                Stage::Tls,
                Said::Tls {
                    detail: expected.to_owned()
                }
            )
        );
    }
    let refusal = "S: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 TLS not available";
    let failure = refused(&format!("{hello}{refusal}"), &password()).await;
    let expected = Said::Smtp(reply(454, "4.7.0 TLS not available"));
    assert_eq!(failure, smtp(Stage::Tls, expected));
}

#[tokio::test]
async fn a_greeting_or_a_hello_that_is_refused_is_the_servers_reply() {
    for (script, code, words) in [
        ("TLS\nS: 554 5.7.1 Go away\n", 554, "5.7.1 Go away"),
        ("TLS\nS: 421 4.3.2 Busy\n", 421, "4.3.2 Busy"),
        (
            "TLS\nS: 220 hi\nC: EHLO relay.example\nS: 571 no\nC: QUIT\nS: 221 bye\n",
            571,
            "no",
        ),
    ] {
        let failure = refused(script, &bearer()).await;
        assert_eq!(
            failure,
            smtp(Stage::Greeting, Said::Smtp(reply(code, words))),
            "{script}"
        );
    }
}

#[tokio::test]
async fn what_is_no_smtp_is_garbage_and_does_not_last() {
    for (script, expected) in [
        (
            "TLS\nS: hello there\n",
            "expected an SMTP reply, found \"hello there\"",
        ),
        ("TLS\nS* 220-more\\r\\n\n", "found a reply of more than"),
        ("TLS\nS* 2222\n", "found a line of more than"),
        ("S* 220-more\\r\\n\n", "found a reply of more than"),
    ] {
        let failure = refused(script, &bearer()).await;
        assert_eq!(failure.stage, Stage::Greeting);
        let Said::Garbage { detail } = &failure.said else {
            panic!("{failure:?}")
        };
        assert!(detail.contains(expected), "{detail}");
    }
}

/// Row: reply that is not UTF-8 | 250 and 550 in Latin-1 | as the code says | as the code says | the reply, what is no text as �
#[tokio::test]
async fn a_reply_that_is_not_utf8_is_a_reply() {
    let (outcome, is_usable, _) = send_one(
        r"
        C: MAIL FROM:<jane@acme.example>
        S: 250 OK
        C: RCPT TO:<bob@example.org>
        S: 250 OK
        C: DATA
        S: 354 Go ahead
        C DATA
        S! 554-5.7.1 Zur\xfcckgewiesen\r\n554 5.7.1 Gr\xfc\xdfe\r\n
        C: RSET
        S: 250 OK
        C: QUIT
        S: 221 bye
        ",
    )
    .await;
    let expected = reply(
        554,
        "5.7.1 Zur\u{fffd}ckgewiesen\n5.7.1 Gr\u{fffd}\u{fffd}e",
    );
    assert_eq!(
        outcome,
        Outcome::Refused {
            stage: Stage::Body,
            reply: expected
        }
    );
    assert!(is_usable);
}

#[tokio::test]
async fn a_server_that_closes_at_mail_has_replied_and_the_session_is_over() {
    let (outcome, is_usable, _) =
        send_one("C: MAIL FROM:<jane@acme.example>\nS: 421 4.4.2 Timeout\nclose").await;
    let expected = reply(421, "4.4.2 Timeout");
    assert_eq!(
        outcome,
        Outcome::Refused {
            stage: Stage::Mail,
            reply: expected
        }
    );
    assert!(!is_usable);
}

#[tokio::test]
async fn a_refused_recipient_does_not_spoil_the_session_for_the_next() {
    let peer = Peer::start(&format!(
        "{SIGNED_IN}
        C: MAIL FROM:<jane@acme.example>
        S: 250 OK
        C: RCPT TO:<nobody@example.org>
        S: 550 5.1.1 No such user
        C: RSET
        S: 250 OK
        C: MAIL FROM:<jane@acme.example>
        S: 250 OK
        C: RCPT TO:<bob@example.org>
        S: 250 OK
        C: DATA
        S: 354 Go ahead
        C DATA
        S: 250 2.0.0 Ok: queued as 1
        C: QUIT
        S: 221 bye
        "
    ))
    .await;
    let mut session = open(&peer, &bearer()).await.unwrap();
    let refused = session
        .send(&envelope("nobody@example.org"), b"Hello")
        .await;
    let expected = reply(550, "5.1.1 No such user");
    assert_eq!(
        refused,
        Outcome::Refused {
            stage: Stage::Rcpt,
            reply: expected
        }
    );
    let accepted = session.send(&envelope("bob@example.org"), b"Hello").await;
    assert_eq!(
        accepted,
        Outcome::Accepted {
            reply: reply(250, "2.0.0 Ok: queued as 1")
        }
    );
    session.quit().await;
    peer.finish().await;
}

#[tokio::test]
async fn a_session_that_cannot_be_reset_is_over() {
    let (outcome, is_usable, _) =
        send_one("C: MAIL FROM:<jane@acme.example>\nS: 451 4.3.0 later\nC: RSET\nclose").await;
    assert_eq!(
        outcome,
        Outcome::Refused {
            stage: Stage::Mail,
            reply: reply(451, "4.3.0 later")
        }
    );
    assert!(!is_usable);
}

/// MAIL to DATA, accepted.
const UP_TO_DATA: &str = "
    C: MAIL FROM:<jane@acme.example>
    S: 250 OK
    C: RCPT TO:<bob@example.org>
    S: 250 OK
    C: DATA
";

/// Row: connection lost before the body | the server hangs up at MAIL, RCPT and DATA | network
#[tokio::test]
async fn a_connection_lost_before_the_body_means_that_nothing_was_handed_over() {
    let (outcome, is_usable, _) = send_one(&format!("{UP_TO_DATA}close")).await;
    let Outcome::NotHandedOver(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        is_closed(&failure, Stage::Data) && !is_usable,
        "{failure:?}"
    );
}

/// Row: connection lost within the body | the server hangs up before the final dot | network
#[tokio::test]
async fn a_connection_lost_within_the_body_means_that_nothing_was_handed_over() {
    let peer = Peer::start(&format!(
        "{SIGNED_IN}{UP_TO_DATA}S: 354 Go ahead\nC# 100000\nclose"
    ))
    .await;
    let mut session = open(&peer, &bearer()).await.unwrap();
    // More than all buffers between the two hold, so that the loss is met before the dot.
    let message = b"0123456789\r\n".repeat(2_000_000);
    let outcome = session.send(&envelope("bob@example.org"), &message).await;
    let Outcome::NotHandedOver(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        is_closed(&failure, Stage::Body) && !session.is_usable(),
        "{failure:?}"
    );
    peer.finish().await;
}

/// Row: connection lost after the final dot | the server hangs up before its reply | in doubt | nobody, else the person | 1 is in doubt and being settled
#[tokio::test]
async fn a_connection_lost_after_the_dot_leaves_the_message_in_doubt() {
    let script = format!("{UP_TO_DATA}S: 354 Go ahead\nC DATA\nclose");
    let (outcome, is_usable, _) = send_one(&script).await;
    let Outcome::InDoubt(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        is_closed(&failure, Stage::Body) && !is_usable,
        "{failure:?}"
    );
}

/// Row: half a reply after the final dot | the server hangs up within its reply | in doubt | nobody, else the person | 1 is in doubt and being settled
#[tokio::test]
async fn half_a_reply_after_the_dot_leaves_the_message_in_doubt() {
    let script = format!("{UP_TO_DATA}S: 354 Go ahead\nC DATA\nS! 250 2.0.0 Ok: que\nclose");
    let (outcome, _, _) = send_one(&script).await;
    let Outcome::InDoubt(failure) = outcome else {
        panic!("{outcome:?}")
    };
    let detail = "the server closed the connection within a reply".to_owned();
    assert_eq!(
        failure,
        smtp(
            Stage::Body,
            Said::Io {
                fault: IoFault::Closed,
                detail
            }
        )
    );
}

#[tokio::test]
async fn anything_but_a_verdict_after_the_dot_leaves_the_message_in_doubt() {
    for (answer, expected) in [
        ("S: what?", "expected an SMTP reply, found \"what?\""),
        ("S: 354 Go ahead", "expected 2yz, found \"354 Go ahead\""),
        (
            "S! 250-2.0.0 Ok\\r\\n550 no\\r\\n",
            "expected one verdict in all lines of a reply, found \"550 no\" behind another",
        ),
    ] {
        let script = format!("{UP_TO_DATA}S: 354 Go ahead\nC DATA\n{answer}\nC hangs up");
        let (outcome, is_usable, _) = send_one(&script).await;
        let detail = expected.to_owned();
        assert_eq!(
            outcome,
            Outcome::InDoubt(smtp(Stage::Body, Said::Garbage { detail }))
        );
        assert!(!is_usable);
    }
}

#[tokio::test]
async fn a_farewell_after_the_dot_is_a_refusal() {
    let script = format!("{UP_TO_DATA}S: 354 Go ahead\nC DATA\nS: 421 4.3.2 Shutting down\nclose");
    let (outcome, is_usable, _) = send_one(&script).await;
    let expected = reply(421, "4.3.2 Shutting down");
    assert_eq!(
        outcome,
        Outcome::Refused {
            stage: Stage::Body,
            reply: expected
        }
    );
    assert!(!is_usable);
}

#[tokio::test]
async fn an_acceptance_that_comes_before_the_message_is_not_believed() {
    let script = format!("{UP_TO_DATA}S! 354 Go ahead\\r\\n250 2.0.0 Ok: queued\\r\\n\nC hangs up");
    let (outcome, _, _) = send_one(&script).await;
    let detail = "expected silence until the next command, found more".to_owned();
    assert_eq!(
        outcome,
        Outcome::NotHandedOver(smtp(Stage::Body, Said::Garbage { detail }))
    );
}

#[tokio::test]
async fn a_positive_reply_in_the_wrong_place_is_no_verdict() {
    let (outcome, _, _) = send_one(&format!("{UP_TO_DATA}S: 250 OK\nC hangs up")).await;
    let detail = "expected 354, found \"250 OK\"".to_owned();
    assert_eq!(
        outcome,
        Outcome::NotHandedOver(smtp(Stage::Data, Said::Garbage { detail }))
    );
}

/// Row: message over SIZE | the server's limit is below the message | `message_rejected`
#[tokio::test]
async fn a_message_over_the_servers_size_is_not_sent_and_the_next_one_is() {
    let script = SIGNED_IN.replace("S: 250 AUTH", "S: 250-SIZE 1000\nS: 250 AUTH");
    let peer = Peer::start(&format!(
        "{script}
        C: MAIL FROM:<jane@acme.example> SIZE=1000
        S: 250 OK
        C: RCPT TO:<bob@example.org>
        S: 250 OK
        C: DATA
        S: 354 Go ahead
        C DATA
        S: 552 5.3.4 Message size exceeds fixed limit
        C: RSET
        S: 250 OK
        C: QUIT
        S: 221 bye"
    ))
    .await;
    let mut session = open(&peer, &bearer()).await.unwrap();
    let too_long = session
        .send(&envelope("bob@example.org"), &[b'a'; 999])
        .await;
    let words =
        "the message has 1001 bytes, and the server takes at most 1000; it was not sent".to_owned();
    let stage = Stage::Mail;
    assert_eq!(too_long, Outcome::Unsendable { stage, words });
    assert!(session.is_usable());
    // A server may have another limit than it says.
    let refused = session
        .send(&envelope("bob@example.org"), &[b'a'; 998])
        .await;
    let reply = reply(552, "5.3.4 Message size exceeds fixed limit");
    let stage = Stage::Body;
    assert_eq!(refused, Outcome::Refused { stage, reply });
    session.quit().await;
    peer.finish().await;
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_smtputf8() {
    let jörg: Address = "jörg@example.org".parse().unwrap();
    let to_jörg = Envelope {
        to: jörg.clone(),
        ..envelope("bob@example.org")
    };
    let from_jörg = Envelope {
        from: jörg,
        ..envelope("bob@example.org")
    };
    let peer = Peer::start(&format!("{SIGNED_IN}C: QUIT\nS: 221 bye")).await;
    let mut session = open(&peer, &bearer()).await.unwrap();
    // The lead cannot be reached, and no other lead has to wait for that.
    let outcome = session.send(&to_jörg, b"Hello").await;
    let words =
        "the server takes no addresses beyond ASCII (SMTPUTF8), and jörg@example.org is one"
            .to_owned();
    let stage = Stage::Rcpt;
    assert_eq!(outcome, Outcome::Unsendable { stage, words });
    // No lead is to blame for the inbox's own address.
    let outcome = session.send(&from_jörg, b"Hello").await;
    let detail =
        "expected an offer of SMTPUTF8, which jörg@example.org needs, found none".to_owned();
    assert_eq!(
        outcome,
        Outcome::NotHandedOver(smtp(Stage::Mail, Said::Garbage { detail }))
    );
    session.quit().await;
    peer.finish().await;

    let script = SIGNED_IN.replace("S: 250 AUTH", "S: 250-SMTPUTF8\nS: 250 AUTH");
    let peer = Peer::start(&format!(
        "{script}C: MAIL FROM:<jane@acme.example> SMTPUTF8\nS: 250 OK\nC: RCPT TO:<jörg@example.org>\nS: 550 no\nC: RSET\nS: 250 OK\nC: QUIT\nS: 221 bye"
    ))
    .await;
    let mut session = open(&peer, &bearer()).await.unwrap();
    let outcome = session.send(&to_jörg, b"Hello").await;
    assert_eq!(
        outcome,
        Outcome::Refused {
            stage: Stage::Rcpt,
            reply: reply(550, "no")
        }
    );
    session.quit().await;
    peer.finish().await;
}

#[tokio::test]
async fn a_server_that_repeats_the_token_after_the_sign_in_is_kept_quiet_too() {
    let response = STANDARD.encode(format!(
        "user=jane@acme.example\x01auth=Bearer {TOKEN}\x01\x01"
    ));
    let shifted = STANDARD.encode(format!("x{TOKEN}"));
    let refused = [
        ("C: MAIL *\nS: 450 4.7.1 slow down, %", Stage::Mail),
        (
            "C: MAIL *\nS: 250 OK\nC: RCPT *\nS: 550 5.1.1 %",
            Stage::Rcpt,
        ),
        (
            "C: MAIL *\nS: 250 OK\nC: RCPT *\nS: 250 OK\nC: DATA\nS: 354 go\nC DATA\nS: 554 5.6.0 %",
            Stage::Body,
        ),
    ];
    for words in [TOKEN, &TOKEN.to_uppercase(), &response, &shifted] {
        for (script, at) in refused {
            let script = script.replace('%', words);
            let end = "C: RSET\nS: 250 OK\nC: QUIT\nS: 221 bye";
            let (outcome, _, _) = send_one(&format!("{script}\n{end}")).await;
            let Outcome::Refused { stage, reply } = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!(stage, at);
            let left = reply.text.replace("[secret]", "");
            assert!(
                reply.text.contains("[secret]") && left.len() <= "slow down, ".len() + 8,
                "{words} is told as {}",
                reply.text
            );
        }
    }
}
