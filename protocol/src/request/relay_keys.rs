//! The relay's own keys: what they are, who still knows older ones, and renewing them. Keys of programs are in
//! [`super::key`]. No secret half of a key is in any of it.

use http::Method;
use serde::{Deserialize, Serialize};

use super::device::Device;
use super::{Caller, Request};
use crate::signed::VerifyingKey;
use crate::timestamp::Timestamp;

/// Shows the relay's own keys, and who and what is behind them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetRelayKeys {}

impl Request for GetRelayKeys {
    const NAME: &'static str = "getRelayKeys";
    const SUMMARY: &'static str = "Shows the relay's own keys, and who and what is behind them.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/relay-keys";
    const CALLER: Caller = Caller::Operator;
    type Response = RelayKeys;
}

/// The relay's own keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RelayKeys {
    /// The id of the key that seals at rest, as the key file has it and a backup names it.
    pub id: String,
    /// Since when that one seals.
    pub since: Timestamp,
    /// Where the key file is.
    pub key_file: String,
    /// Sealed values of the database that still have the key before. Once there are none, the new file has its place.
    pub to_reseal: u64,
    /// Whether a renewal is still going on.
    pub is_renewing: bool,
    /// The keys by which devices know the relay, newest first; the first is the one of now.
    pub known_by: Vec<KnownBy>,
    /// Devices that know an older one.
    pub behind: Vec<Device>,
}

/// A key by which devices know the relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KnownBy {
    /// The key.
    pub key: VerifyingKey,
    /// The same for people to compare.
    pub fingerprint: String,
    /// Since when the relay has it.
    pub since: Timestamp,
    /// Until when those who know it are answered by it; `None`: it is the one of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Renews the relay's own keys: the one that seals at rest, the one by which it signs, the one to which browsers seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RenewRelayKeys {
    /// Whether the keys before are good for nothing from now on, because somebody may have them: then every device has to
    /// be paired again. Else devices follow by themselves.
    #[serde(default)]
    pub at_once: bool,
}

impl Request for RenewRelayKeys {
    const NAME: &'static str = "renewRelayKeys";
    const SUMMARY: &'static str = "Renews the relay's own keys: the one that seals at rest, the one by which it signs, and \
                                   the one to which browsers seal.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/relay-keys";
    const CALLER: Caller = Caller::Operator;
    const RECORDED: &'static [&'static str] = &["at_once"];
    type Response = RenewedKeys;
}

/// What a renewal began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenewedKeys {
    /// The id of the key that seals at rest from now on.
    pub id: String,
    /// The id of the one before.
    pub before: String,
    /// Where the new key lies in the end.
    pub key_file: String,
    /// Where the one before lies then: backups that were made before need it.
    pub old_file: String,
    /// The key by which devices know the relay from now on, for people to compare.
    pub fingerprint: String,
    /// Until when devices may come and follow; `None`: they must be paired again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_until: Option<Timestamp>,
    /// How many devices are paired.
    pub devices: u64,
}
