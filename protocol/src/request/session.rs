//! Signing in to the dashboard: a one-time link from the operator, then a session.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Request};
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// Makes a one-time sign-in link for the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateLoginLink {}

impl Request for CreateLoginLink {
    const NAME: &'static str = "createLoginLink";
    const SUMMARY: &'static str = "Makes a one-time sign-in link for the dashboard.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/login-links";
    const CALLER: Caller = Caller::Operator;
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
    /// When it ends.
    pub expires_at: Timestamp,
}
