//! IMAP, line by line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Sandbox;

use super::oauth::sign_in;
use super::peer::Peer;
use super::{JANE, PASSWORD, start};

async fn connect(sandbox: &Sandbox) -> Peer {
    let mut peer = Peer::connect_tls(sandbox.imaps(), sandbox.ca_pem()).await;
    peer.play("S: * OK [CAPABILITY IMAP4REV1 SASL-IR IDLE UIDPLUS UNSELECT …] sandbox ready")
        .await;
    peer
}

async fn signed_in(sandbox: &Sandbox) -> Peer {
    let mut peer = connect(sandbox).await;
    peer.play(&format!(
        "C: a LOGIN {JANE} \"{PASSWORD}\"\nS: a OK signed in"
    ))
    .await;
    peer
}

fn deliver(sandbox: &Sandbox, subject: &str) {
    let raw =
        format!("From: lead@else.example\nSubject: {subject}\nMessage-ID: <{subject}@x>\n\nHi\n");
    sandbox.control().deliver(JANE, raw);
}

#[tokio::test]
async fn jane_signs_in_by_token_with_the_command_or_after_it() {
    let sandbox = start().await;
    let (access, _) = sign_in(&sandbox).await;
    let xoauth2 = STANDARD.encode(format!("user={JANE}\x01auth=Bearer {access}\x01\x01"));
    let bearer = STANDARD.encode(format!("n,a={JANE},\x01auth=Bearer {access}\x01\x01"));
    let plain = STANDARD.encode(format!("\0{JANE}\0{PASSWORD}"));
    for script in [
        format!("C: a AUTHENTICATE XOAUTH2 {xoauth2}"),
        format!("C: a AUTHENTICATE XOAUTH2\nS: +\nC: {xoauth2}"),
        format!("C: a AUTHENTICATE OAUTHBEARER {bearer}"),
        format!("C: a AUTHENTICATE PLAIN {plain}"),
    ] {
        let mut peer = connect(&sandbox).await;
        peer.play("C: z SELECT INBOX\nS: z BAD sign in first").await;
        peer.play(&script).await;
        peer.play("S: a OK signed in\nC: b LOGOUT\nS: * BYE …\nS: b OK done\nS: <closed>")
            .await;
    }
}

#[tokio::test]
async fn a_shared_mailbox_is_opened_with_a_permission_of_somebody_elses() {
    let sandbox = start().await;
    let (access, _) = sign_in(&sandbox).await;
    let john = "john@acme.example";
    let as_john = STANDARD.encode(format!("user={john}\x01auth=Bearer {access}\x01\x01"));
    let mut peer = connect(&sandbox).await;
    peer.play(&format!(
        "C: a AUTHENTICATE XOAUTH2 {as_john}\nS: + …\nC: \nS: a NO [AUTHENTICATIONFAILED] …"
    ))
    .await;
    sandbox.control().share(john, JANE).unwrap();
    peer.play(&format!(
        "C: b AUTHENTICATE XOAUTH2 {as_john}\nS: b OK signed in"
    ))
    .await;
    assert!(
        sandbox
            .control()
            .share("nobody@acme.example", JANE)
            .is_err()
    );
}

#[tokio::test]
async fn refusals_carry_their_codes() {
    let sandbox = start().await;
    let xoauth2 = STANDARD.encode(format!("user={JANE}\x01auth=Bearer wrong\x01\x01"));
    let challenge = STANDARD.encode(r#"{"schemes":"bearer","scope":"mail.read","status":"401"}"#);
    let mut peer = connect(&sandbox).await;
    peer.play(&format!(
        "C: a AUTHENTICATE XOAUTH2 {xoauth2}
         S: + {challenge}
         C:
         S: a NO [AUTHENTICATIONFAILED] token not accepted
         C: b LOGIN {JANE} wrong
         S: b NO [AUTHENTICATIONFAILED] …
         C: c AUTHENTICATE PLAIN
         S: +
         C: *
         S: c BAD cancelled
         C: d NONSENSE
         S: d BAD syntax error"
    ))
    .await;
}

#[tokio::test]
async fn folders_are_listed_with_their_special_use() {
    let sandbox = start().await;
    deliver(&sandbox, "one");
    let mut peer = signed_in(&sandbox).await;
    peer.play(
        "C: a LIST \"\" *
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent
         S: * LIST (\\HasNoChildren \\Junk) \"/\" Junk
         S: * LIST (\\HasNoChildren \\Archive) \"/\" Archive
         S: a OK done
         C: b STATUS INBOX (MESSAGES UIDNEXT UNSEEN)
         S: * STATUS INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 1)
         S: b OK done
         C: c STATUS Nowhere (MESSAGES)
         S: c NO [NONEXISTENT] no such folder
         C: d SELECT Nowhere
         S: d NO [NONEXISTENT] no such folder
         C: e LIST \"\" \"\"
         S: * LIST (\\Noselect) \"/\" \"\"
         S: e OK done",
    )
    .await;
}

