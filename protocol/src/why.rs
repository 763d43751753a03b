//! What a message waits for that is not sent yet.

use serde::{Deserialize, Serialize};

use crate::id::InboxId;
use crate::timestamp::Timestamp;

/// Messages that wait for the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// For what.
    pub gate: Gate,
    /// How many.
    pub n: u64,
    /// Until when, as things stand; of several instants the earliest. Absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The inbox whose messages they are, where that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_id: Option<InboxId>,
    /// The domain that they go to; for [`Gate::DomainCap`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// What a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// The campaign was not started.
    NotStarted,
    /// The campaign is paused.
    Paused,
    /// It is being sent.
    Attempting,
    /// Nobody knows whether it was sent; that is being found out.
    InDoubt,
    /// Nobody knows whether it was sent, and a person decides.
    Unsettled,
    /// The step before it is not accepted.
    StepBefore,
    /// Its wait is not over.
    NotDue,
    /// It was refused for now, and rests.
    LeadRests,
    /// It was refused, and whose that refusal is has to be shown first.
    Held,
    /// Its person is away until a day that is known.
    Away,
    /// As many messages as may be were tried at its recipient's organisation.
    DomainCap,
    /// Another relay works on the same ledger.
    AnotherRelay,
    /// The inbox is disconnected.
    InboxLost,
    /// The inbox is suspect, and being probed.
    InboxSuspect,
    /// What arrived at the inbox is not read yet.
    InboxUnread,
    /// The inbox rests after a failure that passes.
    InboxRests,
    /// The inbox rests, or asks a person, after refusals that are its own.
    InboxRefused,
    /// As many messages of the inbox as may be are in doubt.
    Doubts,
    /// No window of the campaign's schedule is open.
    Schedule,
    /// The campaign's cap of a day is used up.
    CampaignCap,
    /// The campaign catches up after an outage: more slowly, or once a person lets it.
    CatchUp,
    /// Copies of what was sent before the relay's start may still come to the sent folder.
    Copies,
    /// The inbox's cap of a day is used up.
    InboxCap,
    /// The cap of a day of the inbox's organisation is used up.
    OrganisationCap,
    /// The inbox keeps its distance to its last message.
    Distance,
    /// Nothing but its turn.
    Turn,
}

impl Gate {
    /// For people, after "waits".
    pub fn words(self) -> &'static str {
        match self {
            Self::NotStarted => "for the campaign to be started",
            Self::Paused => "for the campaign to go on: it is paused",
            Self::Attempting => "for the server's answer: it is being sent",
            Self::InDoubt => "to be settled: nobody knows whether it was sent",
            Self::Unsettled => "for a person to decide whether it was sent",
            Self::StepBefore => "for the step before it",
            Self::NotDue => "for its time",
            Self::LeadRests => "to be tried again after a refusal that passes",
            Self::Held => "for others to show whose a refusal is",
            Self::Away => "for its person to be back",
            Self::DomainCap => "for the daily cap of its recipient's domain",
            Self::AnotherRelay => "for a person to say which relay stays",
            Self::InboxLost => "for its inbox to be reconnected",
            Self::InboxSuspect => "for its inbox to be checked",
            Self::InboxUnread => "for what arrived at its inbox to be read",
            Self::InboxRests => "for its inbox, which rests after a failure",
            Self::InboxRefused => "for its inbox, whose server refuses messages",
            Self::Doubts => "for messages of its inbox that are in doubt",
            Self::Schedule => "for a window of the schedule",
            Self::CampaignCap => "for the campaign's daily cap",
            Self::CatchUp => "for the campaign to catch up after an outage",
            Self::Copies => "for copies of what was sent earlier",
            Self::InboxCap => "for its inbox's daily cap",
            Self::OrganisationCap => "for the daily cap of its inbox's organisation",
            Self::Distance => "for the distance to its inbox's last message",
            Self::Turn => "for its turn",
        }
    }
}
