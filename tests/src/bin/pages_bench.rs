//! `cargo xtask bench pages`: what people wait for, in Chromium. The last line is one JSON object; the exit status says
//! whether it could be measured, not how it went.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use tests::pages::measure;

/// Measures what people wait for.
#[derive(Debug, Parser)]
#[command(name = "pages_bench")]
struct Arguments {
    /// The built extension.
    #[arg(long, value_name = "DIR", default_value = "target/web/extension")]
    extension: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let figures = measure(arguments.extension).await?;
    let mut out = std::io::stdout().lock();
    for one in &figures {
        let word = if one.value < one.budget {
            "under"
        } else {
            "OVER"
        };
        writeln!(
            out,
            "{:<28} {:>9} {:<6} {word} {}",
            one.name, one.value, one.unit, one.budget
        )?;
    }
    let figures: Vec<_> = figures
        .iter()
        .map(|one| {
            json!({
                "name": one.name,
                "value": one.value,
                "unit": one.unit,
                "budget": one.budget,
                "within": one.value < one.budget,
            })
        })
        .collect();
    writeln!(out, "{}", json!({ "bench": "pages", "figures": figures }))?;
    Ok(())
}
