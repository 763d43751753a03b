//! One look at everything that an extension shows.

use http::Method;
use serde::{Deserialize, Serialize};

use super::campaign::Campaign;
use super::inbox::Inbox;
use super::{Caller, Request};
use crate::account::Role;
use crate::key::Scope;
use crate::provider::ProviderId;
use crate::renewal::Renewal;

/// Shows every inbox and campaign at once; answers 304 to a matching `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetStatus {}

impl Request for GetStatus {
    const NAME: &'static str = "getStatus";
    const SUMMARY: &'static str =
        "Shows every inbox and campaign at once; answers 304 to a matching `If-None-Match`.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/status";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Status;
}

/// Everything at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// The relay's version.
    pub version: String,
    /// By address.
    pub inboxes: Vec<Inbox>,
    /// Newest first.
    pub campaigns: Vec<Campaign>,
    /// Where the extension may help beside the relay's own dashboard: the webmail of each configured provider.
    pub sites: Vec<Site>,
    /// For a device that knows a key of the relay's which was renewed: how to come from that one to the one of now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewals: Vec<Renewal>,
}

/// A site that belongs to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Site {
    /// Whose it is.
    pub provider: ProviderId,
    /// The name a person knows.
    pub name: String,
    /// The origin, as in `https://mail.google.com`.
    pub origin: String,
}
