//! Signing in to the dashboard: a one-time link from the operator, then a session; which sessions there are, and ending
//! them.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Done, Request};
use crate::account::{AccountName, Role};
use crate::id::SessionId;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// Makes a one-time sign-in link for the dashboard: for the account that asks, or for the operator the first owner's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateLoginLink {}

impl Request for CreateLoginLink {
    const NAME: &'static str = "createLoginLink";
    const SUMMARY: &'static str = "Makes a one-time sign-in link for the dashboard.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/login-links";
    const CALLER: Caller = Caller::Session(Role::Owner);
    const ANEW: bool = true;
    type Response = LoginLink;
}

/// A one-time sign-in link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginLink {
    /// The link; it works once.
    pub url: Secret,
    /// When it ends unused.
    pub expires_at: Timestamp,
}

/// Exchanges the code of a one-time link for a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    /// The code of the link.
    pub code: Secret,
}

impl Request for CreateSession {
    const NAME: &'static str = "createSession";
    const SUMMARY: &'static str = "Exchanges the code of a one-time link for a session.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/sessions";
    const CALLER: Caller = Caller::Anyone;
    type Response = Session;
}

/// A signed-in session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// Sent as `Authorization: Bearer`.
    pub token: Secret,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

/// What stands in place of a session's name for the one that asks.
pub const CURRENT: &str = "current";

/// Lists the sessions that let the account in that asks; an owner's and the operator's list has everybody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListSessions {}

impl Request for ListSessions {
    const NAME: &'static str = "listSessions";
    const SUMMARY: &'static str = "Lists the sessions of the account that asks; for an owner, all.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/sessions";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Sessions;
}

/// Sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sessions {
    /// The one that was used last first.
    pub sessions: Vec<ListedSession>,
}

/// A session, without what it lets in by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListedSession {
    /// Its name.
    pub id: SessionId,
    /// When it began.
    pub made_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
    /// When it ends if it is not used any more.
    pub ends_at: Timestamp,
    /// The address that it began from.
    pub peer: String,
    /// What the browser said of itself when it began; `None` where it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// Whose it is.
    pub account: AccountName,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// Ends a session; its token lets nobody in from then on. One that is not the caller's own asks for a proof of the last
/// minutes (`POST /v1/account/proof`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteSession {
    /// The session; `current` for the one that asks.
    pub session_id: SessionId,
}

impl Request for DeleteSession {
    const NAME: &'static str = "deleteSession";
    const SUMMARY: &'static str = "Ends a session; its token lets nobody in from then on.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/sessions/{session_id}";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Done;
}

/// Ends all sessions of the account that asks, this one among them; for an owner and the operator, everybody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteSessions {}

impl Request for DeleteSessions {
    const NAME: &'static str = "deleteSessions";
    const SUMMARY: &'static str =
        "Ends all sessions of the account that asks; for an owner, everybody's.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/sessions";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    type Response = EndedSessions;
}

/// How many sessions were ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndedSessions {
    /// That many.
    pub ended: u64,
}
