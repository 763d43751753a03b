//! What the relay's statements cost on long lists. The measuring stands in the `tests` crate, on the relay's own store.

use std::process::ExitCode;

use crate::args::Given;
use crate::story_binary;

/// The bench's name.
pub(super) const NAME: &str = "lists";

/// Builds and becomes the binary that measures.
pub(super) fn run(given: &Given) -> anyhow::Result<ExitCode> {
    story_binary::run(NAME, given)
}
