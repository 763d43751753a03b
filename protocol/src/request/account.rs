//! Accounts: signing in by name and password, one's own, and those of others.

use http::Method;
use serde::{Deserialize, Serialize};

use super::session::Session;
use super::{Caller, Done, Request};
use crate::account::{AccountName, Role};
use crate::id::{AccountId, InboxId};
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// Signs in by name and password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The account's name, in capitals or not.
    pub name: String,
    /// Its password.
    pub password: Secret,
}

impl Request for SignIn {
    const NAME: &'static str = "signIn";
    const SUMMARY: &'static str = "Signs in by name and password.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/sign-ins";
    const CALLER: Caller = Caller::Anyone;
    type Response = Session;
}

/// Takes an invitation: sets the account's password, ends its sessions and signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// The code of the link.
    pub code: Secret,
    /// The password to be: 15 to 256 characters of any kind.
    pub password: Secret,
}

impl Request for AcceptInvitation {
    const NAME: &'static str = "acceptInvitation";
    const SUMMARY: &'static str = "Takes an invitation: sets the account's password and signs in.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/invitations/accept";
    const CALLER: Caller = Caller::Anyone;
    type Response = Session;
}

/// Shows the account that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetAccount {}

impl Request for GetAccount {
    const NAME: &'static str = "getAccount";
    const SUMMARY: &'static str = "Shows the account that asks.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/account";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Account;
}

/// Sets the password of the account that asks; its other sessions end. The first one asks for a proof of the last minutes
/// (`POST /v1/account/proof`); each later one for the password before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// The password of now; none where the account has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Secret>,
    /// The password to be: 15 to 256 characters of any kind.
    pub password: Secret,
}

impl Request for SetPassword {
    const NAME: &'static str = "setPassword";
    const SUMMARY: &'static str =
        "Sets the password of the account that asks; its other sessions end.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/account/password";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Account;
}

/// Takes the password of the account that asks away: from then on its passkeys alone sign it in. It must have one. Its
/// other sessions end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeletePassword {}

impl Request for DeletePassword {
    const NAME: &'static str = "deletePassword";
    const SUMMARY: &'static str =
        "Takes the account's own password away: its passkeys alone sign it in.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/account/password";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    type Response = Account;
}

/// Lists the accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListAccounts {}

impl Request for ListAccounts {
    const NAME: &'static str = "listAccounts";
    const SUMMARY: &'static str = "Lists the accounts.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/accounts";
    const CALLER: Caller = Caller::Session(Role::Owner);
    type Response = Accounts;
}

/// Accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Accounts {
    /// Oldest first.
    pub accounts: Vec<Account>,
}

/// Somebody who signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// Its name in the API.
    pub id: AccountId,
    /// What it signs in as.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// Whether it has a password; without one it signs in by its passkeys, or by a link.
    pub has_password: bool,
    /// How many passkeys it has.
    pub passkeys: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// The inboxes that were given to it. A client sees no others; for every other role they mean nothing.
    pub inboxes: Vec<InboxId>,
}

/// Makes an account, and the link by which it is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// What it signs in as: a mail address or any name.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// The inboxes that are given to a client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inboxes: Vec<InboxId>,
}

impl Request for CreateAccount {
    const NAME: &'static str = "createAccount";
    const SUMMARY: &'static str = "Makes an account, and the link by which it is taken.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/accounts";
    const CALLER: Caller = Caller::Session(Role::Owner);
    const ANEW: bool = true;
    const RECORDED: &'static [&'static str] = &["name", "role", "inboxes"];
    type Response = Invitation;
}

/// Makes another link by which an account sets its password: it was not taken in time, or the password was forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    /// The account.
    pub account_id: AccountId,
}

impl Request for CreateInvitation {
    const NAME: &'static str = "createInvitation";
    const SUMMARY: &'static str = "Makes another link by which an account sets its password.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/accounts/{account_id}/invitations";
    const CALLER: Caller = Caller::Session(Role::Owner);
    const ANEW: bool = true;
    type Response = Invitation;
}

/// A single-use link by which an account sets its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invitation {
    /// The account.
    pub account: Account,
    /// The link; it works once.
    pub url: Secret,
    /// When it ends unused.
    pub expires_at: Timestamp,
}

/// Changes an account: what is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateAccount {
    /// The account.
    pub account_id: AccountId,
    /// What it signs in as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<AccountName>,
    /// What it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The inboxes that are given to it, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inboxes: Option<Vec<InboxId>>,
}

impl Request for UpdateAccount {
    const NAME: &'static str = "updateAccount";
    const SUMMARY: &'static str = "Changes an account's name, role or inboxes.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/accounts/{account_id}";
    const CALLER: Caller = Caller::Session(Role::Owner);
    const ANEW: bool = true;
    const RECORDED: &'static [&'static str] = &["name", "role", "inboxes"];
    type Response = Account;
}

/// Removes an account, with its sessions and its devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteAccount {
    /// The account.
    pub account_id: AccountId,
}

impl Request for DeleteAccount {
    const NAME: &'static str = "deleteAccount";
    const SUMMARY: &'static str = "Removes an account, with its sessions and its devices.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/accounts/{account_id}";
    const CALLER: Caller = Caller::Session(Role::Owner);
    const ANEW: bool = true;
    type Response = Done;
}
