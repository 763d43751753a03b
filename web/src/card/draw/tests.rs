//! The card against tables: every connection, every stage, every end.

use protocol::campaign::{PausedBy, State};
use protocol::card::{Facts, Remedy};
use protocol::cause::{CAUSES, Cause};
use protocol::provider::ProviderId;
use protocol::reconnect::Stage;
use protocol::request::inbox::ConnectionState;
use protocol::secret::Secret;

use super::super::examples::{campaign, inbox, instant, paused, receipt};
use super::super::{Broken, Face, Line, LineState, Link, Progress, Stopped};
use super::draw;

fn disconnected() -> protocol::request::inbox::Inbox {
    inbox(ConnectionState::Disconnected, 25)
}

fn broken(progress: Option<&Progress>) -> Broken {
    match draw(&disconnected(), &[], progress).face {
        Face::Broken(broken) => *broken,
        face => panic!("expected a broken card, found {face:?}"),
    }
}

#[test]
fn an_inbox_at_rest_is_drawn_by_its_connection() {
    let since = instant("2026-11-23T09:10:00Z");
    let face = |state| draw(&inbox(state, 0), &[], None).face;
    assert_eq!(face(ConnectionState::Connected), Face::Well { since });
    assert_eq!(face(ConnectionState::Checking), Face::Checking { since });
    let card = draw(&disconnected(), &[], None);
    assert_eq!(card.address, "jane@acme.example");
    let broken = broken(None);
    assert_eq!(broken.title, "jane@acme.example is disconnected");
    assert!(
        broken
            .explanation
            .starts_with("Google ended the permission")
    );
    assert_eq!(broken.button.as_deref(), Some("Reconnect with Google"));
    assert_eq!(
        broken.expects.as_deref(),
        Some("Google will ask you to choose the account and to allow access.")
    );
    assert!(broken.evidence.unwrap().contains("invalid_grant"));
    assert!(!broken.is_refusal);
}

#[test]
fn only_campaigns_that_this_inbox_would_resume_are_counted() {
    let by_person = State::Paused {
        by: PausedBy::Person,
        since: instant("2026-11-23T08:00:00Z"),
    };
    let campaigns = [
        campaign("cmp_1", "inb_1", paused("2026-11-23T09:20:00Z")),
        campaign("cmp_2", "inb_1", paused("2026-11-23T09:12:00Z")),
        campaign("cmp_3", "inb_1", by_person),
        campaign("cmp_4", "inb_1", State::Running),
        campaign("cmp_5", "inb_2", paused("2026-11-23T07:00:00Z")),
    ];
    let Face::Broken(broken) = draw(&disconnected(), &campaigns, None).face else {
        panic!("not broken");
    };
    let held = broken.held.unwrap();
    assert_eq!((held.campaigns, held.messages), (2, 25));
    assert_eq!(held.since, instant("2026-11-23T09:12:00Z"));

    let idle = inbox(ConnectionState::Disconnected, 0);
    let Face::Broken(broken) = draw(&idle, &[], None).face else {
        panic!("not broken");
    };
    assert_eq!(broken.held, None, "nothing waits");
}

#[test]
fn every_stage_moves_the_lines_on() {
    use LineState::{Done as D, Next as N, Now as W};
    let campaigns = [campaign("cmp_1", "inb_1", paused("2026-11-23T09:12:00Z"))];
    let proving = |stage| Progress::Proving {
        stage,
        signed_in_as: None,
    };
    for (progress, expected) in [
        (Progress::Starting, [W, N, N, N, N, N]),
        (Progress::AtProvider { in_tab: false }, [W, N, N, N, N, N]),
        (Progress::HandingOver, [D, W, N, N, N, N]),
        (proving(None), [D, W, N, N, N, N]),
        (proving(Some(Stage::Exchanging)), [D, W, N, N, N, N]),
        (proving(Some(Stage::Exchanged)), [D, W, N, N, N, N]),
        (proving(Some(Stage::Identified)), [D, W, N, N, N, N]),
        (proving(Some(Stage::Refreshing)), [D, W, N, N, N, N]),
        (proving(Some(Stage::Refreshed)), [D, D, W, W, N, N]),
        (proving(Some(Stage::SignedIn)), [D, D, D, D, W, N]),
        (proving(Some(Stage::Adopted)), [D, D, D, D, W, N]),
    ] {
        let Face::Working { lines, .. } = draw(&disconnected(), &campaigns, Some(&progress)).face
        else {
            panic!("not working");
        };
        let states: Vec<_> = lines.iter().map(|line| line.state).collect();
        assert_eq!(states, expected, "{progress:?}");
    }
}

