//! The part of a reconnect that the person sees: from the click to the provider's answer.

use std::time::Duration;

use protocol::id::ReconnectId;
use protocol::reconnect::{Authorization, VisitPlan};
use protocol::request::reconnect::{ReconnectState, StartedReconnect};
use protocol::timestamp::Timestamp;
use web::card::Stopped;

use super::authorization::Answer;
use super::ending::{close, keep, stop};
use super::relay::{CANCELLATION, follow, hand_over, poll};
use super::window::WindowEnd;
use super::{AT_MOST, BETWEEN_LOOKS, Effect, Ending, Handover, Place, State, Way, Wish};

/// A click while something is under way changes nothing, except that it may choose the tab, or want another link.
pub(super) fn click(state: State, wish: Wish, now: Timestamp) -> (State, Vec<Effect>) {
    match state {
        State::Idle | State::Over { .. } => {
            let deadline = now + AT_MOST;
            (State::Starting { wish, deadline }, vec![Effect::Start])
        }
        // Only after the relay knows that it was called off: else that would end the next one.
        State::HandingOver {
            reconnect,
            what: Handover::Cancellation { again: None },
            deadline,
        } => keep(State::HandingOver {
            reconnect,
            what: Handover::Cancellation { again: Some(wish) },
            deadline,
        }),
        State::HandingOver {
            reconnect,
            what:
                Handover::Closing {
                    in_tab,
                    again: None,
                },
            deadline,
        } => keep(State::HandingOver {
            reconnect,
            what: Handover::Closing {
                in_tab,
                again: Some(wish),
            },
            deadline,
        }),
        State::AtProvider {
            reconnect,
            way: way @ Way::Window { .. },
            authorization,
            deadline,
        } if wish.place == Place::Tab => {
            let (state, mut effects) = host(reconnect, authorization, deadline);
            effects.insert(0, Effect::Forget);
            effects.extend(close(&way));
            (state, effects)
        }
        State::AtProvider {
            reconnect,
            way: Way::Elsewhere { is_made: true },
            authorization,
            deadline,
        } if wish.place == Place::Elsewhere => link(reconnect, authorization, deadline),
        other => keep(other),
    }
}

pub(super) fn begin(
    state: State,
    started: StartedReconnect,
    now: Timestamp,
) -> (State, Vec<Effect>) {
    let StartedReconnect {
        reconnect,
        authorization,
        ..
    } = started;
    let (wish, deadline) = match state {
        State::Starting { wish, deadline } => (wish, deadline),
        // It was called off before the relay answered, so the relay does not know yet.
        State::Over {
            ending: Ending::Stopped {
                why: Stopped::Cancelled,
            },
        } if reconnect.state == ReconnectState::Started => {
            return hand_over(reconnect.id, CANCELLATION, now + AT_MOST);
        }
        other => return keep(other),
    };
    if reconnect.state != ReconnectState::Started {
        return follow(reconnect, now);
    }
    let Some(authorization) = authorization.map(Box::new) else {
        let words = "this inbox has no sign-in page: it signs in by a password";
        return stop(
            &state,
            Stopped::RelayRefused {
                words: words.to_owned(),
            },
        );
    };
    // Another browser may be on another desk: the relay alone says how long it waits.
    if wish.place == Place::Elsewhere {
        return link(reconnect.id, authorization, reconnect.expires_at);
    }
    let deadline = deadline.min(reconnect.expires_at);
    if wish.place == Place::Tab {
        return host(reconnect.id, authorization, deadline);
    }
    let is_asking = |plan: &VisitPlan| plan.interactive || !wish.skip_silent;
    let visits = &authorization.visits;
    let first = visits.iter().position(is_asking);
    let first = first.unwrap_or(visits.len());
    let (state, mut effects) = visit(reconnect.id, first, authorization, deadline);
    if let State::AtProvider { reconnect, .. } = &state {
        effects.push(poll(reconnect, BETWEEN_LOOKS));
    }
    (state, effects)
}

/// The visit of that number in a window; where there is none, the tab.
pub(super) fn visit(
    reconnect: ReconnectId,
    visit: usize,
    authorization: Box<Authorization>,
    deadline: Timestamp,
) -> (State, Vec<Effect>) {
    if authorization.visits.get(visit).is_none() {
        return host(reconnect, authorization, deadline);
    }
    let effect = Effect::Visit {
        reconnect: reconnect.clone(),
        visit,
        authorization: authorization.clone(),
    };
    let state = State::AtProvider {
        reconnect,
        way: Way::Window {
            visit,
            window: None,
        },
        authorization,
        deadline,
    };
    (state, vec![effect])
}

pub(super) fn host(
    reconnect: ReconnectId,
    authorization: Box<Authorization>,
    deadline: Timestamp,
) -> (State, Vec<Effect>) {
    let effects = vec![
        Effect::Host(reconnect.clone()),
        poll(&reconnect, BETWEEN_LOOKS),
    ];
    let way = Way::Tab {
        tab: None,
        is_closed: false,
    };
    let state = State::AtProvider {
        reconnect,
        way,
        authorization,
        deadline,
    };
    (state, effects)
}

