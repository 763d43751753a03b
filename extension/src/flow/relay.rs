//! The part of a reconnect that is the relay's: what it is told, and what it says of its proof.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::id::ReconnectId;
use protocol::reconnect::Question;
use protocol::request::reconnect::{Reconnect, ReconnectState};
use protocol::timestamp::Timestamp;
use web::card::Stopped;

use super::ending::{close, keep, stop};
use super::provider::click;
use super::{AT_MOST, BETWEEN_LOOKS, CallFailure, Effect, Ending, Handover, State, Way, Wish};

/// That the person called it off.
pub(super) const CANCELLATION: Handover = Handover::Cancellation { again: None };

pub(super) fn cancel(state: State, now: Timestamp) -> (State, Vec<Effect>) {
    match state {
        State::Starting { .. } | State::Giving { .. } => stop(&state, Stopped::Cancelled),
        State::AtProvider { reconnect, way, .. } => {
            let (state, mut effects) = hand_over(reconnect, CANCELLATION, now + AT_MOST);
            effects.extend(close(&way));
            effects.push(Effect::Forget);
            (state, effects)
        }
        State::Exchanging { reconnect, .. } => {
            let (state, mut effects) = hand_over(reconnect, CANCELLATION, now + AT_MOST);
            effects.push(Effect::Forget);
            (state, effects)
        }
        State::HandingOver {
            reconnect,
            what: Handover::Cancellation { .. },
            deadline,
        } => keep(State::HandingOver {
            reconnect,
            what: CANCELLATION,
            deadline,
        }),
        State::HandingOver {
            reconnect,
            what: Handover::Closing { in_tab, .. },
            deadline,
        } => keep(State::HandingOver {
            reconnect,
            what: Handover::Closing {
                in_tab,
                again: None,
            },
            deadline,
        }),
        State::Unconfirmed { .. } => judge(state, Handover::Denial),
        // It is at the relay, or nearly: what is proved cannot be called off.
        other => keep(other),
    }
}

/// Whether the account that signed in is meant.
pub(super) fn judge(state: State, judgement: Handover) -> (State, Vec<Effect>) {
    match state {
        State::Unconfirmed {
            reconnect,
            deadline,
            ..
        } => hand_over(reconnect, judgement, deadline),
        other => keep(other),
    }
}

/// The relay knows that the page was closed, or cannot be told.
fn closed(state: &State, again: Option<Wish>, now: Timestamp) -> (State, Vec<Effect>) {
    match again {
        None => stop(state, Stopped::WindowClosed),
        Some(wish) => click(State::Idle, wish, now),
    }
}

/// The relay knows that it was called off, or cannot be told.
fn cancelled(state: &State, again: Option<Wish>, now: Timestamp) -> (State, Vec<Effect>) {
    match again {
        None => stop(state, Stopped::Cancelled),
        Some(wish) => click(State::Idle, wish, now),
    }
}

pub(super) fn hand_over(
    reconnect: ReconnectId,
    what: Handover,
    deadline: Timestamp,
) -> (State, Vec<Effect>) {
    let effect = Effect::HandOver {
        reconnect: reconnect.clone(),
        what: what.clone(),
        after: Duration::ZERO,
    };
    let state = State::HandingOver {
        reconnect,
        what,
        deadline,
    };
    (state, vec![effect])
}

pub(super) fn acknowledged(
    state: State,
    reconnect: Reconnect,
    now: Timestamp,
) -> (State, Vec<Effect>) {
    match &state {
        State::HandingOver { reconnect: id, .. } if *id != reconnect.id => keep(state),
        State::HandingOver {
            what: Handover::Cancellation { again },
            ..
        } => cancelled(&state, *again, now),
        // It could have answered; the words for that are this side's, who knows what was closed.
        State::HandingOver {
            what: Handover::Closing { again, .. },
            ..
        } if again.is_some() || reconnect.cause == Some(Cause::Cancelled) => {
            closed(&state, *again, now)
        }
        State::HandingOver { .. } => {
            let (state, mut effects) = follow(reconnect, now);
            effects.push(Effect::Forget);
            (state, effects)
        }
        _ => keep(state),
    }
}

pub(super) fn polled(state: State, reconnect: Reconnect, now: Timestamp) -> (State, Vec<Effect>) {
    match &state {
        State::AtProvider { reconnect: id, .. }
        | State::Proving { reconnect: id, .. }
        | State::Unconfirmed { reconnect: id, .. }
            if *id != reconnect.id =>
        {
            // A late answer about the one before: this one is still to be asked about.
            poll_again(state, now)
        }
        State::AtProvider { way, .. } if reconnect.state == ReconnectState::Started => match way {
            Way::Tab {
                is_closed: true, ..
            } => {
                let what = Handover::Closing {
                    in_tab: true,
                    again: None,
                };
                let (state, mut effects) = hand_over(reconnect.id, what, now + AT_MOST);
                effects.push(Effect::Forget);
                (state, effects)
            }
            _ => poll_again(state, now),
        },
        // An answer that was on its way while the grant was handed over.
        State::Proving { .. } if reconnect.state == ReconnectState::Started => {
            poll_again(state, now)
        }
        State::AtProvider { way, .. } => {
            let closing = match (reconnect.state, way) {
                // The tab says what to do where it was refused.
                (ReconnectState::Refused, Way::Tab { .. }) => None,
                _ => close(way),
            };
            let (state, mut effects) = follow(reconnect, now);
            effects.extend(closing);
            effects.push(Effect::Forget);
            (state, effects)
        }
        State::Proving { deadline, .. } => {
            let deadline = *deadline;
            let (mut state, effects) = follow(reconnect, now);
            if let State::Proving { deadline: kept, .. } = &mut state {
                *kept = deadline;
            }
            if state.deadline().is_some_and(|deadline| deadline <= now) {
                return stop(&state, Stopped::TookTooLong);
            }
            (state, effects)
        }
        // Somebody may have said it elsewhere.
        State::Unconfirmed { .. } => follow(reconnect, now),
        _ => keep(state),
    }
}

