//! API keys: made by whoever is signed in, for programs of his.

use std::collections::BTreeSet;

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Caller, Done, Request};
use crate::account::{AccountName, Role};
use crate::id::KeyId;
use crate::key::Scope;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// Makes an API key of the account that asks. It may do what the account may, and of that only what its scopes say. The
/// relay must be reached by https: a key is sent with every request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// What it is for: 1 to 100 characters.
    pub name: String,
    /// What it may be used for; at least one.
    pub scopes: BTreeSet<Scope>,
    /// The days that it is good, 1 to 366; without it 90.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "number_or_text"
    )]
    pub days: Option<u32>,
}

impl Request for CreateKey {
    const NAME: &'static str = "createKey";
    const SUMMARY: &'static str = "Makes an API key of the account that asks.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/keys";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    const RECORDED: &'static [&'static str] = &["name", "scopes", "days"];
    type Response = NewKey;
}

/// A key that has just been made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewKey {
    /// The key itself, `upk_…`: it is shown this once. A program sends it as `Authorization: Bearer upk_…` (RFC 6750).
    pub key: Secret,
    /// How it is listed from now on.
    pub listed: ListedKey,
}

/// Lists the API keys of the account that asks; an owner's and the operator's list has everybody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListKeys {}

impl Request for ListKeys {
    const NAME: &'static str = "listKeys";
    const SUMMARY: &'static str = "Lists the API keys of the account that asks; for an owner, all.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/keys";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = ApiKeys;
}

/// The API keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiKeys {
    /// Newest first; also those that have ended, until they are deleted.
    pub keys: Vec<ListedKey>,
}

/// An API key, without what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListedKey {
    /// Its name in the API.
    pub id: KeyId,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub account: AccountName,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When it was last used, to the minute; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// The address that it was last used from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_from: Option<String>,
}

/// Ends an API key and forgets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteKey {
    /// The key.
    pub key_id: KeyId,
}

impl Request for DeleteKey {
    const NAME: &'static str = "deleteKey";
    const SUMMARY: &'static str = "Ends an API key at once and forgets it.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/keys/{key_id}";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    type Response = Done;
}
