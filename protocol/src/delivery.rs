//! A delivery, one step to one lead, and the only ways it may move. Storing it, and the bytes, are the
//! relay's.
//!
//! ```text
//! Planned ─claim→ Attempting ─┬→ Accepted ─dsn→ Bounced
//!    ↑  ↑            │        ├→ Rejected
//!    │  └─ Deferred ←┤        └→ InDoubt ─┬→ Accepted
//!    └───────────────┼────────── refuted ─┤
//!    ↑ returned: from Rejected and Bounced, and from what was suppressed with them
//!                    └ interrupted ↗      └→ Unsettled
//! InDoubt, Unsettled → (a person) Accepted, Planned, Cancelled
//! After a restore: Planned, Deferred → Accepted (a copy shows it) | Unsettled (it may have been sent)
//!                  Rejected, Bounced, Suppressed, Cancelled → Accepted (a copy shows that it was sent all the same)
//! ```
//!
//! The store gives three events to many deliveries in one statement each: [`Event::Suppressed`], [`Event::Rested`],
//! [`Event::SetBack`] (`relay/src/store/delivery/many.rs`). A property there holds each equal to [`State::apply`], row
//! by row. Every other event goes through that function alone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::reading::Reading;
pub use crate::suppression::Suppression;
use crate::timestamp::Timestamp;

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It waits for its time.
    Planned {
        /// What the clock of its campaign at its inbox shows when it may be attempted, at the earliest.
        due: Reading,
    },
    /// Its intent is on record and the conversation may be under way.
    Attempting {
        /// The attempt's number, from 1: the fence that every later write names.
        attempt: u32,
        /// Until when the attempt is its owner's alone.
        lease_until: Timestamp,
        /// When it was due: its place, should it have to be attempted again.
        due: Reading,
    },
    /// The server answered 2yz to the final dot. Not: delivered.
    Accepted {
        /// When, at the earliest: never before the server had it.
        at: Timestamp,
    },
    /// A transient refusal; the same again later.
    Deferred {
        /// Why.
        cause: Cause,
        /// When it was due: its place, once it has rested.
        due: Reading,
        /// The earliest instant of the next attempt.
        rest_until: Timestamp,
    },
    /// A permanent refusal of this recipient or message.
    Rejected {
        /// Why.
        cause: Cause,
    },
    /// The body may have been handed over and the reply was not seen.
    InDoubt {
        /// Not before the connection ended.
        since: Timestamp,
        /// When it was due: its place, should it be sent again.
        due: Reading,
    },
    /// In doubt, and no evidence can settle it: a person decides.
    Unsettled {
        /// Since when it was in doubt.
        since: Timestamp,
        /// When it was due: its place, should a person have it sent again.
        due: Reading,
    },
    /// Not sent, and not to be sent.
    Suppressed {
        /// Why not.
        why: Suppression,
    },
    /// A person or the end of the campaign ended it.
    Cancelled,
    /// Accepted, and a DSN (RFC 3464) came back.
    Bounced {
        /// When it had been accepted.
        accepted_at: Timestamp,
    },
}

/// The name of a state, without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// As [`State::Planned`].
    Planned,
    /// As [`State::Attempting`].
    Attempting,
    /// As [`State::Accepted`].
    Accepted,
    /// As [`State::Deferred`].
    Deferred,
    /// As [`State::Rejected`].
    Rejected,
    /// As [`State::InDoubt`].
    InDoubt,
    /// As [`State::Unsettled`].
    Unsettled,
    /// As [`State::Suppressed`].
    Suppressed,
    /// As [`State::Cancelled`].
    Cancelled,
    /// As [`State::Bounced`].
    Bounced,
}

/// Every state's name.
pub static STATE_NAMES: [StateName; 10] = [
    StateName::Planned,
    StateName::Attempting,
    StateName::Accepted,
    StateName::Deferred,
    StateName::Rejected,
    StateName::InDoubt,
    StateName::Unsettled,
    StateName::Suppressed,
    StateName::Cancelled,
    StateName::Bounced,
];

