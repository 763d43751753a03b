//! Servers that mean harm, or are broken as if they did: they stand where they must not, speak without end,
//! or so slowly that nobody would wait. Whatever they do costs a bounded time and bounded memory, and is
//! told in words.

#![cfg(test)]

use std::time::Duration;

use protocol::card::Persistence;
use protocol::cause::classify;
use protocol::connection::is_alarming;
use protocol::evidence::{Evidence, IoFault, Party, Said, Stage};
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::failure::Failure;
use relay::imap::{self, Folder};
use relay::sign_in::SignIn;
use relay::smtp::{self, Envelope, Outcome};
use relay::tls::Dialer;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::peer::Peer;

mod stages;

fn sign_in() -> SignIn {
    SignIn::Password {
        user: "jane@acme.example".to_owned(),
        password: Secret::new("correct horse"),
    }
}

async fn open_smtp(peer: &Peer) -> Result<smtp::Session, Failure> {
    smtp::Session::open(&peer.dialer(), &peer.server, "relay.example", &sign_in()).await
}

async fn open_imap(peer: &Peer) -> Result<imap::Session, Failure> {
    imap::Session::open(&peer.dialer(), &peer.server, &sign_in()).await
}

fn evidence(failure: Failure) -> Evidence {
    failure.at(ProviderId::new("imap"), Timestamp::from_ms(0))
}

const SMTP_SIGNED_IN: &str = "
    TLS
    S: 220 smtp.acme.example ESMTP
    C: EHLO relay.example
    S: 250-smtp.acme.example
    S: 250 AUTH PLAIN
    C: AUTH PLAIN *
    S: 235 2.7.0 Accepted
";

const IMAP_SIGNED_IN: &str = "
    TLS
    S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready
    C: U1 AUTHENTICATE PLAIN *
    S: U1 OK [CAPABILITY IMAP4rev1] welcome
";

#[tokio::test]
async fn a_server_inside_the_operators_network_is_reached_only_on_his_word() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // A name, and addresses in both notations: what counts is where they lead.
    for host in ["localhost", "127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1"] {
        let server = MailServer {
            host: host.to_owned(),
            port,
            tls: TlsMode::Implicit,
        };
        let other_port = MailServer {
            port: port ^ 1,
            ..server.clone()
        };
        for dialer in [
            Dialer::new(None).unwrap(),
            Dialer::new(None).unwrap().reaching([&other_port]),
        ] {
            let failure = dialer.tcp(Party::Imap, &server).await.unwrap_err();
            assert_eq!(failure.stage, Stage::Connect);
            let words = failure.said.to_string();
            assert!(
                words.starts_with(host) && words.contains("an address of a private network"),
                "{words}"
            );
        }
    }
    let knocked = timeout(Duration::ZERO, listener.accept()).await;
    assert!(knocked.is_err(), "somebody knocked");

    let written = MailServer {
        host: "localhost".to_owned(),
        port,
        tls: TlsMode::Implicit,
    };
    let dialer = Dialer::new(None).unwrap().reaching([&written]);
    dialer.tcp(Party::Imap, &written).await.unwrap();
}

/// What a slow server is told: the time for the whole of a step is over, however often a byte came.
fn assert_timed_out(failure: &Failure, stage: Stage) {
    let timed_out = matches!(
        failure.said,
        Said::Io {
            fault: IoFault::TimedOut,
            ..
        }
    );
    assert!(timed_out && failure.stage == stage, "{failure:?}");
    let cause = classify(&evidence(failure.clone()));
    assert_eq!(cause.card().persistence, Persistence::Transient);
}

#[tokio::test]
async fn a_submission_server_of_one_byte_a_second_is_not_waited_for() {
    let hello = "TLS\nS: 220 hi\nC: EHLO relay.example\n";
    let offer = "S: 250 AUTH PLAIN\nC: AUTH PLAIN *\n";
    for (script, stage) in [
        (
            "TLS\nS~ 220-wait a moment\\r\\n".to_owned(),
            Stage::Greeting,
        ),
        ("TLS\nS~".to_owned(), Stage::Greeting),
        ("S~ 220-wait a moment\\r\\n".to_owned(), Stage::Greeting),
        ("S~".to_owned(), Stage::Greeting),
        (format!("{hello}S~ 250-wait\\r\\n"), Stage::Greeting),
        (format!("{hello}{offer}S~ 235-wait\\r\\n"), Stage::Auth),
        (format!("{hello}{offer}S~"), Stage::Auth),
    ] {
        let peer = Peer::start(&script).await;
        let failure = open_smtp(&peer).await.unwrap_err();
        assert_timed_out(&failure, stage);
        peer.finish().await;
    }
}

