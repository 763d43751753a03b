//! Submission, line by line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::{DropAfterData, Sandbox, Stage};

use super::oauth::sign_in;
use super::peer::Peer;
use super::{JANE, PASSWORD, start, start_with, wait_for};

const MESSAGE: &str = "
    C: MAIL FROM:<jane@acme.example>
    S: 250 2.1.0 Ok
    C: RCPT TO:<lead@else.example>
    S: 250 2.1.5 Ok
    C: DATA
    S: 354 …
    C: From: jane@acme.example
    C: Message-ID: <1@acme.example>
    C: X-Unpause-Delivery: abc
    C:
    C: Hello
";

pub(crate) async fn connect(sandbox: &Sandbox) -> Peer {
    let mut peer = Peer::connect_tls(sandbox.smtps(), sandbox.ca_pem()).await;
    peer.play("S: 220 sandbox ESMTP ready").await;
    peer
}

pub(crate) async fn signed_in(sandbox: &Sandbox) -> Peer {
    let mut peer = connect(sandbox).await;
    let plain = STANDARD.encode(format!("\0{JANE}\0{PASSWORD}"));
    peer.play(&format!("C: AUTH PLAIN {plain}\nS: 235 2.7.0 Accepted"))
        .await;
    peer
}

/// Sends one message up to its dot; the reply is not read.
pub(crate) async fn send_message(peer: &mut Peer) {
    peer.play(MESSAGE).await;
    peer.send(".").await;
}

fn xoauth2(person: &str, token: &str) -> String {
    STANDARD.encode(format!("user={person}\x01auth=Bearer {token}\x01\x01"))
}

#[tokio::test]
async fn a_message_is_delivered_and_copied_to_sent() {
    let sandbox = start().await;
    let mut peer = connect(&sandbox).await;
    peer.play(
        "C: EHLO client.example
         S: 250-sandbox greets client.example
         S: 250-SIZE 26214400
         S: 250-8BITMIME
         S: 250-PIPELINING
         S: 250-ENHANCEDSTATUSCODES
         S: 250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER
         C: MAIL FROM:<jane@acme.example>
         S: 530 5.7.0 …",
    )
    .await;
    let (access, _) = sign_in(&sandbox).await;
    peer.play(&format!(
        "C: AUTH XOAUTH2 {}\nS: 235 2.7.0 Accepted",
        xoauth2(JANE, &access)
    ))
    .await;
    for _ in 0..2 {
        peer.play(MESSAGE).await;
        peer.play(
            "C: ..a dot in front
             C: .
             S: 250 2.0.0 Ok: queued as …",
        )
        .await;
    }
    peer.play("C: QUIT\nS: 221 2.0.0 Bye\nS: <closed>").await;

    let delivered = sandbox.control().delivered();
    assert_eq!(delivered.len(), 2);
    let first = &delivered[0];
    assert_eq!(first.recipient, "lead@else.example");
    assert_eq!(first.envelope_from, JANE);
    assert_eq!(first.message_id.as_deref(), Some("<1@acme.example>"));
    assert_eq!(first.header("x-unpause-delivery").as_deref(), Some("abc"));
    assert!(first.raw.ends_with(b"\r\n\r\nHello\r\n.a dot in front\r\n"));
    let sent = sandbox.control().folder(JANE, "Sent").unwrap();
    assert_eq!(sent.special_use.as_deref(), Some("Sent"));
    assert_eq!(sent.messages.len(), 2);
    assert_eq!(sent.messages[0].raw, first.raw);
    assert_eq!(
        sandbox
            .control()
            .folder("Lead@ELSE.example", "inbox")
            .unwrap()
            .messages
            .len(),
        2
    );
}

