//! How often the cause of a recorded failure is named right. The measuring stands in the `tests` crate, beside what
//! it measures; the records stand in a file of the caller's.

use std::process::ExitCode;

use crate::args::Given;
use crate::story_binary;

/// The bench's name.
pub(super) const NAME: &str = "causes";

/// Builds and becomes the binary that measures.
pub(super) fn run(given: &Given) -> anyhow::Result<ExitCode> {
    story_binary::run(NAME, given)
}
