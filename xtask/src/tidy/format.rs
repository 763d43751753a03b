//! Every Rust file is as rustfmt writes it. `cargo fmt` follows `mod` lines and sees none that a macro makes, so
//! rustfmt is given the files themselves. Not one of [`super::CHECKS`]: it runs a program.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::tree::Tree;
use crate::shell::Workspace;

/// An error when a file is not as rustfmt writes it; it names them all.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let files = rust_files(workspace)?;
    let unformatted = find_unformatted(workspace, &files)?;
    if !unformatted.is_empty() {
        bail!(
            "not as rustfmt writes it, do: cargo xtask tidy --format\n  {}",
            unformatted.join("\n  ")
        );
    }
    eprintln!(
        "format: {} Rust files are as rustfmt writes them",
        files.len()
    );
    Ok(())
}

/// Formats every file.
pub(crate) fn write(workspace: &Workspace) -> anyhow::Result<()> {
    let files = rust_files(workspace)?;
    let output = rustfmt(workspace, &[], &files)?;
    if !output.status.success() {
        bail!("rustfmt failed: {}", said(&output.stderr));
    }
    eprintln!("format: {} Rust files are formatted", files.len());
    Ok(())
}

/// The files that rustfmt would write otherwise, from the root of the checkout.
fn find_unformatted(workspace: &Workspace, files: &[String]) -> anyhow::Result<Vec<String>> {
    let output = rustfmt(workspace, &["--check", "--files-with-diff"], files)?;
    let mut unformatted: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            let path = Path::new(line);
            let path = path.strip_prefix(&workspace.root).unwrap_or(path);
            path.to_string_lossy().into_owned()
        })
        .collect();
    // A file that another one's `mod` leads to is named twice.
    unformatted.sort();
    unformatted.dedup();
    if unformatted.is_empty() && !output.status.success() {
        bail!("rustfmt failed: {}", said(&output.stderr));
    }
    Ok(unformatted)
}

fn rust_files(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let tree = Tree::read(&workspace.root)?;
    Ok(tree.rust().map(|file| file.path.clone()).collect())
}

/// Runs rustfmt over the files, with the edition that all crates take from the root `Cargo.toml`.
fn rustfmt(
    workspace: &Workspace,
    args: &[&str],
    files: &[String],
) -> anyhow::Result<std::process::Output> {
    let edition = edition(workspace)?;
    let mut command = workspace.program("rustfmt", args);
    command.args(["--edition", &edition]).args(files);
    command.output().context("rustfmt cannot be started")
}

fn edition(workspace: &Workspace) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(workspace.root.join("Cargo.toml"))
        .context("the root Cargo.toml cannot be read")?;
    text.parse::<toml::Table>()
        .context("the root Cargo.toml is not TOML")?
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("edition")?.as_str())
        .map(str::to_owned)
        .context("the root Cargo.toml names no workspace.package.edition")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MANIFEST: &str = "[workspace.package]\nedition = \"2024\"\n";

    /// A checkout whose module `inner` is named by a macro alone.
    fn checkout(inner: &str) -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its name");
        let list = "macro_rules! list {\n    ($name:ident) => {\n        mod $name;\n    };\n}\nlist!(inner);\n";
        for (path, text) in [
            ("Cargo.toml", MANIFEST),
            ("rustfmt.toml", "max_width = 40\n"),
            ("lib.rs", list),
            ("inner.rs", inner),
        ] {
            fs::write(root.join(path), text).expect("it is written");
        }
        let target = root.join("target");
        (folder, Workspace { root, target })
    }

    #[test]
    fn a_file_that_only_a_macro_names_is_looked_at_too() {
        let (_folder, workspace) = checkout("fn  f( ){}\n");
        let error = check(&workspace).expect_err("it is not formatted");
        assert!(error.to_string().ends_with("\n  inner.rs"), "{error}");
        write(&workspace).expect("it is formatted");
        check(&workspace).expect("and stays so");
        let text = fs::read_to_string(workspace.root.join("inner.rs")).expect("it is there");
        assert_eq!(text, "fn f() {}\n");
    }

    #[test]
    fn the_edition_and_the_settings_are_those_of_the_checkout() {
        // Edition 2015, which rustfmt takes where it is told none, knows no `async`.
        let (_folder, workspace) = checkout("async fn f() {}\n");
        check(&workspace).expect("it is of the edition that the checkout names");
        let (_folder, workspace) = checkout("fn f(first: u64, second: u64, third: u64) {}\n");
        check(&workspace).expect_err("44 columns, and 40 are allowed here");
    }

    #[test]
    fn what_is_no_rust_is_an_error_too() {
        let (_folder, workspace) = checkout("fn {\n");
        let error = check(&workspace).expect_err("it cannot be read");
        assert!(error.to_string().contains("rustfmt failed"), "{error}");
    }
}
