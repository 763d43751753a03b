//! The target wasm32: whether its standard library is there, and how it is added.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::shell::{self, Workspace};

/// What browsers run.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// What to do by hand where rustup is not there.
pub(crate) const BY_HAND: &str =
    "rustup target add wasm32-unknown-unknown (Debian: apt-get install libstd-rust-dev-wasm32)";

/// Whether the standard library for wasm32 is there, wherever it came from.
pub(crate) fn is_there(workspace: &Workspace) -> bool {
    has(workspace, TARGET)
}

/// The same of any target.
pub(crate) fn has(workspace: &Workspace, target: &str) -> bool {
    let asked: Option<String> = workspace
        .program("rustc", &["--print", "target-libdir", "--target", target])
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    asked.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Adds the target where it is missing and rustup is there; else says what to do.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<()> {
    if is_there(workspace) {
        return Ok(());
    }
    match add(workspace) {
        Some(mut command) => shell::run(&mut command),
        None => bail!("the wasm32 target is missing and there is no rustup; do: {BY_HAND}"),
    }
}

/// The command that adds the target; `None` where there is no rustup.
fn add(workspace: &Workspace) -> Option<Command> {
    workspace
        .find_program("rustup")
        .map(|rustup| workspace.program(&rustup, &["target", "add", TARGET]))
}