fn link(
    reconnect: ReconnectId,
    authorization: Box<Authorization>,
    deadline: Timestamp,
) -> (State, Vec<Effect>) {
    let effects = vec![
        Effect::MakeLink(reconnect.clone()),
        poll(&reconnect, BETWEEN_LOOKS),
    ];
    let state = State::AtProvider {
        reconnect,
        way: Way::Elsewhere { is_made: false },
        authorization,
        deadline,
    };
    (state, effects)
}

pub(super) fn link_made(mut state: State) -> (State, Vec<Effect>) {
    if let State::AtProvider {
        way: Way::Elsewhere { is_made },
        ..
    } = &mut state
    {
        *is_made = true;
    }
    keep(state)
}

pub(super) fn answered(state: State, answer: Answer, now: Timestamp) -> (State, Vec<Effect>) {
    let State::AtProvider {
        reconnect,
        way: Way::Window { visit: number, .. },
        authorization,
        deadline,
    } = state
    else {
        return keep(state);
    };
    match answer {
        Answer::Granted { code } => {
            let effect = Effect::Obtain {
                reconnect: reconnect.clone(),
                authorization,
                code,
            };
            let state = State::Exchanging {
                reconnect,
                deadline,
            };
            (state, vec![effect])
        }
        // A silent visit may fail: that is what the next one is for (OpenID Connect Core §3.1.2.6).
        Answer::Refused { .. } if !is_interactive(&authorization, number) => {
            visit(reconnect, number + 1, authorization, deadline)
        }
        Answer::Refused { error, description } => {
            let what = Handover::Refusal { error, description };
            let (state, mut effects) = hand_over(reconnect, what, now + AT_MOST);
            effects.push(Effect::Forget);
            (state, effects)
        }
        Answer::NotOurs { words } => {
            let (state, mut effects) =
                hand_over(reconnect, Handover::MixUp { words }, now + AT_MOST);
            effects.push(Effect::Forget);
            (state, effects)
        }
    }
}

pub(super) fn window_ended(state: State, end: &WindowEnd, now: Timestamp) -> (State, Vec<Effect>) {
    let State::AtProvider {
        reconnect,
        way: Way::Window { visit: number, .. },
        authorization,
        deadline,
    } = state
    else {
        return keep(state);
    };
    if !is_interactive(&authorization, number) {
        return visit(reconnect, number + 1, authorization, deadline);
    }
    match end {
        WindowEnd::Closed => {
            let what = Handover::Closing {
                in_tab: false,
                again: None,
            };
            let (state, mut effects) = hand_over(reconnect, what, now + AT_MOST);
            effects.push(Effect::Forget);
            (state, effects)
        }
        // The window is of no use here; a tab needs nothing but the relay.
        WindowEnd::Failed { .. } => {
            let (state, mut effects) = host(reconnect, authorization, deadline);
            effects.insert(0, Effect::Forget);
            (state, effects)
        }
    }
}

pub(super) fn is_interactive(authorization: &Authorization, visit: usize) -> bool {
    authorization
        .visits
        .get(visit)
        .is_none_or(|visit| visit.interactive)
}

/// The window is remembered, so that it can be closed when the sign-in is given up: as long as it is open, Chromium
/// opens no other, and Firefox ends the next one. Observed with Chromium 156 and Firefox ESR 153 on 2026-11-24.
/// One that opens after that is closed at once.
pub(super) fn window_opened(mut state: State, opened: i32) -> (State, Vec<Effect>) {
    let State::AtProvider {
        way: Way::Window { window, .. },
        ..
    } = &mut state
    else {
        return (state, vec![Effect::CloseWindow(opened)]);
    };
    window.get_or_insert(opened);
    keep(state)
}

pub(super) fn tab_opened(state: State, opened: i32) -> (State, Vec<Effect>) {
    match state {
        State::AtProvider {
            reconnect,
            way: Way::Tab {
                tab: None,
                is_closed,
            },
            authorization,
            deadline,
        } => {
            let way = Way::Tab {
                tab: Some(opened),
                is_closed,
            };
            let state = State::AtProvider {
                reconnect,
                way,
                authorization,
                deadline,
            };
            keep(state)
        }
        other => (other, vec![Effect::CloseTab(opened)]),
    }
}

/// The relay is asked once more: it may have what it needs already.
pub(super) fn tab_closed(state: State, closed: i32) -> (State, Vec<Effect>) {
    match state {
        State::AtProvider {
            reconnect,
            way: Way::Tab { tab: Some(tab), .. },
            authorization,
            deadline,
        } if tab == closed => {
            let effect = poll(&reconnect, Duration::ZERO);
            let state = State::AtProvider {
                reconnect,
                way: Way::Tab {
                    tab: None,
                    is_closed: true,
                },
                authorization,
                deadline,
            };
            (state, vec![effect])
        }
        other => keep(other),
    }
}
