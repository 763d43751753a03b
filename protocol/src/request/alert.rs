//! What people were told, through which channel, and what could not be told.

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Caller, Request};
use crate::account::Role;
use crate::alert::Alert;
use crate::key::Scope;
use crate::telling::State;
use crate::timestamp::Timestamp;

/// Lists the last alerts, newest first, and where each stands at each channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListAlerts {
    /// At most so many, 1 to 1,000; without it 100.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "number_or_text"
    )]
    pub limit: Option<u32>,
}

impl Request for ListAlerts {
    const NAME: &'static str = "listAlerts";
    const SUMMARY: &'static str =
        "Lists the last alerts, newest first, and where each stands at each channel.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/alerts";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Alerts;
}

/// The last alerts and the channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alerts {
    /// Newest first.
    pub alerts: Vec<Listed>,
    /// By name.
    pub channels: Vec<Channel>,
}

/// An alert, and where it stands at each channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Listed {
    /// What happened.
    pub alert: Alert,
    /// The same in one sentence.
    pub title: String,
    /// From when it is told.
    pub told_from: Timestamp,
    /// By channel; none for those that were added later.
    pub tellings: Vec<Telling>,
}

/// Where an alert stands at a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Telling {
    /// The channel.
    pub channel: String,
    /// Where it stands.
    pub status: State,
    /// What the other side answered last, or why it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Channel {
    /// `log`, `mail:` and the recipient, or `webhook.` and its name in the configuration.
    pub name: String,
    /// Where it leads, without a secret.
    pub target: String,
    /// Since when the other side wants nothing more; `None` while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_since: Option<Timestamp>,
    /// Its words then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_words: Option<String>,
    /// Alerts that wait there.
    pub waiting: u64,
    /// Alerts that could not be told there.
    pub given_up: u64,
}

/// Sends a marked test alert through each channel and says what each answered. One that was switched off and takes it is
/// on again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TestAlerts {}

impl Request for TestAlerts {
    const NAME: &'static str = "testAlerts";
    const SUMMARY: &'static str =
        "Sends a marked test alert through each channel and says what each answered.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/alerts/test";
    const CALLER: Caller = Caller::Session(Role::Owner);
    type Response = Tested;
}

/// What each channel answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tested {
    /// By name.
    pub channels: Vec<TestedChannel>,
}

/// What a channel answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestedChannel {
    /// The channel.
    pub name: String,
    /// Whether it took the test.
    pub taken: bool,
    /// The answer, or why there was none.
    pub words: String,
}
