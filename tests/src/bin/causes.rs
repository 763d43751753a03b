//! `cargo xtask bench causes FILE`: how often the cause of a recorded failure is named right. The last line is
//! one JSON object; the exit status says whether it could be measured, not how it went.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tests::causes::measure;

/// Measures how often the cause of a recorded failure is named right.
#[derive(Debug, Parser)]
#[command(name = "causes")]
struct Arguments {
    /// JSON Lines, a failure a line: protocol, provider, phase, text, class, action and `also_possible`.
    file: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = &arguments.file;
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let measured = measure(&text)?;
    let mut out = std::io::stdout().lock();
    write!(out, "{}", measured.table())?;
    writeln!(out, "{}", measured.json())?;
    Ok(())
}
