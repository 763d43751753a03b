//! `cargo xtask bench lists`: what the relay's statements cost on long lists. The last line is one JSON object; the exit
//! status says whether it could be measured, not how it went.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tests::lists::{SIZES, measure};

/// Measures what the relay's statements cost on long lists.
#[derive(Debug, Parser)]
#[command(name = "lists")]
struct Arguments {
    /// Leads of the lists.
    #[arg(long, value_delimiter = ',', default_values_t = SIZES)]
    leads: Vec<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let measured = measure(&arguments.leads).await?;
    let mut out = std::io::stdout().lock();
    write!(out, "{}", measured.table())?;
    writeln!(out, "{}", measured.json())?;
    Ok(())
}
