//! Inboxes and the state of their connection.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Done, Request};
use crate::account::Role;
use crate::card::Words;
use crate::cause::Cause;
use crate::id::InboxId;
use crate::inbox::{Address, MailServer};
use crate::key::Scope;
use crate::provider::ProviderId;
use crate::standing::{Answer, Shown};
use crate::timestamp::Timestamp;

/// Adds an inbox; it is connected by its first reconnect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateInbox {
    /// Its address.
    pub address: Address,
    /// A provider of the configuration.
    pub provider: ProviderId,
    /// The submission server, where it is not the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<MailServer>,
    /// The IMAP server, where it is not the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imap: Option<MailServer>,
    /// Milliseconds from one message to the next, a fifth more or less; 0: as fast as the server takes them. The
    /// provider's usual distance when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_ms: Option<u64>,
    /// Messages that are tried in 24 hours; 0: as many as there are. The provider's usual cap when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap: Option<u32>,
}

impl Request for CreateInbox {
    const NAME: &'static str = "createInbox";
    const SUMMARY: &'static str = "Adds an inbox; it is connected by its first reconnect.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/inboxes";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Inboxes);
    const RECORDED: &'static [&'static str] = &["address", "provider", "smtp", "imap"];
    type Response = Inbox;
}

/// Corrects the servers of an inbox that is not connected; its next reconnect proves them. What is kept of the old ones,
/// and the sign-in on record, are forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateInbox {
    /// The inbox.
    pub inbox_id: InboxId,
    /// The submission server; as it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<MailServer>,
    /// The IMAP server; as it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imap: Option<MailServer>,
}

impl Request for UpdateInbox {
    const NAME: &'static str = "updateInbox";
    const SUMMARY: &'static str =
        "Corrects the servers of an inbox that is not connected; its next reconnect proves them.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/servers";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Inboxes);
    const RECORDED: &'static [&'static str] = &["smtp", "imap"];
    type Response = Inbox;
}

/// Removes an inbox that no campaign has, and the sign-in on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteInbox {
    /// The inbox.
    pub inbox_id: InboxId,
}

impl Request for DeleteInbox {
    const NAME: &'static str = "deleteInbox";
    const SUMMARY: &'static str = "Removes an inbox that no campaign has.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Inboxes);
    type Response = Done;
}

/// Lists the inboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListInboxes {}

impl Request for ListInboxes {
    const NAME: &'static str = "listInboxes";
    const SUMMARY: &'static str = "Lists the inboxes.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/inboxes";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Inboxes;
}

/// The inboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Inboxes {
    /// By address.
    pub inboxes: Vec<Inbox>,
}

/// Shows one inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetInbox {
    /// The inbox.
    pub inbox_id: InboxId,
}

impl Request for GetInbox {
    const NAME: &'static str = "getInbox";
    const SUMMARY: &'static str = "Shows one inbox.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Inbox;
}

/// Lists how an inbox's connection changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListChanges {
    /// The inbox.
    pub inbox_id: InboxId,
}

impl Request for ListChanges {
    const NAME: &'static str = "listChanges";
    const SUMMARY: &'static str = "Lists how an inbox's connection changed.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/changes";
    const CALLER: Caller = Caller::Device(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Changes;
}

/// How an inbox's connection changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changes {
    /// The last hundred, newest first.
    pub changes: Vec<Change>,
}

/// One change of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// What it was from then on.
    pub state: ConnectionState,
    /// Why: the cause that it was lost for, or that is being checked; `None` where it was connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// Answers what an inbox asks whose mail is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnswerInbox {
    /// The inbox.
    pub inbox_id: InboxId,
    /// Whether it is the account or the addresses.
    pub answer: Answer,
}

impl Request for AnswerInbox {
    const NAME: &'static str = "answerInbox";
    const SUMMARY: &'static str = "Answers what an inbox asks whose mail is refused.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/inboxes/{inbox_id}/answer";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["answer"];
    type Response = Inbox;
}

/// An inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Inbox {
    /// Its name.
    pub id: InboxId,
    /// Its address.
    pub address: Address,
    /// Whose servers they are.
    pub provider: ProviderId,
    /// Where it sends.
    pub smtp: MailServer,
    /// Where it reads.
    pub imap: MailServer,
    /// How somebody signs in for it.
    #[serde(default)]
    pub signs_in_by: SignsInBy,
    /// The user name of its password, where that is not its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether it works.
    pub connection: ConnectionView,
    /// What its server refuses to everybody, although both sign-ins pass; `None` where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Shown>,
    /// Deliveries that would have left since it was lost, each once: what its receipt would say now. 0 while it works.
    pub held: u64,
    /// Deliveries that a person must decide.
    pub unsettled: u64,
    /// What a person meets at the provider; `None` where no page of it is visited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_provider: Option<AtProvider>,
}

/// What a person meets at the provider, as it is with this relay's registration there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AtProvider {
    /// What is asked there, in one sentence.
    pub expects: String,
    /// The page where an administrator allows the app for everybody; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_consent: Option<String>,
}

/// How somebody signs in for an inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SignsInBy {
    /// On the provider's own page.
    #[default]
    Oauth,
    /// By a password or app password: its provider has no such page, or a password is what it was connected with.
    Password,
}

/// The state of a connection, with its card where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionView {
    /// Which.
    pub state: ConnectionState,
    /// Since when.
    pub since: Timestamp,
    /// Why; only when disconnected, or when it waits, and then what is likely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The words for people; only when disconnected, or when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Words>,
    /// The server's own words; `None` where none spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Whether the relay can send and read through an inbox now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// It can.
    Connected,
    /// It is being checked.
    Checking,
    /// It cannot, and somebody must act.
    Disconnected,
    /// It could, and for more than an hour nothing has gone through that waits.
    Waiting,
}

impl ConnectionState {
    /// The word for people, the same on every surface.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Checking => "being checked",
            Self::Disconnected => "disconnected",
            Self::Waiting => "waiting",
        }
    }
}
