//! Who is not written to, in any campaign: people and whole domains.

use std::fmt;
use std::str::FromStr;

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Body, Request};
use crate::account::Role;
use crate::delivery::Suppression;
use crate::evidence::may_be_host;
use crate::id::CampaignId;
use crate::inbox::Address;
use crate::key::Scope;
use crate::request::Caller;
use crate::timestamp::Timestamp;

/// An address, or a domain with everybody in it, in small letters. On the relay's list the domain is an A-label
/// (RFC 5890 §2.3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Whom(String);

/// It is neither an address nor a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an address as in jane@acme.example or a domain as in acme.example, found {found}"
)]
pub struct NobodyError {
    /// What was found, shortened.
    pub found: String,
}

impl Whom {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Whom {
    type Err = NobodyError;

    fn from_str(text: &str) -> Result<Self, NobodyError> {
        let text = text.trim();
        // As other lists write everybody of a domain.
        let text = text
            .strip_prefix("*@")
            .filter(|domain| !domain.contains('@'))
            .unwrap_or(text);
        let is_domain = |text: &str| {
            text.contains('.') && may_be_host(text) && text.parse::<std::net::IpAddr>().is_err()
        };
        if text.parse::<Address>().is_ok() || !text.contains('@') && is_domain(text) {
            return Ok(Self(text.to_lowercase()));
        }
        let found = format!("{:?}", text.chars().take(80).collect::<String>());
        Err(NobodyError { found })
    }
}

impl TryFrom<String> for Whom {
    type Error = NobodyError;

    fn try_from(text: String) -> Result<Self, NobodyError> {
        text.parse()
    }
}

impl From<Whom> for String {
    fn from(whom: Whom) -> Self {
        whom.0
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Never writes to a person or a domain again: every lead of theirs in a campaign that is started is stopped, and
/// none that is imported later is written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateSuppression {
    /// The person or the domain.
    pub whom: Whom,
}

impl Request for CreateSuppression {
    const NAME: &'static str = "createSuppression";
    const SUMMARY: &'static str = "Never writes to a person or a domain again, in any campaign.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/suppressions";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Suppressions);
    const RECORDED: &'static [&'static str] = &["whom"];
    type Response = Stopped;
}

/// What a new entry stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stopped {
    /// Leads that were stopped.
    pub leads: u64,
}

/// Lists who is not written to, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListSuppressions {
    /// Behind this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Whom>,
    /// At most so many, 1 to 1,000; without it 100.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "number_or_text"
    )]
    pub limit: Option<u32>,
}

impl Request for ListSuppressions {
    const NAME: &'static str = "listSuppressions";
    const SUMMARY: &'static str = "Lists who is not written to, by name.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/suppressions";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Suppressions;
}

/// Who is not written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Suppressions {
    /// By name.
    pub suppressions: Vec<Suppressed>,
}

/// A person or a domain that is not written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Suppressed {
    /// Who.
    pub whom: Whom,
    /// Why.
    pub why: Suppression,
    /// Since when.
    pub since: Timestamp,
    /// The campaign in which it was met; `None` where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
}

/// Takes a person or a domain off the list. Leads that were stopped stay stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteSuppression {
    /// The person or the domain.
    pub whom: Whom,
}

impl Request for DeleteSuppression {
    const NAME: &'static str = "deleteSuppression";
    const SUMMARY: &'static str =
        "Takes a person or a domain off the list; leads that were stopped stay stopped.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/suppressions/{whom}";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Suppressions);
    type Response = Allowed;
}

/// Somebody was taken off the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Allowed {
    /// The person's domain, where that is on the list itself: nobody in it is written to. `None` where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_stands: Option<Whom>,
}

/// The largest list of people and domains: 32 MiB, about a million.
pub const SUPPRESSIONS_AT_MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Never writes again to anybody on a list: a line for each, as text or as CSV. All or none: a line that is neither a
/// person nor a domain refuses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportSuppressions {}

impl Request for ImportSuppressions {
    const NAME: &'static str = "importSuppressions";
    const SUMMARY: &'static str = "Never writes again to anybody on a list of people and domains.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/suppressions/import";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Suppressions);
    const BODY: Body = Body::Csv {
        at_most_bytes: SUPPRESSIONS_AT_MOST_BYTES,
    };
    type Response = ImportedSuppressions;
}

/// What a list of people and domains brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportedSuppressions {
    /// People and domains that came on the relay's list.
    pub added: u64,
    /// Those that stood there already.
    pub already: u64,
    /// Leads that were stopped.
    pub leads: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_domain_is_taken_and_nothing_else() {
        for (text, taken) in [
            ("Jane@Acme.example", "jane@acme.example"),
            (" acme.example ", "acme.example"),
            ("mail.Acme.example", "mail.acme.example"),
            ("*@Acme.example", "acme.example"),
        ] {
            assert_eq!(text.parse::<Whom>().unwrap().as_str(), taken);
        }
        for text in [
            "",
            "acme",
            "@acme.example",
            "jane@",
            "a b.example",
            "192.0.2.1",
            "https://acme.example",
        ] {
            let error = text.parse::<Whom>().unwrap_err();
            assert!(
                error.to_string().contains("acme.example or a domain")
                    || error.to_string().contains("expected"),
                "{text}"
            );
        }
    }
}
