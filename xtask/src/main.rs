//! `cargo xtask`: the developer's commands, one file each.
//!
//! It never depends on another crate of this workspace: it builds their binaries and runs them.
//! So it builds in half a minute on a fresh machine, before anything else does.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to the person at the terminal"
)]

mod args;
mod bench;
mod burn;
mod clock;
mod crash;
mod demo;
mod digest;
mod dist;
mod faults;
mod fuzz;
mod gzip;
mod npm;
mod packages;
mod passwords;
mod reproducible;
mod restore;
mod score;
mod secrets;
mod shell;
mod signatures;
mod start;
mod story_binary;
mod test;
mod tidy;
mod web;

use std::process::ExitCode;

use args::{Command, UsageError};

/// Every command, in the order in which a newcomer meets them.
const COMMANDS: &[Command] = &[
    start::COMMAND,
    test::COMMAND,
    demo::COMMAND,
    crash::COMMAND,
    faults::COMMAND,
    burn::COMMAND,
    restore::COMMAND,
    score::COMMAND,
    secrets::COMMAND,
    signatures::COMMAND,
    fuzz::COMMAND,
    bench::COMMAND,
    dist::COMMAND,
    packages::COMMAND,
    passwords::COMMAND,
    tidy::COMMAND,
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next();
    let rest: Vec<String> = words.collect();
    match dispatch(name.as_deref(), &rest) {
        Ok(code) => code,
        Err(error) if error.is::<UsageError>() => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(name: Option<&str>, rest: &[String]) -> anyhow::Result<ExitCode> {
    let name = match name {
        Some("--help" | "-h" | "help") => {
            print!("{}", args::overview(COMMANDS));
            return Ok(ExitCode::SUCCESS);
        }
        Some(name) => name,
        None => return Err(UsageError::no_command(COMMANDS).into()),
    };
    let command = COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| UsageError::unknown_command(name, COMMANDS))?;
    if matches!(rest.first().map(String::as_str), Some("--help" | "-h")) {
        print!("{}", command.help());
        return Ok(ExitCode::SUCCESS);
    }
    (command.run)(&command.read(rest)?)
}
