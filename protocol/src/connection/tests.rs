//! What a connection makes of failures, probes and reconnects.

use super::*;
use crate::evidence::{IoFault, Said};
use crate::provider::ProviderId;
use crate::reply::{OAuthReply, SmtpReply};

const PATIENCE: Patience = Patience {
    slow_retry_after: Duration::from_secs(20),
    at_most: Duration::from_mins(10),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds * 1_000)
}

fn connected(seconds: i64) -> Connection {
    Connection::Connected {
        since: at(seconds),
        dismissed: None,
    }
}

fn evidence(party: Party, stage: Stage, said: Said) -> Evidence {
    Evidence {
        party,
        stage,
        said,
        provider: ProviderId::new("openid"),
        seen_at: at(0),
    }
}

fn refused() -> Evidence {
    evidence(
        Party::Smtp,
        Stage::Auth,
        Said::Smtp(SmtpReply::parse(535, ["5.7.8 no"])),
    )
}

fn revoked() -> Evidence {
    let reply = OAuthReply {
        http_status: Some(400),
        error: Some("invalid_grant".to_owned()),
        description: String::new(),
    };
    evidence(Party::Oauth, Stage::Refresh, Said::Oauth(reply))
}

fn unreachable() -> Evidence {
    evidence(
        Party::Smtp,
        Stage::Connect,
        Said::Io {
            fault: IoFault::Refused,
            detail: String::new(),
        },
    )
}

fn probed(token: Option<Evidence>, smtp: Option<Evidence>) -> Event {
    Event::Probed(Box::new(Probes {
        token,
        smtp,
        imap: None,
    }))
}

#[test]
fn what_was_never_read_since_the_sign_in_ends_it_with_what_was_met() {
    let unread = || Event::Unread {
        evidence: unreachable(),
        since: at(3),
    };
    let (lost, effects) = connected(10).decide(unread(), at(600), PATIENCE);
    let cause = classify(&unreachable());
    assert_eq!(effects, [Effect::Disconnect(cause)]);
    assert_eq!(lost.since(), at(3), "it is the outage that it was");
    let (same, effects) = lost.clone().decide(unread(), at(700), PATIENCE);
    assert_eq!((same, effects), (lost, Vec::new()));
}

#[test]
fn a_dead_grant_is_confirmed_by_two_rounds_and_named_by_its_token() {
    let connected = connected(0);
    let (suspect, effects) = connected.decide(Event::Failed(refused()), at(10), PATIENCE);
    assert_eq!(effects, [Effect::ProbeAfter(Duration::ZERO)]);
    let (suspect, effects) =
        suspect.decide(probed(Some(revoked()), Some(refused())), at(11), PATIENCE);
    assert_eq!(effects, [Effect::ProbeAfter(PATIENCE.slow_retry_after)]);
    let (lost, effects) =
        suspect.decide(probed(Some(revoked()), Some(refused())), at(31), PATIENCE);
    assert_eq!(effects, [Effect::Disconnect(Cause::PermissionEnded)]);
    assert_eq!(
        lost.since(),
        at(10),
        "the outage began with the first failure"
    );
}

#[test]
fn a_refusal_that_passes_ends_the_suspicion() {
    let (suspect, _) = connected(0).decide(Event::Failed(refused()), at(10), PATIENCE);
    let (suspect, _) = suspect.decide(probed(None, Some(refused())), at(11), PATIENCE);
    let (state, effects) = suspect.decide(probed(None, None), at(31), PATIENCE);
    assert_eq!((state, effects), (connected(31), vec![Effect::GoOn]));
}

#[test]
fn transient_failures_never_disconnect_however_many() {
    let (mut state, _) = connected(0).decide(Event::Failed(refused()), at(10), PATIENCE);
    let mut waited = Duration::ZERO;
    for round in 0..100 {
        let (next, effects) =
            state.decide(probed(None, Some(unreachable())), at(11 + round), PATIENCE);
        let [Effect::ProbeAfter(after)] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        assert!(*after >= waited.min(PATIENCE.at_most) && *after <= PATIENCE.at_most);
        waited = *after;
        state = next;
    }
    assert!(matches!(state, Connection::Suspect { confirmed: 0, .. }));
    let connected = connected(0);
    assert_eq!(
        connected
            .clone()
            .decide(Event::Failed(unreachable()), at(1), PATIENCE),
        (connected, Vec::new())
    );
}

