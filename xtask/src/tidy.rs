//! `cargo xtask tidy`: what no lint can check. Each check is a file below `tidy/` and one line in
//! [`CHECKS`]: a pure function from the files of the checkout to findings.
//!
//! What clippy can check is not repeated here.

mod absolute_paths;
mod arrows;
mod dependencies;
mod forbidden;
pub(crate) mod format;
pub(crate) mod generated;
mod headers;
mod names;
mod pages;
mod permissions;
mod prose;
mod refusals;
mod rust_source;
mod security;
mod size;
mod sql;
mod standards;
mod tree;
mod unused;

use std::process::ExitCode;

use anyhow::bail;

use crate::args::{Accepts, Command, Flag};
use crate::shell::Workspace;
use tree::Tree;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "tidy",
    summary: "checks what no lint can: arrows, headers, citations, sizes, generated files",
    about: "\
Reads every text file of the checkout and names each that breaks a rule of CONTRIBUTING.md, with
what to do, and each Rust file that is not as rustfmt writes it; --format formats them. With
--generated it also compares the generated files with what the built relay prints; --write writes
them.",
    accepts: Accepts::Flags(&[
        Flag {
            name: "--format",
            value: None,
            help: "format every Rust file",
        },
        Flag {
            name: "--generated",
            value: None,
            help: "build the relay, check generated files",
        },
        Flag {
            name: "--write",
            value: None,
            help: "build the relay, write generated files",
        },
    ]),
    run: |given| {
        let workspace = Workspace::find()?;
        if given.has("--format") {
            format::write(&workspace)?;
        }
        if given.has("--write") {
            generated::write(&workspace)?;
        }
        if given.has("--generated") {
            generated::check(&workspace)?;
        }
        match (check(&workspace), format::check(&workspace)) {
            (Err(found), Err(unformatted)) => bail!("{found}\n{unformatted}"),
            (found, unformatted) => found.and(unformatted)?,
        }
        Ok(ExitCode::SUCCESS)
    },
};

/// Every check.
const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    headers::check,
    arrows::check_crates,
    arrows::check_modules,
    arrows::check_relay,
    arrows::check_circles,
    arrows::check_engine_is_pure,
    arrows::check_decisions_know_no_browser,
    pages::check,
    sql::check,
    sql::check_states,
    security::check,
    standards::check,
    dependencies::check,
    names::check,
    permissions::check,
    refusals::check,
    absolute_paths::check,
    forbidden::check,
    size::check,
    unused::check,
    prose::check,
];

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// From 1; `None` when the whole file is meant.
    line: Option<usize>,
    /// What is wrong and what to do.
    says: String,
    weight: Weight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Fails,
    Warns,
}

impl Finding {
    fn file(path: &str, says: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            says: says.into(),
            weight: Weight::Fails,
        }
    }

    fn line(path: &str, line: usize, says: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::file(path, says)
        }
    }

    fn warning(path: &str, says: impl Into<String>) -> Self {
        Self {
            weight: Weight::Warns,
            ..Self::file(path, says)
        }
    }

    fn render(&self) -> String {
        let place = self
            .line
            .map_or_else(String::new, |line| format!(":{line}"));
        let word = match self.weight {
            Weight::Fails => "",
            Weight::Warns => "warning: ",
        };
        format!("{word}{}{place}: {}", self.path, self.says)
    }
}

/// Runs every check; an error when one finds something that is more than a warning.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let tree = Tree::read(&workspace.root)?;
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    for finding in &findings {
        eprintln!("{}", finding.render());
    }
    let n_failing = findings
        .iter()
        .filter(|finding| finding.weight == Weight::Fails)
        .count();
    if n_failing > 0 {
        bail!(
            "tidy: {n_failing} to mend in {} files read",
            tree.files.len()
        );
    }
    eprintln!("tidy: {} files read, nothing to mend", tree.files.len());
    Ok(())
}
