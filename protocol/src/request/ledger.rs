//! How the relay's ledger stands after a restore: what is not known of it, and whether another relay works on it too.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Request};
use crate::account::Role;
use crate::id::InboxId;
use crate::timestamp::Timestamp;

/// Shows what a restore of the database has left open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetLedger {}

impl Request for GetLedger {
    const NAME: &'static str = "getLedger";
    const SUMMARY: &'static str = "Shows what a restore of the database has left open.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/ledger";
    const CALLER: Caller = Caller::Session(Role::Owner);
    type Response = Ledger;
}

/// Says that this relay stays and the other one on the same ledger is ended: it sends again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeepRelay {}

impl Request for KeepRelay {
    const NAME: &'static str = "keepRelay";
    const SUMMARY: &'static str =
        "Says that this relay stays and the other one on the same ledger is ended: it sends again.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/ledger/keep";
    const CALLER: Caller = Caller::Session(Role::Owner);
    type Response = Ledger;
}

/// What a restore has left open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ledger {
    /// Since when another relay is known to work on the same ledger: nothing is sent meanwhile. `None` where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub another_relay_since: Option<Timestamp>,
    /// Inboxes of which it is not known yet what was sent after the database had been saved; they wait.
    pub comparing: Vec<InboxId>,
    /// People who were written to by messages that the database has no delivery for, 1,000 at most; a first message to
    /// one of them is held.
    pub written_to: Vec<WrittenTo>,
    /// How many attempts the mark told of when the relay found a new database beside it, which was deleted since or lies
    /// elsewhere; 0 where it knows its database, and after the next start.
    #[serde(default)]
    pub attempts_before: u64,
}

/// Somebody who was written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WrittenTo {
    /// The address, as the copy has it; empty where that does not tell.
    pub address: String,
    /// Through which inbox.
    pub inbox: InboxId,
    /// When that was found.
    pub found_at: Timestamp,
}
