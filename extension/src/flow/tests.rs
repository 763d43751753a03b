//! Stories and properties of a reconnect, beside `flow.rs`.

use proptest::prelude::*;
use protocol::card::{Acts, Remedy};
use protocol::cause::Cause;
use protocol::id::{DeliveryId, InboxId, LeadId};
use protocol::receipt::{Fate, Line};
use protocol::reconnect::{Exchange, GivenSignIn, Grant, Question, VisitPlan};
use protocol::request::reconnect::ReconnectState;
use protocol::sealed::OpeningKey;

use super::*;

mod elsewhere;
mod other_provider;

const CODE: &str = "a-very-secret-code";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds * 1_000)
}

fn id() -> ReconnectId {
    ReconnectId::new("rec_1")
}

fn authorization(visits: &[bool]) -> Authorization {
    Authorization {
        authorization_endpoint: "https://id.acme.example/authorize".to_owned(),
        token_endpoint: "https://id.acme.example/token".to_owned(),
        issuer: "https://id.acme.example".to_owned(),
        names_issuer: true,
        client_id: "unpause".to_owned(),
        scopes: Vec::new(),
        login_hint: "jane@acme.example".to_owned(),
        visits: visits
            .iter()
            .map(|&interactive| VisitPlan {
                interactive,
                parameters: Vec::new(),
            })
            .collect(),
        exchange: Exchange::Public,
    }
}

fn reconnect(state: ReconnectState) -> Reconnect {
    let is_resumed = state == ReconnectState::Resumed;
    let is_refused = state == ReconnectState::Refused;
    Reconnect {
        id: id(),
        inbox: InboxId::new("inb_1"),
        state,
        stage: (state == ReconnectState::Verifying).then_some(Stage::Refreshed),
        expires_at: at(600),
        signed_in_as: None,
        question: None,
        cause: is_refused.then_some(Cause::WrongIdentity),
        card: is_refused.then(|| Words {
            title: "Another account".to_owned(),
            explanation: "Nothing was changed.".to_owned(),
            button: None,
            acts: Acts::Person,
            remedy: Remedy::ReconnectAsInbox,
        }),
        evidence: None,
        receipt: is_resumed.then(|| ReceiptId::new("rcp_1")),
    }
}

fn started(state: ReconnectState, visits: &[bool]) -> Event {
    Event::Started(Box::new(StartedReconnect {
        reconnect: reconnect(state),
        authorization: (state == ReconnectState::Started).then(|| authorization(visits)),
        joined: false,
    }))
}

fn granted() -> Event {
    Event::Answered(Answer::Granted {
        code: Secret::new(CODE),
    })
}

fn refused(error: &str) -> Event {
    Event::Answered(Answer::Refused {
        error: error.to_owned(),
        description: None,
    })
}

fn failed_window() -> Event {
    Event::WindowEnded(WindowEnd::Failed {
        words: "Authorization page could not be loaded.".to_owned(),
    })
}

fn unreachable() -> Event {
    Event::CallFailed(CallFailure::Unreachable {
        url: "http://127.0.0.1:7411".to_owned(),
    })
}

fn sealed() -> Sealed {
    let key = OpeningKey::derive(&[7; 32]);
    let grant = serde_json::to_vec(&Grant::Code {
        code: Secret::new(CODE),
        verifier: Secret::new("verifier"),
        redirect_uri: String::new(),
    })
    .unwrap();
    let mut rng = hpke::rand_core::UnwrapErr(getrandom::SysRng);
    key.public().seal("context", &grant, &mut rng).unwrap()
}

fn receipt(lines: Vec<Line>) -> Receipt {
    Receipt {
        id: ReceiptId::new("rcp_1"),
        reconnect: id(),
        inbox: InboxId::new("inb_1"),
        campaigns: Vec::new(),
        cause: Cause::PermissionEnded,
        lost_at: at(1),
        resumed_at: at(50),
        shifted_by_ms: 0,
        held: 2,
        to_send: 2,
        skipped: 0,
        in_doubt: 0,
        lines,
    }
}