impl StateName {
    /// As it stands in rows and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Attempting => "attempting",
            Self::Accepted => "accepted",
            Self::Deferred => "deferred",
            Self::Rejected => "rejected",
            Self::InDoubt => "in_doubt",
            Self::Unsettled => "unsettled",
            Self::Suppressed => "suppressed",
            Self::Cancelled => "cancelled",
            Self::Bounced => "bounced",
        }
    }
}

/// The text names no state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoState;

impl fmt::Display for NoState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = STATE_NAMES.map(StateName::as_str).join(", ");
        write!(f, "expected one of {names}")
    }
}

impl std::error::Error for NoState {}

impl FromStr for StateName {
    type Err = NoState;

    fn from_str(text: &str) -> Result<Self, NoState> {
        let of_that_name = |name: &StateName| name.as_str() == text;
        STATE_NAMES.into_iter().find(of_that_name).ok_or(NoState)
    }
}

/// What happens to a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A sender takes it; its intent is committed before the first byte.
    Claimed {
        /// What its clock shows.
        reading: Reading,
        /// Until when it is the sender's alone.
        lease_until: Timestamp,
        /// The number of this attempt.
        attempt: u32,
    },
    /// 2yz to the final dot.
    Accepted {
        /// When the reply was read.
        at: Timestamp,
    },
    /// The attempt ended without anything handed over, and waiting helps.
    Deferred {
        /// Why.
        cause: Cause,
        /// When to try again, at the earliest.
        rest_until: Timestamp,
    },
    /// The attempt ended before the connection could take the message; nothing was tried on the lead.
    PutBack,
    /// A permanent refusal of this recipient or message, at once or once it is known to be the lead's.
    Rejected {
        /// Why.
        cause: Cause,
    },
    /// What it met was not its lead's, or a person says so: it is due again, as the same message.
    Returned {
        /// When it was due before; what still knows that keeps its own.
        due: Reading,
    },
    /// The reply was not seen, the lease ran out, or the relay was restarted meanwhile.
    Doubted {
        /// Not before the connection ended.
        at: Timestamp,
    },
    /// The message was found in the sent folder.
    Found {
        /// When it was seen there: the server may have taken it long after the connection ended.
        at: Timestamp,
    },
    /// The ledger was put back, and a copy shows that the message was sent after it had been saved.
    Copied {
        /// When the copy was made, at the latest.
        at: Timestamp,
    },
    /// The ledger was put back, and the message may have been sent after it had been saved.
    MayBeSent {
        /// When that became known.
        at: Timestamp,
    },
    /// The server cannot have taken the message: it is due again, as the same message, in its old place.
    Refuted,
    /// No evidence can come.
    Unsettled,
    /// A person decided a delivery that is in doubt or unsettled; never one whose attempt is under way.
    Decided {
        /// What.
        decision: Decision,
        /// When.
        at: Timestamp,
    },
    /// The lead is not to be written to any more.
    Suppressed(Suppression),
    /// It has rested, by what was lived: it waits for its turn again.
    Rested,
    /// The clock had run ahead when it was written: nothing of it lies later than it can.
    SetBack(Latest),
    /// A DSN for it arrived.
    Bounced,
}

/// The latest instants that a clock that is right can have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// Of what has happened: now.
    pub happened: Timestamp,
    /// Of the end of a lease.
    pub lease_until: Timestamp,
    /// Of the end of a rest.
    pub rest_until: Timestamp,
}

/// Why no evidence settled a delivery in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoEvidence {
    /// There is no sent folder, or it was not known where it stood before the attempt.
    NoSentFolder,
    /// The sent folder is not the one it was before the attempt.
    FolderChanged,
    /// No copy was found in ten minutes, and nobody promised one: its absence proves nothing.
    CopiesAreTheClients,
    /// Somebody signed in anew meanwhile: later messages say nothing of this one.
    SignedInAnew,
    /// No later message showed in a day that the server makes copies still, or one was accepted and left none.
    NoCanary,
    /// The server refused the message that the inbox wrote to itself to show whether copies are made still.
    CanaryRefused,
    /// The ledger was put back from a copy of its own: it may have been sent after that copy was made.
    Restored,
}

