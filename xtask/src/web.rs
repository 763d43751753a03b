//! The browser's part of the project: the extension and the dashboard as folders that a browser or
//! the relay takes as they are, in `target/web/extension` and `target/web/dashboard`.
//!
//! How a wasm module is made stands in `web/module.rs`, which file goes where in `web/layout.rs`.
//! Nothing here knows what the modules do.

mod folder;
mod layout;
mod module;
pub(crate) mod target;

use std::path::PathBuf;

use crate::clock::Stopwatch;
use crate::shell::Workspace;
pub(crate) use folder::Files;
use module::Modules;

/// Whether the modules go through `wasm-opt`, which takes seconds and comes from npm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shrink {
    /// Where `wasm-opt` is there: a newcomer needs no npm, and whoever has it always gets the same files.
    WherePossible,
    /// For what is measured and what is handed out.
    Always,
}

/// What a build made. The folders' files are here too, for those who measure or pack them.
pub(crate) struct Built {
    /// What a browser loads as an unpacked extension.
    pub(crate) extension: Files,
    /// What the relay takes into its binary, without the packed variants.
    pub(crate) dashboard: Files,
}

/// Where the extension lies after a build.
pub(crate) fn extension_folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("web/extension")
}

/// Builds the modules and writes both folders; a file that has not changed is left alone, so that
/// the relay is not built again for nothing.
pub(crate) fn build(workspace: &Workspace, shrink: Shrink) -> anyhow::Result<Built> {
    let watch = Stopwatch::start();
    target::ensure(workspace)?;
    let modules = Modules::build(workspace, shrink)?;
    let sources = folder::read_sources(&workspace.root, layout::SOURCES)?;
    let built = Built {
        extension: layout::extension(&sources, &modules)?,
        dashboard: layout::dashboard(&sources, &modules)?,
    };
    let mut n_written = folder::write(&extension_folder(workspace), &built.extension)?;
    n_written += folder::write(
        &workspace.target.join("web/dashboard"),
        &folder::with_packed(&built.dashboard)?,
    )?;
    eprintln!(
        "web: {n_written} files changed, in {:.1} s",
        watch.elapsed().as_secs_f32()
    );
    Ok(built)
}