/// Plays events one second apart, and tells the state and the effects of the last one.
fn play(state: State, events: impl IntoIterator<Item = Event>) -> (State, Vec<Effect>) {
    let mut last = (state, Vec::new());
    for (seconds, event) in (1..).zip(events) {
        last = decide(last.0, event, at(seconds));
    }
    last
}

fn click() -> Event {
    Event::Clicked(Wish::default())
}

fn click_for_tab() -> Event {
    click_for(Place::Tab)
}

fn click_for(place: Place) -> Event {
    Event::Clicked(Wish {
        place,
        ..Wish::default()
    })
}

fn stopped(state: &State) -> Option<&Stopped> {
    match state {
        State::Over {
            ending: Ending::Stopped { why },
        } => Some(why),
        _ => None,
    }
}

fn has_visit(effects: &[Effect], number: usize) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Visit { visit, .. } if *visit == number))
}

fn has_poll(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Poll { .. }))
}

#[test]
fn one_click_leads_to_a_receipt() {
    let (state, effects) = play(State::Idle, [click()]);
    assert_eq!(effects, [Effect::Start]);
    let (state, effects) = play(state, [started(ReconnectState::Started, &[true])]);
    assert!(has_visit(&effects, 0) && has_poll(&effects), "{effects:?}");
    let (state, effects) = play(state, [granted()]);
    assert!(matches!(effects.as_slice(), [Effect::Obtain { .. }]));
    let (state, effects) = play(state, [Event::Sealed(sealed())]);
    assert!(matches!(
        effects.as_slice(),
        [Effect::HandOver {
            what: Handover::Grant { .. },
            ..
        }]
    ));
    let (state, effects) = play(
        state,
        [Event::Acknowledged(reconnect(ReconnectState::Granted))],
    );
    assert!(has_poll(&effects) && effects.contains(&Effect::Forget));
    let (state, _) = play(state, [Event::Polled(reconnect(ReconnectState::Verifying))]);
    assert_eq!(
        state.progress(),
        Some(Progress::Proving {
            stage: Some(Stage::Refreshed),
            signed_in_as: None,
        })
    );
    let (state, effects) = play(state, [Event::Polled(reconnect(ReconnectState::Resumed))]);
    assert_eq!(
        effects,
        [Effect::ReadReceipt(ReceiptId::new("rcp_1")), Effect::Look]
    );
    let line = |lead: &str, due_at| Line {
        delivery: DeliveryId::new("dlv_1"),
        lead: LeadId::new(lead),
        step: 1,
        fate: Fate::Shifted {
            was_due_at: at(1),
            due_at,
        },
    };
    let lines = vec![line("lea_late", at(99)), line("lea_soon", at(60))];
    let (state, _) = play(state, [Event::ReceiptRead(Box::new(receipt(lines)))]);
    let Some(Progress::Resumed {
        receipt: Some(shown),
    }) = state.progress()
    else {
        panic!("{state:?}")
    };
    assert_eq!(shown.lines, [line("lea_soon", at(60))]);
    assert_eq!(play(state, [Event::Closed]).0, State::Idle);
}

#[test]
fn a_second_click_changes_nothing_while_one_is_under_way() {
    let mut state = State::Idle;
    for event in [
        click(),
        started(ReconnectState::Started, &[true]),
        granted(),
        Event::Sealed(sealed()),
        Event::Acknowledged(reconnect(ReconnectState::Granted)),
    ] {
        state = play(state, [event]).0;
        assert_eq!(play(state.clone(), [click()]), (state.clone(), Vec::new()));
    }
}

#[test]
fn a_silent_visit_that_fails_is_followed_by_one_that_asks() {
    for failure in [
        refused("login_required"),
        failed_window(),
        Event::WindowEnded(WindowEnd::Closed),
    ] {
        let events = [click(), started(ReconnectState::Started, &[false, true])];
        let (state, effects) = play(State::Idle, events);
        assert!(has_visit(&effects, 0));
        let (state, effects) = play(state, [failure]);
        assert!(has_visit(&effects, 1), "{effects:?}");
        let (_, effects) = play(state, [refused("access_denied")]);
        assert!(
            matches!(
                effects.as_slice(),
                [
                    Effect::HandOver {
                        what: Handover::Refusal { .. },
                        ..
                    },
                    Effect::Forget
                ]
            ),
            "{effects:?}"
        );
    }
}