/// What is to be confirmed; a relay of another version may not say it.
fn question_of(reconnect: &Reconnect) -> String {
    let question = reconnect.question.as_ref().map(Question::words);
    question.unwrap_or_else(|| "A sign-in that this inbox does not know works for it.".to_owned())
}

/// Goes where the relay says that the reconnect stands.
pub(super) fn follow(reconnect: Reconnect, now: Timestamp) -> (State, Vec<Effect>) {
    match reconnect.state {
        ReconnectState::Started | ReconnectState::Granted | ReconnectState::Verifying => {
            let effects = vec![poll(&reconnect.id, BETWEEN_LOOKS)];
            let state = State::Proving {
                reconnect: reconnect.id,
                stage: reconnect.stage,
                signed_in_as: reconnect.signed_in_as,
                deadline: now + AT_MOST,
            };
            (state, effects)
        }
        ReconnectState::Unconfirmed => {
            let effects = vec![poll(&reconnect.id, BETWEEN_LOOKS)];
            let state = State::Unconfirmed {
                question: question_of(&reconnect),
                reconnect: reconnect.id,
                // The relay ends it in time, and says so.
                deadline: now + AT_MOST,
            };
            (state, effects)
        }
        ReconnectState::Resumed => {
            let Some(id) = reconnect.receipt else {
                return (State::Idle, vec![Effect::Look]);
            };
            let effects = vec![Effect::ReadReceipt(id.clone()), Effect::Look];
            let ending = Ending::Resumed { id, receipt: None };
            (State::Over { ending }, effects)
        }
        ReconnectState::Refused => {
            let ending = match reconnect.card {
                Some(words) => Ending::Refused {
                    words,
                    evidence: reconnect.evidence,
                },
                None => Ending::Stopped {
                    why: Stopped::RelayRefused {
                        words: reconnect.evidence.unwrap_or_default(),
                    },
                },
            };
            (State::Over { ending }, vec![Effect::Look])
        }
    }
}

pub(super) fn poll(reconnect: &ReconnectId, after: Duration) -> Effect {
    Effect::Poll {
        reconnect: reconnect.clone(),
        after,
    }
}

pub(super) fn poll_again(state: State, now: Timestamp) -> (State, Vec<Effect>) {
    if state.deadline().is_some_and(|deadline| deadline <= now) {
        return stop(&state, Stopped::TookTooLong);
    }
    let effects = match &state {
        State::AtProvider { reconnect, .. }
        | State::Proving { reconnect, .. }
        | State::Unconfirmed { reconnect, .. } => {
            vec![poll(reconnect, BETWEEN_LOOKS)]
        }
        _ => Vec::new(),
    };
    (state, effects)
}

pub(super) fn call_failed(
    state: State,
    failure: &CallFailure,
    now: Timestamp,
) -> (State, Vec<Effect>) {
    let why = match failure.clone() {
        CallFailure::Unreachable { url } => Stopped::RelayUnreachable { url },
        CallFailure::NotTheRelay => Stopped::OtherKey,
        CallFailure::Conflict { words }
        | CallFailure::Busy { words }
        | CallFailure::Refused { words } => Stopped::RelayRefused { words },
    };
    match state {
        // It no longer waits for a sign-in: what became of it is being asked.
        State::AtProvider {
            way: Way::Elsewhere { .. },
            ..
        } if matches!(failure, CallFailure::Conflict { .. }) => keep(state),
        State::Starting { .. }
        | State::Giving { .. }
        | State::AtProvider {
            way: Way::Tab { tab: None, .. } | Way::Elsewhere { is_made: false },
            ..
        } => stop(&state, why),
        State::HandingOver {
            what: Handover::Cancellation { again },
            ..
        } => cancelled(&state, again, now),
        // The next start finds the reconnect that still waits, and goes on with it.
        State::HandingOver {
            what: Handover::Closing { again, .. },
            ..
        } if !matches!(failure, CallFailure::Conflict { .. }) => closed(&state, again, now),
        State::HandingOver {
            what: Handover::MixUp { ref words },
            ..
        } if !matches!(failure, CallFailure::Conflict { .. }) => {
            let words = words.clone();
            stop(&state, Stopped::NotOurAnswer { words })
        }
        State::HandingOver {
            reconnect,
            what,
            deadline,
        } => match failure {
            // It no longer waits for this, so it has it, or has ended: it says which.
            CallFailure::Conflict { .. } => {
                let effect = poll(&reconnect, Duration::ZERO);
                let state = State::Proving {
                    reconnect,
                    stage: None,
                    signed_in_as: None,
                    deadline: now + AT_MOST,
                };
                (state, vec![effect, Effect::Forget])
            }
            CallFailure::Unreachable { .. }
            | CallFailure::NotTheRelay
            | CallFailure::Busy { .. }
                if now < deadline =>
            {
                let effect = Effect::HandOver {
                    reconnect: reconnect.clone(),
                    what: what.clone(),
                    after: 2 * BETWEEN_LOOKS,
                };
                let state = State::HandingOver {
                    reconnect,
                    what,
                    deadline,
                };
                (state, vec![effect])
            }
            CallFailure::Unreachable { .. }
            | CallFailure::NotTheRelay
            | CallFailure::Busy { .. }
            | CallFailure::Refused { .. } => {
                let ending = Ending::Stopped { why };
                (State::Over { ending }, vec![Effect::Forget])
            }
        },
        other => keep(other),
    }
}
