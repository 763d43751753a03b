//! Paired devices: one installed extension each.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Done, Request};
use crate::account::{AccountName, Role};
use crate::id::DeviceId;
use crate::key::Scope;
use crate::pairing::CodeProof;
use crate::sealed::RelayKey;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// Makes a short-lived code that pairs one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreatePairing {}

impl Request for CreatePairing {
    const NAME: &'static str = "createPairing";
    const SUMMARY: &'static str = "Makes a short-lived code that pairs one device.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/pairings";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    type Response = Pairing;
}

/// A pairing code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pairing {
    /// What is pasted into the extension: the relay's address, the code and the key by which the relay signs; it works
    /// once.
    pub link: Secret,
    /// The code alone.
    pub code: Secret,
    /// When it ends unused.
    pub expires_at: Timestamp,
    /// The key by which the relay signs, for people to compare.
    pub fingerprint: String,
}

/// Pairs the device whose key signs this request, by the code of a pairing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateDevice {
    /// That it has the code: the code itself is told to nobody, since anybody may answer.
    pub proof: CodeProof,
    /// What the person calls it.
    pub name: String,
}

impl Request for CreateDevice {
    const NAME: &'static str = "createDevice";
    const SUMMARY: &'static str =
        "Pairs the device whose key signs this request, by the code of a pairing.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/devices";
    const CALLER: Caller = Caller::Anyone;
    const RECORDED: &'static [&'static str] = &["name"];
    type Response = PairedDevice;
}

/// A device that has just been paired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PairedDevice {
    /// Its name.
    pub id: DeviceId,
    /// What the device pins and seals to. The answer is signed by the key that the pairing link names.
    pub relay_key: RelayKey,
}

/// Lists the devices of the account that asks; an owner's and the operator's list has everybody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListDevices {}

impl Request for ListDevices {
    const NAME: &'static str = "listDevices";
    const SUMMARY: &'static str =
        "Lists the paired devices of the account that asks; for an owner, all.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/devices";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Devices;
}

/// The paired devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Devices {
    /// Newest first.
    pub devices: Vec<Device>,
}

/// A paired device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// Its name.
    pub id: DeviceId,
    /// What the person calls it.
    pub name: String,
    /// The extension's origin, to which the relay answers CORS; `None` for a caller that is no browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// When it was paired.
    pub paired_at: Timestamp,
    /// Whose it is: it may do what this account may.
    pub account: AccountName,
    /// Until when the relay answers it by a key that was renewed, the newest that it knows; after that it must be paired
    /// again. `None`: it knows the key of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_until: Option<Timestamp>,
}

/// Revokes a device; its key is not believed any more at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteDevice {
    /// The device.
    pub device_id: DeviceId,
}

impl Request for DeleteDevice {
    const NAME: &'static str = "deleteDevice";
    const SUMMARY: &'static str = "Revokes a device; its key is not believed any more at once.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/devices/{device_id}";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Done;
}

/// Shows the relay's public key, to which what a person obtained is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetRelayKey {}

impl Request for GetRelayKey {
    const NAME: &'static str = "getRelayKey";
    const SUMMARY: &'static str =
        "Shows the relay's public key, to which what a person obtained is sealed.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/relay-key";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Reconnect);
    type Response = PublicKey;
}

/// The relay's public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PublicKey {
    /// What to seal to. A device compares it with the one that it pinned at pairing.
    pub relay_key: RelayKey,
    /// The key by which the relay signs, for people to compare: the number that a paired browser shows.
    pub fingerprint: String,
}
