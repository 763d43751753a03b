//! What is told of failures that do not pass, and when.

use proptest::prelude::*;

use super::*;
use crate::connection::is_alarming;
use crate::evidence::{IoFault, Said};
use crate::provider::ProviderId;
use crate::reply::{OAuthReply, SmtpReply};

const START: Timestamp = Timestamp::from_ms(1_795_417_920_000);
const FACTS: Facts<'static> = Facts {
    inbox: "jane@acme.example",
    provider: "your mail server",
};

fn evidence(party: Party, stage: Stage, said: Said, seen_at: Timestamp) -> Evidence {
    Evidence {
        party,
        stage,
        said,
        provider: ProviderId::new("imap"),
        seen_at,
    }
}

fn smtp(stage: Stage, code: u16, text: &str) -> (Party, Stage, Said) {
    let reply = SmtpReply::parse(code, text.lines());
    (Party::Smtp, stage, Said::Smtp(reply))
}

fn unknown_error(http_status: u16) -> (Party, Stage, Said) {
    let reply = OAuthReply {
        http_status: Some(http_status),
        error: Some("quux_required".to_owned()),
        description: String::new(),
    };
    (Party::Oauth, Stage::Refresh, Said::Oauth(reply))
}

fn no_way(fault: IoFault) -> (Party, Stage, Said) {
    let detail = "it failed".to_owned();
    (Party::Imap, Stage::Connect, Said::Io { fault, detail })
}

/// What was met again and again is told after an hour and asked after a day, once each, with the server's words beside
/// it: whatever it was, unless it ended the connection at once.
#[test]
fn what_does_not_pass_is_told_after_an_hour_and_asked_after_a_day() {
    let minute = Duration::from_mins(1);
    for (party, stage, said) in [
        smtp(
            Stage::Mail,
            451,
            "4.7.1 sender address is not owned by user",
        ),
        smtp(
            Stage::Data,
            451,
            "Authentication failed: Maximum credits exceeded",
        ),
        smtp(Stage::Greeting, 421, "Please activate your account first"),
        smtp(Stage::Auth, 454, "4.7.0 Temporary authentication failure"),
        unknown_error(400),
        unknown_error(401),
        no_way(IoFault::UnknownHost),
        no_way(IoFault::TimedOut),
        no_way(IoFault::Refused),
    ] {
        let mut failing = None;
        let mut told = Vec::new();
        // Three days, tried every ten minutes.
        for n in 0..3 * 24 * 6 {
            let now = START + minute * 10 * n;
            let met = evidence(party, stage, said.clone(), now);
            if is_alarming(&met) {
                told = vec![(0, Stall::Waits), (0, Stall::Asks)];
                break;
            }
            let (next, news) = Failing::note(failing, met, true, now);
            told.extend(news.map(|stall| (n * 10, stall)));
            failing = Some(next);
        }
        let kinds: Vec<_> = told.iter().map(|(_, stall)| *stall).collect();
        assert_eq!(kinds, [Stall::Waits, Stall::Asks], "{said:?}");
        if let Some(failing) = failing {
            assert_eq!(
                told,
                [(60, Stall::Waits), (24 * 60, Stall::Asks)],
                "{said:?}"
            );
            let waits = failing.words(Stall::Waits, &FACTS);
            assert_eq!(waits.button, None, "nobody is troubled after an hour");
            let asks = failing.words(Stall::Asks, &FACTS);
            assert!(asks.title.contains("waited for a day"), "{asks:?}");
            assert!(asks.button.is_some(), "{asks:?}");
            assert!(!asks.explanation.contains('{'), "{asks:?}");
        }
    }
}

