//! A lead: a person's place in one campaign. A row holds its state by its name.
//!
//! ```text
//! Active ─→ Done      its last step was accepted, or a copy of it was found
//!    └────→ Stopped   none of its later steps is sent: it answered, bounced, was rejected, or a person said so
//! ```
//!
//! Who answers after the last step is done and stays it. An end is taken back only where what was met was not the
//! lead's, or a person says so: then it is active again.

/// Where a lead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It has steps that are to be sent, or whose outcome is open.
    Active,
    /// Every step was sent.
    Done,
    /// No further step is sent.
    Stopped,
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
}

/// The event does not belong to the state; the lead stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lead that is {state} cannot be {event}")]
pub struct InvalidTransition {
    /// The state's name.
    pub state: &'static str,
    /// The name of the state that the event leads to.
    pub event: &'static str,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Done, Self::Stopped];

    /// The state's name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The state after an event.
    pub fn apply(self, event: Event) -> Result<Self, InvalidTransition> {
        let after = match event {
            Event::Finished => Self::Done,
            Event::Stopped => Self::Stopped,
            Event::Revived => Self::Active,
        };
        match (self, after) {
            (Self::Active, Self::Done | Self::Stopped)
            | (Self::Done | Self::Stopped, Self::Active) => Ok(after),
            _ => Err(InvalidTransition {
                state: self.name(),
                event: after.name(),
            }),
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
    fn rows_hold_these_names_and_no_others() {
        let names = [
            ("active", State::Active),
            ("done", State::Done),
            ("stopped", State::Stopped),
        ];
        for (name, state) in names {
            assert_eq!((state.name(), State::parse(name)), (name, Some(state)));
        }
        assert_eq!(State::parse("Active"), None);
    }
}
