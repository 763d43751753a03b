//! `cargo xtask score inputs DIR`: how well the relay takes what real servers, lists and people send. The last line
//! is one JSON object; the exit status says whether it could be measured, not how it went.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::score;

/// Plays inputs against the relay and compares what comes of them with what is expected.
#[derive(Debug, Parser)]
#[command(name = "score")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Messages, lead lists, steps and conversations.
    Inputs {
        /// The folder, with an INDEX.md whose table names each file and what is expected of it.
        folder: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let What::Inputs { folder } = Arguments::parse().what;
    match score::inputs(&folder).await {
        Ok(scored) => {
            let mut out = std::io::stdout().lock();
            let written = writeln!(out, "{}{}", scored.table(), scored.json());
            written.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
