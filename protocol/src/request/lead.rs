//! Leads, one by one: the list of a campaign's, what became of one, and what a person does with it.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, number_or_text};
use super::{Caller, Request};
use crate::account::Role;
use crate::delivery::Suppression;
use crate::id::{CampaignId, DeliveryId, InboxId, LeadId};
use crate::inbox::Address;
use crate::key::Scope;
use crate::lead::State;
use crate::timestamp::Timestamp;

/// Lists the leads of a campaign in the order of its lists, page by page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListLeads {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Only those in this state; without it all but those that were deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Only those whose address or cells have this in them, in small or capital letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// At most so many; 100 when absent, 1,000 at most.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "number_or_text"
    )]
    pub limit: Option<u32>,
    /// Only those behind this lead: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<LeadId>,
}

impl Request for ListLeads {
    const NAME: &'static str = "listLeads";
    const SUMMARY: &'static str = "Lists the leads of a campaign in the order of its lists.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/leads";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Leads;
}

/// A page of leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Leads {
    /// In the order of the campaign's lists.
    pub leads: Vec<Lead>,
    /// With what the next page is asked for; `None` where this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<LeadId>,
}

/// A person's place in one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lead {
    /// Its name in the API.
    pub id: LeadId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The inbox that writes to it.
    pub inbox: InboxId,
    /// Where it is written to.
    pub address: Address,
    /// Where it stands.
    pub state: State,
    /// Why it is not written to any more; `None` where nothing says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Suppression>,
    /// Until when its person is away: nothing is sent to it before, and its waits stand meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_until: Option<Timestamp>,
    /// Its cells by the names of their columns; none of a lead that was deleted.
    pub fields: BTreeMap<String, String>,
    /// Steps that a server accepted.
    pub sent: u64,
    /// When the last of them was; `None` where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sent_at: Option<Timestamp>,
}

/// Shows one lead with everything that was tried for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetLead {
    /// The lead.
    pub lead_id: LeadId,
}

impl Request for GetLead {
    const NAME: &'static str = "getLead";
    const SUMMARY: &'static str = "Shows one lead with everything that was tried for it.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/leads/{lead_id}";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = LeadHistory;
}

/// A lead and what became of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeadHistory {
    /// The lead.
    pub lead: Lead,
    /// Its steps that are planned, or were, first to last.
    pub deliveries: Vec<Delivery>,
    /// Every try, oldest first.
    pub tries: Vec<Try>,
}

/// One try of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Try {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its step, from 1.
    pub step: u32,
    /// The number of the try, from 1.
    pub attempt: u32,
    /// How it ended, as in `accepted`, `deferred` or `refused`.
    pub outcome: String,
    /// The server's words, or what broke.
    pub words: String,
    /// When.
    pub at: Timestamp,
}

/// Changes cells of a lead: its messages that were not sent yet are written with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateLead {
    /// The lead.
    pub lead_id: LeadId,
    /// Cells by the names of their columns; the others stay. An empty one is as one that the list left empty.
    pub fields: BTreeMap<String, String>,
}

impl Request for UpdateLead {
    const NAME: &'static str = "updateLead";
    const SUMMARY: &'static str = "Changes cells of a lead.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/leads/{lead_id}";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Lead;
}

/// Holds the steps of a lead. What is being sent goes out; waits go on, so that what came due is sent when it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PauseLead {
    /// The lead.
    pub lead_id: LeadId,
}

impl Request for PauseLead {
    const NAME: &'static str = "pauseLead";
    const SUMMARY: &'static str = "Holds the steps of a lead.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/leads/{lead_id}/pause";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Lead;
}

/// Lets the steps of a lead go on that is paused, or whose person is said to be away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResumeLead {
    /// The lead.
    pub lead_id: LeadId,
}

impl Request for ResumeLead {
    const NAME: &'static str = "resumeLead";
    const SUMMARY: &'static str = "Lets the steps of a lead go on that is paused or away.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/leads/{lead_id}/resume";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Lead;
}

/// Ends a lead in its campaign for good; the person may be written to by others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StopLead {
    /// The lead.
    pub lead_id: LeadId,
}

impl Request for StopLead {
    const NAME: &'static str = "stopLead";
    const SUMMARY: &'static str = "Ends a lead in its campaign for good.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/leads/{lead_id}/stop";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Lead;
}

/// Deletes a lead. Of a draft's nothing stays. In a campaign that is started its cells go, and what the ledger needs so
/// that nobody is written to twice stays: its address, its steps, their message ids and times. It is never added to its
/// campaign again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteLead {
    /// The lead.
    pub lead_id: LeadId,
}

impl Request for DeleteLead {
    const NAME: &'static str = "deleteLead";
    const SUMMARY: &'static str =
        "Deletes a lead, but for what keeps it from being written to twice.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/leads/{lead_id}";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = DeletedLead;
}

/// What is left of a lead that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeletedLead {
    /// Whether its address and its steps stay in the ledger: its campaign is started.
    pub kept_in_ledger: bool,
}
