//! A reconnect by password: from what the person typed to the sealed blob. The password is in an event and in an effect,
//! never in a state, so it is nowhere that anything is written down from.

use protocol::request::reconnect::{ReconnectState, StartedReconnect};
use protocol::sealed::Sealed;
use protocol::timestamp::Timestamp;
use web::card::{Given, Stopped};

use super::ending::{keep, stop};
use super::relay::{CANCELLATION, follow, hand_over};
use super::{AT_MOST, Effect, Ending, Handover, State};

/// One that is given while something else is under way is dropped: the card has no form then.
pub(super) fn give(state: State, given: Given, now: Timestamp) -> (State, Vec<Effect>) {
    match state {
        State::Idle
        | State::Over { .. }
        // What was called off ends by itself at the relay; it joins no more than that.
        | State::HandingOver {
            what: Handover::Cancellation { .. },
            ..
        } => {
            let deadline = now + AT_MOST;
            (State::Giving { deadline }, vec![Effect::Give(given)])
        }
        other => keep(other),
    }
}

/// The relay started or joined one, and the password is sealed for it; `None` where it could not be.
pub(super) fn sealed(
    state: State,
    started: StartedReconnect,
    sealed: Option<Sealed>,
    now: Timestamp,
) -> (State, Vec<Effect>) {
    let reconnect = started.reconnect;
    let waits = reconnect.state == ReconnectState::Started;
    match state {
        State::Giving { deadline } => match sealed {
            // Somebody was quicker, here or elsewhere: that one goes on.
            _ if !waits => follow(reconnect, now),
            Some(sealed) => {
                let deadline = deadline.min(reconnect.expires_at);
                hand_over(reconnect.id, Handover::Grant { sealed }, deadline)
            }
            None => stop(&state, Stopped::OtherKey),
        },
        // It was called off before the relay answered, so the relay does not know yet.
        State::Over {
            ending: Ending::Stopped {
                why: Stopped::Cancelled,
            },
        } if waits => hand_over(reconnect.id, CANCELLATION, now + AT_MOST),
        other => keep(other),
    }
}

#[cfg(test)]
mod tests;
