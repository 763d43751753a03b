//! Behind `cargo xtask bench pages`: what people wait for, in Chromium, as one JSON object. The command sets the budgets
//! beside it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
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
    let measured = measure(arguments.extension).await?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&measured)?)?;
    Ok(())
}