/// A person's word on a delivery that is in doubt or unsettled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Take it as sent.
    Leave,
    /// Send the same message again.
    SendAgain,
    /// Neither: end it.
    Cancel,
}

/// The event does not belong to the state; the delivery stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delivery that is {state} cannot take {event}")]
pub struct InvalidTransition {
    /// The state's name.
    pub state: &'static str,
    /// The event's name.
    pub event: &'static str,
}

impl State {
    /// The end of a rest that is over.
    pub const RESTED: Timestamp = Timestamp::from_ms(0);

    /// Whether the delivery has no row any more once its lead goes on: it was never tried, and was suppressed only by
    /// what an earlier step met. It is planned anew when its turn comes.
    pub fn is_unplanned(&self, attempts: u32) -> bool {
        attempts == 0 && matches!(self, Self::Suppressed { why } if why.goes_back())
    }

    /// The state's name in rows and on the wire.
    pub fn name(&self) -> &'static str {
        self.state_name().as_str()
    }

    /// The state without what belongs to it.
    pub fn state_name(&self) -> StateName {
        match self {
            Self::Planned { .. } => StateName::Planned,
            Self::Attempting { .. } => StateName::Attempting,
            Self::Accepted { .. } => StateName::Accepted,
            Self::Deferred { .. } => StateName::Deferred,
            Self::Rejected { .. } => StateName::Rejected,
            Self::InDoubt { .. } => StateName::InDoubt,
            Self::Unsettled { .. } => StateName::Unsettled,
            Self::Suppressed { .. } => StateName::Suppressed,
            Self::Cancelled => StateName::Cancelled,
            Self::Bounced { .. } => StateName::Bounced,
        }
    }

    /// The state after `event`.
    pub fn apply(self, event: Event) -> Result<Self, InvalidTransition> {
        let refused = InvalidTransition {
            state: self.name(),
            event: event.name(),
        };
        Ok(match (self, event) {
            (
                Self::Planned { due } | Self::Deferred { due, .. },
                Event::Claimed {
                    reading,
                    lease_until,
                    attempt,
                },
            ) if due <= reading => Self::Attempting {
                attempt,
                lease_until,
                due,
            },
            (Self::Attempting { due, .. }, Event::Deferred { cause, rest_until }) => {
                Self::Deferred {
                    cause,
                    due,
                    rest_until,
                }
            }
            (
                Self::Attempting { .. } | Self::Planned { .. } | Self::Deferred { .. },
                Event::Rejected { cause },
            ) => Self::Rejected { cause },
            // A step that was suppressed only because an earlier one was refused or bounced follows it back.
            (Self::Suppressed { why }, Event::Returned { due }) if why.goes_back() => {
                Self::Planned { due }
            }
            (Self::Rejected { .. } | Self::Bounced { .. }, Event::Returned { due })
            | (Self::Planned { due } | Self::Deferred { due, .. }, Event::Returned { .. }) => {
                Self::Planned { due }
            }
            (Self::Attempting { due, .. }, Event::Doubted { at }) => {
                Self::InDoubt { since: at, due }
            }
            (Self::Attempting { .. }, Event::Accepted { at })
            | (Self::InDoubt { .. } | Self::Unsettled { .. }, Event::Found { at })
            | (
                Self::Planned { .. }
                | Self::Deferred { .. }
                | Self::Unsettled { .. }
                // Of a later attempt than the one that ended it: somebody had it sent all the same.
                | Self::Rejected { .. }
                | Self::Bounced { .. }
                | Self::Suppressed { .. }
                | Self::Cancelled,
                Event::Copied { at },
            )
            | (
                Self::InDoubt { .. } | Self::Unsettled { .. },
                Event::Decided {
                    decision: Decision::Leave,
                    at,
                },
            ) => Self::Accepted { at },
            (Self::InDoubt { since, due }, Event::Unsettled) => Self::Unsettled { since, due },
            (Self::Planned { due } | Self::Deferred { due, .. }, Event::MayBeSent { at }) => {
                Self::Unsettled { since: at, due }
            }
            (Self::Attempting { due, .. }, Event::PutBack)
            | (Self::InDoubt { due, .. }, Event::Refuted)
            | (
                Self::InDoubt { due, .. } | Self::Unsettled { due, .. },
                Event::Decided {
                    decision: Decision::SendAgain,
                    ..
                },
            ) => Self::Planned { due },
            (Self::Planned { .. } | Self::Deferred { .. }, Event::Suppressed(why)) => {
                Self::Suppressed { why }
            }
            (
                Self::InDoubt { .. } | Self::Unsettled { .. },
                Event::Decided {
                    decision: Decision::Cancel,
                    ..
                },
            ) => Self::Cancelled,
            (Self::Deferred { cause, due, .. }, Event::Rested) => Self::Deferred {
                cause,
                due,
                rest_until: Self::RESTED,
            },
            (state, Event::SetBack(latest)) => return state.set_back(&latest).ok_or(refused),
            (Self::Accepted { at }, Event::Bounced) => Self::Bounced { accepted_at: at },
            _ => return Err(refused),
        })
    }

    /// `None` where the state has no instant that waits, or tells how long it lasts.
    fn set_back(mut self, latest: &Latest) -> Option<Self> {
        let (instant, latest) = match &mut self {
            Self::Attempting { lease_until, .. } => (lease_until, latest.lease_until),
            Self::Deferred { rest_until, .. } => (rest_until, latest.rest_until),
            Self::InDoubt { since, .. } | Self::Unsettled { since, .. } => (since, latest.happened),
            _ => return None,
        };
        *instant = latest.min(*instant);
        Some(self)
    }
}

