//! The audit log: who did what, when and from where.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::delivery::number_or_text;
use super::{Caller, Request};
use crate::account::{AccountName, Role};
use crate::id::{AccountId, RequestId};
use crate::timestamp::Timestamp;

/// Lists what was done, newest first. Every call that changes something is written down before it is performed, so an
/// entry without an outcome is one during which the relay was ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListAudit {
    /// Only of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// Only what this endpoint did, by its `operationId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only what is not older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only those before this entry: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// At most so many, 1 to 1,000; without it 100.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "number_or_text"
    )]
    pub limit: Option<u32>,
}

impl Request for ListAudit {
    const NAME: &'static str = "listAudit";
    const SUMMARY: &'static str = "Lists who did what, when and from where, newest first.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/audit";
    const CALLER: Caller = Caller::Session(Role::Owner);
    type Response = AuditLog;
}

/// A page of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditLog {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// With what the next page is asked for; `None` where this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// By what somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the socket in the relay's data folder.
    Operator,
    /// By a session of the dashboard.
    Session,
    /// By a paired device.
    Device,
    /// By an API key.
    Key,
    /// By the link of a hosted sign-in.
    Link,
    /// By nothing yet: a sign-in, an invitation, a pairing.
    Nobody,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 6] = [
        Self::Operator,
        Self::Session,
        Self::Device,
        Self::Key,
        Self::Link,
        Self::Nobody,
    ];

    /// As it stands in rows and on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Session => "session",
            Self::Device => "device",
            Self::Key => "key",
            Self::Link => "link",
            Self::Nobody => "nobody",
        }
    }

    /// The way with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.code() == code)
    }
}

/// One thing that somebody did, or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// When; of a refusal that came again within an hour, the first time.
    pub at: Timestamp,
    /// What: the endpoint's `operationId`.
    pub action: String,
    /// By what the caller came in.
    pub way: Way,
    /// The session, device or key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The account, where one is known: also that of whose password was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// What it was called then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// The address of the other side; `None` for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// What the other side said of itself (RFC 9110 §10.1.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// The request, as it stands in the relay's log.
    pub request_id: RequestId,
    /// On what, and how: fields of the request, and `id` of what was made.
    pub fields: Map<String, Value>,
    /// `done`, or the code of the problem; `None`: the relay was ended meanwhile, and it may have been done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// How many times: a refusal that comes again from the same place within an hour is counted.
    pub times: u64,
    /// When it ended; of one that came again, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_found_by_its_code() {
        for way in Way::ALL {
            assert_eq!(Way::from_code(way.code()), Some(way));
            assert_eq!(serde_json::to_value(way).unwrap(), way.code());
        }
        assert_eq!(Way::from_code("window"), None);
    }
}
