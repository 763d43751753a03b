//! The sign-in in another browser, by a link: made, followed, forgotten, called off.

use super::*;

/// A link that is made, and waits to be opened in another browser.
fn waiting_elsewhere() -> State {
    let events = [
        click_for(Place::Elsewhere),
        started(ReconnectState::Started, &[true]),
        Event::LinkMade,
    ];
    play(State::Idle, events).0
}

/// Row: not signed in here, in the extension | Make a link in the popup, and open it in another browser | resumed | the person | Open this link in the browser where you are signed in at …. It works once, for a few minutes.
#[test]
fn a_link_for_another_browser_is_made_and_its_sign_in_followed() {
    let begun = [
        click_for(Place::Elsewhere),
        started(ReconnectState::Started, &[true]),
    ];
    let (state, effects) = play(State::Idle, begun);
    assert!(effects.contains(&Effect::MakeLink(id())) && has_poll(&effects));
    assert!(!has_visit(&effects, 0), "nobody signs in here");
    assert!(state.is_making_link(&id()));
    assert!(!state.is_making_link(&ReconnectId::new("rec_2")));
    assert_eq!(state.progress(), Some(Progress::Starting));
    let (twice, effects) = play(state.clone(), [click_for(Place::Elsewhere)]);
    assert_eq!((&twice, effects), (&state, Vec::new()), "one at a time");

    let (state, _) = play(state, [Event::LinkMade]);
    assert!(!state.is_making_link(&id()));
    let shown = Some(Progress::Elsewhere { link: None });
    assert_eq!(state.progress(), shown);
    let waits = Event::Polled(reconnect(ReconnectState::Started));
    let (state, effects) = play(state, [waits]);
    assert_eq!(state.progress(), shown, "it still waits");
    assert!(has_poll(&effects));
    let granted = Event::Polled(reconnect(ReconnectState::Granted));
    let (proving, effects) = play(state.clone(), [granted]);
    assert!(matches!(proving, State::Proving { .. }));
    assert!(effects.contains(&Effect::Forget), "the link is of no use");
    let refused = Event::Polled(reconnect(ReconnectState::Refused));
    let (over, effects) = play(state, [refused]);
    assert!(matches!(over.progress(), Some(Progress::Refused { .. })));
    assert!(effects.contains(&Effect::Forget));
}

#[test]
fn a_link_that_was_forgotten_can_be_made_anew_or_called_off() {
    // What is written down says that there is one, and not which.
    let (woken, effects) = play(waiting_elsewhere(), [Event::Woke]);
    assert_eq!(woken, waiting_elsewhere());
    assert!(has_poll(&effects) && !effects.contains(&Effect::MakeLink(id())));

    let (again, effects) = play(woken.clone(), [click_for(Place::Elsewhere)]);
    assert!(again.is_making_link(&id()));
    assert!(effects.contains(&Effect::MakeLink(id())));
    let (_, effects) = play(again.clone(), [Event::Woke]);
    assert!(
        effects.contains(&Effect::MakeLink(id())),
        "the call was lost with the worker"
    );
    let conflict = || {
        Event::CallFailed(CallFailure::Conflict {
            words: "it no longer waits for a sign-in".to_owned(),
        })
    };
    let (asked, _) = play(again.clone(), [conflict()]);
    assert_eq!(asked, again, "somebody was quicker: the relay says who");
    let (gone, effects) = play(again, [unreachable()]);
    assert!(matches!(
        stopped(&gone),
        Some(Stopped::RelayUnreachable { .. })
    ));
    assert!(effects.contains(&Effect::Forget));

    let (called_off, effects) = play(woken, [Event::Cancelled]);
    assert_eq!(
        handed_over(&effects),
        Some(&Handover::Cancellation { again: None })
    );
    assert!(effects.contains(&Effect::Forget));
    assert_eq!(
        called_off.progress(),
        Some(Progress::Stopped(Stopped::Cancelled))
    );
    // A link is wanted again before the relay knows: only then.
    let (waits, effects) = play(called_off, [click_for(Place::Elsewhere)]);
    assert!(effects.is_empty());
    let told = Event::Acknowledged(reconnect(ReconnectState::Refused));
    let (starts, effects) = play(waits, [told]);
    assert_eq!(effects, [Effect::Start]);
    let (state, _) = play(starts, [started(ReconnectState::Started, &[true])]);
    assert!(state.is_making_link(&id()));
}

#[test]
fn a_link_waits_as_long_as_the_relay_does() {
    let long = at(3_600);
    let Event::Started(mut begun) = started(ReconnectState::Started, &[true]) else {
        panic!("it starts")
    };
    begun.reconnect.expires_at = long;
    let events = [
        click_for(Place::Elsewhere),
        Event::Started(begun),
        Event::LinkMade,
    ];
    let (state, _) = play(State::Idle, events);
    let (early, _) = decide(state.clone(), Event::Ticked, at(3_599));
    assert_eq!(early, state);
    let (late, effects) = decide(state, Event::Ticked, long);
    assert_eq!(stopped(&late), Some(&Stopped::TookTooLong));
    assert!(effects.contains(&Effect::Forget));
}