#[tokio::test]
async fn a_submission_that_never_ends_is_in_doubt_only_after_the_final_dot() {
    let up_to_data = "C: MAIL FROM:<jane@acme.example>\nS: 250 OK\nC: RCPT TO:<bob@example.org>\nS: 250 OK\nC: DATA\n";
    for (script, stage, in_doubt) in [
        (
            "C: MAIL FROM:<jane@acme.example>\nS~ 250-x\\r\\n".to_owned(),
            Stage::Mail,
            false,
        ),
        (format!("{up_to_data}S~ 354-x\\r\\n"), Stage::Data, false),
        (
            format!("{up_to_data}S: 354 go\nC DATA\nS~ 250-x\\r\\n"),
            Stage::Body,
            true,
        ),
        (
            format!("{up_to_data}S: 354 go\nC DATA\nS~"),
            Stage::Body,
            true,
        ),
    ] {
        let peer = Peer::start(&format!("{SMTP_SIGNED_IN}{script}")).await;
        let mut session = open_smtp(&peer).await.unwrap();
        let outcome = session
            .send(&to_bob(), b"Subject: hi\r\n\r\nHello\r\n")
            .await;
        assert!(!session.is_usable());
        drop(session);
        let failure = match outcome {
            Outcome::InDoubt(failure) if in_doubt => failure,
            Outcome::NotHandedOver(failure) if !in_doubt => failure,
            other => panic!("{script}: {other:?}"),
        };
        assert_timed_out(&failure, stage);
        peer.finish().await;
    }
}

fn to_bob() -> Envelope {
    Envelope {
        from: "jane@acme.example".parse().unwrap(),
        to: "bob@example.org".parse().unwrap(),
    }
}

#[tokio::test]
async fn an_imap_server_of_one_byte_a_second_is_not_waited_for() {
    let greeting = "TLS\nS: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\n";
    for (script, stage) in [
        ("TLS\nS~ * OK wait a moment ".to_owned(), Stage::Greeting),
        ("TLS\nS~".to_owned(), Stage::Greeting),
        ("S~ * OK wait a moment ".to_owned(), Stage::Greeting),
        (
            format!("{greeting}C: U1 AUTHENTICATE PLAIN *\nS~ * OK still here\\r\\n"),
            Stage::Auth,
        ),
        (
            format!("{greeting}C: U1 AUTHENTICATE PLAIN *\nS~"),
            Stage::Auth,
        ),
    ] {
        let peer = Peer::start(&script).await;
        let failure = open_imap(&peer).await.unwrap_err();
        assert_timed_out(&failure, stage);
        peer.finish().await;
    }
    let peer = Peer::start(&format!(
        "{IMAP_SIGNED_IN}C: U2 EXAMINE \"INBOX\"\nS~ * 1 EXISTS\\r\\n"
    ))
    .await;
    let mut session = open_imap(&peer).await.unwrap();
    let failure = session.examine(&Folder::inbox()).await.unwrap_err();
    assert_timed_out(&failure, Stage::Folder);
    drop(session);
    peer.finish().await;
}

fn assert_garbage(failure: &Failure, stage: Stage, part: &str) {
    let Said::Garbage { detail } = &failure.said else {
        panic!("{failure:?}")
    };
    assert!(
        failure.stage == stage && detail.contains(part),
        "{failure:?}"
    );
    assert!(detail.len() < 300, "{} bytes of words", detail.len());
    assert!(!is_alarming(&evidence(failure.clone())), "{failure:?}");
}

#[tokio::test]
async fn a_submission_server_that_speaks_without_end_is_left() {
    let mail = "C: MAIL FROM:<jane@acme.example>\n";
    let up_to_dot = format!(
        "{mail}S: 250 OK\nC: RCPT TO:<bob@example.org>\nS: 250 OK\nC: DATA\nS: 354 go\nC DATA\n"
    );
    for (script, part, in_doubt) in [
        (format!("{mail}S* 250 OK\\r\\n"), "found more", false),
        (
            format!("{mail}S* 250-OK\\r\\n"),
            "a reply of more than",
            false,
        ),
        (format!("{mail}S* 2500000"), "a line of more than", false),
        (
            format!("{up_to_dot}S* 250-OK\\r\\n"),
            "a reply of more than",
            true,
        ),
    ] {
        let peer = Peer::start(&format!("{SMTP_SIGNED_IN}{script}")).await;
        let mut session = open_smtp(&peer).await.unwrap();
        let outcome = session
            .send(&to_bob(), b"Subject: hi\r\n\r\nHello\r\n")
            .await;
        assert!(!session.is_usable());
        drop(session);
        peer.finish().await;
        let failure = match outcome {
            Outcome::InDoubt(failure) if in_doubt => failure,
            Outcome::NotHandedOver(failure) if !in_doubt => failure,
            other => panic!("{script}: {other:?}"),
        };
        assert_garbage(&failure, failure.stage, part);
    }
}

