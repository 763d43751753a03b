//! How the API says no (RFC 9457). A mail outcome is never a problem: it is data.

use serde::{Deserialize, Serialize};

use crate::id::RequestId;

/// A problem document (RFC 9457 §3). Callers read `code`, and `field` or `row` to place it; never prose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{detail}")]
pub struct Problem {
    /// Which of the few kinds.
    pub code: Code,
    /// The kind in words.
    pub title: String,
    /// What was expected, what was found, what to do.
    pub detail: String,
    /// The HTTP status.
    pub status: u16,
    /// The field at fault, as a path into the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The row at fault, from 1, the header being row 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The name of this request in the relay's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

/// The rows of a lead list that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unusable {
    /// How many they are.
    pub total: u64,
    /// The first hundred of them, in their order.
    pub rows: Vec<UnusableRow>,
}

impl Unusable {
    /// Whether every row can be used.
    pub fn is_none(&self) -> bool {
        self.total == 0
    }
}

/// A row of a lead list that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnusableRow {
    /// The row, from 1, as a spreadsheet shows it.
    pub row: u64,
    /// The column at fault, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do.
    pub remedy: String,
}

/// The problem of a lead list: all its rows that cannot be used at once, as a member of its own (RFC 9457 §3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListProblem {
    /// The problem; its `row` is the first of them.
    #[serde(flatten)]
    pub problem: Problem,
    /// The rows, where rows are at fault.
    #[serde(default, skip_serializing_if = "Unusable::is_none")]
    pub unusable: Unusable,
}

/// The closed list of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No caller, or one that is not known.
    Unauthenticated,
    /// A known caller, who must prove anew that it is he: `POST /v1/account/proof`, then the same again (RFC 9470).
    ProofNeeded,
    /// A known caller who may not.
    Forbidden,
    /// No such thing.
    NotFound,
    /// The request is at fault.
    Invalid,
    /// The request is well formed and does not fit the present state.
    Conflict,
    /// Too often.
    TooManyRequests,
    /// The relay is at fault.
    Internal,
    /// The relay cannot now.
    Unavailable,
}

impl Code {
    /// The HTTP status and the title that go with it.
    pub fn meaning(self) -> (u16, &'static str) {
        match self {
            Self::Unauthenticated => (401, "Sign in first"),
            Self::ProofNeeded => (401, "Prove first that it is you"),
            Self::Forbidden => (403, "Not allowed"),
            Self::NotFound => (404, "Not found"),
            Self::Invalid => (422, "The request is not valid"),
            Self::Conflict => (409, "Not possible in the present state"),
            Self::TooManyRequests => (429, "Too many requests"),
            Self::Internal => (500, "The relay failed"),
            Self::Unavailable => (503, "Not available now"),
        }
    }
}

impl Problem {
    /// A problem of this kind, with words that say what was expected, found, and what to do.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let (status, title) = code.meaning();
        let (title, detail) = (title.to_owned(), detail.into());
        Self {
            code,
            title,
            detail,
            status,
            field: None,
            row: None,
            request_id: None,
        }
    }

    /// The same, placed at a field.
    #[must_use]
    pub fn at_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, placed at a row.
    #[must_use]
    pub fn at_row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }
}