#[test]
fn a_window_that_does_not_work_leads_to_a_tab_by_itself() {
    let events = [
        click(),
        started(ReconnectState::Started, &[true]),
        failed_window(),
    ];
    let (state, effects) = play(State::Idle, events);
    assert!(effects.contains(&Effect::Host(id())) && has_poll(&effects));
    let (state, _) = play(state, [Event::TabOpened { tab: 7 }]);
    assert_eq!(
        state.progress(),
        Some(Progress::AtProvider { in_tab: true })
    );
    let (proving, effects) = play(
        state.clone(),
        [Event::Polled(reconnect(ReconnectState::Granted))],
    );
    assert!(effects.contains(&Effect::CloseTab(7)), "{effects:?}");
    assert!(matches!(proving, State::Proving { .. }));
    // Refused: the tab stays, for it says why.
    let (_, effects) = play(
        state.clone(),
        [Event::Polled(reconnect(ReconnectState::Refused))],
    );
    assert!(!effects.contains(&Effect::CloseTab(7)), "{effects:?}");
    // Closed by the person: only after the relay has nothing either.
    let (state, effects) = play(state, [Event::TabClosed { tab: 7 }]);
    assert!(has_poll(&effects));
    let (state, effects) = play(state, [Event::Polled(reconnect(ReconnectState::Started))]);
    assert!(
        handed_over(&effects)
            .is_some_and(|what| matches!(what, Handover::Closing { in_tab: true, .. }))
    );
    let (state, _) = play(state, [Event::Acknowledged(called_off())]);
    assert_eq!(stopped(&state), Some(&Stopped::WindowClosed));
}

/// What the relay is told.
fn handed_over(effects: &[Effect]) -> Option<&Handover> {
    effects.iter().find_map(|effect| match effect {
        Effect::HandOver { what, .. } => Some(what),
        _ => None,
    })
}

/// The relay has found nothing but that it was called off.
fn called_off() -> Reconnect {
    Reconnect {
        cause: Some(Cause::Cancelled),
        ..reconnect(ReconnectState::Refused)
    }
}

/// Row: window closed | the person closes the provider's window | `window_closed` | the person | The sign-in window was closed. Nothing was changed; jane@acme.example still waits for its reconnect.
#[test]
fn a_window_that_was_closed_is_looked_into_by_the_relay() {
    let events = [
        click(),
        started(ReconnectState::Started, &[true]),
        Event::WindowEnded(WindowEnd::Closed),
    ];
    let (state, effects) = play(State::Idle, events);
    let closing = Handover::Closing {
        in_tab: false,
        again: None,
    };
    assert_eq!(handed_over(&effects), Some(&closing));
    // The person is not kept waiting for what the relay finds.
    let shown = Some(Progress::Stopped(Stopped::WindowClosed));
    assert_eq!(state.progress(), shown);
    for end in [Event::Acknowledged(called_off()), unreachable()] {
        let (state, _) = play(state.clone(), [end]);
        assert_eq!(stopped(&state), Some(&Stopped::WindowClosed));
    }
    // The provider does not know the address: no window could have answered.
    let misconfigured = Reconnect {
        cause: Some(Cause::AppMisconfigured),
        ..reconnect(ReconnectState::Refused)
    };
    let (over, _) = play(state.clone(), [Event::Acknowledged(misconfigured)]);
    assert!(matches!(over.progress(), Some(Progress::Refused { .. })));
    // Wanted again before the relay knows: only then.
    let (state, effects) = play(state, [click()]);
    assert!(effects.is_empty());
    assert_eq!(state.progress(), Some(Progress::Starting));
    let (_, effects) = play(state, [Event::Acknowledged(called_off())]);
    assert_eq!(effects, [Effect::Start]);
}