#[tokio::test]
async fn a_submission_server_that_greets_without_end_is_left_whatever_it_greets_with() {
    let hello = "TLS\nS: 220 hi\nC: EHLO relay.example\n";
    let signing_in = format!("{hello}S: 250 AUTH PLAIN\nC: AUTH PLAIN *\n");
    let plain = "S: 220 hi\nC: EHLO relay.example\n";
    for (script, stage, part) in [
        (
            "TLS\nS* 220-hi\\r\\n".to_owned(),
            Stage::Greeting,
            "a reply of more than",
        ),
        ("TLS\nS* 220 hi\\r\\n".to_owned(), Stage::Auth, ""),
        (
            "TLS\nS* 220-hi".to_owned(),
            Stage::Greeting,
            "a line of more than",
        ),
        ("S* 220 hi\\r\\n".to_owned(), Stage::Tls, ""),
        (
            format!("{hello}S* 250-AUTH PLAIN\\r\\n"),
            Stage::Greeting,
            "a reply of more than",
        ),
        (
            format!("{hello}S* 250-SIZE "),
            Stage::Greeting,
            "a line of more than",
        ),
        (
            format!("{signing_in}S* 235-welcome\\r\\n"),
            Stage::Auth,
            "a reply of more than",
        ),
        (format!("{signing_in}S* 334 go on\\r\\n"), Stage::Auth, ""),
        (
            format!("{signing_in}S* 334 aaaa"),
            Stage::Auth,
            "a line of more than",
        ),
        (
            format!("{plain}S* 250-STARTTLS\\r\\n"),
            Stage::Greeting,
            "a reply of more than",
        ),
        (
            format!("{plain}S: 250 STARTTLS\nC: STARTTLS\nS* 220-ready\\r\\n"),
            Stage::Tls,
            "a reply of more than",
        ),
    ] {
        let peer = Peer::start(&script).await;
        let failure = open_smtp(&peer).await.unwrap_err();
        peer.finish().await;
        if part.is_empty() {
            // One greeting after the other: the next one answers what was asked, and badly.
            assert_eq!(failure.stage, stage, "{failure:?}");
            assert!(failure.said.to_string().len() < 300, "{failure:?}");
        } else {
            assert_garbage(&failure, stage, part);
        }
    }
}

#[tokio::test]
async fn an_imap_server_that_speaks_without_end_is_left() {
    for (script, part) in [
        ("TLS\nS* * OK hello \n", "of more than 1048576 bytes"),
        (
            "TLS\nS! * OK [CAPABILITY\nS* x\n",
            "of more than 1048576 bytes",
        ),
        ("S* * OK hello \n", "of more than 1048576 bytes"),
        ("TLS\nS* hello\\r\\n\n", "expected an IMAP response"),
    ] {
        let peer = Peer::start(script).await;
        let failure = open_imap(&peer).await.unwrap_err();
        assert_garbage(&failure, Stage::Greeting, part);
        peer.finish().await;
    }
    let greeting = "TLS\nS: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\nC: U1 AUTHENTICATE PLAIN *\n";
    for (line, part) in [
        ("* NO not yet\\r\\n", "answers of more than"),
        ("* CAPABILITY IMAP4rev1\\r\\n", "answers of more than"),
        ("+ go on\\r\\n", "nothing is left to continue"),
    ] {
        let peer = Peer::start(&format!("{greeting}S* {line}")).await;
        let failure = open_imap(&peer).await.unwrap_err();
        assert_garbage(&failure, Stage::Auth, part);
        peer.finish().await;
    }
    for line in [
        "* LIST () \"/\" folder\\r\\n",
        "* 1 FETCH (UID 1)\\r\\n",
        "* OK [UIDNEXT 1]\\r\\n",
    ] {
        let peer = Peer::start(&format!("{IMAP_SIGNED_IN}C: U2 LIST \"\" \"*\"\nS* {line}")).await;
        let mut session = open_imap(&peer).await.unwrap();
        let failure = session.list_folders().await.unwrap_err();
        assert_garbage(&failure, Stage::Folder, "answers of more than");
        assert!(!session.is_usable());
        drop(session);
        peer.finish().await;
    }
}

/// Row: connection limit answered to the sign-in | NO [LIMIT] and BYE from a server that has too many | `rate_limited`
#[tokio::test]
async fn a_server_with_too_many_connections_is_waited_for_and_nobody_is_alarmed() {
    for answer in [
        "U1 NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
        "U1 NO [ALERT] Too many simultaneous connections. (Failure)",
        "U1 NO [UNAVAILABLE] Temporary authentication failure.",
        "* BYE [UNAVAILABLE] Too many connections from your address",
    ] {
        let peer = Peer::start(&format!(
            "TLS\nS: * OK [CAPABILITY IMAP4rev1] ready\nC: U1 LOGIN \"jane@acme.example\" \"correct horse\"\nS: {answer}\nclose"
        ))
        .await;
        let failure = open_imap(&peer).await.unwrap_err();
        peer.finish().await;
        let evidence = evidence(failure);
        assert!(
            !is_alarming(&evidence),
            "{answer}: {:?}",
            classify(&evidence)
        );
    }
}
