//! Files that the relay prints and the checkout keeps, so that a reader and a diff see them:
//! `docs/api.json` and `docs/settings.md`. They are compared with what the built relay prints.

use std::fs;

use anyhow::{Context as _, bail};

use crate::shell::Workspace;
use crate::story_binary;

/// Each file and the words that make `unpause` print it.
const GENERATED: &[(&str, &[&str])] = &[
    ("docs/api.json", &["openapi"]),
    ("docs/settings.md", &["config", "--reference"]),
];

/// An error when a kept file is not what the relay prints.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    story_binary::build(workspace)?;
    for (path, words) in GENERATED {
        let kept = fs::read_to_string(workspace.root.join(path))
            .with_context(|| format!("{path} cannot be read; {MEND}"))?;
        if kept != print(workspace, words)? {
            bail!(
                "{path} is not what `unpause {}` prints; {MEND}",
                words.join(" ")
            );
        }
        eprintln!("{path} is fresh");
    }
    Ok(())
}

/// Writes every kept file anew.
pub(crate) fn write(workspace: &Workspace) -> anyhow::Result<()> {
    story_binary::build(workspace)?;
    for (path, words) in GENERATED {
        fs::write(workspace.root.join(path), print(workspace, words)?)
            .with_context(|| format!("{path} cannot be written"))?;
        eprintln!("{path} is written");
    }
    Ok(())
}

const MEND: &str = "do: cargo xtask tidy --write";

fn print(workspace: &Workspace, words: &[&str]) -> anyhow::Result<String> {
    let output = workspace
        .program(&workspace.binary("unpause", false), words)
        .output()
        .context("`unpause` cannot be started")?;
    if !output.status.success() {
        bail!(
            "`unpause {}` failed: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).context("`unpause` printed something that is not UTF-8")
}
