//! A conversation that ends at any stage, in any way: what the ledger makes of the message.

use protocol::cause::{Cause, classify};
use protocol::evidence::{Party, Said};
use protocol::timestamp::Timestamp;
use relay::engine::outcome::{InboxDoes, decide_refused};
use relay::failure::Failure;
use relay::smtp::Outcome;

use super::{SMTP_SIGNED_IN, evidence, open_smtp, to_bob};
use crate::peer::Peer;

/// What is said at a stage, and what the ledger makes of it.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It waits, nothing was handed over, and no lead has lost anything.
    PutBack,
    /// This lead's turn comes later.
    Deferred,
    /// This lead's turn is over.
    Rejected,
    /// Only the sent folder or a person can tell.
    InDoubt,
    /// It is the server's.
    Accepted,
}

fn fate_of(outcome: Outcome) -> (Fate, Option<Cause>) {
    let failure = match outcome {
        Outcome::Accepted { .. } => return (Fate::Accepted, None),
        Outcome::InDoubt(_) => return (Fate::InDoubt, None),
        Outcome::NotHandedOver(failure) => failure,
        Outcome::Refused { stage, reply } => Failure::new(Party::Smtp, stage, Said::Smtp(reply)),
        Outcome::Unsendable { .. } => return (Fate::Rejected, None),
    };
    let evidence = evidence(failure);
    let consequence = decide_refused(&evidence, 1, Timestamp::from_ms(0));
    let fate = match consequence.delivery.name() {
        "put_back" => Fate::PutBack,
        "deferred" => Fate::Deferred,
        "rejected" => Fate::Rejected,
        other => panic!("{other}"),
    };
    let stops = consequence.inbox != InboxDoes::GoOn;
    assert_eq!(stops, fate == Fate::PutBack, "{evidence:?}");
    (fate, Some(classify(&evidence)))
}

/// Row: 4yz and 5yz at each stage | each at MAIL, RCPT, DATA and after the dot | put back, deferred, rejected or in doubt, as the stage says | as the cause says | the cause's card, with the reply
#[tokio::test]
async fn what_becomes_of_a_message_is_certain_at_every_stage() {
    let mail = "C: MAIL FROM:<jane@acme.example>\n";
    let rcpt = "S: 250 OK\nC: RCPT TO:<bob@example.org>\n";
    let data = "S: 250 OK\nC: DATA\n";
    let body = "S: 354 Go ahead\nC DATA\n";
    let at = |stages: &[&str]| stages.concat();
    let (at_mail, at_rcpt) = (at(&[mail]), at(&[mail, rcpt]));
    let (at_data, at_dot) = (at(&[mail, rcpt, data]), at(&[mail, rcpt, data, body]));
    for (before, answer, expected) in [
        (&at_mail, "close", Fate::PutBack),
        (&at_mail, "S: 421 4.3.2 Shutting down\nclose", Fate::PutBack),
        (&at_mail, "S: 451 4.3.0 Try later", Fate::PutBack),
        (&at_mail, "S: 452 4.3.1 Out of space", Fate::PutBack),
        (&at_mail, "S: 552 5.3.4 Message too big", Fate::Rejected),
        (
            &at_mail,
            "S: 530 5.7.0 Authentication required",
            Fate::PutBack,
        ),
        (&at_rcpt, "close", Fate::PutBack),
        (&at_rcpt, "S: 421 4.3.2 Shutting down\nclose", Fate::PutBack),
        (&at_rcpt, "S: 450 4.2.0 Greylisted", Fate::Deferred),
        (&at_rcpt, "S: 550 5.1.1 No such user", Fate::Rejected),
        (&at_data, "close", Fate::PutBack),
        (&at_data, "S: 451 4.3.0 Try later", Fate::PutBack),
        (&at_data, "S: 554 5.5.1 No valid recipients", Fate::Rejected),
        (&at_dot, "close", Fate::InDoubt),
        (&at_dot, "S! 250 2.0.0 Ok: que\nclose", Fate::InDoubt),
        (&at_dot, "S: what?\nC hangs up", Fate::InDoubt),
        (&at_dot, "S: 421 4.3.2 Shutting down\nclose", Fate::PutBack),
        (&at_dot, "S: 451 4.3.0 Try later", Fate::PutBack),
        (&at_dot, "S: 552 5.3.4 Message too big", Fate::Rejected),
        (&at_dot, "S: 554 5.6.0 Message refused", Fate::Rejected),
        (
            &at_dot,
            r"S! 554 5.6.0 Zur\xfcckgewiesen\r\n",
            Fate::Rejected,
        ),
        (&at_dot, "S: 250 2.0.0 Ok: queued", Fate::Accepted),
        (&at_dot, r"S! 250 2.0.0 Gr\xfc\xdfe\r\n", Fate::Accepted),
    ] {
        let goes_on = !answer.ends_with("close") && !answer.ends_with("hangs up");
        let refused = goes_on && expected != Fate::Accepted;
        let reset = if refused { "C: RSET\nS: 250 OK\n" } else { "" };
        let quit = if goes_on { "C: QUIT\nS: 221 bye\n" } else { "" };
        let script = format!("{SMTP_SIGNED_IN}{before}{answer}\n{reset}{quit}");
        let peer = Peer::start(&script).await;
        let mut session = open_smtp(&peer).await.unwrap();
        let outcome = session
            .send(&to_bob(), b"Subject: hi\r\n\r\nHello\r\n")
            .await;
        session.quit().await;
        peer.finish().await;
        let (fate, cause) = fate_of(outcome);
        assert_eq!(fate, expected, "{before}{answer}: {cause:?}");
    }
}
