//! Stories of a reconnect by password: it ends well, is refused, is called off, is cut short; and the password is in no
//! state.

use proptest::prelude::*;
use protocol::card::Facts;
use protocol::cause::Cause;
use protocol::id::{InboxId, ReceiptId, ReconnectId};
use protocol::reconnect::{GivenSignIn, Grant, Question, Replaces};
use protocol::request::reconnect::Reconnect;
use protocol::sealed::OpeningKey;
use protocol::secret::Secret;
use web::card::Progress;

use super::super::{CallFailure, Event, Wish, decide};
use super::*;

const PASSWORD: &str = "a-very-secret-password";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds * 1_000)
}

fn given() -> Given {
    Given {
        user: "jane@acme.example".to_owned(),
        password: Secret::new(PASSWORD),
    }
}

fn give() -> Event {
    Event::PasswordGiven(given())
}

fn reconnect(state: ReconnectState) -> Reconnect {
    let cause = (state == ReconnectState::Refused).then_some(Cause::SignInRefused);
    Reconnect {
        id: ReconnectId::new("rec_1"),
        inbox: InboxId::new("inb_1"),
        state,
        stage: None,
        expires_at: at(600),
        signed_in_as: None,
        question: None,
        cause,
        card: cause.map(|cause| {
            cause.card().render(&Facts {
                inbox: "jane@acme.example",
                provider: "the sandbox",
            })
        }),
        evidence: None,
        receipt: (state == ReconnectState::Resumed).then(|| ReceiptId::new("rcp_1")),
    }
}

fn blob() -> Sealed {
    let key = OpeningKey::derive(&[7; 32]);
    let Given { user, password } = given();
    let grant = Grant::Password { user, password };
    let reconnect = ReconnectId::new("rec_1");
    web::sealing::seal(key.public(), &InboxId::new("inb_1"), &reconnect, &grant).unwrap()
}

fn sealed_for(state: ReconnectState) -> Event {
    let waits = state == ReconnectState::Started;
    Event::PasswordSealed {
        started: Box::new(StartedReconnect {
            reconnect: reconnect(state),
            authorization: None,
            joined: false,
        }),
        sealed: waits.then(blob),
    }
}

fn unreachable() -> Event {
    Event::CallFailed(CallFailure::Unreachable {
        url: "http://127.0.0.1:7411".to_owned(),
    })
}

/// Plays events one second apart, and tells the state and the effects of the last one.
fn play(events: impl IntoIterator<Item = Event>) -> (State, Vec<Effect>) {
    let mut last = (State::Idle, Vec::new());
    for (seconds, event) in (1..).zip(events) {
        last = decide(last.0, event, at(seconds));
    }
    last
}

fn why(state: &State) -> Option<&Stopped> {
    match state {
        State::Over {
            ending: Ending::Stopped { why },
        } => Some(why),
        _ => None,
    }
}

#[test]
fn a_password_is_sealed_handed_over_and_proved() {
    let (state, effects) = play([give()]);
    assert_eq!(effects, [Effect::Give(given())]);
    assert_eq!(state.progress(), Some(Progress::Starting));
    let (state, effects) = play([give(), sealed_for(ReconnectState::Started)]);
    assert_eq!(state.progress(), Some(Progress::HandingOver));
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::HandOver {
                what: Handover::Grant { .. },
                ..
            }]
        ),
        "{effects:?}"
    );
    let granted = Event::Acknowledged(reconnect(ReconnectState::Granted));
    let (state, _) = play([give(), sealed_for(ReconnectState::Started), granted.clone()]);
    let proving = Progress::Proving {
        stage: None,
        signed_in_as: None,
    };
    assert_eq!(state.progress(), Some(proving));
    let resumed = Event::Polled(reconnect(ReconnectState::Resumed));
    let (state, _) = play([
        give(),
        sealed_for(ReconnectState::Started),
        granted,
        resumed,
    ]);
    assert!(matches!(state.progress(), Some(Progress::Resumed { .. })));
}

#[test]
fn a_password_that_would_replace_an_account_asks_and_names_both() {
    let question = Question {
        inbox: "jane@acme.example".parse().unwrap(),
        given: GivenSignIn::Password {
            user: "mallory@acme.example".to_owned(),
        },
        replaces: Some(Replaces::Account {
            provider: "Google".to_owned(),
        }),
    };
    let asked = Reconnect {
        question: Some(question.clone()),
        ..reconnect(ReconnectState::Unconfirmed)
    };
    let until_asked = [
        give(),
        sealed_for(ReconnectState::Started),
        Event::Acknowledged(reconnect(ReconnectState::Granted)),
        Event::Polled(asked),
    ];
    let (state, _) = play(until_asked.clone());
    let Some(Progress::Unconfirmed { question: shown }) = state.progress() else {
        panic!("{state:?}");
    };
    assert_eq!(shown, question.words());
    assert!(shown.contains("signs in with Google today"), "{shown}");
    assert!(shown.contains("mallory@acme.example"), "{shown}");
    for (answer, told) in [
        (Event::Confirmed, Handover::Confirmation),
        (Event::Denied, Handover::Denial),
    ] {
        let (_, effects) = play(until_asked.clone().into_iter().chain([answer]));
        assert!(
            matches!(effects.as_slice(), [Effect::HandOver { what, .. }, ..] if *what == told),
            "{effects:?}"
        );
    }
}