#[test]
fn lines_say_who_where_and_how_many() {
    let campaigns = [
        campaign("cmp_1", "inb_1", paused("2026-11-23T09:12:00Z")),
        campaign("cmp_2", "inb_1", paused("2026-11-23T09:12:00Z")),
    ];
    let stage = Some(Stage::Refreshed);
    let face = draw(
        &disconnected(),
        &campaigns,
        Some(&Progress::Proving {
            stage,
            signed_in_as: Some("jane@acme.example".to_owned()),
        }),
    )
    .face;
    let Face::Working {
        lines,
        hint,
        can_cancel,
        ..
    } = face
    else {
        panic!("not working");
    };
    let told = |line: &Line| (line.text.clone(), line.server.clone().unwrap_or_default());
    let told: Vec<_> = lines.iter().map(told).collect();
    let expected = [
        ("Signed in as jane@acme.example", ""),
        ("Permission renewed and tested", ""),
        ("Sending works?", "smtp.gmail.com"),
        ("Reading works?", "imap.gmail.com"),
        ("Read what arrived meanwhile", ""),
        ("Resume 2 campaigns", ""),
    ];
    assert_eq!(
        told,
        expected.map(|(text, server)| (text.to_owned(), server.to_owned()))
    );
    assert_eq!((hint, can_cancel), (None, false));

    let face = draw(
        &disconnected(),
        &[],
        Some(&Progress::AtProvider { in_tab: true }),
    )
    .face;
    let Face::Working {
        lines,
        hint,
        can_cancel,
        ..
    } = face
    else {
        panic!("not working");
    };
    assert_eq!(lines.len(), 5, "no campaign waits, so none is resumed");
    assert_eq!(hint.as_deref(), Some("Finish in the tab of Google."));
    assert!(can_cancel);
}

#[test]
fn the_first_line_names_whoever_signed_in_and_nobody_who_was_not_told() {
    let first_line = |stage, signed_in_as: Option<&str>| {
        let progress = Progress::Proving {
            stage: Some(stage),
            signed_in_as: signed_in_as.map(str::to_owned),
        };
        let Face::Working { lines, .. } = draw(&disconnected(), &[], Some(&progress)).face else {
            panic!("not working");
        };
        lines[0].text.clone()
    };
    // John was confirmed for Jane's inbox.
    let john = Some("john@acme.example");
    for stage in [Stage::Identified, Stage::Refreshed, Stage::Adopted] {
        assert_eq!(first_line(stage, john), "Signed in as john@acme.example");
        assert_eq!(first_line(stage, None), "Signed in");
    }
}

#[test]
fn a_link_for_another_browser_is_shown_as_long_as_it_is_known() {
    let elsewhere = |link: Option<&Secret>| {
        let progress = Progress::Elsewhere {
            link: link.cloned(),
        };
        let face = draw(&disconnected(), &[], Some(&progress)).face;
        let Face::Working {
            lines,
            hint,
            link,
            can_cancel,
        } = face
        else {
            panic!("not working");
        };
        assert_eq!(lines[0].state, LineState::Now);
        assert!(can_cancel);
        (hint.unwrap(), link)
    };
    let made = Secret::new("https://relay.example/oauth/start?ticket=t");
    let (hint, link) = elsewhere(Some(&made));
    assert_eq!(link, Some(Link::Here(made)));
    assert!(hint.contains("It works once"), "{hint}");
    let (hint, link) = elsewhere(None);
    assert_eq!(link, Some(Link::Gone));
    assert!(hint.contains("is not kept"), "{hint}");
}

#[test]
fn the_end_is_told_from_the_receipt() {
    let receipt = Some(Box::new(receipt()));
    let Face::Done(done) = draw(&disconnected(), &[], Some(&Progress::Resumed { receipt })).face
    else {
        panic!("not done");
    };
    assert_eq!(
        (done.held, done.to_send, done.skipped, done.in_doubt),
        (3, 2, 1, 0)
    );
    assert_eq!(done.next_at, Some(instant("2026-11-23T14:05:00Z")));
    assert_eq!(done.campaigns, 2);

    let Face::Done(done) = draw(
        &disconnected(),
        &[],
        Some(&Progress::Resumed { receipt: None }),
    )
    .face
    else {
        panic!("not done");
    };
    assert_eq!(done.receipt, None);
}

