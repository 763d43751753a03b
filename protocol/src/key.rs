//! API keys: what a program that holds one may do. Making a key, and comparing it, are the relay's.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the text of every key begins with, so that a person, and a program that looks for secrets in files, knows one.
pub const PREFIX: &str = "upk_";
/// The longest name of a key, in characters.
pub const NAME_AT_MOST: usize = 100;
/// How long a key is good where nothing is said.
pub const DAYS: u32 = 90;
/// The longest that a key may be good.
pub const DAYS_AT_MOST: u32 = 366;

/// A day, as keys count it.
pub const DAY: Duration = Duration::from_hours(24);

/// What a key may be used for. None lets in anything that makes accounts, sessions, devices or keys, or reads the audit
/// log: who finds a key cannot make it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reads whatever the account may read.
    Read,
    /// Reconnects inboxes.
    Reconnect,
    /// Makes campaigns, imports leads, starts, pauses and resumes, and decides what is unsettled.
    Campaigns,
    /// Makes, corrects and removes inboxes.
    Inboxes,
    /// Says who is never written to, and takes it back.
    Suppressions,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Reconnect,
        Self::Campaigns,
        Self::Inboxes,
        Self::Suppressions,
    ];

    /// As it stands in rows and on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Reconnect => "reconnect",
            Self::Campaigns => "campaigns",
            Self::Inboxes => "inboxes",
            Self::Suppressions => "suppressions",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// It is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected read, reconnect, campaigns, inboxes or suppressions, found {found:?}")]
pub struct NoScope {
    /// What was found.
    pub found: String,
}

impl FromStr for Scope {
    type Err = NoScope;

    fn from_str(text: &str) -> Result<Self, NoScope> {
        let found = Self::ALL.into_iter().find(|scope| scope.code() == text);
        found.ok_or_else(|| NoScope {
            found: text.chars().take(80).collect(),
        })
    }
}

/// The scopes of a key as they stand in a row: their codes with spaces between, as OAuth writes them (RFC 6749 §3.3).
pub fn write_scopes(scopes: &BTreeSet<Scope>) -> String {
    let codes: Vec<_> = scopes.iter().map(|scope| scope.code()).collect();
    codes.join(" ")
}

/// The same, read.
pub fn read_scopes(text: &str) -> Result<BTreeSet<Scope>, NoScope> {
    text.split_whitespace().map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_written_and_read_back() {
        for scope in Scope::ALL {
            assert_eq!(scope.code().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.code());
        }
        let some = BTreeSet::from([Scope::Inboxes, Scope::Read]);
        assert_eq!(write_scopes(&some), "read inboxes");
        assert_eq!(read_scopes("read inboxes"), Ok(some));
        assert_eq!(read_scopes(""), Ok(BTreeSet::new()));
        let error = read_scopes("read admin").unwrap_err().to_string();
        assert!(error.ends_with("found \"admin\""), "{error}");
    }
}
