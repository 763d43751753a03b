//! What servers send that the standards do not have: one message or line of it keeps nobody from the others.

use protocol::cause::{Cause, classify};
use protocol::evidence::{Finding, Said, Stage};
use protocol::provider::ProviderId;
use protocol::reply::ImapStatus;
use protocol::timestamp::Timestamp;
use relay::imap::{Folder, PassedOver, Position, Session, find_sent_folder};

use super::{
    PLAIN, bearer, end, examined, open_with, password, refused_with, reply, signed_in, uids,
};
use crate::peer::Peer;

const ITEMS: &str = "(UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.262144>)";

/// A whole answer about one message.
fn whole(uid: u32) -> String {
    format!(
        "* 1 FETCH (UID {uid} INTERNALDATE \"23-Nov-2026 10:00:00 +0000\" RFC822.SIZE 120 \
         BODY[HEADER]<0> {{14}}\\r\\nSubject: x\\r\\n\\r\\n)\\r\\n"
    )
}

/// What is read of two messages, and what is passed over, where the server answers so.
async fn read_two(script: &str) -> (Vec<u32>, Vec<PassedOver>) {
    let (mut session, peer) = examined(script).await;
    let headers = session.fetch_headers_of(&[101, 102]).await.unwrap();
    assert!(session.is_usable());
    let passed_over = session.take_passed_over();
    assert_eq!(session.take_passed_over(), [], "told once");
    end(session, peer).await;
    (uids(&headers), passed_over)
}

#[tokio::test]
async fn a_message_that_the_server_refuses_is_found_by_halves_and_passed_over() {
    for refusal in [
        "NO [SERVERBUG] FETCH Server error while fetching messages",
        "NO Unable to parse message",
        "BAD Internal error",
    ] {
        let (read, passed_over) = read_two(&format!(
            "C: U3 UID FETCH 101:102 {ITEMS}
             S! {}
             S: U3 {refusal}
             C: U4 UID FETCH 102:102 {ITEMS}
             S: U4 {refusal}",
            whole(101)
        ))
        .await;
        assert_eq!(read, [101], "{refusal}");
        let [told] = passed_over.as_slice() else {
            panic!("{passed_over:?}")
        };
        assert!(told.uid == 102 && told.words == refusal, "{told:?}");
    }
}

#[tokio::test]
async fn the_one_message_of_many_is_asked_for_in_ever_smaller_slices() {
    let (mut session, peer) = examined(&format!(
        "C: U3 UID FETCH 1:4 {ITEMS}
         S: U3 NO no
         C: U4 UID FETCH 1:2 {ITEMS}
         S! {}{}
         S: U4 OK done
         C: U5 UID FETCH 3:4 {ITEMS}
         S: U5 NO no
         C: U6 UID FETCH 3:3 {ITEMS}
         S: U6 NO no
         C: U7 UID FETCH 4:4 {ITEMS}
         S! {}
         S: U7 OK done",
        whole(1),
        whole(2),
        whole(4)
    ))
    .await;
    let headers = session.fetch_headers_of(&[1, 2, 3, 4]).await.unwrap();
    assert_eq!(uids(&headers), [1, 2, 4]);
    let passed_over = session.take_passed_over();
    assert_eq!(
        passed_over.iter().map(|one| one.uid).collect::<Vec<_>>(),
        [3]
    );
    end(session, peer).await;
}

#[tokio::test]
async fn a_server_that_is_busy_or_gives_nothing_at_all_loses_no_message() {
    for code in ["UNAVAILABLE", "INUSE", "LIMIT", "OVERQUOTA"] {
        let (mut session, peer) = examined(&format!(
            "C: U3 UID FETCH 101:102 {ITEMS}
             S: U3 NO [{code}] Try later"
        ))
        .await;
        let failure = session.fetch_headers_of(&[101, 102]).await.unwrap_err();
        assert_eq!(failure.said, reply(ImapStatus::No, Some(code), "Try later"));
        assert_eq!(session.take_passed_over(), []);
        end(session, peer).await;
    }
    // 1:8 refused, then each half of it down to single messages, and then the folder's first one.
    let asked = [
        "1:8", "1:4", "1:2", "1:1", "2:2", "3:4", "3:3", "4:4", "5:8", "5:6", "5:5", "6:6", "7:8",
        "7:7", "8:8",
    ];
    let script: Vec<String> = (3..)
        .zip(asked)
        .map(|(tag, range)| {
            format!("C: U{tag} UID FETCH {range} {ITEMS}\nS: U{tag} NO The store is away")
        })
        .collect();
    let script = format!(
        "{}\nC: U18 FETCH 1 (UID BODY.PEEK[HEADER]<0.1024>)\nS: U18 NO The store is away",
        script.join("\n")
    );
    let (mut session, peer) = examined(&script).await;
    let all: Vec<u32> = (1..=8).collect();
    let failure = session.fetch_headers_of(&all).await.unwrap_err();
    assert_eq!(
        failure.said,
        reply(ImapStatus::No, None, "The store is away")
    );
    assert_eq!(session.take_passed_over(), []);
    assert!(session.is_usable());
    end(session, peer).await;
}