#[tokio::test]
async fn credentials_come_with_the_command_or_after_it() {
    let sandbox = start().await;
    let (access, _) = sign_in(&sandbox).await;
    let bearer = STANDARD.encode(format!("n,a={JANE},\x01auth=Bearer {access}\x01\x01"));
    let (user, pass) = (STANDARD.encode(JANE), STANDARD.encode(PASSWORD));
    for script in [
        format!("C: AUTH XOAUTH2\nS: 334 \nC: {}", xoauth2(JANE, &access)),
        format!("C: AUTH OAUTHBEARER {bearer}"),
        format!("C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {user}\nS: 334 UGFzc3dvcmQ6\nC: {pass}"),
        format!("C: AUTH LOGIN {user}\nS: 334 UGFzc3dvcmQ6\nC: {pass}"),
    ] {
        let mut peer = connect(&sandbox).await;
        // The peer trims the ends of lines, and the space after 334 with them.
        peer.play(&script.replace("S: 334 \n", "S: 334\n")).await;
        peer.play("S: 235 2.7.0 Accepted").await;
    }
}

#[tokio::test]
async fn a_refused_token_is_a_challenge_and_then_a_refusal() {
    let sandbox = start().await;
    let (access, _) = sign_in(&sandbox).await;
    let challenge = STANDARD.encode(r#"{"schemes":"bearer","scope":"mail.send","status":"401"}"#);
    for token in [
        xoauth2(JANE, "not-a-token"),
        xoauth2("john@acme.example", &access),
    ] {
        let mut peer = connect(&sandbox).await;
        peer.play(&format!(
            "C: AUTH XOAUTH2 {token}
             S: 334 {challenge}
             C:
             S: 535 5.7.8 Token not accepted
             C: NOOP
             S: 250 2.0.0 Ok"
        ))
        .await;
    }
    let mut peer = connect(&sandbox).await;
    let wrong = STANDARD.encode(format!("\0{JANE}\0wrong"));
    peer.play(&format!(
        "C: AUTH PLAIN {wrong}
         S: 535 5.7.8 …
         C: AUTH PLAIN !
         S: 501 5.5.2 …
         C: AUTH PLAIN
         S: 334
         C: *
         S: 501 5.7.0 …
         C: AUTH GSSAPI
         S: 504 5.5.4 …"
    ))
    .await;
}

#[tokio::test]
async fn the_submission_port_wants_starttls_first() {
    let sandbox = start().await;
    let mut peer = Peer::connect_plain(sandbox.submission()).await;
    peer.play(
        "S: 220 sandbox ESMTP ready
         C: EHLO client.example
         S: 250-sandbox greets client.example
         S: 250-SIZE 26214400
         S: 250-8BITMIME
         S: 250-PIPELINING
         S: 250-ENHANCEDSTATUSCODES
         S: 250 STARTTLS
         C: AUTH PLAIN AAAA
         S: 538 5.7.11 …
         C: STARTTLS
         S: 220 2.0.0 Ready to start TLS",
    )
    .await;
    peer.start_tls(sandbox.ca_pem()).await;
    let plain = STANDARD.encode(format!("\0{JANE}\0{PASSWORD}"));
    peer.play(&format!(
        "C: AUTH PLAIN {plain}\nS: 235 …\nC: STARTTLS\nS: 503 …"
    ))
    .await;
}

#[tokio::test]
async fn the_rules_of_a_transaction_hold() {
    let sandbox = start().await;
    sandbox
        .control()
        .refuse_recipient("Gone@else.example", "550 5.1.1 No such person");
    let mut peer = signed_in(&sandbox).await;
    peer.play(
        "C: MAIL FROM:<john@acme.example>
         S: 550 5.7.1 …
         C: MAIL FROM:<jane@acme.example> SIZE=99999999
         S: 552 5.3.4 …
         C: RCPT TO:<lead@else.example>
         S: 503 5.5.1 …
         C: MAIL FROM:<jane@acme.example>
         S: 250 …
         C: MAIL FROM:<jane@acme.example>
         S: 503 5.5.1 …
         C: DATA
         S: 554 5.5.1 …
         C: RCPT TO:<gone@else.example>
         S: 550 5.1.1 No such person
         C: RCPT TO:<lead@else.example>
         S: 250 …
         C: RSET
         S: 250 …
         C: DATA
         S: 503 5.5.1 …
         C: NONSENSE
         S: 500 5.5.2 …
         C: MAIL
         S: 501 …
         C: VRFY jane
         S: 502 5.5.1 …",
    )
    .await;
    assert_eq!(sandbox.control().delivered().len(), 0);
}

#[tokio::test]
async fn a_bare_line_feed_never_ends_a_body() {
    let sandbox = start().await;
    let mut peer = signed_in(&sandbox).await;
    peer.play(MESSAGE).await;
    peer.send("one\n.\nMAIL FROM:<evil@else.example>").await;
    peer.play("C: .\nS: 250 …").await;
    let delivered = sandbox.control().delivered();
    assert_eq!(delivered.len(), 1);
    assert!(
        delivered[0]
            .raw
            .ends_with(b"one\n.\nMAIL FROM:<evil@else.example>\r\n")
    );
}

#[tokio::test]
async fn scripted_replies_come_once_each_and_take_effect() {
    let sandbox = start().await;
    let control = sandbox.control();
    control.next_reply(Stage::Mail, "451 4.3.0 Try later");
    control.next_reply(Stage::Rcpt, "450 4.2.1 Busy");
    control.next_reply(Stage::AfterData, b"554 5.7.1 Refus\xe9".to_vec());
    control.next_reply(Stage::AfterData, "250-2.0.0 Taken\r\n250 2.0.0 as <new@id>");
    let mut peer = signed_in(&sandbox).await;
    peer.play(
        "C: MAIL FROM:<jane@acme.example>
         S: 451 4.3.0 Try later
         C: MAIL FROM:<jane@acme.example>
         S: 250 …
         C: RCPT TO:<a@else.example>
         S: 450 4.2.1 Busy
         C: RSET
         S: 250 …",
    )
    .await;
    send_message(&mut peer).await;
    assert_eq!(
        peer.read_line_bytes().await.unwrap(),
        b"554 5.7.1 Refus\xe9"
    );
    assert_eq!(control.delivered().len(), 0);
    send_message(&mut peer).await;
    peer.play("S: 250-2.0.0 Taken\nS: 250 2.0.0 as <new@id>")
        .await;
    assert_eq!(control.delivered().len(), 1);
    control.next_reply(Stage::Mail, "421 4.3.2 Going down");
    peer.play("C: MAIL FROM:<jane@acme.example>\nS: 421 4.3.2 Going down\nS: <closed>")
        .await;
}

#[tokio::test]
async fn a_revoked_session_is_told_at_its_next_command() {
    let sandbox = start().await;
    let mut peer = signed_in(&sandbox).await;
    sandbox.control().revoke(JANE).unwrap();
    peer.play("C: MAIL FROM:<jane@acme.example>\nS: 421 4.7.0 …\nS: <closed>")
        .await;
}

#[tokio::test]
async fn revoke_after_answers_the_last_message_and_stores_no_more_on_any_connection() {
    let sandbox = start().await;
    let (access, _) = sign_in(&sandbox).await;
    sandbox.control().revoke_after(JANE, 2).unwrap();
    let (mut one, mut other) = (signed_in(&sandbox).await, signed_in(&sandbox).await);
    other.play(MESSAGE).await;
    for _ in 0..2 {
        send_message(&mut one).await;
        one.play("S: 250 2.0.0 …").await;
    }
    other.play("C: .\nS: 421 4.7.0 …\nS: <closed>").await;
    one.play("C: NOOP\nS: 421 4.7.0 …\nS: <closed>").await;
    assert_eq!(sandbox.control().delivered().len(), 2);
    assert!(!sandbox.control().grants(JANE)[0].live);
    let mut peer = connect(&sandbox).await;
    peer.play(&format!(
        "C: AUTH XOAUTH2 {}\nS: 334 …\nC:\nS: 535 …",
        xoauth2(JANE, &access)
    ))
    .await;
}

#[tokio::test]
async fn connections_lost_after_the_dot_are_counted_by_the_seed() {
    const ROUNDS: usize = 40;
    let mut outcomes = Vec::new();
    for seed in [7, 7, 8] {
        let sandbox = start_with(|options| options.seed = seed).await;
        let fault = DropAfterData {
            chance: 0.5,
            stored_share: 0.5,
        };
        sandbox.control().drop_after_data(fault);
        let (mut answered, mut lost, mut lost_and_stored) = (0, 0, 0);
        let mut order = Vec::new();
        for _ in 0..ROUNDS {
            let mut peer = signed_in(&sandbox).await;
            let before = sandbox.control().delivered().len();
            send_message(&mut peer).await;
            let reply = peer.read_line().await;
            let stored = sandbox.control().delivered().len() - before;
            if let Some(reply) = reply {
                assert!(reply.starts_with("250") && stored == 1, "{reply}");
                answered += 1;
            } else {
                lost += 1;
                lost_and_stored += stored;
            }
            order.push(stored);
        }
        assert!(answered > 0 && lost > 0, "{answered} {lost}");
        assert!(
            lost_and_stored > 0 && lost_and_stored < lost,
            "{lost_and_stored} of {lost}"
        );
        let copies = sandbox
            .control()
            .folder(JANE, "Sent")
            .unwrap()
            .messages
            .len();
        assert_eq!(
            copies,
            answered + lost_and_stored,
            "each stored message is copied"
        );
        outcomes.push(order);
    }
    assert_eq!(outcomes[0], outcomes[1], "one seed, one order of events");
    assert_ne!(outcomes[0], outcomes[2]);
}

#[tokio::test]
async fn other_faults_are_told_as_servers_tell_them() {
    let sandbox = start().await;
    let control = sandbox.control();
    let plain = |password: &str| STANDARD.encode(format!("\0{JANE}\0{password}"));

    control.switch_smtp_auth_off(true);
    let mut peer = connect(&sandbox).await;
    peer.play(&format!(
        "C: AUTH PLAIN {}\nS: 535 5.7.139 …",
        plain(PASSWORD)
    ))
    .await;
    control.reset_faults();

    control.lock(JANE, true).unwrap();
    peer.play(&format!(
        "C: AUTH PLAIN {}\nS: 525 5.7.13 …",
        plain(PASSWORD)
    ))
    .await;
    control.lock(JANE, false).unwrap();

    let app_password = control.demand_app_password(JANE).unwrap();
    peer.play(&format!(
        "C: AUTH PLAIN {}\nS: 534 5.7.9 …\nC: AUTH PLAIN {}\nS: 235 …",
        plain(PASSWORD),
        plain(&app_password)
    ))
    .await;
    control.reset_faults();

    control.change_password(JANE, "another").unwrap();
    peer.play("C: NOOP\nS: 421 4.7.0 …").await;
    control.rate_limit(JANE, 1).unwrap();
    let mut peer = connect(&sandbox).await;
    peer.play(&format!(
        "C: AUTH PLAIN {}\nS: 535 …\nC: AUTH PLAIN {}\nS: 235 …",
        plain(PASSWORD),
        plain("another")
    ))
    .await;
    send_message(&mut peer).await;
    peer.play("S: 250 …\nC: MAIL FROM:<jane@acme.example>\nS: 450 4.7.1 …")
        .await;

    control.down(true);
    let mut refused = Peer::connect_plain(sandbox.submission()).await;
    refused.play("S: <closed>").await;
    control.down(false);
    control.answer_garbage(true);
    peer.send("NOOP").await;
    assert!(
        peer.read_line_bytes()
            .await
            .unwrap()
            .starts_with(b"\x00\xff")
    );
    control.reset_faults();
    wait_for("the port is open again", || {
        !sandbox.control().delivered().is_empty()
    })
    .await;
    peer.play("C: NOOP\nS: 250 …").await;
}