#[test]
fn only_what_is_refused_again_is_confirmed() {
    let imap = || {
        let reply = crate::reply::ImapReply {
            status: crate::reply::ImapStatus::No,
            code: Some("AUTHENTICATIONFAILED".to_owned()),
            text: "no".to_owned(),
        };
        evidence(Party::Imap, Stage::Auth, Said::Imap(reply))
    };
    let round = |token, smtp, imap| Probes { token, smtp, imap };
    let smtp_only = || round(None, Some(refused()), None);
    let imap_only = || round(None, None, Some(imap()));
    let grant_only = || round(Some(revoked()), None, None);
    let both = || round(None, Some(refused()), Some(imap()));
    let passing = || round(None, Some(unreachable()), None);
    let no_service = || {
        let reply = SmtpReply::parse(554, ["5.3.2 no SMTP service here"]);
        let greeting = evidence(Party::Smtp, Stage::Greeting, Said::Smtp(reply));
        round(None, Some(greeting), None)
    };
    for (rounds, is_lost) in [
        (vec![smtp_only(), smtp_only()], true),
        (vec![smtp_only(), imap_only()], false),
        (vec![smtp_only(), imap_only(), smtp_only()], false),
        (vec![smtp_only(), imap_only(), imap_only()], false),
        (
            vec![smtp_only(), imap_only(), imap_only(), imap_only()],
            true,
        ),
        (vec![smtp_only(), both()], true),
        // It did not come as far as the sign-in this time.
        (vec![smtp_only(), no_service()], false),
        (vec![no_service(), no_service()], false),
        (vec![no_service(), no_service(), no_service()], true),
        (vec![smtp_only(), passing(), smtp_only()], true),
        // The grant was good in the first round: its refusal is a new one.
        (vec![both(), grant_only()], false),
        (vec![smtp_only(), grant_only(), grant_only()], false),
        (
            vec![smtp_only(), grant_only(), grant_only(), grant_only()],
            true,
        ),
        (vec![grant_only(), grant_only()], true),
        // The grant is good after all, and something else refuses.
        (vec![grant_only(), imap_only()], false),
    ] {
        let (mut state, _) = connected(0).decide(Event::Failed(refused()), at(10), PATIENCE);
        for probes in &rounds {
            let event = Event::Probed(Box::new(probes.clone()));
            (state, _) = state.decide(event, at(11), PATIENCE);
        }
        let found = matches!(state, Connection::Disconnected { .. });
        assert_eq!(found, is_lost, "{rounds:?}");
    }
}

#[test]
fn a_refusal_that_is_first_met_by_a_probe_is_confirmed_twice_too() {
    let plain = || {
        evidence(
            Party::Imap,
            Stage::Tls,
            Said::Tls {
                detail: "no TLS".to_owned(),
            },
        )
    };
    let smtp = || probed(None, Some(refused()));
    let grant = || probed(Some(revoked()), None);
    for met in [smtp, grant] {
        let (mut state, _) = connected(0).decide(Event::Failed(plain()), at(10), PATIENCE);
        for round in 0..3 {
            assert!(matches!(state, Connection::Suspect { .. }), "{round}");
            (state, _) = state.decide(met(), at(11 + 20 * round), PATIENCE);
        }
        assert!(
            matches!(state, Connection::Disconnected { .. }),
            "{state:?}"
        );
    }
}

#[test]
fn a_disconnected_inbox_is_disconnected_once() {
    let lost = Connection::Disconnected {
        cause: Cause::PermissionEnded,
        evidence: None,
        since: at(5),
    };
    let (state, effects) = lost
        .clone()
        .decide(Event::Failed(refused()), at(9), PATIENCE);
    assert_eq!((state, effects), (lost, Vec::new()));
}

#[test]
fn what_the_operator_has_corrected_revives_and_what_is_a_persons_to_mend_is_told() {
    let misconfigured = || {
        let reply = OAuthReply {
            http_status: Some(401),
            error: Some("invalid_client".to_owned()),
            description: String::new(),
        };
        evidence(Party::Oauth, Stage::Refresh, Said::Oauth(reply))
    };
    let lost = |cause| Connection::Disconnected {
        cause,
        evidence: None,
        since: at(5),
    };
    let decided = |cause, probes| lost(cause).decide(probes, at(9), PATIENCE);
    let operators = Cause::AppMisconfigured;
    assert_eq!(
        decided(operators, probed(None, None)),
        (lost(operators), vec![Effect::Revive])
    );
    for still in [misconfigured, unreachable] {
        let (state, effects) = decided(operators, probed(Some(still()), Some(refused())));
        assert_eq!((state, effects), (lost(operators), Vec::new()));
    }
    let ended = Connection::Disconnected {
        cause: Cause::PermissionEnded,
        evidence: Some(revoked()),
        since: at(5),
    };
    assert_eq!(
        decided(operators, probed(Some(revoked()), None)),
        (ended, vec![Effect::Disconnect(Cause::PermissionEnded)])
    );
    // What a person was told to mend may mend itself; while it does not, it is told once.
    assert_eq!(
        decided(Cause::PermissionEnded, probed(None, None)),
        (lost(Cause::PermissionEnded), vec![Effect::Revive])
    );
    assert_eq!(
        decided(Cause::PermissionEnded, probed(Some(revoked()), None)),
        (lost(Cause::PermissionEnded), Vec::new())
    );
}

