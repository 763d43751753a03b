//! Builds what a story needs and becomes one of the binaries of the `tests` crate.
//! What the story is stands there, not here.

use std::process::ExitCode;

use crate::args::Given;
use crate::shell::{self, Workspace};

/// Builds the relay and the story binaries, then runs `binary` with the arguments passed on.
pub(crate) fn run(binary: &str, given: &Given) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    build(&workspace)?;
    let words: Vec<&str> = given.passed_on().iter().map(String::as_str).collect();
    shell::run_as_ourselves(&mut workspace.program(&workspace.binary(binary, false), &words))
}

/// Builds every program, quietly where all is fresh. The whole workspace at once, as the tests build it:
/// a part of it would build the shared dependencies a second time with other features.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    shell::run(&mut workspace.cargo(&["build", "--workspace"]))
}