#[test]
fn what_nobody_waits_for_is_not_told_and_what_works_again_is_over() {
    let (party, stage, said) = smtp(Stage::Greeting, 421, "not now");
    let met = |now| evidence(party, stage, said.clone(), now);
    let (failing, _) = Failing::note(None, met(START), true, START);
    let later = START + Duration::from_hours(2);
    let (failing, news) = Failing::note(Some(failing), met(later), false, later);
    assert_eq!((news, failing.stall(false, later)), (None, None));
    assert_eq!(failing.stall(true, later), Some(Stall::Waits));
    assert!(failing.is_over(Worked::SignedIn));
    assert!(
        !failing.is_over(Worked::Read),
        "it reads, and does not send"
    );

    let (party, stage, said) = smtp(Stage::Mail, 451, "not owned by user");
    let refused = Failing {
        evidence: evidence(party, stage, said, later),
        ..failing
    };
    assert!(
        !refused.is_over(Worked::SignedIn),
        "its sign-in always passed"
    );
    assert!(refused.is_over(Worked::Sent));
}

proptest! {
    /// At random instants of failures: it is told as soon as an hour of them has passed, and never before; a failure
    /// after three hours of nothing is a new one.
    #[test]
    fn it_counts_from_the_first_failure_of_those_that_follow_one_another(
        minutes in prop::collection::vec(1_u64..240, 1..60),
    ) {
        let (party, stage, said) = no_way(IoFault::TimedOut);
        let mut failing = None;
        let mut now = START;
        let mut began = START;
        for between in minutes {
            let before = now;
            now = now + Duration::from_mins(between);
            if failing.is_none() || now.since(before) > Duration::from_hours(3) {
                began = now;
            }
            let met = evidence(party, stage, said.clone(), now);
            let (next, _) = Failing::note(failing, met, true, now);
            let lasting = now.since(began);
            let expected = if lasting >= Duration::from_hours(24) {
                Some(Stall::Asks)
            } else if lasting >= Duration::from_hours(1) {
                Some(Stall::Waits)
            } else {
                None
            };
            prop_assert_eq!(next.stall(true, now), expected);
            prop_assert_eq!(next.since, began);
            failing = Some(next);
        }
    }
}

/// Both servers fail, one for good and the other in passing: what was told, and with whose words.
#[test]
fn a_hiccup_of_one_server_hides_nothing_of_the_other() {
    let minute = Duration::from_mins(1);
    let mut failing: Option<Failing> = None;
    let mut told = Vec::new();
    // Six hours: submission refused every ten minutes, reading broken off every fifty and fine a minute later.
    for n in 0..6 * 60_u32 {
        let now = START + minute * n;
        if n % 10 == 0 {
            let (party, stage, said) = smtp(Stage::Greeting, 421, "not now");
            let met = evidence(party, stage, said, now);
            let (after, news) = Failing::note(failing.take(), met, true, now);
            told.extend(news.map(|news| (n, news, after.evidence.party)));
            failing = Some(after);
        }
        if n % 50 == 0 {
            let (party, stage, said) = no_way(IoFault::Closed);
            let met = evidence(party, stage, said, now);
            let (after, news) = Failing::note(failing.take(), met, true, now);
            told.extend(news.map(|news| (n, news, after.evidence.party)));
            failing = Some(after);
        }
        failing = failing.filter(|failing| n % 50 == 0 || !failing.is_over(Worked::Read));
    }
    assert_eq!(told, [(60, Stall::Waits, Party::Smtp)]);
}

/// Both servers went away at once, and only the one that is asked first is met again: for a day, with its words.
#[test]
fn what_is_met_instead_keeps_the_beginning() {
    let mut failing: Option<Failing> = None;
    let mut told = Vec::new();
    for hour in 0..=24_u32 {
        let now = START + Duration::from_hours(1) * hour;
        let (party, stage, said) = if hour == 0 {
            smtp(Stage::Greeting, 421, "not now")
        } else {
            no_way(IoFault::Closed)
        };
        let met = evidence(party, stage, said, now);
        let (after, news) = Failing::note(failing.take(), met, true, now);
        told.extend(news.map(|news| (hour, news, after.evidence.party)));
        assert_eq!(after.since, START);
        failing = Some(after);
    }
    assert_eq!(
        told,
        [
            (1, Stall::Waits, Party::Smtp),
            (24, Stall::Asks, Party::Imap)
        ]
    );
}
