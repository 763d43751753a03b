//! When the messages of a campaign are expected to leave, day by day.

use serde::{Deserialize, Serialize};

use crate::id::{CampaignId, InboxId};
use crate::schedule::Date;
use crate::timestamp::Timestamp;

/// The days on which messages of a campaign are expected to leave, as things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// When it was asked.
    pub at: Timestamp,
    /// The zone of the days, by its name in the IANA database: that of the campaign's schedule, else UTC.
    pub zone: String,
    /// The days on which something leaves, in order; those between them are empty.
    pub days: Vec<Day>,
    /// Messages that leave on later days than those of `days`.
    pub later: u64,
    /// Messages that nothing lets leave as things stand: the schedule is over before, or all of it takes longer than can
    /// be looked ahead. Steps behind them are not counted.
    pub never: u64,
    /// Messages whose fate is being settled, or a person's to decide; neither they nor the steps behind them are in
    /// `days`.
    pub unknown: u64,
    /// When the last message leaves; absent where some never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// What makes it take as long as that, the longest first.
    pub held_back: Vec<HeldBack>,
    /// What it is taken for that is not so yet, or may turn out otherwise.
    pub assumes: Vec<Assumption>,
}

/// A day of the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Day {
    /// Which, in the zone of the plan.
    pub date: Date,
    /// How many messages of each step leave; the first is the first step.
    pub steps: Vec<u64>,
    /// Of these, follow-ups whose time had come before the plan was asked for.
    pub backlog: u64,
    /// What keeps more from leaving on it, the longest first; nothing where all that is due leaves.
    pub held_by: Vec<Limit>,
}

impl Day {
    /// Messages that leave on it.
    pub fn total(&self) -> u64 {
        self.steps.iter().sum()
    }
}

/// For how long something kept messages back that were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeldBack {
    /// What.
    pub by: Limit,
    /// Milliseconds, summed over the campaign's inboxes.
    pub for_ms: u64,
}

/// What keeps messages back that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// No window of the campaign's schedule is open.
    Schedule,
    /// The campaign's cap of a day.
    CampaignCap,
    /// It catches up after an outage.
    CatchUp,
    /// The caps of a day of recipients' organisations.
    DomainCap,
    /// The inbox's cap of a day.
    InboxCap,
    /// The inbox's ramp.
    Ramp,
    /// The cap of a day of the inbox's organisation.
    OrganisationCap,
    /// The inbox's distance between two messages.
    Distance,
    /// Other campaigns, which take turns at the same inbox.
    OtherCampaigns,
}

impl Limit {
    /// For people, after "held back by".
    pub fn words(self) -> &'static str {
        match self {
            Self::Schedule => "the schedule",
            Self::CampaignCap => "the campaign's daily cap",
            Self::CatchUp => "catching up slowly after an outage",
            Self::DomainCap => "the daily cap of recipients' domains",
            Self::InboxCap => "the inbox's daily cap",
            Self::Ramp => "the inbox's ramp",
            Self::OrganisationCap => "the daily cap of the inbox's organisation",
            Self::Distance => "the inbox's distance between messages",
            Self::OtherCampaigns => "other campaigns' turns at the inbox",
        }
    }
}

/// What a plan takes for granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "assumes", rename_all = "snake_case")]
pub enum Assumption {
    /// The campaign is started now.
    Started,
    /// The campaign, which is paused, goes on now.
    GoesOn,
    /// The campaign, which waits for a person after an outage, is let go on now.
    Released,
    /// An inbox that cannot send works from now on.
    InboxWorks {
        /// The inbox.
        inbox_id: InboxId,
    },
    /// Nobody answers, and nothing is refused: whoever does gets no further step.
    NobodyAnswers,
    /// No campaign is started, paused or changed, and no lead added.
    NothingChanges,
    /// An inbox without a distance takes a second for a message.
    ASecondEach {
        /// The inbox.
        inbox_id: InboxId,
    },
}

impl Assumption {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::Started => "the campaign is started now".to_owned(),
            Self::GoesOn => "the campaign goes on now: it is paused".to_owned(),
            Self::Released => {
                "it is released now: it waits for a person after an outage".to_owned()
            }
            Self::InboxWorks { inbox_id } => {
                format!("{inbox_id} can send from now on: now it cannot")
            }
            Self::NobodyAnswers => {
                "nobody answers and nothing is refused: whoever does gets no further step"
                    .to_owned()
            }
            Self::NothingChanges => "no campaign is started, paused or changed".to_owned(),
            Self::ASecondEach { inbox_id } => {
                format!("{inbox_id}, which keeps no distance, takes a second for each message")
            }
        }
    }
}