/// Row: `state` or `iss` wrong, in the window | the answer is not one to the question | `mixed_up`
#[test]
fn an_answer_that_is_not_ours_is_told_to_the_relay() {
    let words = "the answer is another provider's".to_owned();
    let events = [
        click(),
        started(ReconnectState::Started, &[true]),
        Event::Answered(Answer::NotOurs {
            words: words.clone(),
        }),
    ];
    let (state, effects) = play(State::Idle, events);
    let told = Handover::MixUp {
        words: words.clone(),
    };
    assert_eq!(handed_over(&effects), Some(&told));
    let shown = Stopped::NotOurAnswer { words };
    assert_eq!(state.progress(), Some(Progress::Stopped(shown.clone())));
    let (gone, _) = play(state.clone(), [unreachable()]);
    assert_eq!(stopped(&gone), Some(&shown));
    let refused = Event::Acknowledged(reconnect(ReconnectState::Refused));
    let (over, _) = play(state, [refused]);
    assert!(matches!(over.progress(), Some(Progress::Refused { .. })));
}

#[test]
fn a_code_that_the_token_endpoint_refuses_is_the_relays_to_judge() {
    let events = [
        click(),
        started(ReconnectState::Started, &[true]),
        granted(),
    ];
    let (state, _) = play(State::Idle, events);
    let failed = |error: Option<&str>| Event::ExchangeFailed {
        error: error.map(str::to_owned),
        words: "the client or its secret is not known".to_owned(),
    };
    let (_, effects) = play(state.clone(), [failed(Some("invalid_client"))]);
    let told = handed_over(&effects);
    assert!(
        matches!(told, Some(Handover::Refusal { error, .. }) if error == "invalid_client"),
        "{effects:?}"
    );
    let (state, _) = play(state, [failed(None)]);
    let why = stopped(&state);
    assert!(matches!(why, Some(Stopped::ExchangeFailed { .. })));
}

#[test]
fn another_account_that_works_is_used_when_the_person_says_so() {
    let question = Question {
        inbox: "jane@acme.example".parse().unwrap(),
        given: GivenSignIn::Account {
            name: Some("john@acme.example".to_owned()),
        },
        replaces: None,
    };
    let john = || Reconnect {
        signed_in_as: Some("john@acme.example".to_owned()),
        question: Some(question.clone()),
        ..reconnect(ReconnectState::Unconfirmed)
    };
    let events = [
        click(),
        started(ReconnectState::Started, &[true]),
        Event::Polled(john()),
    ];
    let (state, effects) = play(State::Idle, events);
    assert!(has_poll(&effects), "it may be confirmed elsewhere");
    let asked = Progress::Unconfirmed {
        question: question.words(),
    };
    assert_eq!(state.progress(), Some(asked));
    let (woken, effects) = play(state.clone(), [Event::Woke]);
    assert_eq!(woken, state);
    assert!(has_poll(&effects));

    let (meant, effects) = play(state.clone(), [Event::Confirmed]);
    assert_eq!(handed_over(&effects), Some(&Handover::Confirmation));
    let going_on = Reconnect {
        state: ReconnectState::Verifying,
        stage: Some(Stage::Identified),
        ..john()
    };
    let named = Some(Progress::Proving {
        stage: Some(Stage::Identified),
        signed_in_as: Some("john@acme.example".to_owned()),
    });
    let (meant, _) = play(meant, [Event::Acknowledged(going_on.clone())]);
    assert_eq!(meant.progress(), named);
    let (elsewhere, _) = play(state.clone(), [Event::Polled(going_on)]);
    assert_eq!(elsewhere.progress(), named);

    for no in [Event::Denied, Event::Cancelled] {
        let (denied, effects) = play(state.clone(), [no]);
        assert_eq!(handed_over(&effects), Some(&Handover::Denial));
        let refused = reconnect(ReconnectState::Refused);
        let (denied, _) = play(denied, [Event::Acknowledged(refused)]);
        assert!(matches!(denied.progress(), Some(Progress::Refused { .. })));
    }
    // Nothing to confirm, nothing to deny.
    let (idle, effects) = play(State::Idle, [Event::Confirmed, Event::Denied]);
    assert_eq!((idle, effects), (State::Idle, Vec::new()));
}

