//! Files that go with messages.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Caller, Request};
use crate::account::Role;
use crate::id::FileId;
use crate::key::Scope;

/// The largest file: 20 MiB. With everything encoded that is 27 MiB, and few servers take more than 25 or 35.
pub const FILE_AT_MOST_BYTES: u64 = 20 * 1024 * 1024;

/// Keeps a file for messages. The same content is kept once, and has the same id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateFile {
    /// Its content in Base64 (RFC 4648 §4); at most 20 MiB of it.
    pub content: String,
}

impl std::fmt::Debug for CreateFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateFile")
            .field("content", &self.content.len())
            .finish()
    }
}

impl Request for CreateFile {
    const NAME: &'static str = "createFile";
    const SUMMARY: &'static str = "Keeps a file for messages.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/files";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    // Four characters for three bytes, and the field's name.
    const FIELDS_AT_MOST_BYTES: u64 = FILE_AT_MOST_BYTES.div_ceil(3) * 4 + 1024;
    type Response = KeptFile;
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptFile {
    /// How steps name it.
    pub file_id: FileId,
    /// Its size in bytes.
    pub bytes: u64,
}
