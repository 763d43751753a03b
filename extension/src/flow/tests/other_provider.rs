//! What a relay names for the sign-in is not the provider's.

use super::*;

#[test]
fn a_sign_in_that_is_not_the_providers_is_not_opened_and_nothing_is_handed_over() {
    let words = "the relay names https://id.acme.example/token".to_owned();
    let events = [
        click(),
        started(ReconnectState::Started, &[true]),
        Event::OtherProvider {
            words: words.clone(),
        },
    ];
    let (state, effects) = play(State::Idle, events);
    assert_eq!(stopped(&state), Some(&Stopped::OtherProvider { words }));
    assert_eq!(handed_over(&effects), None);
    let (after, effects) = play(state.clone(), [granted()]);
    assert_eq!((after, handed_over(&effects)), (state, None));
}