#[test]
fn cancelling_tells_the_relay_and_ends_at_once_for_the_person() {
    let events = [click(), started(ReconnectState::Started, &[true])];
    let (state, _) = play(State::Idle, events);
    let (state, effects) = play(state, [Event::Cancelled]);
    assert!(matches!(
        effects.as_slice(),
        [Effect::HandOver { .. }, Effect::Forget]
    ));
    assert_eq!(
        state.progress(),
        Some(Progress::Stopped(Stopped::Cancelled))
    );
    for end in [
        Event::Acknowledged(reconnect(ReconnectState::Refused)),
        unreachable(),
    ] {
        let (state, _) = play(state.clone(), [end]);
        assert_eq!(stopped(&state), Some(&Stopped::Cancelled));
    }
    // Wanted again before the relay knows: only then.
    let (state, effects) = play(state, [click()]);
    assert!(effects.is_empty());
    assert_eq!(state.progress(), Some(Progress::Starting));
    let refused = Event::Acknowledged(reconnect(ReconnectState::Refused));
    let (_, effects) = play(state, [refused]);
    assert_eq!(effects, [Effect::Start]);
    // Before the relay has answered: it is told when it does.
    let (state, _) = play(State::Idle, [click(), Event::Cancelled]);
    assert_eq!(stopped(&state), Some(&Stopped::Cancelled));
    let (_, effects) = play(state, [started(ReconnectState::Started, &[true])]);
    assert!(matches!(effects.as_slice(), [Effect::HandOver { .. }]));
}

#[test]
fn a_window_that_is_given_up_is_closed() {
    let events = [
        click(),
        started(ReconnectState::Started, &[true]),
        Event::WindowOpened { window: 9 },
        Event::WindowOpened { window: 10 },
    ];
    let (state, _) = play(State::Idle, events);
    for event in [
        Event::Cancelled,
        Event::Woke,
        click_for_tab(),
        Event::Polled(reconnect(ReconnectState::Granted)),
    ] {
        let (_, effects) = play(state.clone(), [event]);
        assert!(effects.contains(&Effect::CloseWindow(9)), "{effects:?}");
    }
    let (_, effects) = decide(state, Event::Ticked, at(700));
    assert!(effects.contains(&Effect::CloseWindow(9)), "{effects:?}");
}

#[test]
fn a_window_that_opens_too_late_is_closed_at_once() {
    let opened = || Event::WindowOpened { window: 9 };
    let begun = || vec![click(), started(ReconnectState::Started, &[true])];
    for event in [Event::Cancelled, Event::Woke, click_for_tab(), granted()] {
        let (state, _) = play(State::Idle, begun());
        let (state, _) = play(state, [event]);
        let (after, effects) = play(state.clone(), [opened()]);
        assert_eq!(effects, [Effect::CloseWindow(9)]);
        assert_eq!(after, state);
    }
}

#[test]
fn a_visit_is_made_only_while_it_is_wanted() {
    let begun = [
        click(),
        started(ReconnectState::Started, &[false, true]),
        refused("login_required"),
    ];
    let (state, _) = play(State::Idle, begun);
    assert!(state.is_at_visit(&id(), 1));
    assert!(!state.is_at_visit(&id(), 0));
    assert!(!state.is_at_visit(&ReconnectId::new("rec_2"), 1));
    let (state, _) = play(state, [Event::Cancelled]);
    assert!(!state.is_at_visit(&id(), 1));
}

#[test]
fn a_press_that_may_not_be_meant_signs_nobody_in_silently() {
    let press = || {
        Event::Clicked(Wish {
            place: Place::Window,
            skip_silent: true,
        })
    };
    for (visits, first) in [
        ([false, true].as_slice(), 1),
        (&[true, false], 0),
        (&[true], 0),
    ] {
        let events = [press(), started(ReconnectState::Started, visits)];
        let (_, effects) = play(State::Idle, events);
        assert!(has_visit(&effects, first), "{effects:?}");
    }
    let events = [press(), started(ReconnectState::Started, &[false])];
    let (_, effects) = play(State::Idle, events);
    assert!(effects.contains(&Effect::Host(id())), "{effects:?}");
    // Pressed again before the relay knew that it was called off: the same holds.
    let events = [
        press(),
        started(ReconnectState::Started, &[true]),
        Event::Cancelled,
        press(),
        Event::Acknowledged(reconnect(ReconnectState::Refused)),
        started(ReconnectState::Started, &[false, true]),
    ];
    let (_, effects) = play(State::Idle, events);
    assert!(has_visit(&effects, 1), "{effects:?}");
}

