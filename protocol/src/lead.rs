//! A lead: a person's place in one campaign. A row holds its state by its name.
//!
//! ```text
//! Active ─┬→ Done      its last step was accepted, or a copy of it was found
//!  ↕      ├→ Stopped   none of its later steps is sent: it answered, bounced, was rejected, or a person said so
//! Paused ─┘            a person holds its steps
//! any ──→ Deleted      a person took it out of a campaign that is started: what the ledger needs of it stays
//! ```
//!
//! Who answers after the last step is done and stays it. An end is taken back only where what was met was not the
//! lead's, or a person says so: then it is active again. A lead that is deleted stays it.

use serde::{Deserialize, Serialize};

/// Where a lead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has steps that are to be sent, or whose outcome is open.
    Active,
    /// A person holds its steps; its waits go on.
    Paused,
    /// Every step was sent.
    Done,
    /// No further step is sent.
    Stopped,
    /// A person deleted it; no further step is sent, and its address is never added to its campaign again.
    Deleted,
}

/// What happens to a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its last step was sent.
    Finished,
    /// A reason not to write to it any more; it stands with each step that was suppressed.
    Stopped,
    /// What ended it was not its own: it is written to again.
    Revived,
    /// A person holds its steps.
    Paused,
    /// A person lets its steps go on.
    Resumed,
    /// A person deleted it.
    Deleted,
}

/// The event does not belong to the state; the lead stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lead that is {state} cannot be {event}")]
pub struct InvalidTransition {
    /// The state's name.
    pub state: &'static str,
    /// What it cannot be.
    pub event: &'static str,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Active,
        Self::Paused,
        Self::Done,
        Self::Stopped,
        Self::Deleted,
    ];

    /// The state's name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Deleted => "deleted",
        }
    }

    /// Whether what comes back of it is not sent any more.
    pub fn is_ended_early(self) -> bool {
        matches!(self, Self::Stopped | Self::Deleted)
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The state after an event.
    pub fn apply(self, event: Event) -> Result<Self, InvalidTransition> {
        match (self, event) {
            (Self::Active | Self::Paused, Event::Finished) => Ok(Self::Done),
            (Self::Active | Self::Paused, Event::Stopped) => Ok(Self::Stopped),
            (Self::Done | Self::Stopped, Event::Revived) | (Self::Paused, Event::Resumed) => {
                Ok(Self::Active)
            }
            (Self::Active, Event::Paused) => Ok(Self::Paused),
            (Self::Active | Self::Paused | Self::Done | Self::Stopped, Event::Deleted) => {
                Ok(Self::Deleted)
            }
            _ => Err(InvalidTransition {
                state: self.name(),
                event: event.name(),
            }),
        }
    }
}

impl Event {
    /// What the event makes of a lead, in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "done",
            Self::Stopped => "stopped",
            Self::Revived => "active",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Deleted => "deleted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_ends_once_unless_its_end_was_not_its_own() {
        assert!(State::Active.apply(Event::Revived).is_err());
        for (event, end) in [
            (Event::Finished, State::Done),
            (Event::Stopped, State::Stopped),
        ] {
            assert_eq!(State::Active.apply(event), Ok(end));
            for again in [Event::Finished, Event::Stopped] {
                assert!(end.apply(again).is_err(), "{end:?} takes {again:?}");
            }
            assert_eq!(end.apply(Event::Revived), Ok(State::Active));
        }
    }

    #[test]
    fn a_lead_that_is_held_ends_like_another_and_one_that_is_deleted_stays_it() {
        let held = State::Active.apply(Event::Paused).unwrap();
        assert_eq!(held, State::Paused);
        assert_eq!(held.apply(Event::Resumed), Ok(State::Active));
        assert_eq!(held.apply(Event::Stopped), Ok(State::Stopped));
        assert_eq!(held.apply(Event::Finished), Ok(State::Done));
        for state in State::ALL {
            let all = [
                Event::Finished,
                Event::Stopped,
                Event::Revived,
                Event::Paused,
                Event::Resumed,
            ];
            for event in all {
                assert!(State::Deleted.apply(event).is_err(), "{event:?}");
            }
            let deleted = state.apply(Event::Deleted);
            assert_eq!(deleted.is_ok(), state != State::Deleted, "{state:?}");
            let resumed = state.apply(Event::Resumed);
            assert_eq!(resumed.is_ok(), state == State::Paused, "{state:?}");
        }
    }

    #[test]
    fn rows_hold_these_names_and_no_others() {
        let names = [
            ("active", State::Active),
            ("paused", State::Paused),
            ("deleted", State::Deleted),
            ("done", State::Done),
            ("stopped", State::Stopped),
        ];
        for (name, state) in names {
            assert_eq!((state.name(), State::parse(name)), (name, Some(state)));
        }
        assert_eq!(State::parse("Active"), None);
    }
}
