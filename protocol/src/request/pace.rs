//! How fast inboxes send, and how that is changed.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Request};
use crate::account::Role;
use crate::budget::{HeldBy, Ramp};
use crate::id::InboxId;
use crate::inbox::Address;
use crate::key::Scope;
use crate::timestamp::Timestamp;

/// Shows how fast each inbox sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListPaces {}

impl Request for ListPaces {
    const NAME: &'static str = "listPaces";
    const SUMMARY: &'static str = "Shows how fast each inbox sends.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/paces";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Paces;
}

/// How fast each inbox sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Paces {
    /// By address.
    pub paces: Vec<Pace>,
}

/// Shows how fast an inbox sends, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetPace {
    /// The inbox.
    pub inbox_id: InboxId,
}

impl Request for GetPace {
    const NAME: &'static str = "getPace";
    const SUMMARY: &'static str = "Shows how fast an inbox sends, and what it waits for.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/pace";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Pace;
}

/// Changes how fast an inbox sends, also while campaigns run: the next message asks it. Nothing that is due is moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdatePace {
    /// The inbox.
    pub inbox_id: InboxId,
    /// Milliseconds from one message to the next, a fifth more or less; 0: as fast as the server takes them. As it was
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_ms: Option<u64>,
    /// Messages that are tried in 24 hours; 0: as many as there are. As it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap: Option<u32>,
    /// A cap that grows by the day up to its daily cap, from its next message on. As it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// Takes its ramp away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_ramp: bool,
    /// Messages that all inboxes of its organisation try in 24 hours, which are those whose addresses are at the same
    /// registered domain; 0: as many as there are. As it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_daily_cap: Option<u32>,
}

impl Request for UpdatePace {
    const NAME: &'static str = "updatePace";
    const SUMMARY: &'static str = "Changes how fast an inbox sends, also while campaigns run.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/pace";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &[
        "distance_ms",
        "daily_cap",
        "ramp",
        "no_ramp",
        "organisation_daily_cap",
    ];
    type Response = Pace;
}

/// How fast an inbox sends, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pace {
    /// The inbox.
    pub inbox_id: InboxId,
    /// Its address.
    pub address: Address,
    /// Milliseconds from one message to the next, a fifth more or less; 0: as fast as the server takes them.
    pub distance_ms: u64,
    /// Messages that are tried in 24 hours at the most; `None`: as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap: Option<u32>,
    /// Its cap that grows; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// Messages that are tried in 24 hours at the most as far as its ramp has come; absent without a ramp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_cap: Option<u32>,
    /// Messages that all inboxes of its organisation try in 24 hours at the most; as many as there are when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_daily_cap: Option<u32>,
    /// Messages that were tried in the last 24 hours: by what relays lived, and while none did, by the wall.
    pub tried: u64,
    /// Before when it tries no other, as things stand; `None` where neither its pace nor its sent folder holds
    /// anything now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What holds it until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<HeldBy>,
    /// Its rest after a failure that passes, in which nothing is tried; `None` where it does not rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
}

/// An inbox is left alone after a failure that passes; the rest grows with each failure in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rest {
    /// Since when nothing has gone through.
    pub since: Timestamp,
    /// When it is tried again.
    pub until: Timestamp,
    /// What was met last: the server's words, or the network's.
    pub words: String,
}
