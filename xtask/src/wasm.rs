//! The extension's build: the wasm32 target and the module itself.
//! The glue that a browser loads is not made yet.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::shell::{self, Workspace};

/// The target of the extension.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// What to do by hand where rustup is not there.
pub(crate) const BY_HAND: &str =
    "rustup target add wasm32-unknown-unknown (Debian: apt-get install libstd-rust-dev-wasm32)";

/// Builds the extension's module.
pub(crate) fn build(workspace: &Workspace, release: bool) -> anyhow::Result<()> {
    let mut command = workspace.cargo(&["build", "--package", "extension", "--target", TARGET]);
    if release {
        command.arg("--release");
    }
    shell::run(&mut command)
}

/// Whether the standard library for wasm32 is there, wherever it came from.
pub(crate) fn has_target(workspace: &Workspace) -> bool {
    let asked: Option<String> = workspace
        .program("rustc", &["--print", "target-libdir", "--target", TARGET])
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    asked.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// The command that adds the target; `None` where there is no rustup.
pub(crate) fn add_target(workspace: &Workspace) -> Option<Command> {
    workspace
        .find_program("rustup")
        .map(|rustup| workspace.program(&rustup, &["target", "add", TARGET]))
}

/// Adds the target where it is missing and rustup is there; else says what to do.
pub(crate) fn ensure_target(workspace: &Workspace) -> anyhow::Result<()> {
    if has_target(workspace) {
        return Ok(());
    }
    match add_target(workspace) {
        Some(mut command) => shell::run(&mut command),
        None => bail!("the wasm32 target is missing and there is no rustup; do: {BY_HAND}"),
    }
}