#[test]
fn a_late_answer_about_an_older_reconnect_does_not_end_the_asking() {
    let older = || {
        Event::Polled(Reconnect {
            id: ReconnectId::new("rec_0"),
            ..reconnect(ReconnectState::Refused)
        })
    };
    for progress in [
        started(ReconnectState::Started, &[true]),
        started(ReconnectState::Verifying, &[]),
    ] {
        let (state, _) = play(State::Idle, [click(), progress]);
        let (after, effects) = play(state.clone(), [older()]);
        assert_eq!(after, state);
        assert!(has_poll(&effects), "{effects:?}");
    }
}

#[test]
fn whoever_is_woken_goes_on_or_says_how_to() {
    let to_provider = || vec![click(), started(ReconnectState::Started, &[true])];
    let then = |mut events: Vec<Event>, event: Event| {
        events.push(event);
        events
    };
    let (_, effects) = play(State::Idle, [click(), Event::Woke]);
    assert_eq!(effects, [Effect::Start]);
    for events in [to_provider(), then(to_provider(), granted())] {
        let (state, _) = play(State::Idle, then(events, Event::Woke));
        assert_eq!(stopped(&state), Some(&Stopped::Interrupted));
        let (_, effects) = play(state, [click()]);
        assert_eq!(effects, [Effect::Start]);
    }
    let handing = then(then(to_provider(), granted()), Event::Sealed(sealed()));
    let (state, effects) = play(State::Idle, then(handing, Event::Woke));
    assert!(matches!(effects.as_slice(), [Effect::HandOver { .. }]));
    let (state, effects) = play(
        state,
        [Event::CallFailed(CallFailure::Conflict {
            words: String::new(),
        })],
    );
    assert!(has_poll(&effects), "what had arrived is not sent again");
    let (_, effects) = play(state, [Event::Woke]);
    assert!(has_poll(&effects));
    let in_tab = [click_for_tab(), started(ReconnectState::Started, &[true])];
    let (state, _) = play(State::Idle, in_tab);
    let (_, effects) = play(state.clone(), [Event::Woke]);
    assert!(effects.contains(&Effect::Host(id())));
    let (_, effects) = play(state, [Event::TabOpened { tab: 7 }, Event::Woke]);
    assert!(has_poll(&effects) && !effects.contains(&Effect::Host(id())));
}

#[test]
fn nothing_waits_for_ever() {
    let steps: [&[Event]; 4] = [
        &[],
        &[started(ReconnectState::Started, &[true])],
        &[
            started(ReconnectState::Started, &[true]),
            granted(),
            Event::Sealed(sealed()),
        ],
        &[started(ReconnectState::Verifying, &[])],
    ];
    for events in steps {
        let (state, _) = play(State::Idle, [click()]);
        let (state, _) = play(state, events.to_vec());
        let (early, _) = decide(state.clone(), Event::Ticked, at(599));
        assert!(early.is_running());
        let late = at(5) + AT_MOST;
        let (state, _) = decide(state, Event::Ticked, late);
        assert_eq!(stopped(&state), Some(&Stopped::TookTooLong));
    }
}

