//! `cargo xtask test`: makes sure that what the tests need is there, then runs all of them.
//!
//! What is needed stands in `test/need.rs`, how it is installed in `test/install.rs`, what is run
//! in `test/phase.rs`, what Mozilla's linter may say in `test/linter.rs`.

pub(crate) mod install;
mod linter;
pub(crate) mod need;
mod phase;
mod wheels;

use std::process::ExitCode;
use std::time::Duration;

use crate::args::{Accepts, Command, Flag, Given, UsageError};
use crate::clock::Stopwatch;
use crate::shell::Workspace;
use phase::{PHASES, Phase};

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "test",
    summary: "installs what the tests need where it may, and runs all of them",
    about: "\
Looks for the tools, servers and packages that the tests need. It asks once before it installs
anything (not when CI is set) and ends with one list of what is missing where it may not. Then it
runs the phases in order and stops at the first that fails: format, tidy, deny, clippy, web,
linter, bench-extension, build, generated, demo-public, demo-confidential, demo-chromium,
demo-firefox, demo-chromium-google, demo-firefox-google, demo-chromium-microsoft,
demo-firefox-microsoft, demo-chromium-plain, demo-firefox-plain, demo-chromium-real,
demo-firefox-real, crash, tests.",
    accepts: Accepts::Flags(&[Flag {
        name: "--only",
        value: Some("PHASE"),
        help: "this phase alone, and only what it needs; may be given again",
    }]),
    run,
};

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    let phases = chosen(&given.values("--only"))?;
    let workspace = Workspace::find()?;
    if !install::ensure(&workspace, &needs_of(&phases))? {
        return Ok(ExitCode::FAILURE);
    }

    let mut rows = Vec::new();
    let mut failed = None;
    for phase in &phases {
        eprintln!("\n== {} ==", phase.name);
        let watch = Stopwatch::start();
        let result = (phase.run)(&workspace);
        rows.push((phase.name, watch.elapsed(), result.is_ok()));
        if let Err(error) = result {
            failed = Some((phase.name, error));
            break;
        }
    }

    eprint!("\n{}", table(&rows));
    match failed {
        None => {
            eprintln!("all phases passed");
            Ok(ExitCode::SUCCESS)
        }
        Some((name, error)) => {
            eprintln!("failed in `{name}`: {error:#}");
            eprintln!("again, this phase alone: cargo xtask test --only {name}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// All phases, or the named ones in their own order.
fn chosen(only: &[&str]) -> Result<Vec<&'static Phase>, UsageError> {
    let known: Vec<&str> = PHASES.iter().map(|phase| phase.name).collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(name)) {
        return Err(UsageError::unknown_value("--only", unknown, &known));
    }
    Ok(PHASES
        .iter()
        .filter(|phase| only.is_empty() || only.contains(&phase.name))
        .collect())
}

/// What these phases need, each once, in the order of first use.
fn needs_of(phases: &[&'static Phase]) -> Vec<&'static need::Need> {
    let mut needs: Vec<&'static need::Need> = Vec::new();
    for need in phases.iter().flat_map(|phase| phase.needs) {
        if !needs.iter().any(|known| known.name == need.name) {
            needs.push(need);
        }
    }
    needs
}

/// One line a phase, in minutes and seconds, with the sum below.
fn table(rows: &[(&str, Duration, bool)]) -> String {
    let sum: Duration = rows.iter().map(|(_, took, _)| took).sum();
    let phases = rows.iter().map(|(name, took, passed)| {
        let word = if *passed { "passed" } else { "FAILED" };
        format!("{name:<26} {:>9}  {word}\n", minutes(*took))
    });
    phases
        .chain(std::iter::once(format!(
            "{:<26} {:>9}\n",
            "in all",
            minutes(sum)
        )))
        .collect()
}

/// `2:07 min`.
fn minutes(took: Duration) -> String {
    let seconds = took.as_secs();
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_phase_in_order() {
        let words = COMMAND
            .about
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let listed = PHASES
            .iter()
            .map(|phase| phase.name)
            .collect::<Vec<_>>()
            .join(", ");
        assert!(
            words.ends_with(&format!("{listed}.")),
            "{listed} is not the end of {words}"
        );
    }

    #[test]
    fn only_keeps_the_order_of_the_phases() {
        let names: Vec<&str> = chosen(&["tidy", "format"])
            .unwrap()
            .iter()
            .map(|phase| phase.name)
            .collect();
        assert_eq!(names, ["format", "tidy"]);
    }

    #[test]
    fn an_unknown_phase_names_the_known_ones() {
        let error = chosen(&["fmt"]).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("unknown value `fmt` of --only; known values: format, tidy"));
    }

    #[test]
    fn a_phase_alone_needs_only_its_own_tools() {
        let needs = needs_of(&chosen(&["tidy"]).unwrap());
        assert!(needs.is_empty());
        let all = needs_of(&chosen(&[]).unwrap());
        for name in [
            "cargo-nextest",
            "cargo-deny",
            "dovecot",
            "smtp-sink",
            "firefox-esr 142 or newer",
            "geckodriver",
            "the npm packages of tests/npm",
        ] {
            assert_eq!(
                all.iter().filter(|need| need.name == name).count(),
                1,
                "{name}"
            );
        }
    }

    #[test]
    fn the_table_adds_up() {
        let rows = [
            ("format", Duration::from_secs(7), true),
            ("tests", Duration::from_mins(2), false),
        ];
        assert_eq!(
            table(&rows),
            "format                      0:07 min  passed\n\
             tests                       2:00 min  FAILED\n\
             in all                      2:07 min\n"
        );
    }
}
