//! Conversations of the IMAP adapter with a scripted server, over real TLS. What single responses
//! mean is tested beside the code that reads them.
#![cfg(test)]

use protocol::evidence::{Finding, IoFault, Party, Said, Stage};
use protocol::reply::{ImapReply, ImapStatus};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::failure::Failure;
use relay::imap::{Appended, Folder, Header, Position, Session, SpecialUse, find_sent_folder};
use relay::sign_in::SignIn;

use crate::peer::Peer;

mod idle;
mod odd;

const TOKEN: &str = "ya29.a0AfB_byC-token";

/// base64 of `user=jane@acme.example^Aauth=Bearer ya29.a0AfB_byC-token^A^A`.
const XOAUTH2: &str =
    "dXNlcj1qYW5lQGFjbWUuZXhhbXBsZQFhdXRoPUJlYXJlciB5YTI5LmEwQWZCX2J5Qy10b2tlbgEB";

/// base64 of NUL `jane@acme.example` NUL `correct horse`.
const PLAIN: &str = "AGphbmVAYWNtZS5leGFtcGxlAGNvcnJlY3QgaG9yc2U=";

fn bearer() -> SignIn {
    SignIn::Bearer {
        user: "jane@acme.example".into(),
        access_token: Secret::new(TOKEN),
    }
}

fn password() -> SignIn {
    SignIn::Password {
        user: "jane@acme.example".into(),
        password: Secret::new("correct horse"),
    }
}

/// Plays `script` against [`Session::open`] and gives what came of it; the script must end there.
async fn open_with(sign_in: &SignIn, script: &str) -> Result<(), Failure> {
    let script = script
        .replace("XOAUTH2_RESPONSE", XOAUTH2)
        .replace("PLAIN_RESPONSE", PLAIN);
    let peer = Peer::start(&script).await;
    let opened = Session::open(&peer.dialer(), &peer.server, sign_in).await;
    let opened = opened.map(|session| assert!(session.is_usable()));
    peer.finish().await;
    if let Err(failure) = &opened {
        let words = format!("{failure} {failure:?}");
        assert!(
            !words.contains(TOKEN) && !words.contains("correct horse"),
            "{words}"
        );
        assert!(
            !words.contains(XOAUTH2) && !words.contains(PLAIN),
            "{words}"
        );
    }
    opened
}

async fn refused_with(sign_in: &SignIn, script: &str) -> (Stage, Said) {
    let failure = open_with(sign_in, &format!("TLS\n{script}"))
        .await
        .unwrap_err();
    assert_eq!(failure.party, Party::Imap);
    (failure.stage, failure.said)
}

/// Signs in, then goes on with `script`.
async fn signed_in(capabilities: &str, script: &str) -> (Session, Peer) {
    let script = format!(
        "TLS
         S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready
         C: U1 AUTHENTICATE XOAUTH2 {XOAUTH2}
         S: U1 OK [CAPABILITY IMAP4rev1 {capabilities}] welcome
         {script}"
    );
    let peer = Peer::start(&script).await;
    let session = Session::open(&peer.dialer(), &peer.server, &bearer())
        .await
        .unwrap();
    (session, peer)
}

/// Hangs up; the script must have ended.
async fn end(session: Session, peer: Peer) {
    drop(session);
    peer.finish().await;
}

/// As `signed_in`, with INBOX examined.
async fn examined(script: &str) -> (Session, Peer) {
    let script = format!(
        "C: U2 EXAMINE \"INBOX\"
         S: * 3 EXISTS
         S: * OK [UIDVALIDITY 7] valid
         S: * OK [UIDNEXT 20] next
         S: U2 OK [READ-ONLY] done
         {script}"
    );
    let (mut session, peer) = signed_in("", &script).await;
    session.examine(&Folder::inbox()).await.unwrap();
    (session, peer)
}

