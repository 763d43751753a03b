//! Receipts as documents that anybody can check.

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Caller, Request};
use crate::account::Role;
use crate::id::ReceiptId;
use crate::key::Scope;

/// Writes a receipt as a document that the relay signs, a page at a time: the lines of all pages in order, each ended by
/// a line break, are a file that anybody can check without the relay ([`crate::receipt::document`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetReceiptDocument {
    /// The receipt.
    pub receipt_id: ReceiptId,
    /// Only what stands behind so many of its messages: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "number_or_text")]
    pub after: Option<u32>,
}

impl Request for GetReceiptDocument {
    const NAME: &'static str = "getReceiptDocument";
    const SUMMARY: &'static str =
        "Writes a receipt as a document that the relay signs, a page at a time.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/receipts/{receipt_id}/document";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = DocumentPage;
}

/// Lines of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentPage {
    /// In order, without their line breaks. The first page begins with the head, the last one ends with the signature.
    pub lines: Vec<String>,
    /// With what the next page is asked for; `None` where this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}
