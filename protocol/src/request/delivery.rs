//! Deliveries: one step to one lead each.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Request};
use crate::account::Role;
use crate::cause::Cause;
use crate::delivery::{Decision, NoEvidence, State, StateName, Suppression};
use crate::id::{CampaignId, DeliveryId, LeadId};
use crate::inbox::Address;
use crate::key::Scope;
use crate::timestamp::Timestamp;

/// Lists deliveries of a campaign, oldest lead first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListDeliveries {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Only those in this state, as in `unsettled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateName>,
    /// At most so many; 100 when absent, 1,000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "number_or_text")]
    pub limit: Option<u32>,
    /// Only those behind this delivery: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DeliveryId>,
}

impl Request for ListDeliveries {
    const NAME: &'static str = "listDeliveries";
    const SUMMARY: &'static str = "Lists deliveries of a campaign, oldest lead first.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/deliveries";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Deliveries;
}

/// Deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deliveries {
    /// Oldest lead first, then by step.
    pub deliveries: Vec<Delivery>,
    /// With what the next page is asked for; `None` where this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<DeliveryId>,
}

/// One step to one lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// The lead.
    pub lead: LeadId,
    /// The lead's address.
    pub to: Address,
    /// The step, from 1.
    pub step: u32,
    /// Where it stands.
    pub status: State,
    /// When it can leave at the earliest, as things stand: planned and deferred ones only, and `None` while its
    /// campaign or its inbox cannot send, because nobody knows when they can again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What we wrote as `Message-ID`; `None` before the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// What the server made of it, where that is known to differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire_id: Option<String>,
    /// How often it was attempted.
    pub attempts: u32,
    /// Why it was deferred or rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Why no evidence settled it; only when unsettled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_evidence: Option<NoEvidence>,
    /// The server's words at the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What its last refusal or bounce has in common with others, as in `rcpt-550-5.1.1`; `None` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<String>,
}

/// Decides a delivery of which nobody knows whether it was sent: one that no evidence can settle, or that none has
/// settled yet. One that is being attempted is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SettleDelivery {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Leave it, send it again, or end it.
    pub decision: Decision,
}

impl Request for SettleDelivery {
    const NAME: &'static str = "settleDelivery";
    const SUMMARY: &'static str = "Decides a delivery of which nobody knows whether it was sent.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/deliveries/{delivery_id}/settle";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["decision"];
    type Response = Delivery;
}

/// Decides every unsettled delivery of a campaign at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SettleDeliveries {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Leave them, send them again, or end them.
    pub decision: Decision,
}

impl Request for SettleDeliveries {
    const NAME: &'static str = "settleDeliveries";
    const SUMMARY: &'static str = "Decides every unsettled delivery of a campaign at once.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/settle";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["decision"];
    type Response = Moved;
}

/// Puts back what was set aside or came back: one delivery, those of a cause, those that met the same, or all.
/// A lead that answered or complained, or that a person ended, stays as it is, and the answer says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PutBackDeliveries {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Only this delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    /// Only those that were set aside for this cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Only those that met this, as in `rcpt-550-5.1.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<String>,
}

impl Request for PutBackDeliveries {
    const NAME: &'static str = "putBackDeliveries";
    const SUMMARY: &'static str = "Puts back what was set aside or came back.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/put-back";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["delivery_id", "cause", "alike"];
    type Response = Moved;
}

/// How many deliveries were moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Moved {
    /// So many.
    pub moved: u64,
    /// Of those that were to be put back, the ones that stay as they are because their leads were heard of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
}

/// Deliveries that are not put back, whoever asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// What was heard of their leads, or of the person in another campaign.
    pub why: Suppression,
    /// So many.
    pub n: u64,
}

/// A number, also where it arrives as text: the query has no other form.
pub(super) fn number_or_text<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u32),
        Text(String),
    }
    match Option::<Either>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Either::Number(number)) => Ok(Some(number)),
        Some(Either::Text(text)) => text.parse().map(Some).map_err(|_| {
            // In serde's words, so that the relay knows what in them is the caller's.
            serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &"a number")
        }),
    }
}
