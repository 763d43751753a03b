//! What people wait for in a browser. The measuring stands in the `tests` crate, beside what drives the browser.

use std::process::ExitCode;

use crate::args::Given;
use crate::shell::Workspace;
use crate::story_binary;
use crate::test::{install, need};
use crate::web::{self, Shrink};

/// The bench's name.
pub(super) const NAME: &str = "pages";

/// Builds the extension as it is handed out, and becomes the binary that measures.
pub(super) fn run(given: &Given) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let needs: Vec<_> = need::WEB.iter().copied().chain([&need::CHROMIUM]).collect();
    if !install::ensure(&workspace, &needs)? {
        return Ok(ExitCode::FAILURE);
    }
    web::build(&workspace, Shrink::Always)?;
    story_binary::run("pages_bench", given)
}