#[tokio::test]
async fn what_can_be_read_in_one_way_only_is_read() {
    for (name, second, expected) in [
        (
            "items in parentheses of their own",
            r"* 2 FETCH (UID 102 (RFC822.SIZE 20) BODY[HEADER]<0> {2}\r\n\r\n)\r\n",
            vec![101, 102],
        ),
        (
            "an item without content before the next",
            r"* 2 FETCH (UID 102 INTERNALDATE RFC822.SIZE BODY[HEADER]<0> {2}\r\n\r\n)\r\n",
            vec![101, 102],
        ),
        (
            "a list without its end",
            r"* 2 FETCH (UID 102 BODY[HEADER]<0> {2}\r\n\r\n\r\n",
            vec![101, 102],
        ),
        (
            "an empty line",
            r"\r\n* 2 FETCH (UID 102 BODY[HEADER]<0> {2}\r\n\r\n)\r\n\r\n\r\n",
            vec![101, 102],
        ),
        (
            "a bare word",
            r"OK\r\nFETCH done\r\n* 2 FETCH (UID 102 BODY[HEADER]<0> {2}\r\n\r\n)\r\n*\r\n",
            vec![101, 102],
        ),
        (
            "the rest of the items on a line without a star",
            r"* 2 FETCH (UID 102 BODY[HEADER]<0> {2}\r\n\r\n)\r\n RFC822.SIZE 120)\r\n",
            vec![101, 102],
        ),
        (
            "a rest that holds a text like an answer",
            r"* 2 FETCH (UID 102 BODY[HEADER]<0> {2}\r\n\r\n)\r\n BODY[TEXT] {10}\r\nU3 NO no\r\n)\r\n",
            vec![101, 102],
        ),
    ] {
        let (read, passed_over) = read_two(&format!(
            "C: U3 UID FETCH 101:102 {ITEMS}
             S! {}{second}
             S: U3 OK done",
            whole(101)
        ))
        .await;
        assert_eq!(read, expected, "{name}");
        assert_eq!(passed_over, [], "{name}");
    }
}

#[tokio::test]
async fn a_message_without_its_header_is_asked_for_alone_and_then_passed_over() {
    for second in [
        "* 2 FETCH (UID 102 RFC822.SIZE 20 BODY[HEADER]<0>)",
        "* 2 FETCH (UID 102 BODY[HEADER]<0> RFC822.SIZE 20)",
        "* 2 FETCH (UID 102 BODY[HEADER]<0> NIL)",
        "* 2 FETCH (UID 102 RFC822.SIZE 20 BODY[HEADER]<0> \"\")",
        "* 2 FETCH (UID 102 BODY[HEADER]<0> \"x)",
        "* 2 FETCH (UID 102 BODY[HEADER]<0> (x y))",
    ] {
        let (read, passed_over) = read_two(&format!(
            "C: U3 UID FETCH 101:102 {ITEMS}
             S! {}
             S: {second}
             S: U3 OK done
             C: U4 UID FETCH 102:102 {ITEMS}
             S: {second}
             S: U4 OK done",
            whole(101)
        ))
        .await;
        assert_eq!(read, [101], "{second}");
        let passed: Vec<u32> = passed_over.iter().map(|one| one.uid).collect();
        assert_eq!(passed, [102], "{second}");
    }
}

