//! When a campaign sends, how that is changed, and why nothing of it is sent now.

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Caller, Request};
use crate::account::Role;
use crate::id::CampaignId;
use crate::key::Scope;
use crate::plan::Plan;
use crate::schedule::Schedule;
use crate::timestamp::Timestamp;
use crate::why::Waiting;

/// Shows when a campaign sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetSending {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for GetSending {
    const NAME: &'static str = "getSending";
    const SUMMARY: &'static str = "Shows when a campaign sends.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/sending";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Sending;
}

/// Changes when a campaign sends, also while it runs: the next message asks it. Nothing that is due is moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateSending {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its days and windows. As it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Takes its schedule away: it sends at any time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_time: bool,
    /// Messages of it that are tried in 24 hours, through all of its inboxes; 0: as many as there are. As it was when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap: Option<u32>,
    /// None of it is tried where so many messages to the same organisation, of any campaign, were in 24 hours; 0: as
    /// many as there are. An organisation is the domain that it registered. As it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_daily_cap: Option<u32>,
}

impl Request for UpdateSending {
    const NAME: &'static str = "updateSending";
    const SUMMARY: &'static str = "Changes when a campaign sends, also while it runs.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/sending";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] =
        &["schedule", "any_time", "daily_cap", "domain_daily_cap"];
    type Response = Sending;
}

/// When a campaign sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sending {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its days and windows; at any time when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Messages of it that are tried in 24 hours at the most; as many as there are when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap: Option<u32>,
    /// Messages to one organisation, of any campaign, that are tried in 24 hours at the most when one of this campaign
    /// is; as many as there are when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_daily_cap: Option<u32>,
    /// Messages of it that were tried in the last 24 hours: by what relays lived, and while none did, by the wall.
    pub tried: u64,
    /// Whether a window is open now.
    pub is_open: bool,
    /// When that changes; absent where it does not, or not within a week of being open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_at: Option<Timestamp>,
}

/// Shows when the messages of a campaign are expected to leave, as things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlanCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// So many days on which something leaves, at the most; 60 when absent, 366 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "number_or_text")]
    pub days: Option<u32>,
}

impl Request for PlanCampaign {
    const NAME: &'static str = "planCampaign";
    const SUMMARY: &'static str = "Shows on which days the messages of a campaign are expected to leave, and what limits that.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/plan";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Plan;
}

/// Says why nothing of a campaign is sent now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WhyCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for WhyCampaign {
    const NAME: &'static str = "whyCampaign";
    const SUMMARY: &'static str =
        "Says what each message of a campaign that is not sent yet waits for.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/why";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Why;
}

/// What each message of a campaign that is not sent yet waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Why {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// When it was asked.
    pub at: Timestamp,
    /// Messages that are not done: still to send, being sent, in doubt, or for a person to decide. The counts of
    /// `waiting` add up to it; it is 0 where nothing is left.
    pub left: u64,
    /// When the next of them may leave at the earliest, as things stand: other campaigns of the inbox may go before it.
    /// Absent where that depends on a person or a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// What they wait for, each of them once: what keeps a message back by itself first, then what keeps back all that
    /// is due.
    pub waiting: Vec<Waiting>,
}