impl Event {
    /// The event's name in errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Claimed { .. } => "claimed",
            Self::Accepted { .. } => "accepted",
            Self::Deferred { .. } => "deferred",
            Self::PutBack => "put_back",
            Self::Rejected { .. } => "rejected",
            Self::Returned { .. } => "returned",
            Self::Doubted { .. } => "doubted",
            Self::Found { .. } => "found",
            Self::Copied { .. } => "copied",
            Self::MayBeSent { .. } => "may_be_sent",
            Self::Refuted => "refuted",
            Self::Unsettled => "unsettled",
            Self::Decided { .. } => "decided",
            Self::Suppressed(_) => "suppressed",
            Self::Rested => "rested",
            Self::SetBack(_) => "set_back",
            Self::Bounced => "bounced",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let instant = || (0_i64..1_000).prop_map(Timestamp::from_ms);
        let reading = || (0_i64..1_000).prop_map(Reading::from_ms);
        prop_oneof![
            (reading(), instant(), 1_u32..9).prop_map(|(reading, lease_until, attempt)| {
                Event::Claimed {
                    reading,
                    lease_until,
                    attempt,
                }
            }),
            instant().prop_map(|at| Event::Accepted { at }),
            instant().prop_map(|rest_until| Event::Deferred {
                cause: Cause::Network,
                rest_until
            }),
            Just(Event::PutBack),
            Just(Event::Rejected {
                cause: Cause::RecipientRejected
            }),
            reading().prop_map(|due| Event::Returned { due }),
            instant().prop_map(|at| Event::Doubted { at }),
            instant().prop_map(|at| Event::Found { at }),
            instant().prop_map(|at| Event::Copied { at }),
            instant().prop_map(|at| Event::MayBeSent { at }),
            Just(Event::Refuted),
            Just(Event::Unsettled),
            prop_oneof![
                Just(Decision::Leave),
                Just(Decision::SendAgain),
                Just(Decision::Cancel)
            ]
            .prop_map(|decision| Event::Decided {
                decision,
                at: at(0)
            }),
            Just(Event::Suppressed(Suppression::Replied)),
            Just(Event::Rested),
            instant().prop_map(|latest| Event::SetBack(Latest {
                happened: latest,
                lease_until: latest,
                rest_until: latest,
            })),
            Just(Event::Bounced),
        ]
    }

    /// The place of a delivery that is or may become due again; `None` for the others.
    fn place(state: &State) -> Option<Reading> {
        match state {
            State::Planned { due }
            | State::Attempting { due, .. }
            | State::Deferred { due, .. }
            | State::InDoubt { due, .. }
            | State::Unsettled { due, .. } => Some(*due),
            _ => None,
        }
    }

    #[test]
    fn a_states_name_is_the_same_in_rows_on_the_wire_and_typed() {
        for name in STATE_NAMES {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        let cancelled = serde_json::to_value(State::Cancelled).unwrap();
        assert_eq!(cancelled["state"], State::Cancelled.name());
        let refused = "sent".parse::<StateName>().unwrap_err().to_string();
        assert!(refused.contains("in_doubt"), "{refused}");
    }

    #[test]
    fn a_person_decides_what_is_in_doubt_as_what_is_unsettled_and_nothing_that_is_under_way() {
        let due = Reading::from_ms(7);
        let decided = |state: State, decision| {
            state.apply(Event::Decided {
                decision,
                at: at(9),
            })
        };
        for state in [
            State::InDoubt { since: at(1), due },
            State::Unsettled { since: at(1), due },
        ] {
            for (decision, expected) in [
                (Decision::Leave, State::Accepted { at: at(9) }),
                (Decision::SendAgain, State::Planned { due }),
                (Decision::Cancel, State::Cancelled),
            ] {
                assert_eq!(decided(state.clone(), decision), Ok(expected));
            }
        }
        for state in [
            State::Attempting {
                attempt: 1,
                lease_until: at(1),
                due,
            },
            State::Planned { due },
            State::Accepted { at: at(1) },
            State::Cancelled,
        ] {
            for decision in [Decision::Leave, Decision::SendAgain, Decision::Cancel] {
                assert!(decided(state.clone(), decision).is_err(), "{state:?}");
            }
        }
    }

    proptest! {
        /// What was accepted is never attempted again, and what is in doubt only after it was refuted
        /// or a person asked for it.
        #[test]
        fn no_order_of_events_attempts_what_may_have_been_sent(events in prop::collection::vec(any_event(), 0..60)) {
            let mut state = State::Planned { due: Reading::from_ms(0) };
            let mut may_have_gone = false;
            for event in events {
                let claimed = matches!(event, Event::Claimed { .. });
                let settled = matches!(event, Event::Refuted | Event::Returned { .. } | Event::Decided { decision: Decision::SendAgain, .. });
                let Ok(next) = state.clone().apply(event) else { continue };
                prop_assert!(!(claimed && may_have_gone), "claimed from {state:?}");
                may_have_gone = match next {
                    State::Accepted { .. } | State::InDoubt { .. } | State::Unsettled { .. } | State::Bounced { .. } => true,
                    _ if settled => false,
                    _ => may_have_gone,
                };
                state = next;
            }
        }

        /// A due is fixed when it is planned: nothing that happens to a delivery moves it, and none is claimed
        /// before it.
        #[test]
        fn a_due_is_never_rewritten(due in 0_i64..1_000, events in prop::collection::vec(any_event(), 0..60)) {
            let due = Reading::from_ms(due);
            let mut state = State::Planned { due };
            for mut event in events {
                if let Event::Returned { due: before } = &mut event {
                    *before = due;
                }
                let early = matches!(event, Event::Claimed { reading, .. } if reading < due);
                let Ok(next) = state.clone().apply(event) else { continue };
                prop_assert!(!early, "claimed before its time from {state:?}");
                prop_assert_eq!(place(&next).unwrap_or(due), due);
                state = next;
            }
        }
    }
}