#[tokio::test]
async fn messages_are_fetched_whole_and_in_part() {
    let sandbox = start().await;
    for subject in ["one", "two", "three"] {
        deliver(&sandbox, subject);
    }
    let mut peer = signed_in(&sandbox).await;
    peer.play(
        "C: a SELECT INBOX
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
         S: * 3 EXISTS
         S: * 0 RECENT
         S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] …
         S: * OK [UIDVALIDITY …] …
         S: * OK [UIDNEXT 4] …
         S: a OK [READ-WRITE] open
         C: b UID FETCH 2:* (FLAGS BODY.PEEK[HEADER.FIELDS (Message-ID)])
         S: * 2 FETCH (UID 2 FLAGS () BODY[HEADER.FIELDS (Message-ID)] {23}
         S: Message-ID: <two@x>
         S:
         S: )
         S: * 3 FETCH (UID 3 FLAGS () BODY[HEADER.FIELDS (Message-ID)] {25}
         S: Message-ID: <three@x>
         S:
         S: )
         S: b OK done
         C: c UID FETCH 9:* (UID)
         S: * 3 FETCH (UID 3)
         S: c OK done
         C: d FETCH 1 (RFC822.SIZE INTERNALDATE BODY[TEXT])
         S: * 1 FETCH (RFC822.SIZE 66 INTERNALDATE \"… +0000\" BODY[TEXT] {4}
         S: Hi
         S:  FLAGS (\\Seen))
         S: d OK done
         C: e FETCH 1 BODY.PEEK[]<6.4>
         S: * 1 FETCH (BODY[]<6> {4}
         S: lead)
         S: e OK done
         C: f FETCH 1 ENVELOPE
         S: f NO [CANNOT] …
         C: g UID STORE 3 +FLAGS (\\Deleted custom)
         S: * 3 FETCH (UID 3 FLAGS (\\Deleted custom))
         S: g OK done
         C: h UID SEARCH SINCE 1-Jan-2020 NOT DELETED
         S: * SEARCH 1 2
         S: h OK done
         C: i SEARCH OR HEADER Message-ID three@x UID *:2
         S: * SEARCH 2 3
         S: i OK done
         C: j EXPUNGE
         S: * 3 EXPUNGE
         S: j OK done
         C: k CLOSE
         S: k OK closed
         C: l FETCH 1 UID
         S: l BAD …",
    )
    .await;
}

#[tokio::test]
async fn a_message_is_appended_by_literal() {
    let sandbox = start().await;
    let mut peer = signed_in(&sandbox).await;
    peer.play(
        "C: a APPEND Sent (\\Seen) \"01-Feb-2026 10:00:00 +0100\" {18}
         S: + go on
         C: Subject: mine
         C: 
         C: 
         S: a OK [APPENDUID … 1] appended
         C: b APPEND Nowhere {3}
         S: + go on
         C: abc
         S: b NO [TRYCREATE] no such folder
         C: c EXAMINE Sent
         S: * FLAGS …
         S: * 1 EXISTS
         S: * 0 RECENT
         S: * OK [PERMANENTFLAGS ()] …
         S: * OK …
         S: * OK …
         S: c OK [READ-ONLY] open for reading
         C: d FETCH 1 (FLAGS INTERNALDATE)
         S: * 1 FETCH (FLAGS (\\Seen) INTERNALDATE \"01-Feb-2026 09:00:00 +0000\")
         S: d OK done
         C: e STORE 1 FLAGS ()
         S: e NO …",
    )
    .await;
}

#[tokio::test]
async fn what_comes_is_told_during_idle_and_between_commands() {
    let sandbox = start().await;
    let mut peer = signed_in(&sandbox).await;
    peer.play("C: a SELECT INBOX\nS: * FLAGS …\nS: * 0 EXISTS\nS: * 0 RECENT")
        .await;
    peer.play("S: * OK …\nS: * OK …\nS: * OK …\nS: a OK …\nC: b IDLE\nS: + idling")
        .await;
    deliver(&sandbox, "one");
    peer.play("S: * 1 EXISTS\nC: DONE\nS: b OK idle no more")
        .await;
    deliver(&sandbox, "two");
    peer.play("C: c NOOP\nS: * 2 EXISTS\nS: c OK done").await;
}

#[tokio::test]
async fn a_revoked_session_is_told_goodbye_even_while_idle() {
    let sandbox = start().await;
    let (mut idle, mut busy) = (signed_in(&sandbox).await, signed_in(&sandbox).await);
    idle.play("C: a IDLE\nS: + idling").await;
    sandbox.control().revoke(JANE).unwrap();
    idle.play("S: * BYE your sign-in was revoked\nS: <closed>")
        .await;
    busy.play("C: a NOOP\nS: * BYE your sign-in was revoked\nS: <closed>")
        .await;
}