/// The headers of every message from `from_uid` on, as the worker reads a gap.
async fn fetch_headers(session: &mut Session, from_uid: u32) -> Result<Vec<Header>, Failure> {
    let uids = session.list_uids(from_uid).await?;
    session.fetch_headers_of(&uids).await
}

fn reply(status: ImapStatus, code: Option<&str>, text: &str) -> Said {
    Said::Imap(ImapReply {
        status,
        code: code.map(str::to_owned),
        text: text.to_owned(),
    })
}

fn is_garbage(said: &Said, part: &str) -> bool {
    matches!(said, Said::Garbage { detail } if detail.contains(part))
}

fn uids(headers: &[Header]) -> Vec<u32> {
    headers.iter().map(|header| header.uid).collect()
}

#[tokio::test]
async fn xoauth2_signs_in_with_and_without_an_initial_response() {
    for script in [
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready
         C: U1 AUTHENTICATE XOAUTH2 XOAUTH2_RESPONSE
         S: U1 OK [CAPABILITY IMAP4rev1 UIDPLUS] welcome",
        "S: * OK ready
         C: U1 CAPABILITY
         S: * CAPABILITY IMAP4rev1 AUTH=XOAUTH2
         S: U1 OK done
         C: U2 AUTHENTICATE XOAUTH2
         S: +
         C: XOAUTH2_RESPONSE
         S: * CAPABILITY IMAP4rev1 UIDPLUS
         S: U2 OK welcome",
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready
         C: U1 AUTHENTICATE XOAUTH2 XOAUTH2_RESPONSE
         S: U1 OK welcome
         C: U2 CAPABILITY
         S: * CAPABILITY IMAP4rev1
         S: U2 OK done",
    ] {
        open_with(&bearer(), &format!("TLS\n{script}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_refused_token_is_told_in_the_servers_words_and_its_challenge() {
    // The challenge is {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}.
    let said = refused_with(
        &bearer(),
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready
         C: U1 AUTHENTICATE XOAUTH2 XOAUTH2_RESPONSE
         S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
         C:
         S: U1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    )
    .await;
    let text = "Invalid credentials (Failure)\n\
                {\"status\":\"400\",\"schemes\":\"Bearer\",\"scope\":\"https://mail.google.com/\"}";
    assert_eq!(
        said,
        (
            Stage::Auth,
            reply(ImapStatus::No, Some("AUTHENTICATIONFAILED"), text)
        )
    );
}

#[tokio::test]
async fn every_kind_of_refusal_at_sign_in_keeps_its_words() {
    for (answer, said) in [
        (
            "S: U1 NO [LIMIT] Too many simultaneous connections",
            reply(
                ImapStatus::No,
                Some("LIMIT"),
                "Too many simultaneous connections",
            ),
        ),
        ("S: U1 NO", reply(ImapStatus::No, None, "")),
        (
            "S: U1 NO [authenticationfailed] Пароль неверен",
            reply(
                ImapStatus::No,
                Some("AUTHENTICATIONFAILED"),
                "Пароль неверен",
            ),
        ),
        (
            r"S! U1 NO [ALERT] Ung\xfcltig\r\n",
            reply(ImapStatus::No, Some("ALERT"), "Ung\u{fffd}ltig"),
        ),
        (
            "S: * NO [WEBALERT https://mail.example/unlock] Web login required.
             S: U1 NO [ALERT] Please log in via your web browser",
            reply(
                ImapStatus::No,
                Some("ALERT"),
                "Please log in via your web browser\n\
                 [WEBALERT] https://mail.example/unlock Web login required.",
            ),
        ),
        (
            "S: U1 BAD cannot read AUTHENTICATE XOAUTH2 XOAUTH2_RESPONSE",
            reply(
                ImapStatus::Bad,
                None,
                "cannot read AUTHENTICATE XOAUTH2 [secret]",
            ),
        ),
        (
            "S: * BYE [UNAVAILABLE] Back soon
             close",
            reply(ImapStatus::Bye, Some("UNAVAILABLE"), "Back soon"),
        ),
        (
            "S: * BYE Too many failures
             S: U1 NO [AUTHENTICATIONFAILED] Wrong",
            reply(ImapStatus::No, Some("AUTHENTICATIONFAILED"), "Wrong"),
        ),
    ] {
        let script = format!(
            "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready
             C: U1 AUTHENTICATE XOAUTH2 XOAUTH2_RESPONSE
             {answer}"
        );
        assert_eq!(
            refused_with(&bearer(), &script).await,
            (Stage::Auth, said),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_password_goes_by_plain_or_else_by_login() {
    for script in [
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN LOGINDISABLED] ready
         C: U1 AUTHENTICATE PLAIN PLAIN_RESPONSE
         S: U1 OK [CAPABILITY IMAP4rev1] welcome",
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready
         C: U1 AUTHENTICATE PLAIN
         S: +
         C: PLAIN_RESPONSE
         S: U1 OK [CAPABILITY IMAP4rev1] welcome",
        "S: * OK [CAPABILITY IMAP4rev1] ready
         C: U1 LOGIN \"jane@acme.example\" \"correct horse\"
         S: U1 OK [CAPABILITY IMAP4rev1] welcome",
    ] {
        open_with(&password(), &format!("TLS\n{script}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_password_beyond_ascii_goes_as_a_literal() {
    let sign_in = SignIn::Password {
        user: "jane".into(),
        password: Secret::new("pässword"),
    };
    let script = "TLS
                  S: * OK [CAPABILITY IMAP4rev1] ready
                  C: U1 LOGIN \"jane\" {9}
                  S: + go on
                  C: pässword
                  S: U1 OK [CAPABILITY IMAP4rev1] welcome";
    open_with(&sign_in, script).await.unwrap();
}

#[tokio::test]
async fn nothing_is_tried_that_the_server_does_not_offer() {
    let (stage, said) = refused_with(
        &password(),
        "S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2] hi",
    )
    .await;
    assert_eq!(stage, Stage::Auth);
    let not_offered = |needed: &str, offered: &str| {
        Said::Found(Finding::NoSignInOffered {
            needed: needed.to_owned(),
            offered: offered.to_owned(),
        })
    };
    let needed = "AUTH=PLAIN or LOGIN";
    assert_eq!(said, not_offered(needed, "AUTH=XOAUTH2, LOGINDISABLED"));

    let (stage, said) =
        refused_with(&bearer(), "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi").await;
    assert_eq!(stage, Stage::Auth);
    assert_eq!(said, not_offered("AUTH=XOAUTH2", "AUTH=PLAIN"));
}

#[tokio::test]
async fn the_greeting_may_refuse_or_be_no_greeting() {
    let said = refused_with(
        &bearer(),
        "S: * BYE [LIMIT] Connection limit reached\nclose",
    )
    .await;
    let bye = reply(ImapStatus::Bye, Some("LIMIT"), "Connection limit reached");
    assert_eq!(said, (Stage::Greeting, bye));

    for (script, part) in [
        ("S: hello", "expected an IMAP response, got: hello"),
        ("S: * 3 EXISTS", "expected a greeting"),
        ("S: * PREAUTH welcome back", "PREAUTH"),
    ] {
        let (stage, said) = refused_with(&bearer(), script).await;
        assert_eq!(stage, Stage::Greeting);
        assert!(is_garbage(&said, part), "{said:?}");
    }

    let (stage, said) = refused_with(&bearer(), "close").await;
    assert_eq!(stage, Stage::Greeting);
    assert!(
        matches!(
            said,
            Said::Io {
                fault: IoFault::Closed,
                ..
            }
        ),
        "{said:?}"
    );
}

#[tokio::test]
async fn starttls_begins_anew_after_the_handshake() {
    let script = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready
                  C: U1 STARTTLS
                  S: U1 OK begin
                  TLS
                  C: U1 CAPABILITY
                  S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2
                  S: U1 OK done
                  C: U2 AUTHENTICATE XOAUTH2 XOAUTH2_RESPONSE
                  S: U2 OK [CAPABILITY IMAP4rev1] welcome";
    open_with(&bearer(), script).await.unwrap();
}

/// Row: reading server without TLS | the IMAP server offers no STARTTLS | `tls_failed`
#[tokio::test]
async fn without_tls_nothing_goes_on() {
    for (script, stage, part) in [
        (
            "S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ready",
            Stage::Tls,
            "does not offer STARTTLS",
        ),
        (
            "S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi",
            Stage::Greeting,
            "PREAUTH",
        ),
        (
            "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready
             C: U1 STARTTLS
             S! U1 OK begin\\r\\n* OK [CAPABILITY AUTH=XOAUTH2] injected\\r\\n",
            Stage::Tls,
            "without TLS",
        ),
        (
            "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready
             C: U1 STARTTLS
             S: U1 NO [UNAVAILABLE] no certificate",
            Stage::Tls,
            "no certificate",
        ),
    ] {
        let failure = open_with(&bearer(), script).await.unwrap_err();
        assert_eq!(failure.stage, stage, "{failure:?}");
        assert!(failure.said.to_string().contains(part), "{failure:?}");
    }
}

#[tokio::test]
async fn folders_are_listed_with_their_use_where_the_server_tells_it() {
    let (mut session, peer) = signed_in(
        "LIST-EXTENDED SPECIAL-USE",
        r#"C: U2 LIST "" "*" RETURN (SPECIAL-USE)
           S: * LIST (\HasNoChildren) "/" INBOX
           S: * LIST (\HasNoChildren \Sent) "/" "Gesendete Objekte"
           S: * LIST (\Noselect) "/" [Gmail]
           S: * XNEWS 4 ((unheard of
           S! * LIST (\\Drafts) "/" {14}\r\nEntw&APw-rfe 2\r\n
           S: U2 OK done"#,
    )
    .await;
    let folders = session.list_folders().await.unwrap();
    end(session, peer).await;
    let listed: Vec<_> = folders
        .iter()
        .map(|folder| (folder.name.as_str(), folder.special_use, folder.selectable))
        .collect();
    assert_eq!(
        listed,
        [
            ("INBOX", None, true),
            ("Gesendete Objekte", Some(SpecialUse::Sent), true),
            ("[Gmail]", None, false),
            ("Entwürfe 2", Some(SpecialUse::Drafts), true),
        ]
    );
    assert_eq!(find_sent_folder(&folders), folders.get(1));
}

#[tokio::test]
async fn folders_are_listed_where_the_server_tells_no_use_and_named_as_it_names_them() {
    let (mut session, peer) = signed_in(
        "",
        r#"C: U2 LIST "" "*"
           S: * LIST () "." INBOX
           S: * LIST () "." INBOX.Sent
           S: * LIST () "." "INBOX.&BB4EQgQ,-"
           S: * LIST () "." "INBOX.Отправленные"
           S: U2 OK done
           C: U3 EXAMINE "INBOX.&BB4EQgQ,-"
           S: U3 NO [NONEXISTENT] gone
           C: U4 EXAMINE {30}
           S: + go on
           C: INBOX.Отправленные
           S: U4 NO [NONEXISTENT] gone"#,
    )
    .await;
    let folders = session.list_folders().await.unwrap();
    assert_eq!(
        find_sent_folder(&folders).map(|folder| folder.name.as_str()),
        Some("INBOX.Sent")
    );
    for folder in &folders[2..] {
        let failure = session.examine(folder).await.unwrap_err();
        let gone = reply(ImapStatus::No, Some("NONEXISTENT"), "gone");
        assert_eq!((failure.stage, failure.said), (Stage::Folder, gone));
        assert!(session.is_usable());
    }
    end(session, peer).await;
}

#[tokio::test]
async fn a_folders_position_is_read_and_asked_for_where_it_is_not_told() {
    let (mut session, peer) = signed_in(
        "",
        r#"C: U2 EXAMINE "INBOX"
           S: * FLAGS (\Seen $a]b)
           S: * 172 EXISTS
           S: * 0 RECENT
           S: * OK [UNSEEN 12] Message 12 is first unseen
           S: * OK [UIDVALIDITY 3857529045] UIDs valid
           S: * OK [UIDNEXT 4392] Predicted next UID
           S: U2 OK [READ-ONLY] done
           C: U3 EXAMINE "INBOX"
           S: * 2 EXISTS
           S: * OK [UIDVALIDITY 5]
           S: U3 OK done
           C: U4 STATUS "INBOX" (UIDVALIDITY UIDNEXT)
           S: * STATUS INBOX (UIDNEXT 9 UIDVALIDITY 5 APPENDLIMIT 7)
           S: U4 OK done
           C: U5 EXAMINE "INBOX"
           S: * 2000 EXISTS
           S: U5 OK done
           C: U6 STATUS "INBOX" (UIDVALIDITY UIDNEXT)
           S: U6 NO [UNAVAILABLE] not now
           C: U7 UID FETCH * (UID)
           S: U7 NO [UNAVAILABLE] not now
           C: U8 FETCH 2000 (UID)
           S: U8 NO [UNAVAILABLE] not now
           C: U9 UID FETCH 1:* (UID)
           S: U9 NO [UNAVAILABLE] not now"#,
    )
    .await;
    let inbox = Folder::inbox();
    let told = Position {
        uid_validity: 3_857_529_045,
        uid_next: 4392,
        n_messages: 172,
    };
    assert_eq!(session.examine(&inbox).await, Ok(told));
    let asked = Position {
        uid_validity: 5,
        uid_next: 9,
        n_messages: 2,
    };
    assert_eq!(session.examine(&inbox).await, Ok(asked));
    let said = session.examine(&inbox).await.unwrap_err().said;
    let refused = reply(ImapStatus::No, Some("UNAVAILABLE"), "not now");
    assert_eq!(said, refused);
    end(session, peer).await;
}

#[tokio::test]
async fn headers_are_read_whatever_comes_in_between() {
    let (mut session, peer) = examined(
        r#"C: U3 UID FETCH 10:* (UID)
           S: * 1 FETCH (UID 12)
           S: * 3 EXPUNGE
           S: * 2 FETCH (UID 19)
           S: U3 OK done
           C: U4 UID FETCH 12:19 (UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.262144>)
           S: * 4 EXISTS
           S! * 2 FETCH (UID 19 RFC822.SIZE 99 INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[HEADER]<0> {14}\r\nA: \x00\xff)\r\n\r\nB: \r)\r\n
           S: * 1 FETCH (FLAGS (\Seen) UID 12)
           S! * 1 FETCH (BODY[HEADER] {8}\r\nTo: x\r\n\r UID 12)\r\n
           S: * 4 FETCH (UID 25 BODY[HEADER]<0> "To: newer")
           S: * OK [ALERT] Disk nearly full, {5}
           S: U4 OK done"#,
    )
    .await;
    let headers = fetch_headers(&mut session, 10).await.unwrap();
    end(session, peer).await;
    assert_eq!(
        headers,
        [
            Header {
                uid: 12,
                size_bytes: None,
                internal_date: None,
                bytes: b"To: x\r\n\r".to_vec(),
            },
            Header {
                uid: 19,
                size_bytes: Some(99),
                // 1996-07-17T09:44:25Z
                internal_date: Some(Timestamp::from_ms(837_596_665_000)),
                bytes: b"A: \0\xff)\r\n\r\nB: \r".to_vec(),
            },
        ]
    );
}

#[tokio::test]
async fn the_last_message_below_the_range_is_not_taken_for_a_new_one() {
    let (mut session, peer) = examined(
        "C: U3 UID FETCH 20:* (UID)
         S: * 3 FETCH (UID 19)
         S: U3 OK done",
    )
    .await;
    assert_eq!(fetch_headers(&mut session, 20).await, Ok(Vec::new()));
    end(session, peer).await;
}

#[tokio::test]
async fn an_empty_folder_is_not_asked_for_messages_until_one_comes() {
    let (mut session, peer) = signed_in(
        "",
        "C: U2 EXAMINE \"INBOX\"
         S: * 0 EXISTS
         S: * OK [UIDVALIDITY 7]
         S: * OK [UIDNEXT 1]
         S: U2 OK done
         C: U3 NOOP
         S: U3 OK done
         C: U4 NOOP
         S: * 1 EXISTS
         S: U4 OK done
         C: U5 UID FETCH 1:* (UID)
         S: * 1 FETCH (UID 1)
         S: U5 OK done",
    )
    .await;
    session.examine(&Folder::inbox()).await.unwrap();
    assert_eq!(fetch_headers(&mut session, 1).await, Ok(Vec::new()));
    assert_eq!(session.list_uids(1).await, Ok(vec![1]));
    end(session, peer).await;
}

#[tokio::test]
async fn many_headers_are_read_in_slices() {
    let listed: Vec<String> = (1..=450)
        .map(|uid| format!("S: * {uid} FETCH (UID {})", uid * 3))
        .collect();
    let slice = |tag: u32, range: std::ops::RangeInclusive<u32>| {
        let fetched: Vec<String> = range
            .clone()
            .map(|uid| format!("S: * {uid} FETCH (UID {} BODY[HEADER]<0> \"\")", uid * 3))
            .collect();
        format!(
            "C: U{tag} UID FETCH {}:{} (UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.262144>)
             {}
             S: U{tag} OK done",
            range.start() * 3,
            range.end() * 3,
            fetched.join("\n")
        )
    };
    let script = format!(
        "C: U3 UID FETCH 1:* (UID)\n{}\nS: U3 OK done\n{}\n{}\n{}",
        listed.join("\n"),
        slice(4, 1..=200),
        slice(5, 201..=400),
        slice(6, 401..=450)
    );
    let (mut session, peer) = examined(&script).await;
    let headers = fetch_headers(&mut session, 1).await.unwrap();
    end(session, peer).await;
    assert_eq!(
        uids(&headers),
        (1..=450).map(|uid| uid * 3).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_server_that_is_out_of_step_is_left() {
    for answer in ["S: U9 OK done", "S: + more", "S* what is this\\r\\n"] {
        let (mut session, peer) = examined(&format!("C: U3 UID FETCH 1:* (UID)\n{answer}")).await;
        let failure = fetch_headers(&mut session, 1).await.unwrap_err();
        assert!(
            matches!(failure.said, Said::Garbage { .. }),
            "{answer}: {failure:?}"
        );
        assert!(!session.is_usable());
        end(session, peer).await;
    }
}

#[tokio::test]
async fn a_message_is_read_up_to_the_size_asked_for() {
    let (mut session, peer) = examined(
        r"C: U3 UID FETCH 12 (UID BODY.PEEK[]<0.10>)
          S! * 1 FETCH (UID 12 BODY[]<0> {10}\r\nTo: x\r\n\r\nh)\r\n
          S: * 2 FETCH (UID 13 FLAGS ())
          S: U3 OK done
          C: U4 UID FETCH 13 (UID BODY.PEEK[]<0.1>)
          S: U4 OK done
          C: U5 UID FETCH 14 (UID BODY.PEEK[]<0.33554432>)
          S: * 2 FETCH (UID 14 BODY[]<0> {99999999}",
    )
    .await;
    assert_eq!(
        session.fetch_message(12, 10).await,
        Ok(Some(b"To: x\r\n\r\nh".to_vec()))
    );
    assert_eq!(session.fetch_message(13, 0).await, Ok(None));
    let said = session.fetch_message(14, u32::MAX).await.unwrap_err().said;
    assert!(is_garbage(&said, "a response of more than"), "{said:?}");
    end(session, peer).await;
}

#[tokio::test]
async fn a_copy_is_appended_when_the_server_says_go_on() {
    let (mut session, peer) = signed_in(
        "UIDPLUS",
        r#"C: U2 APPEND "INBOX" (\Seen) {10}
           S: + go on
           C: To: x
           C:
           C: h
           S: U2 OK [APPENDUID 38505 3955] done
           C: U3 APPEND "INBOX" (\Seen) {1}
           S: + go on
           C: h
           S: U3 OK done
           C: U4 APPEND "INBOX" (\Seen) {1}
           S: U4 NO [OVERQUOTA] full
           C: U5 NOOP
           S: U5 OK done"#,
    )
    .await;
    let inbox = Folder::inbox();
    let appended = session.append(&inbox, b"To: x\r\n\r\nh").await;
    assert_eq!(
        appended,
        Ok(Some(Appended {
            uid_validity: 38505,
            uid: 3955
        }))
    );
    assert_eq!(session.append(&inbox, b"h").await, Ok(None));
    let said = session.append(&inbox, b"h").await.unwrap_err().said;
    assert_eq!(said, reply(ImapStatus::No, Some("OVERQUOTA"), "full"));
    assert_eq!(session.noop().await, Ok(()));
    end(session, peer).await;
}

#[tokio::test]
async fn an_end_in_the_middle_is_told_as_one_and_ends_the_session() {
    for (answer, part) in [
        (
            r"S! * 1 FETCH (UID 12 BODY[HEADER] {400}\r\nTo: x",
            "in the middle of a response",
        ),
        ("S: * 1 FETCH (UID 12)", "the server closed the connection"),
    ] {
        let script = format!("C: U3 UID FETCH 1:* (UID)\n{answer}\nclose");
        let (mut session, peer) = examined(&script).await;
        let failure = fetch_headers(&mut session, 1).await.unwrap_err();
        let closed = matches!(&failure.said, Said::Io { fault: IoFault::Closed, detail } if detail.contains(part));
        assert!(
            closed && failure.stage == Stage::Folder,
            "{answer}: {failure:?}"
        );
        assert!(!session.is_usable());
        assert!(session.noop().await.is_err());
        end(session, peer).await;
    }
}

#[tokio::test]
async fn a_server_that_left_meanwhile_has_its_reason_told() {
    let (mut session, peer) = signed_in("", "S: * BYE [INUSE] Idle for too long\nclose").await;
    peer.finish().await;
    let failure = session.noop().await.unwrap_err();
    assert_eq!(
        failure.said,
        reply(ImapStatus::Bye, Some("INUSE"), "Idle for too long")
    );
    assert!(!session.is_usable());
}

#[tokio::test]
async fn the_farewell_is_said() {
    let (session, peer) = signed_in("", "C: U2 LOGOUT\nS: * BYE bye\nS: U2 OK done\nclose").await;
    session.logout().await;
    peer.finish().await;
}

#[tokio::test]
async fn a_server_that_repeats_the_token_after_the_sign_in_is_kept_quiet_too() {
    for (line, is_bye) in [
        (format!("U2 NO [LIMIT {TOKEN}] {XOAUTH2}"), false),
        (format!("U2 NO [{TOKEN}] you are {TOKEN}"), false),
        (format!("* BYE {}", TOKEN.to_uppercase()), true),
    ] {
        let end = if is_bye { "close" } else { "C hangs up" };
        let script = format!("C: U2 NOOP\nS: {line}\n{end}");
        let (mut session, peer) = signed_in("", &script).await;
        let failure = session.noop().await.unwrap_err();
        drop(session);
        peer.finish().await;
        let words = format!("{failure:?}").to_lowercase();
        assert!(
            words.contains("[secret]")
                && !words.contains(&TOKEN.to_lowercase())
                && !words.contains(&XOAUTH2.to_lowercase()),
            "{words}"
        );
    }
}