#[test]
fn a_refused_password_may_be_followed_by_another() {
    let refused = [
        give(),
        sealed_for(ReconnectState::Started),
        Event::Acknowledged(reconnect(ReconnectState::Granted)),
        Event::Polled(reconnect(ReconnectState::Refused)),
    ];
    let (state, _) = play(refused.clone());
    assert!(matches!(state.progress(), Some(Progress::Refused { .. })));
    let (state, effects) = play(refused.into_iter().chain([give()]));
    assert_eq!(effects, [Effect::Give(given())]);
    assert!(matches!(state, State::Giving { .. }));
}

#[test]
fn what_waits_for_the_relay_outlives_the_worker_and_what_was_typed_does_not() {
    let (state, effects) = play([give(), Event::Woke]);
    assert_eq!(
        why(&state),
        Some(&Stopped::Interrupted),
        "it is typed again"
    );
    assert_eq!(effects, [Effect::Forget]);
    let (state, effects) = play([give(), sealed_for(ReconnectState::Started), Event::Woke]);
    assert!(state.is_running());
    assert!(matches!(effects.as_slice(), [Effect::HandOver { .. }]));
}

#[test]
fn one_that_was_called_off_hands_nothing_over() {
    let (state, _) = play([give(), Event::Cancelled]);
    assert_eq!(why(&state), Some(&Stopped::Cancelled));
    let late = [
        give(),
        Event::Cancelled,
        sealed_for(ReconnectState::Started),
    ];
    let (_, effects) = play(late.clone());
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::HandOver {
                what: Handover::Cancellation { again: None },
                ..
            }]
        ),
        "{effects:?}"
    );
    // Given again before the relay knows of it: it begins at once, and nothing is lost silently.
    let (state, effects) = play(late.into_iter().chain([give()]));
    assert_eq!(effects, [Effect::Give(given())]);
    assert!(matches!(state, State::Giving { .. }));
}

#[test]
fn one_that_is_under_way_already_is_joined_and_the_password_dropped() {
    let (state, effects) = play([give(), sealed_for(ReconnectState::Verifying)]);
    assert!(matches!(state, State::Proving { .. }));
    assert!(
        effects
            .iter()
            .all(|effect| matches!(effect, Effect::Poll { .. })),
        "{effects:?}"
    );
    let (state, effects) = play([give(), give()]);
    assert!(effects.is_empty(), "one at a time");
    assert!(matches!(state, State::Giving { .. }));
}

#[test]
fn what_goes_wrong_on_this_side_is_said() {
    let (state, _) = play([give(), Event::OtherKey]);
    assert_eq!(why(&state), Some(&Stopped::OtherKey));
    let (state, _) = play([give(), unreachable()]);
    assert!(matches!(
        why(&state),
        Some(Stopped::RelayUnreachable { .. })
    ));
    let broken_key = Event::PasswordSealed {
        started: Box::new(StartedReconnect {
            reconnect: reconnect(ReconnectState::Started),
            authorization: None,
            joined: false,
        }),
        sealed: None,
    };
    let (state, _) = play([give(), broken_key]);
    assert_eq!(why(&state), Some(&Stopped::OtherKey));
    let (state, _) = play([give()]);
    let (state, _) = decide(state, Event::Ticked, at(1) + AT_MOST);
    assert_eq!(why(&state), Some(&Stopped::TookTooLong));
}

fn any_event() -> impl Strategy<Value = Event> {
    let reconnects = || {
        prop_oneof![
            Just(ReconnectState::Started),
            Just(ReconnectState::Granted),
            Just(ReconnectState::Verifying),
            Just(ReconnectState::Refused),
            Just(ReconnectState::Resumed),
        ]
    };
    prop_oneof![
        4 => Just(give()),
        3 => reconnects().prop_map(sealed_for),
        1 => Just(Event::Clicked(Wish::default())),
        1 => Just(Event::Cancelled),
        1 => Just(Event::Closed),
        1 => Just(Event::OtherKey),
        1 => Just(unreachable()),
        2 => reconnects().prop_map(|state| Event::Acknowledged(reconnect(state))),
        2 => reconnects().prop_map(|state| Event::Polled(reconnect(state))),
        1 => Just(Event::Woke),
        1 => Just(Event::Ticked),
    ]
}

proptest! {
    /// Whatever happens in whatever order: the password leaves by the one effect that seals it, and is in nothing that
    /// could be written down.
    #[test]
    fn no_order_of_events_writes_the_password_down(
        events in proptest::collection::vec((any_event(), 0..300_i64), 0..40)
    ) {
        let (mut state, mut now) = (State::Idle, 0);
        for (event, later) in events {
            now += later;
            let is_given = matches!(event, Event::PasswordGiven(_));
            let (next, effects) = decide(state, event, at(now));
            let n_gives = effects.iter().filter(|effect| matches!(effect, Effect::Give(_))).count();
            prop_assert!(n_gives <= usize::from(is_given));
            let written = serde_json::to_string(&next).unwrap();
            prop_assert!(!written.contains(PASSWORD));
            prop_assert_eq!(&serde_json::from_str::<State>(&written).unwrap(), &next);
            prop_assert_eq!(next.is_running(), next.deadline().is_some());
            let shown = format!("{next:?}{effects:?}");
            prop_assert!(!shown.contains(PASSWORD));
            state = next;
        }
        let (state, _) = decide(state, Event::Ticked, at(now) + 2 * AT_MOST);
        prop_assert!(!state.is_running(), "{state:?}");
    }
}
