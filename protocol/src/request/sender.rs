//! How an inbox presents itself: the name in front of its address, where answers go, what stands under its messages.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Request};
use crate::account::Role;
use crate::id::InboxId;
use crate::inbox::Address;
use crate::key::Scope;
use crate::sender::Sender;

/// Shows how an inbox presents itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetSender {
    /// The inbox.
    pub inbox_id: InboxId,
}

impl Request for GetSender {
    const NAME: &'static str = "getSender";
    const SUMMARY: &'static str = "Shows how an inbox presents itself.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/sender";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = SenderOf;
}

/// Changes how an inbox presents itself, also while campaigns run: from the next message on. What is absent is taken
/// away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateSender {
    /// The inbox.
    pub inbox_id: InboxId,
    /// How it presents itself.
    pub sender: Sender,
}

impl Request for UpdateSender {
    const NAME: &'static str = "updateSender";
    const SUMMARY: &'static str = "Changes how an inbox presents itself, from the next message on.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/sender";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Inboxes);
    type Response = SenderOf;
}

/// How an inbox presents itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SenderOf {
    /// The inbox.
    pub inbox_id: InboxId,
    /// Its address.
    pub address: Address,
    /// How it presents itself.
    pub sender: Sender,
}
