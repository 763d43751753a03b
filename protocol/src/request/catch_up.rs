//! How a campaign catches up after an outage, and letting it go on.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Request};
use crate::account::Role;
use crate::catch_up::AfterOutage;
use crate::id::CampaignId;
use crate::key::Scope;
use crate::timestamp::Timestamp;

/// Shows how a campaign goes on after an outage, and whether it is catching up now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetCatchUp {
    /// The campaign.
    pub campaign_id: CampaignId,
}

impl Request for GetCatchUp {
    const NAME: &'static str = "getCatchUp";
    const SUMMARY: &'static str =
        "Shows how a campaign goes on after an outage, and whether it is catching up now.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/catch-up";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = CatchUp;
}

/// Changes how a campaign goes on after an outage, now too where one was, or lets it go on as fast as ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetCatchUp {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// What it does. As it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_outage: Option<AfterOutage>,
    /// Whether it goes on as fast as ever now, until the next outage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release: bool,
}

impl Request for SetCatchUp {
    const NAME: &'static str = "setCatchUp";
    const SUMMARY: &'static str =
        "Changes how a campaign goes on after an outage, or lets it go on as fast as ever now.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/campaigns/{campaign_id}/catch-up";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["after_outage", "release"];
    type Response = CatchUp;
}

/// How a campaign goes on after an outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CatchUp {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// What it does.
    pub after_outage: AfterOutage,
    /// Whether it does that now, since an outage is over.
    pub is_catching_up: bool,
    /// Until when; absent where it does not, or until a person lets it go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
