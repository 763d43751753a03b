//! What no order of events does to a reconnect. Who holds the credentials is followed here from the events
//! alone, and each way that a person can take is written down by hand.

use proptest::prelude::*;

use super::*;
use crate::evidence::{Finding, Party, Said, Stage as At};
use crate::provider::ProviderId;

const AT: Timestamp = Timestamp::from_ms(7);

fn started() -> State {
    State::Started { expires_at: AT }
}

fn reached(stage: Stage) -> Event {
    Event::Reached { stage }
}

fn refused() -> Event {
    let evidence = Box::new(Evidence {
        party: Party::Relay,
        stage: At::Authorize,
        said: Said::Found(Finding::Cancelled),
        provider: ProviderId::new("sandbox"),
        seen_at: AT,
    });
    Event::Refused {
        evidence,
        cause: None,
        at: AT,
    }
}

fn gap_read() -> Event {
    let receipt = ReceiptId::new("rcp_1");
    Event::GapRead { receipt, at: AT }
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => Just(Event::Granted),
        80 => prop_oneof![
            Just(Stage::Exchanging),
            Just(Stage::Exchanged),
            Just(Stage::Identified),
            Just(Stage::Refreshing),
            Just(Stage::Refreshed),
            Just(Stage::SignedIn),
            Just(Stage::Adopted),
        ]
        .prop_map(reached),
        10 => Just(Event::Left),
        10 => Just(Event::Questioned),
        10 => Just(Event::Confirmed),
        10 => Just(Event::Adopted),
        2 => Just(Event::Revived),
        10 => Just(gap_read()),
        1 => Just(refused()),
    ]
}

/// The events that were taken, with the effects of each.
fn play(events: Vec<Event>) -> (State, Vec<(Event, Vec<Effect>)>) {
    let mut state = started();
    let mut taken = Vec::new();
    for event in events {
        if let Ok((next, effects)) = state.clone().apply(event.clone()) {
            state = next;
            taken.push((event, effects));
        }
    }
    (state, taken)
}

proptest! {
    #[test]
    fn no_order_of_events_leaves_a_reconnect_that_ended_and_it_ends_once(
        events in prop::collection::vec(any_event(), 0..300)
    ) {
        let (state, taken) = play(events);
        let ends = |event: &Event| matches!(event, Event::GapRead { .. } | Event::Refused { .. });
        let first_end = taken.iter().position(|(event, _)| ends(event));
        // An end is the last event that is ever taken, so there is one at most.
        prop_assert!(first_end.is_none_or(|at| at + 1 == taken.len()), "{taken:?}");
        prop_assert_eq!(state.is_over(), first_end.is_some());
    }

    #[test]
    fn credentials_are_given_back_exactly_where_an_end_leaves_them_nobodys(
        events in prop::collection::vec(any_event(), 0..300)
    ) {
        let (_, taken) = play(events);
        // Followed by the events alone: who holds the new credentials.
        let mut held = false;
        for (event, effects) in taken {
            let gives_back = effects.contains(&Effect::GiveBack);
            match event {
                Event::Reached { stage: Stage::Exchanged | Stage::Refreshed } => held = true,
                Event::Adopted => held = false,
                Event::Refused { .. } => {
                    prop_assert_eq!(gives_back, held);
                    continue;
                }
                _ => {}
            }
            prop_assert!(!gives_back);
        }
    }

    #[test]
    fn nothing_resumes_before_the_inbox_has_credentials_and_its_gap_was_to_be_read(
        events in prop::collection::vec(any_event(), 0..300)
    ) {
        let (_, taken) = play(events);
        let asked = taken.iter().position(|(_, effects)| effects.contains(&Effect::ReadGap));
        let resumed = taken.iter().position(|(_, effects)| effects.contains(&Effect::Resume));
        if let Some(resumed) = resumed {
            prop_assert!(asked.is_some_and(|asked| asked < resumed), "{taken:?}");
        }
        let adopted = taken.iter().filter(|(event, _)| matches!(event, Event::Adopted | Event::Revived));
        prop_assert!(adopted.count() <= 1);
    }
}

#[test]
fn every_way_that_a_person_can_take_leads_to_the_receipt() {
    use Stage::{Exchanged, Exchanging, Identified, Refreshed, Refreshing, SignedIn};
    let ways: [&[Event]; 5] = [
        // A code, with a fault that passes at both windows and a restart between the sign-ins.
        &[
            Event::Granted,
            reached(Exchanging),
            Event::Left,
            reached(Exchanging),
            reached(Exchanged),
            reached(Identified),
            reached(Refreshing),
            Event::Left,
            reached(Refreshing),
            reached(Refreshed),
            reached(SignedIn),
            reached(SignedIn),
            Event::Adopted,
            gap_read(),
        ],
        // Tokens of a public client.
        &[
            Event::Granted,
            reached(Exchanged),
            reached(Identified),
            reached(Refreshing),
            reached(Refreshed),
            reached(SignedIn),
            Event::Adopted,
            gap_read(),
        ],
        // A colleague with a shared mailbox.
        &[
            Event::Granted,
            reached(Exchanged),
            Event::Questioned,
            Event::Confirmed,
            reached(Refreshing),
            reached(Refreshed),
            reached(SignedIn),
            Event::Adopted,
            gap_read(),
        ],
        // A password.
        &[
            Event::Granted,
            reached(Refreshed),
            reached(SignedIn),
            Event::Adopted,
            gap_read(),
        ],
        // What the operator corrected, without a person.
        &[Event::Revived, gap_read()],
    ];
    for way in ways {
        let (state, taken) = play(way.to_vec());
        assert_eq!(taken.len(), way.len(), "{way:?} stopped after {taken:?}");
        assert!(matches!(state, State::Resumed { .. }), "{state:?}");
    }
}

#[test]
fn what_skips_a_proof_is_refused() {
    use Stage::{Adopted, Exchanged, Identified, Refreshed, Refreshing, SignedIn};
    let verifying = |stage| State::Verifying { stage };
    let skipping = [
        (started(), reached(Exchanged)),
        (started(), Event::Adopted),
        (State::Granted, Event::Adopted),
        (State::Granted, Event::Revived),
        (State::Granted, reached(Identified)),
        (verifying(Exchanged), reached(Refreshing)),
        (verifying(Exchanged), reached(SignedIn)),
        (verifying(Identified), Event::Adopted),
        (verifying(Refreshing), Event::Questioned),
        (verifying(Refreshed), Event::Adopted),
        (verifying(SignedIn), reached(Adopted)),
        (verifying(SignedIn), gap_read()),
        (State::Unconfirmed, reached(Refreshing)),
        (State::Unconfirmed, Event::Adopted),
    ];
    for (state, event) in skipping {
        let refused = state.clone().apply(event.clone());
        assert!(
            matches!(refused, Err(InvalidTransition::OutOfOrder { .. })),
            "{state:?} takes {event:?}: {refused:?}"
        );
    }
}

#[test]
fn who_comes_too_late_is_told_what_it_is_by_now() {
    let told = |state: State, event| state.apply(event).unwrap_err().to_string();
    assert_eq!(
        told(State::Granted, Event::Granted),
        "this reconnect is granted; it no longer waits for a sign-in"
    );
    assert_eq!(
        told(started(), Event::Confirmed),
        "this reconnect is started; there is nothing to confirm"
    );
    let (over, _) = started().apply(refused()).unwrap();
    assert_eq!(told(over, refused()), "this reconnect is refused");
}
