//! Programs of npm's that the checkout names in `tests/npm/package-lock.json`. How they are
//! installed stands in `test/install.rs`.

use std::path::PathBuf;

use anyhow::bail;

use crate::shell::Workspace;

/// The folder of the lock file, and below the target folder the place where its packages are.
pub(crate) const FOLDER: &str = "tests/npm";

/// The program of that name, made ready by `npm ci`.
pub(crate) fn program(workspace: &Workspace, name: &str) -> anyhow::Result<PathBuf> {
    let file = workspace
        .target
        .join(FOLDER)
        .join("node_modules/.bin")
        .join(name);
    if !file.is_file() {
        bail!("{name} is missing; it comes with: cargo xtask test --only web");
    }
    Ok(file)
}
