//! `cargo xtask bench NAME`: measures against the budgets, and says honestly what is over.
//!
//! A bench prints a table and, as its last line, one JSON object.

mod causes;
mod extension;
mod figure;
mod lists;
mod pages;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::args::{Accepts, Command, Given};
use crate::shell::Workspace;
use crate::test::{install, need};
use figure::Figure;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "bench",
    summary: "measures against the budgets: extension (sizes), pages (times), causes (named right), lists (long ones)",
    about: "\
Prints a table and, as the last line, one JSON object with every figure, its budget and whether it
is within. The exit status says whether it could be measured, not how it went.",
    accepts: Accepts::OneOf(&[
        ("extension", "what a browser loads, packed as it travels"),
        ("pages", "what people wait for, in Chromium"),
        (
            "causes FILE",
            "how often the cause of a recorded failure is named right",
        ),
        (
            lists::NAME,
            "what 1,000, 10,000 and 100,000 leads cost beside one another",
        ),
    ]),
    run,
};

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    let name = given.name().context("no bench was named")?;
    if name == causes::NAME {
        return causes::run(given);
    }
    if name == lists::NAME {
        return lists::run(given);
    }
    let workspace = Workspace::find()?;
    let is_of_pages = name == pages::NAME;
    let browser = is_of_pages.then_some(&need::CHROMIUM);
    let needs: Vec<_> = need::WEB.iter().copied().chain(browser).collect();
    if !install::ensure(&workspace, &needs)? {
        return Ok(ExitCode::FAILURE);
    }
    let figures = if is_of_pages {
        pages::measure(&workspace)?
    } else {
        extension::measure(&workspace)?
    };
    print(name, &figures);
    Ok(ExitCode::SUCCESS)
}

/// Measures the extension for `cargo xtask test`: every part that has a budget must be within it.
pub(crate) fn check_extension(workspace: &Workspace) -> anyhow::Result<()> {
    let figures = extension::measure(workspace)?;
    print("extension", &figures);
    extension::check_budgets(&figures)
}

fn print(bench: &str, figures: &[Figure]) {
    print!("{}", figure::table(figures));
    println!("{}", figure::json(bench, figures));
}
