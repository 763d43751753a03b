//! Messages before they are sent: what one will be, and whether there is one for every lead.

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Caller, Request};
use crate::account::Role;
use crate::id::{CampaignId, LeadId};
use crate::inbox::Address;
use crate::key::Scope;

/// Shows a message of a campaign as a lead will get it. Nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PreviewMessage {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Which of its steps, from 1; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "number_or_text")]
    pub step: Option<u32>,
    /// To which of its leads, by address; the first of the list when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<Address>,
}

impl Request for PreviewMessage {
    const NAME: &'static str = "previewMessage";
    const SUMMARY: &'static str = "Shows a message of a campaign as a lead will get it.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/preview";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Preview;
}

/// A message as a lead will get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preview {
    /// The lead.
    pub lead_id: LeadId,
    /// Its address.
    pub address: Address,
    /// The inbox that sends it.
    pub from: Address,
    /// The step, from 1.
    pub step: u32,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The HTML; none where the message is text alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The header fields as they leave, in their order; the date is that of the preview.
    pub headers: Vec<HeaderField>,
    /// The whole message as it leaves, with everything encoded, in bytes.
    pub bytes: u64,
    /// The largest message that the server of the inbox takes, where it has said so (RFC 1870).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_bytes: Option<u64>,
}

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeaderField {
    /// Its name.
    pub name: String,
    /// Its value, encoded and unfolded.
    pub value: String,
}

/// Looks whether there is a message for every lead in every step, and whether servers take it. A start does the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckCampaign {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Leads that are named at most, 1 to 1000; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "number_or_text")]
    pub limit: Option<u32>,
    /// Only those behind this lead, as `next` of the page before has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<LeadId>,
}

impl Request for CheckCampaign {
    const NAME: &'static str = "checkCampaign";
    const SUMMARY: &'static str = "Looks whether there is a message for every lead in every step.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/check";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    type Response = Checked;
}

/// Whether there is a message for every lead in every step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checked {
    /// Leads that were looked at.
    pub leads: u64,
    /// Those of them for whom a message is missing.
    pub unfit: u64,
    /// Who they are, in the order of the list; a page of them.
    pub faults: Vec<LeadFault>,
    /// The last one of the page, where more follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<LeadId>,
    /// The largest message of all, with everything encoded, in bytes; no less than it is, and by little more.
    pub largest_bytes: u64,
}

/// A lead for whom a message is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeadFault {
    /// The lead.
    pub lead_id: LeadId,
    /// Its address.
    pub address: Address,
    /// The first step that it has no message of, from 1.
    pub step: u32,
    /// The field that is missing or empty; none where something else is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, in words.
    pub words: String,
}
