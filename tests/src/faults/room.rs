//! A room that one of two groups is in at a time. Faults that meet whoever comes next must not lengthen the
//! detection of a real one, so those who make them and those who wait for a detection take turns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who is in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Their faults meet whoever comes next.
    MeetingAnybody,
    /// They wait until a real fault is found and mended.
    BeingLost,
}

impl Group {
    fn other(self) -> Self {
        match self {
            Self::MeetingAnybody => Self::BeingLost,
            Self::BeingLost => Self::MeetingAnybody,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    group: Option<Group>,
    n_inside: usize,
    /// Of the group inside, how many may still enter although the other group waits.
    n_admitted: usize,
    waiting: Waiting,
    last: Option<Group>,
}

/// How many of each group wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waiting {
    meeting_anybody: usize,
    being_lost: usize,
}

impl Waiting {
    fn of(&mut self, group: Group) -> &mut usize {
        match group {
            Group::MeetingAnybody => &mut self.meeting_anybody,
            Group::BeingLost => &mut self.being_lost,
        }
    }
}

/// The room.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

/// Somebody is inside while this lives.
#[derive(Debug)]
pub(super) struct Inside(Room);

impl Drop for Inside {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.n_inside -= 1;
        if state.n_inside == 0 && state.n_admitted == 0 {
            state.group = None;
        }
        drop(state);
        self.0.changed.notify_waiters();
    }
}

impl Room {
    /// Waits until this group may be inside.
    pub(super) async fn enter(&self, group: Group) -> Inside {
        *self.lock().waiting.of(group) += 1;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.lock().try_enter(group) {
                self.changed.notify_waiters();
                return Inside(self.clone());
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn try_enter(&mut self, group: Group) -> bool {
        let others_wait = *self.waiting.of(group.other()) > 0;
        match self.group {
            Some(inside) if inside == group => {
                if self.n_admitted > 0 {
                    self.n_admitted -= 1;
                } else if others_wait {
                    return false;
                }
            }
            Some(_) => return false,
            None if others_wait && self.last == Some(group) => return false,
            // All who wait by now come in together.
            None => self.n_admitted = *self.waiting.of(group) - 1,
        }
        self.group = Some(group);
        self.last = Some(group);
        self.n_inside += 1;
        *self.waiting.of(group) -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_take_turns_and_all_who_wait_come_in_together() {
        use Group::{BeingLost, MeetingAnybody};
        let waiting = |meeting_anybody, being_lost| Waiting {
            meeting_anybody,
            being_lost,
        };
        let mut state = State {
            waiting: waiting(1, 0),
            ..State::default()
        };
        assert!(state.try_enter(MeetingAnybody));
        state.waiting = waiting(1, 2);
        assert!(!state.try_enter(MeetingAnybody) && !state.try_enter(BeingLost));
        (state.n_inside, state.group) = (0, None);
        assert!(
            !state.try_enter(MeetingAnybody),
            "it was their turn just now"
        );
        assert!(state.try_enter(BeingLost) && state.try_enter(BeingLost));
        assert_eq!((state.n_inside, state.waiting), (2, waiting(1, 0)));
        state.waiting = waiting(1, 1);
        assert!(!state.try_enter(BeingLost));
    }
}