#[test]
fn a_refusal_is_told_by_the_relay_and_always_has_a_way_on() {
    for cause in CAUSES {
        let words = cause.card().render(&Facts {
            inbox: "jane@acme.example",
            provider: "Google",
        });
        let progress = Progress::Refused {
            words,
            evidence: Some("its words".to_owned()),
        };
        let broken = broken(Some(&progress));
        assert!(broken.is_refusal);
        assert!(broken.button.is_some(), "{cause:?}");
        assert_eq!(broken.evidence.as_deref(), Some("its words"));
        assert!(
            !matches!(broken.remedy, Remedy::Wait | Remedy::Nothing),
            "{cause:?}"
        );
    }
}

#[test]
fn each_end_on_this_side_has_its_own_words_and_one_thing_to_do() {
    let words = || "its words".to_owned();
    let url = "https://relay.example".to_owned();
    let (reconnect, again, report) = (
        "Reconnect with Google",
        "Try again",
        "Copy the report for the operator",
    );
    let mut titles = std::collections::BTreeSet::new();
    for (stopped, button, other_way, has_evidence) in [
        (Stopped::WindowClosed, reconnect, true, false),
        (Stopped::Cancelled, reconnect, false, false),
        (Stopped::Interrupted, reconnect, false, false),
        (
            Stopped::WindowFailed { words: words() },
            reconnect,
            true,
            true,
        ),
        (Stopped::TookTooLong, reconnect, true, false),
        (
            Stopped::NotOurAnswer { words: words() },
            reconnect,
            false,
            true,
        ),
        (
            Stopped::ExchangeFailed { words: words() },
            reconnect,
            false,
            true,
        ),
        (Stopped::RelayUnreachable { url }, again, false, false),
        (Stopped::RelayRefused { words: words() }, again, false, true),
        (Stopped::OtherKey, report, false, false),
        (
            Stopped::OtherProvider { words: words() },
            report,
            false,
            true,
        ),
    ] {
        let broken = broken(Some(&Progress::Stopped(stopped.clone())));
        assert_eq!(broken.button.as_deref(), Some(button), "{stopped:?}");
        assert_eq!(broken.other_way, other_way, "{stopped:?}");
        assert_eq!(broken.evidence.is_some(), has_evidence, "{stopped:?}");
        assert_eq!(broken.expects.is_some(), button == reconnect, "{stopped:?}");
        assert_eq!(broken.held.map(|held| held.messages), Some(25));
        assert!(broken.is_refusal);
        assert!(
            titles.insert(broken.title),
            "{stopped:?} has words of its own"
        );
    }
}

#[test]
fn a_certificate_may_be_what_is_wrong_where_there_is_one() {
    for (url, is_named) in [
        ("https://relay.acme.example", true),
        ("http://127.0.0.1:7411", false),
    ] {
        let url = url.to_owned();
        let stopped = Progress::Stopped(Stopped::RelayUnreachable { url });
        let told = broken(Some(&stopped)).explanation;
        assert_eq!(
            told.contains("may refuse its certificate"),
            is_named,
            "{told}"
        );
        assert!(told.contains("Check that the relay runs"), "{told}");
    }
}

#[test]
fn a_sentence_that_begins_with_the_provider_begins_with_a_capital() {
    let mut inbox = disconnected();
    inbox.provider = ProviderId::new("sandbox");
    let Face::Broken(broken) = draw(&inbox, &[], None).face else {
        panic!("not broken");
    };
    assert!(
        broken.explanation.starts_with("The sandbox ended"),
        "{}",
        broken.explanation
    );
    assert!(broken.title.starts_with("jane@"), "{}", broken.title);
    assert_eq!(broken.button.as_deref(), Some("Reconnect with the sandbox"));
}

#[test]
fn a_cause_without_words_from_the_relay_has_our_own() {
    let mut inbox = disconnected();
    inbox.connection.cause = Some(Cause::NeverConnected);
    let Face::Broken(broken) = draw(&inbox, &[], None).face else {
        panic!("not broken");
    };
    assert_eq!(broken.title, "jane@acme.example is not connected yet");
}
