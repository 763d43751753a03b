//! Reconnects: from the click to the receipt.

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Caller, Request};
use crate::account::Role;
use crate::card::Words;
use crate::cause::Cause;
use crate::id::{InboxId, ReceiptId, ReconnectId};
use crate::key::Scope;
use crate::receipt::{Line, Receipt};
use crate::reconnect::{Authorization, Question, Stage};
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// Starts a reconnect of an inbox, or joins the one under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartReconnect {
    /// The inbox.
    pub inbox_id: InboxId,
}

impl Request for StartReconnect {
    const NAME: &'static str = "startReconnect";
    const SUMMARY: &'static str = "Starts a reconnect of an inbox, or joins the one under way.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/reconnects";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Reconnect);
    type Response = StartedReconnect;
}

/// A reconnect and what a browser needs for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartedReconnect {
    /// Where it stands.
    pub reconnect: Reconnect,
    /// How the person signs in; `None` where the provider has no OAuth here and a password is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    /// Whether it was under way already.
    pub joined: bool,
}

/// Hands over what the person obtained, sealed to the relay's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GrantReconnect {
    /// The reconnect.
    pub reconnect_id: ReconnectId,
    /// A sealed `Grant`; its context names the reconnect and the inbox.
    pub sealed: Sealed,
}

impl Request for GrantReconnect {
    const NAME: &'static str = "grantReconnect";
    const SUMMARY: &'static str = "Hands over what the person obtained, sealed to the relay's key.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/reconnects/{reconnect_id}/grant";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Reconnect);
    type Response = Reconnect;
}

/// Tells the relay that the sign-in brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RefuseReconnect {
    /// The reconnect.
    pub reconnect_id: ReconnectId,
    /// Why not.
    pub why: NothingObtained,
}

/// Why a sign-in brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NothingObtained {
    /// The person called it off, or does not confirm who signed in.
    Cancelled,
    /// The provider's page was closed, and nothing came back from it.
    Closed {
        /// The redirect URI that was asked with: the relay asks the provider whether it knows it. Without it the
        /// relay's own is meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redirect_uri: Option<String>,
    },
    /// What came back was not the answer to this sign-in: `state` or `iss` were wrong, or missing where promised.
    MixedUp,
    /// The provider said no, at its page or at its token endpoint.
    Provider {
        /// Its `error` (RFC 6749 §4.1.2.1, §5.2).
        error: String,
        /// Its `error_description`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
}

impl Request for RefuseReconnect {
    const NAME: &'static str = "refuseReconnect";
    const SUMMARY: &'static str = "Tells the relay that the sign-in brought nothing.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/reconnects/{reconnect_id}/refuse";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Reconnect);
    type Response = Reconnect;
}

/// Confirms that the person who signed in may work for this inbox: a shared mailbox, an alias, another user name, or a
/// password in place of an account. It must wait for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfirmReconnect {
    /// The reconnect.
    pub reconnect_id: ReconnectId,
}

impl Request for ConfirmReconnect {
    const NAME: &'static str = "confirmReconnect";
    const SUMMARY: &'static str = "Confirms that the person who signed in may work for this inbox.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/reconnects/{reconnect_id}/confirm";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Reconnect);
    type Response = Reconnect;
}

/// Lets the relay run the sign-in itself, in an ordinary tab: for browsers whose own way fails or is missing,
/// and for the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HostReconnect {
    /// The reconnect; it must wait for the person.
    pub reconnect_id: ReconnectId,
}

impl Request for HostReconnect {
    const NAME: &'static str = "hostReconnect";
    const SUMMARY: &'static str = "Lets the relay run the sign-in itself, in an ordinary tab.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/reconnects/{reconnect_id}/host";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Reconnect);
    type Response = HostedSignIn;
}

/// A sign-in that the relay runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HostedSignIn {
    /// What to open in a tab of the same browser; it works once, and ends with the reconnect.
    pub url: Secret,
}

/// Shows where a reconnect stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetReconnect {
    /// The reconnect.
    pub reconnect_id: ReconnectId,
}

impl Request for GetReconnect {
    const NAME: &'static str = "getReconnect";
    const SUMMARY: &'static str = "Shows where a reconnect stands.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/reconnects/{reconnect_id}";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Reconnect;
}

/// A reconnect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reconnect {
    /// Its name.
    pub id: ReconnectId,
    /// The inbox.
    pub inbox: InboxId,
    /// Where it stands.
    pub state: ReconnectState,
    /// How far the proof has come; only while verifying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// When it ends by itself if nobody finishes it.
    pub expires_at: Timestamp,
    /// Who signed in, once that is known and where the provider told a name; of a password that is to be confirmed, or
    /// was, its user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_as: Option<String>,
    /// What is to be confirmed; only while it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The words for people when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Words>,
    /// The server's own words when it was refused; `None` where none spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The proof when it resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
}

/// Where a reconnect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReconnectState {
    /// The person is at the provider.
    Started,
    /// What the person obtained has arrived.
    Granted,
    /// The relay proves it.
    Verifying,
    /// A sign-in works that the inbox does not know; somebody must confirm that it is meant.
    Unconfirmed,
    /// The inbox works and its campaigns go on.
    Resumed,
    /// It ended without success.
    Refused,
}

/// Shows the receipt of a resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetReceipt {
    /// The receipt.
    pub receipt_id: ReceiptId,
}

impl Request for GetReceipt {
    const NAME: &'static str = "getReceipt";
    const SUMMARY: &'static str = "Shows the receipt of a resume.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/receipts/{receipt_id}";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Receipt;
}

/// Lists the lines of a receipt, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListReceiptLines {
    /// The receipt.
    pub receipt_id: ReceiptId,
    /// Only those behind so many: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "number_or_text")]
    pub after: Option<u32>,
    /// At most so many; 100 when absent, 1,000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "number_or_text")]
    pub limit: Option<u32>,
}

impl Request for ListReceiptLines {
    const NAME: &'static str = "listReceiptLines";
    const SUMMARY: &'static str = "Lists the lines of a receipt, in its order.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/receipts/{receipt_id}/lines";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = ReceiptLines;
}

/// A line of a receipt, and what has become of it since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListedLine {
    /// What the receipt says.
    #[serde(flatten)]
    pub line: Line,
    /// What is so now; absent where the ledger has no such message any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// What has become of a message since a receipt was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "since", rename_all = "snake_case")]
pub enum Since {
    /// A server has accepted it.
    Sent {
        /// When; absent where that is not known any more, as of a message that came back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// It waits for its turn, or is being sent.
    Waits,
    /// Nobody knows whether it was sent: that is being settled, or a person's to decide.
    InDoubt,
    /// It is not sent any more.
    NotSent,
}

/// Lines of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReceiptLines {
    /// In the order of the receipt.
    pub lines: Vec<ListedLine>,
    /// With what the next page is asked for; `None` where this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// Lists receipts, newest first, a hundred at a time, without their lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListReceipts {
    /// Only those behind this one: the last of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ReceiptId>,
}

impl Request for ListReceipts {
    const NAME: &'static str = "listReceipts";
    const SUMMARY: &'static str =
        "Lists receipts, newest first, a hundred at a time, without their lines.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/receipts";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Receipts;
}

/// Receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipts {
    /// Newest first; `lines` is empty here.
    pub receipts: Vec<Receipt>,
}
