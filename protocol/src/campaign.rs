//! A campaign: its steps, its state, and why it is paused. Leads and deliveries have files of their own.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::id::{FileId, InboxId};
use crate::timestamp::Timestamp;

mod written;

pub use written::{steps, steps_if_any};

/// One message of a sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Subject, with fields such as `{{first_name}}`, or `{{first_name | default: "there"}}` where a cell may be
    /// empty; in any case, its words separated in any way. A later step may leave it empty and answers in the
    /// thread of the first. Conditions (`{% if company %}…{% endif %}`) and alternatives
    /// (`{{ choose("Hi", "Hello") }}`) are the language of Jinja.
    #[serde(default)]
    pub subject: String,
    /// Plain text body, with the same fields. Where it is empty and there is HTML, it is made from that.
    #[serde(default)]
    pub body: String,
    /// HTML of the same message, with the same fields, whose cells are escaped; a program shows it or the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Files that go with it, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Attachment>,
    /// Milliseconds between the acceptance of the step before and this one; 0 for the first, which may leave it out.
    /// Every other one says it, also where it is 0.
    #[serde(default)]
    pub wait_ms: u64,
    /// Whether what looks like the field, the alternatives or the HTML of another tool (`[First Name]`, `{a|b}`) is
    /// meant to be sent as it stands. Fields in two braces are filled all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub literal: bool,
}

/// A file of a message: attached, or shown in its HTML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The file, as `createFile` named it.
    pub file_id: FileId,
    /// What it is called for who gets it.
    pub name: String,
    /// Its media type (RFC 6838), as in `application/pdf`; by its name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Under which name the HTML shows it, as in `<img src="cid:logo">` (RFC 2392); attached when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
}

/// Where a campaign stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Not started yet; leads may be added.
    Draft,
    /// It sends when something is due.
    Running,
    /// It does not send.
    Paused {
        /// Who or what paused it.
        by: PausedBy,
        /// Since when.
        since: Timestamp,
    },
    /// Every lead is done.
    Finished {
        /// Since when.
        at: Timestamp,
    },
}

/// Who or what paused a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum PausedBy {
    /// A person.
    Person,
    /// The last of its inboxes that could send was lost.
    Cause {
        /// The inbox.
        inbox: InboxId,
        /// Why it was lost.
        cause: Cause,
    },
}

/// What happens to a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A person starts it.
    Start,
    /// A person pauses it.
    Pause,
    /// A person resumes it.
    Resume,
    /// No inbox is left that can send; this one was lost last.
    Lost {
        /// The inbox.
        inbox: InboxId,
        /// Why.
        cause: Cause,
    },
    /// A reconnect of one of its inboxes was verified and its gap was read.
    Reconnected,
    /// Every lead is done.
    Finish,
    /// A lead that was done is to be written to again.
    Reopen,
}

/// The event does not belong to the state; the campaign stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a campaign that is {state} cannot be told to {event}")]
pub struct InvalidTransition {
    /// The state's name.
    pub state: &'static str,
    /// The event's name.
    pub event: &'static str,
}

impl State {
    /// The state's name in rows and on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Finished { .. } => "finished",
        }
    }

    /// The state after `event` at `now`.
    pub fn apply(self, event: Event, now: Timestamp) -> Result<Self, InvalidTransition> {
        let refused = InvalidTransition {
            state: self.name(),
            event: event.name(),
        };
        Ok(match (self, event) {
            // It was paused because no inbox was left; whichever of them comes back, one is.
            (
                Self::Paused {
                    by: PausedBy::Cause { .. },
                    ..
                },
                Event::Reconnected,
            )
            | (Self::Draft, Event::Start)
            | (Self::Finished { .. }, Event::Reopen)
            | (
                Self::Paused {
                    by: PausedBy::Person,
                    ..
                },
                Event::Resume,
            ) => Self::Running,
            (Self::Running, Event::Pause) => Self::Paused {
                by: PausedBy::Person,
                since: now,
            },
            (Self::Running, Event::Lost { inbox, cause }) => Self::Paused {
                by: PausedBy::Cause { inbox, cause },
                since: now,
            },
            (Self::Running, Event::Finish) => Self::Finished { at: now },
            _ => return Err(refused),
        })
    }
}

impl Event {
    /// The event's name in errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Lost { .. } => "pause for a lost inbox",
            Self::Reconnected => "go on after a reconnect",
            Self::Finish => "finish",
            Self::Reopen => "go on with a lead that was done",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_without_an_inbox_goes_on_by_a_reconnect_and_not_by_a_person() {
        let now = Timestamp::from_ms(5);
        let event = Event::Lost {
            inbox: InboxId::new("inb_1"),
            cause: Cause::PermissionEnded,
        };
        let paused = State::Running.apply(event, now).unwrap();
        assert!(paused.clone().apply(Event::Resume, now).is_err());
        assert_eq!(paused.apply(Event::Reconnected, now), Ok(State::Running));
    }

    #[test]
    fn a_person_who_paused_is_not_overruled_by_a_reconnect() {
        let now = Timestamp::from_ms(5);
        let paused = State::Running.apply(Event::Pause, now).unwrap();
        assert!(paused.clone().apply(Event::Reconnected, now).is_err());
        assert_eq!(paused.apply(Event::Resume, now), Ok(State::Running));
    }
}