#[test]
fn what_opens_one_door_is_a_good_credential() {
    let imap = || {
        let reply = crate::reply::ImapReply {
            status: crate::reply::ImapStatus::No,
            code: None,
            text: String::new(),
        };
        evidence(Party::Imap, Stage::Auth, Said::Imap(reply))
    };
    let empty = || {
        let reply = SmtpReply::parse(535, [""]);
        evidence(Party::Smtp, Stage::Auth, Said::Smtp(reply))
    };
    for (smtp, imap, cause) in [
        (Some(refused()), None, Cause::SmtpOff),
        (Some(empty()), None, Cause::SmtpOff),
        (None, Some(imap()), Cause::ImapOff),
        (Some(refused()), Some(imap()), Cause::SignInRefused),
        // Nobody knows what the other door says.
        (Some(refused()), Some(unreachable()), Cause::SignInRefused),
    ] {
        let round = || {
            Event::Probed(Box::new(Probes {
                token: None,
                smtp: smtp.clone(),
                imap: imap.clone(),
            }))
        };
        let met = smtp.clone().or(imap.clone()).unwrap();
        let (state, _) = connected(0).decide(Event::Failed(met), at(10), PATIENCE);
        let (state, _) = state.decide(round(), at(11), PATIENCE);
        let (_, effects) = state.decide(round(), at(31), PATIENCE);
        assert_eq!(effects, [Effect::Disconnect(cause)], "{smtp:?} {imap:?}");
    }
}

#[test]
fn every_lost_inbox_may_revive_but_for_a_wrong_password_and_what_a_sign_in_cannot_tell() {
    let lost = |cause, evidence| Connection::Disconnected {
        cause,
        evidence,
        since: at(5),
    };
    let late = evidence(
        Party::Smtp,
        Stage::Mail,
        Said::Smtp(SmtpReply::parse(550, ["5.7.1 not your address"])),
    );
    for (connection, by_password, by_oauth) in [
        (lost(Cause::SignInRefused, Some(refused())), false, true),
        (lost(Cause::SmtpOff, Some(refused())), true, true),
        (lost(Cause::PermissionEnded, Some(revoked())), true, true),
        (lost(Cause::AccountLocked, Some(refused())), true, true),
        (lost(Cause::SenderRefused, Some(late)), false, false),
        (lost(Cause::NeverConnected, None), false, false),
        (connected(5), false, false),
    ] {
        let found = (connection.may_revive(true), connection.may_revive(false));
        assert_eq!(found, (by_password, by_oauth), "{connection:?}");
    }
}

#[test]
fn what_is_refused_after_the_sign_in_is_confirmed_by_meeting_it_again() {
    let full = || {
        evidence(
            Party::Smtp,
            Stage::Mail,
            Said::Smtp(SmtpReply::parse(550, ["5.7.1 not your address"])),
        )
    };
    let (suspect, _) = connected(0).decide(Event::Failed(full()), at(10), PATIENCE);
    let (state, effects) = suspect.decide(probed(None, None), at(11), PATIENCE);
    assert_eq!(effects, [Effect::GoOnAfter(PATIENCE.slow_retry_after)]);
    let (later, _) = state
        .clone()
        .decide(Event::Failed(full()), at(11 + 3_600), PATIENCE);
    assert!(
        matches!(later, Connection::Suspect { .. }),
        "a suspicion of long ago counts for nothing"
    );
    let (working, effects) = state.clone().decide(Event::Worked, at(39), PATIENCE);
    assert_eq!((&working, effects), (&connected(11), Vec::new()));
    let (again, _) = working.decide(Event::Failed(full()), at(40), PATIENCE);
    assert!(
        matches!(again, Connection::Suspect { .. }),
        "what worked in between is no confirmation"
    );
    let (lost, effects) = state.decide(Event::Failed(full()), at(40), PATIENCE);
    assert_eq!(effects, [Effect::Disconnect(Cause::SenderRefused)]);
    assert_eq!(lost.since(), at(11));
}

#[test]
fn what_is_refused_before_the_sign_in_confirms_nothing_that_came_after_it() {
    let said = |stage, code, words| {
        let reply = SmtpReply::parse(code, [words]);
        evidence(Party::Smtp, stage, Said::Smtp(reply))
    };
    let late = said(Stage::Mail, 530, "5.7.0 Authentication required");
    let early = said(Stage::Greeting, 554, "5.3.2 no SMTP service here");
    assert_eq!(classify(&late), classify(&early));
    let (suspect, _) = connected(0).decide(Event::Failed(late), at(10), PATIENCE);
    let (state, _) = suspect.decide(probed(None, None), at(11), PATIENCE);
    let (state, effects) = state.decide(Event::Failed(early), at(31), PATIENCE);
    assert_eq!(effects, [Effect::ProbeAfter(Duration::ZERO)]);
    assert!(matches!(state, Connection::Suspect { .. }), "{state:?}");
}
