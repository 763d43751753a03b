//! Waiting for what comes: IDLE (RFC 2177) with a scripted server.

use std::time::Duration;

use protocol::evidence::{IoFault, Said};
use protocol::reply::ImapStatus;

use super::{end, examined, reply};

/// RFC 2177: waiting ends with the next command, and what is told meanwhile counts once.
#[tokio::test]
async fn a_server_tells_what_comes_until_the_next_command() {
    let script = "C: U3 IDLE
         S: + idling
         S: * OK Still here
         S: * 3 EXISTS
         S: * 0 RECENT
         S: * 2 FETCH (FLAGS (\\Seen))
         S: * 4 EXISTS
         C: DONE
         S: * 5 EXISTS
         S: U3 OK done
         C: U4 NOOP
         S: U4 OK done
         C: U5 IDLE
         S: * 6 EXISTS
         S: + go on
         S: * 1 EXPUNGE
         S: * 6 EXISTS
         C: DONE
         S: U5 OK done
         C: U6 NOOP
         S: U6 OK done";
    let (mut session, peer) = examined(script).await;
    assert!(session.begin_idle().await.unwrap());
    assert!(session.is_idling() && session.is_usable());
    session.wait_for_news().await.unwrap();
    assert_eq!(session.n_messages(), 4);
    session.noop().await.unwrap();
    assert!(!session.is_idling());
    assert!(session.begin_idle().await.unwrap());
    session.wait_for_news().await.unwrap();
    assert_eq!(session.n_messages(), 6);
    session.noop().await.unwrap();
    end(session, peer).await;
}

#[tokio::test]
async fn whoever_stops_listening_in_the_middle_of_a_line_loses_nothing() {
    let script = "C: U3 IDLE
         S: + idling
         S! * 4 EXI
         C: DONE
         S! STS\\r\\n
         S: U3 OK done
         C: U4 NOOP
         S: U4 OK done";
    let (mut session, peer) = examined(&script.replace("\\\\", "\\")).await;
    assert!(session.begin_idle().await.unwrap());
    let waiting = tokio::time::timeout(Duration::from_millis(50), session.wait_for_news());
    assert!(waiting.await.is_err(), "a line is not whole");
    session.noop().await.unwrap();
    end(session, peer).await;
}

#[tokio::test]
async fn a_server_that_leaves_or_ends_waiting_is_heard() {
    for (script, said) in [
        (
            "S: * BYE [UNAVAILABLE] shutting down\nclose",
            Some(reply(ImapStatus::Bye, Some("UNAVAILABLE"), "shutting down")),
        ),
        ("close", None),
    ] {
        let (mut session, peer) = examined(&format!("C: U3 IDLE\nS: + idling\n{script}")).await;
        assert!(session.begin_idle().await.unwrap());
        let failure = session.wait_for_news().await.unwrap_err();
        match said {
            Some(said) => assert_eq!(failure.said, said),
            None => assert!(
                matches!(
                    failure.said,
                    Said::Io {
                        fault: IoFault::Closed,
                        ..
                    }
                ),
                "{failure:?}"
            ),
        }
        assert!(!session.is_usable() && !session.is_idling());
        end(session, peer).await;
    }
    // By itself, as some do after a while: it is news, and begun anew.
    let (mut session, peer) =
        examined("C: U3 IDLE\nS: + idling\nS: U3 OK enough\nC: U4 NOOP\nS: U4 OK done").await;
    assert!(session.begin_idle().await.unwrap());
    session.wait_for_news().await.unwrap();
    assert!(session.is_usable() && !session.is_idling());
    session.noop().await.unwrap();
    end(session, peer).await;
    // Refused though it is offered: it is not asked for again.
    let (mut session, peer) =
        examined("C: U3 IDLE\nS: U3 BAD not today\nC: U4 NOOP\nS: U4 OK done").await;
    assert!(!session.begin_idle().await.unwrap());
    assert!(!session.offers_idle());
    session.noop().await.unwrap();
    end(session, peer).await;
}
