//! How a reconnect ends, what is shown of that and for how long; and how one goes on after its worker was ended.

use std::time::Duration;

use protocol::receipt::{Fate, Receipt};
use protocol::request::inbox::ConnectionState;
use protocol::timestamp::Timestamp;
use web::card::Stopped;

use super::relay::poll;
use super::{BETWEEN_LOOKS, Effect, Ending, State, Way};

pub(super) fn receipt_read(state: State, mut read: Receipt) -> (State, Vec<Effect>) {
    let State::Over {
        ending: Ending::Resumed { id, receipt: None },
    } = state
    else {
        return keep(state);
    };
    let next = read
        .lines
        .iter()
        .filter_map(|line| match &line.fate {
            Fate::Shifted { due_at, .. } => Some((*due_at, line)),
            Fate::Skipped { .. } | Fate::InDoubt => None,
        })
        .min_by_key(|(due_at, _)| *due_at)
        .map(|(_, line)| line.clone());
    read.lines = next.into_iter().collect();
    let ending = Ending::Resumed {
        id,
        receipt: Some(Box::new(read)),
    };
    keep(State::Over { ending })
}

/// The memory is gone: what was in it cannot be gone on with, and everything else can.
pub(super) fn wake(state: State, now: Timestamp) -> (State, Vec<Effect>) {
    let effects = match &state {
        State::Idle => Vec::new(),
        State::Starting { .. } => vec![Effect::Start],
        State::AtProvider {
            way: Way::Window { .. },
            ..
        }
        | State::Giving { .. }
        | State::Exchanging { .. } => return stop(&state, Stopped::Interrupted),
        State::AtProvider {
            reconnect,
            way:
                Way::Tab {
                    tab: None,
                    is_closed: false,
                },
            ..
        } => vec![
            Effect::Host(reconnect.clone()),
            poll(reconnect, BETWEEN_LOOKS),
        ],
        State::AtProvider {
            reconnect,
            way: Way::Elsewhere { is_made: false },
            ..
        } => vec![
            Effect::MakeLink(reconnect.clone()),
            poll(reconnect, BETWEEN_LOOKS),
        ],
        State::AtProvider { reconnect, .. }
        | State::Proving { reconnect, .. }
        | State::Unconfirmed { reconnect, .. } => {
            vec![poll(reconnect, Duration::ZERO)]
        }
        State::HandingOver {
            reconnect, what, ..
        } => vec![Effect::HandOver {
            reconnect: reconnect.clone(),
            what: what.clone(),
            after: Duration::ZERO,
        }],
        State::Over { .. } => return tick(state, now),
    };
    (state, effects)
}

pub(super) fn tick(state: State, now: Timestamp) -> (State, Vec<Effect>) {
    if state.deadline().is_some_and(|deadline| deadline <= now) {
        return stop(&state, Stopped::TookTooLong);
    }
    let effects = match &state {
        State::Over {
            ending: Ending::Resumed { id, receipt: None },
        } => vec![Effect::ReadReceipt(id.clone())],
        State::AtProvider { reconnect, .. }
        | State::Proving { reconnect, .. }
        | State::Unconfirmed { reconnect, .. } => {
            vec![poll(reconnect, BETWEEN_LOOKS)]
        }
        _ => Vec::new(),
    };
    (state, effects)
}

/// An ending that the inbox has outlived is shown no more.
pub(super) fn seen(state: State, connection: ConnectionState, since: Timestamp) -> State {
    let State::Over { ending } = &state else {
        return state;
    };
    let is_outlived = match ending {
        Ending::Resumed { receipt, .. } => {
            connection == ConnectionState::Disconnected
                && receipt
                    .as_ref()
                    .is_some_and(|receipt| receipt.resumed_at < since)
        }
        Ending::Refused { .. } | Ending::Stopped { .. } => connection == ConnectionState::Connected,
    };
    if is_outlived { State::Idle } else { state }
}

pub(super) fn stop(state: &State, why: Stopped) -> (State, Vec<Effect>) {
    let mut effects = vec![Effect::Forget];
    if let State::AtProvider { way, .. } = state {
        effects.extend(close(way));
    }
    let ending = Ending::Stopped { why };
    (State::Over { ending }, effects)
}

pub(super) fn close(way: &Way) -> Option<Effect> {
    match way {
        Way::Tab { tab, .. } => tab.map(Effect::CloseTab),
        Way::Window { window, .. } => window.map(Effect::CloseWindow),
        Way::Elsewhere { .. } => None,
    }
}

pub(super) fn keep(state: State) -> (State, Vec<Effect>) {
    (state, Vec::new())
}