#[tokio::test]
async fn an_answer_that_names_no_message_is_that_of_the_one_that_was_asked_for() {
    let nameless = r"* 2 FETCH (BODY[HEADER]<0> {2}\r\n\r\n)\r\n";
    let (read, passed_over) = read_two(&format!(
        "C: U3 UID FETCH 101:102 {ITEMS}
         S! {}{nameless}
         S: U3 OK done
         C: U4 UID FETCH 102:102 {ITEMS}
         S! {nameless}
         S: U4 OK done",
        whole(101)
    ))
    .await;
    assert_eq!((read, passed_over), (vec![101, 102], vec![]));
}

#[tokio::test]
async fn what_is_gone_and_what_is_empty_is_no_fault() {
    let (read, passed_over) = read_two(&format!(
        "C: U3 UID FETCH 101:102 {ITEMS}
         S: * 1 FETCH (UID 101 RFC822.SIZE 2 BODY[HEADER]<0> \"\")
         S: U3 OK done"
    ))
    .await;
    assert_eq!((read, passed_over), (vec![101], vec![]));
}

#[tokio::test]
async fn a_line_of_a_list_that_cannot_be_read_is_searched_for() {
    let (mut session, peer) = examined(
        "C: U3 UID FETCH 10:* (UID)
         S: * 1 FETCH (UID 12)
         S: * 2 FETCH (UID what)
         S: * 3 FETCH (UID 19)
         S: U3 OK done
         C: U4 UID SEARCH UID 10:*
         S: * SEARCH 12 15 19
         S: U4 OK done",
    )
    .await;
    assert_eq!(session.list_uids(10).await, Ok(vec![12, 15, 19]));
    end(session, peer).await;
}

#[tokio::test]
async fn lines_without_end_that_say_nothing_end_the_connection() {
    for line in ["what is this\\r\\n", "\\r\\n", "x OK done\\r\\n"] {
        let (mut session, peer) = examined(&format!("C: U3 NOOP\nS* {line}")).await;
        let failure = session.noop().await.unwrap_err();
        assert!(
            matches!(failure.said, Said::Garbage { .. }),
            "{line}: {failure:?}"
        );
        assert!(!session.is_usable());
        end(session, peer).await;
    }
}

#[tokio::test]
async fn a_limit_of_messages_at_a_time_is_kept_from_whichever_end_the_server_goes() {
    for answer in ["NO", "OK"] {
        let (mut session, peer) = signed_in(
            "MESSAGELIMIT=2",
            &format!(
                "C: U2 EXAMINE \"INBOX\"
                 S: * 5 EXISTS
                 S: * OK [UIDVALIDITY 7]
                 S: * OK [UIDNEXT 20]
                 S: U2 OK done
                 C: U3 UID FETCH 10:* (UID)
                 S: * 5 FETCH (UID 19)
                 S: * 4 FETCH (UID 17)
                 S: U3 {answer} [MESSAGELIMIT 2 17] FETCH completed with 2 partial results
                 C: U4 UID FETCH 10:16 (UID)
                 S: * 3 FETCH (UID 15)
                 S: * 2 FETCH (UID 13)
                 S: U4 {answer} [MESSAGELIMIT 2 13] FETCH completed with 2 partial results
                 C: U5 UID FETCH 10:12 (UID)
                 S: * 1 FETCH (UID 11)
                 S: U5 OK done
                 C: U6 UID FETCH 10:* (UID)
                 S: * 1 FETCH (UID 11)
                 S: * 2 FETCH (UID 13)
                 S: U6 {answer} [MESSAGELIMIT 2 13] more
                 C: U7 UID FETCH 14:* (UID)
                 S: * 3 FETCH (UID 15)
                 S: U7 OK done
                 C: U8 UID FETCH 11:13 {ITEMS}
                 S! {}{}
                 S: U8 OK done
                 C: U9 UID FETCH 15:15 {ITEMS}
                 S! {}
                 S: U9 OK done",
                whole(11),
                whole(13),
                whole(15)
            ),
        )
        .await;
        session.examine(&Folder::inbox()).await.unwrap();
        assert_eq!(session.list_uids(10).await, Ok(vec![11, 13, 15, 17, 19]));
        assert_eq!(session.list_uids(10).await, Ok(vec![11, 13, 15]));
        let headers = session.fetch_headers_of(&[11, 13, 15]).await.unwrap();
        assert_eq!(uids(&headers), [11, 13, 15]);
        end(session, peer).await;
    }
}

#[tokio::test]
async fn a_folders_end_is_found_where_the_server_does_not_tell_it() {
    let examine = |n_messages: u32, told: &str| {
        format!(
            "C: U2 EXAMINE \"INBOX\"
             S: * {n_messages} EXISTS
             {told}
             S: U2 OK done"
        )
    };
    let status = "C: U3 STATUS \"INBOX\" (UIDVALIDITY UIDNEXT)";
    for (script, uid_validity, n_messages) in [
        (
            format!(
                "{}\n{status}\nS: * STATUS \"INBOX\" ()\nS: U3 OK done
                 C: U4 UID FETCH * (UID)\nS: * 2000 FETCH (UID 102)\nS: U4 OK done",
                examine(2_000, "S: * OK [UIDVALIDITY 7] valid")
            ),
            7,
            2_000,
        ),
        (
            format!(
                "{}\n{status}\nS: U3 NO not for an open folder
                 C: U4 UID FETCH * (UID)\nS: U4 BAD what\nC: U5 FETCH 2000 (UID)\nS: * 2000 FETCH (UID 102)\nS: U5 OK done",
                examine(2_000, "S: * OK [UIDVALIDITY 7] valid")
            ),
            7,
            2_000,
        ),
        (
            format!(
                "{}\n{status}\nS: * STATUS \"INBOX\" (UIDVALIDITY)\nS: U3 OK done
                 C: U4 UID FETCH * (UID)\nS: U4 OK done\nC: U5 FETCH 2000 (UID)\nS: U5 OK done
                 C: U6 UID FETCH 1:* (UID)\nS: * 1 FETCH (UID 101)\nS: * 2000 FETCH (UID 102)\nS: U6 OK done",
                examine(2_000, "S: * OK [UIDNEXT 0] next")
            ),
            0,
            2_000,
        ),
        // A small folder is listed at once, and one that tells 0 is not asked again.
        (
            format!(
                "{}\nC: U3 UID FETCH 1:* (UID)\nS: * 1 FETCH (UID 101)\nS: * 2 FETCH (UID 102)\nS: U3 OK done",
                examine(2, "S: * OK [UIDVALIDITY 7] valid\nS: * OK [UIDNEXT 0] next")
            ),
            7,
            2,
        ),
    ] {
        let (mut session, peer) = signed_in("", &script).await;
        let position = session.examine(&Folder::inbox()).await;
        let expected = Position {
            uid_validity,
            uid_next: 103,
            n_messages,
        };
        assert_eq!(position, Ok(expected));
        assert!(!session.tells_uid_next());
        end(session, peer).await;
    }
}

#[tokio::test]
async fn what_came_since_a_day_is_searched_for_and_never_all_is_listed() {
    // 2026-11-23T10:00:00Z
    let since = Timestamp::from_ms(1_795_428_000_000);
    let script = "C: U2 EXAMINE \"Work\"
         S: * 100000 EXISTS
         S: * OK [UIDVALIDITY 7]
         S: * OK [UIDNEXT 200001]
         S: U2 OK done";
    for (rest, expected) in [
        (
            "C: U3 UID SEARCH SINCE 23-Nov-2026
             S: * SEARCH 9 150000
             S: U3 OK done
             C: U4 FETCH 99901:* (UID)
             S: * 100000 FETCH (UID 200000)
             S: U4 OK done",
            vec![9, 150_000, 200_000],
        ),
        (
            "C: U3 UID SEARCH SINCE 23-Nov-2026
             S: U3 NO [CANNOT] no search here
             C: U4 FETCH 99001:* (UID)
             S: * 100000 FETCH (UID 200000)
             S: U4 OK done",
            vec![200_000],
        ),
    ] {
        let (mut session, peer) =
            signed_in("", &format!("{}\n{rest}", script.replace("Work", "INBOX"))).await;
        session.examine(&Folder::inbox()).await.unwrap();
        assert_eq!(session.list_uids_since(since).await, Ok(expected));
        end(session, peer).await;
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_named_hides_no_other() {
    let (mut session, peer) = signed_in(
        "",
        r#"C: U2 LIST "" "*"
           S: * LIST (\HasNoChildren) "/" "INBOX"
           S: * LIST (\HasNoChildren) "/" "broken
           S: * LIST
           S: * LIST (\Noselect
           S: * LIST (\Sent) "/" "Sent"
           S: U2 OK done"#,
    )
    .await;
    let folders = session.list_folders().await.unwrap();
    let sent = find_sent_folder(&folders).map(|folder| folder.name.as_str());
    assert_eq!(sent, Some("Sent"));
    end(session, peer).await;
}

#[tokio::test]
async fn who_reads_is_said_where_the_server_asks_for_it_and_its_refusal_ends_nothing() {
    for answer in [
        "S: * ID (\"name\" \"server\")\nS: U4 OK done",
        "S: * ID NIL\nS: U4 OK done",
        "S: U4 BAD what",
        "S: U4 NO no",
    ] {
        let script = format!(
            "TLS
             S: * OK IMap Server Ready
             C: U1 CAPABILITY
             S: * CAPABILITY IMAP4rev1 UIDPLUS AUTH=PLAIN ID
             S: U1 OK done
             C: U2 AUTHENTICATE PLAIN
             S: +
             C: {PLAIN}
             S: U2 OK done
             C: U3 CAPABILITY
             S: * CAPABILITY IMAP4rev1
             S: U3 OK done
             C: U4 ID (\"name\" \"Unpause\")
             {answer}
             C: U5 NOOP
             S: U5 OK done"
        );
        let peer = Peer::start(&script).await;
        let opened = Session::open(&peer.dialer(), &peer.server, &password()).await;
        let mut session = opened.unwrap();
        assert_eq!(session.noop().await, Ok(()), "{answer}");
        end(session, peer).await;
    }
}

#[tokio::test]
async fn the_next_way_to_sign_in_is_tried_where_one_that_was_offered_is_not_known() {
    for refusal in [
        "BAD AUTHENTICATE PLAIN not supported",
        "NO Unsupported authentication mechanism",
    ] {
        open_with(
            &password(),
            &format!(
                "TLS
                 S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN] ready
                 C: U1 AUTHENTICATE PLAIN
                 S: U1 {refusal}
                 C: U2 LOGIN \"jane@acme.example\" \"correct horse\"
                 S: U2 OK [CAPABILITY IMAP4rev1] welcome"
            ),
        )
        .await
        .unwrap();
    }
    open_with(
        &password(),
        "TLS
         S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED SASL-IR AUTH=PLAIN AUTH=LOGIN] ready
         C: U1 AUTHENTICATE PLAIN PLAIN_RESPONSE
         S: U1 BAD what
         C: U2 AUTHENTICATE LOGIN
         S: + VXNlcm5hbWU6
         C: amFuZUBhY21lLmV4YW1wbGU=
         S: + UGFzc3dvcmQ6
         C: Y29ycmVjdCBob3JzZQ==
         S: U2 OK [CAPABILITY IMAP4rev1] welcome",
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_verdict_on_who_signs_in_is_no_reason_to_try_another_way() {
    let greeting = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=PLAIN] ready";
    for (sign_in, way, answer, said) in [
        (
            password(),
            "PLAIN PLAIN_RESPONSE",
            "NO [AUTHENTICATIONFAILED] no",
            reply(ImapStatus::No, Some("AUTHENTICATIONFAILED"), "no"),
        ),
        (
            bearer(),
            "XOAUTH2 XOAUTH2_RESPONSE",
            "BAD what",
            reply(ImapStatus::Bad, None, "what"),
        ),
    ] {
        let script = format!("{greeting}\nC: U1 AUTHENTICATE {way}\nS: U1 {answer}");
        assert_eq!(refused_with(&sign_in, &script).await, (Stage::Auth, said));
    }
    // Where no way is taken, what the first one was refused with is told.
    let script = "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready
                  C: U1 AUTHENTICATE PLAIN
                  S: U1 BAD no PLAIN
                  C: U2 LOGIN *
                  S: U2 BAD no LOGIN";
    let said = refused_with(&password(), script).await;
    let first = reply(ImapStatus::Bad, None, "no PLAIN");
    assert_eq!(said, (Stage::Auth, first));
}

#[tokio::test]
async fn another_service_at_the_port_is_named_at_once_as_settings_that_do_not_fit() {
    for (greeting, named) in [
        ("220 mail.example ESMTP ready", "an SMTP server"),
        ("+OK POP3 ready", "a POP3 server"),
        ("HTTP/1.1 400 Bad Request", "a web server"),
    ] {
        for tls in ["TLS\n", ""] {
            let peer = Peer::start(&format!("{tls}S: {greeting}")).await;
            let opened = Session::open(&peer.dialer(), &peer.server, &password()).await;
            let failure = opened.unwrap_err();
            peer.finish().await;
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