#[test]
fn an_ending_is_shown_until_the_inbox_has_outlived_it() {
    let seen = |connection, seconds| Event::Seen {
        connection,
        since: at(seconds),
    };
    let resumed = State::Over {
        ending: Ending::Resumed {
            id: ReceiptId::new("rcp_1"),
            receipt: Some(Box::new(receipt(Vec::new()))),
        },
    };
    for (state, event, stays) in [
        (
            resumed.clone(),
            seen(ConnectionState::Disconnected, 1),
            true,
        ),
        (resumed.clone(), seen(ConnectionState::Connected, 50), true),
        (resumed, seen(ConnectionState::Disconnected, 70), false),
        (
            State::Over {
                ending: Ending::Stopped {
                    why: Stopped::WindowClosed,
                },
            },
            seen(ConnectionState::Connected, 1),
            false,
        ),
    ] {
        let (after, _) = play(state, [event.clone()]);
        assert_eq!(after != State::Idle, stays, "{event:?}");
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let states = || {
        proptest::sample::select(vec![
            ReconnectState::Started,
            ReconnectState::Granted,
            ReconnectState::Verifying,
            ReconnectState::Unconfirmed,
            ReconnectState::Resumed,
            ReconnectState::Refused,
        ])
    };
    let places = || proptest::sample::select(vec![Place::Window, Place::Tab, Place::Elsewhere]);
    prop_oneof![
        (places(), any::<bool>())
            .prop_map(|(place, skip_silent)| Event::Clicked(Wish { place, skip_silent })),
        Just(Event::Confirmed),
        Just(Event::Denied),
        Just(Event::Cancelled),
        Just(Event::Closed),
        (states(), any::<bool>()).prop_map(|(state, silent)| started(state, &[!silent, true])),
        Just(Event::OtherKey),
        Just(Event::OtherProvider {
            words: String::new()
        }),
        Just(granted()),
        Just(refused("access_denied")),
        Just(Event::Answered(Answer::NotOurs {
            words: "the state".to_owned()
        })),
        Just(Event::WindowEnded(WindowEnd::Closed)),
        Just(failed_window()),
        (1..3).prop_map(|window| Event::WindowOpened { window }),
        (1..3).prop_map(|tab| Event::TabOpened { tab }),
        Just(Event::TabFailed {
            words: String::new()
        }),
        (1..3).prop_map(|tab| Event::TabClosed { tab }),
        Just(Event::LinkMade),
        Just(Event::Sealed(sealed())),
        proptest::sample::select(vec![None, Some("invalid_grant".to_owned())]).prop_map(|error| {
            Event::ExchangeFailed {
                error,
                words: String::new(),
            }
        }),
        states().prop_map(|state| Event::Acknowledged(reconnect(state))),
        states().prop_map(|state| Event::Polled(reconnect(state))),
        Just(Event::PollFailed),
        Just(unreachable()),
        Just(Event::CallFailed(CallFailure::Conflict {
            words: String::new()
        })),
        Just(Event::ReceiptRead(Box::new(receipt(Vec::new())))),
        Just(Event::Woke),
        Just(Event::Ticked),
    ]
}

proptest! {
    /// Whatever happens in whatever order: nothing is started twice, a code is asked for at most once a visit,
    /// nothing secret could be written down, and what was written down can be gone on with.
    #[test]
    fn no_order_of_events_starts_two_or_writes_a_secret(
        events in proptest::collection::vec((any_event(), 0..300_i64), 0..40)
    ) {
        let (mut state, mut now) = (State::Idle, 0);
        for (event, later) in events {
            now += later;
            let is_wake = matches!(event, Event::Woke);
            // What was called off has ended once the relay is told.
            let was_ending = matches!(
                &state,
                State::HandingOver { what: Handover::Cancellation { .. } | Handover::Closing { .. }, .. }
            );
            let was_running = state.is_running() && !was_ending;
            let (next, effects) = decide(state, event, at(now));
            let n_starts = effects.iter().filter(|effect| **effect == Effect::Start).count();
            prop_assert!(n_starts <= 1);
            // A worker that was ended has forgotten its call; the relay joins the second to the first.
            prop_assert!(n_starts == 0 || is_wake || !was_running);
            let n_visits = effects.iter().filter(|effect| matches!(effect, Effect::Visit { .. })).count();
            let is_in_window = matches!(&next, State::AtProvider { way: Way::Window { .. }, .. });
            prop_assert!(n_visits <= usize::from(is_in_window));
            let written = serde_json::to_string(&next).unwrap();
            prop_assert!(!written.contains(CODE));
            prop_assert_eq!(&serde_json::from_str::<State>(&written).unwrap(), &next);
            prop_assert_eq!(next.is_running(), next.deadline().is_some());
            state = next;
        }
        let (state, _) = decide(state, Event::Ticked, at(now) + 2 * AT_MOST);
        prop_assert!(!state.is_running(), "{state:?}");
    }
}
