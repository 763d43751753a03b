//! Campaigns and their leads.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Body, Caller, Done, Request};
use crate::account::Role;
use crate::campaign::{self, State, Step};
use crate::id::{CampaignId, InboxId};
use crate::key::Scope;
use crate::problem::Unusable;
use crate::schedule::Schedule;
use crate::sender::Sender;

/// The largest lead list: 32 MiB, about 300,000 leads.
pub const LEADS_AT_MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Creates a campaign as a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateCampaign {
    /// Its name.
    pub name: String,
    /// The inboxes that send it; leads are dealt to them in turn.
    pub inboxes: Vec<InboxId>,
    /// Its messages, first to last.
    #[serde(deserialize_with = "campaign::steps")]
    pub steps: Vec<Step>,
    /// Its days and windows; it sends at any time when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// How it presents its inboxes; what it does not say, each of them does.
    #[serde(default, skip_serializing_if = "Sender::is_none")]
    pub sender: Sender,
}

impl Request for CreateCampaign {
    const NAME: &'static str = "createCampaign";
    const SUMMARY: &'static str = "Creates a campaign as a draft.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["name", "inboxes"];
    // Messages, some of them with HTML: 2 MiB.
    const FIELDS_AT_MOST_BYTES: u64 = 2 * 1024 * 1024;
    type Response = Campaign;
}

/// Lists the campaigns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListCampaigns {}

impl Request for ListCampaigns {
    const NAME: &'static str = "listCampaigns";
    const SUMMARY: &'static str = "Lists the campaigns.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Campaigns;
}

/// The campaigns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Campaigns {
    /// Newest first.
    pub campaigns: Vec<Campaign>,
}

/// Shows one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for GetCampaign {
    const NAME: &'static str = "getCampaign";
    const SUMMARY: &'static str = "Shows one campaign.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Campaign;
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Campaign {
    /// Its name in the API.
    pub id: CampaignId,
    /// Its name for people.
    pub name: String,
    /// The inboxes that send it.
    pub inboxes: Vec<InboxId>,
    /// Its messages, first to last; `getStatus` leaves them out, so that no device is given texts that it does not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Where it stands.
    pub status: State,
    /// What became of its deliveries.
    pub counts: Counts,
}

/// What became of a campaign's deliveries. Every step of every lead is in exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counts {
    /// Leads.
    pub leads: u64,
    /// Leads times steps.
    pub planned: u64,
    /// Not sent yet, whether due, deferred, or waiting for the step before.
    pub waiting: u64,
    /// Being attempted.
    pub attempting: u64,
    /// Accepted by the submission server.
    pub accepted: u64,
    /// Accepted, and a DSN came back.
    pub bounced: u64,
    /// Refused for good.
    pub rejected: u64,
    /// In doubt, being settled.
    pub in_doubt: u64,
    /// In doubt for good: a person must decide.
    pub unsettled: u64,
    /// Not to be sent: the lead answered, bounced or was refused.
    pub suppressed: u64,
    /// Ended by a person.
    pub cancelled: u64,
}

/// Adds the leads of a list as spreadsheets and other programs export it, all or none, to a draft or to a campaign that is
/// started; one that was finished goes on. Whom the campaign has already stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportLeads {
    /// The campaign, whatever its state is.
    pub campaign_id: CampaignId,
    /// What becomes of the list where some of its rows cannot be used.
    #[serde(default)]
    pub unusable_rows: UnusableRows,
    /// The encoding of the file, by any of its names in the Encoding Standard; found out where it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

/// What becomes of a lead list of which some rows cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnusableRows {
    /// None of it is added.
    #[default]
    Refuse,
    /// The other rows are added.
    Skip,
}

impl Request for ImportLeads {
    const NAME: &'static str = "importLeads";
    const SUMMARY: &'static str =
        "Adds the leads of a list, all or none; or all but what cannot be used.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/leads";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const BODY: Body = Body::Csv {
        at_most_bytes: LEADS_AT_MOST_BYTES,
    };
    type Response = ImportedLeads;
}

/// What an import added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportedLeads {
    /// Leads added.
    pub added: u64,
    /// Rows of people whom the campaign has already: nothing was changed of them.
    #[serde(default)]
    pub already: u64,
    /// Whether the campaign is started: the first messages of the new leads are planned, behind those that wait.
    #[serde(default)]
    pub started: bool,
    /// The columns that templates may name, in small letters; `email` is always among the names that they may use.
    pub columns: Vec<String>,
    /// The column that was taken for the addresses.
    #[serde(default)]
    pub address_column: String,
    /// The encoding that the file was read in, by its name in the Encoding Standard.
    #[serde(default)]
    pub encoding: String,
    /// What stands between cells.
    #[serde(default)]
    pub delimiter: String,
    /// The row with the column names; none where the list begins with a lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_row: Option<u64>,
    /// Rows that are no leads and do not look like any: a footer, names that are repeated.
    #[serde(default)]
    pub passed_over: u64,
    /// Rows that could not be used and were left out, because that was asked for.
    #[serde(default, skip_serializing_if = "Unusable::is_none")]
    pub skipped: Unusable,
    /// People who must not be written to and were left out: the list says so itself, or they are on the relay's list.
    #[serde(default, skip_serializing_if = "Unusable::is_none")]
    pub left_out: Unusable,
    /// Leads of earlier lists that were taken out of the draft, or stopped where the campaign is started: this list says
    /// not to write to them.
    #[serde(default)]
    pub taken_out: u64,
}

/// Starts a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for StartCampaign {
    const NAME: &'static str = "startCampaign";
    const SUMMARY: &'static str = "Starts a draft.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/start";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = StartedCampaign;
}

/// A campaign that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartedCampaign {
    /// As it stands now.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// Leads who are on the list of those not written to, themselves or their domains: left out for good.
    #[serde(default)]
    pub left_out: u64,
}

/// Pauses a running campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PauseCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for PauseCampaign {
    const NAME: &'static str = "pauseCampaign";
    const SUMMARY: &'static str = "Pauses a running campaign.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/pause";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Campaign;
}

/// Resumes a campaign that a person paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResumeCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for ResumeCampaign {
    const NAME: &'static str = "resumeCampaign";
    const SUMMARY: &'static str = "Resumes a campaign that a person paused.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/resume";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Campaign;
}

/// Changes a campaign. Texts of steps that were tried for somebody stay as they are: what settles them writes them again.
/// A changed wait holds for steps that are planned from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its new name; without it it keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All of its messages, as many as it has, first to last; without them they stay.
    #[serde(
        default,
        deserialize_with = "campaign::steps_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub steps: Option<Vec<Step>>,
    /// Whether its messages say in `List-Unsubscribe` how to be written to no more; a new campaign's do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<bool>,
}

impl Request for UpdateCampaign {
    const NAME: &'static str = "updateCampaign";
    const SUMMARY: &'static str = "Changes the name of a campaign, messages that were not sent yet, its waits and its headers.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["name", "unsubscribe"];
    type Response = Campaign;
}

/// Makes a draft with the inboxes and the messages of a campaign, and without its leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DuplicateCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The name of the new one.
    pub name: String,
}

impl Request for DuplicateCampaign {
    const NAME: &'static str = "duplicateCampaign";
    const SUMMARY: &'static str =
        "Makes a draft with the inboxes and the messages of a campaign, and without its leads.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/duplicate";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["name"];
    type Response = Campaign;
}

/// Deletes a draft with its leads. What was started is known by its ledger alone, and stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for DeleteCampaign {
    const NAME: &'static str = "deleteCampaign";
    const SUMMARY: &'static str = "Deletes a draft with its leads.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Done;
}
