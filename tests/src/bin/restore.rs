//! `cargo xtask restore`: the relay's files are saved while it sends and put back later, again and again. The last line
//! is one JSON object; the exit status is 0 only when nobody was mailed twice and nobody was forgotten.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use sandbox::{Profile, profile};
use tests::restore::run;
use tests::story::servers::{Plays, Servers};
use tests::story::telling::Telling;

/// Puts back saved files of the relay, and counts who is mailed twice.
#[derive(Debug, Parser)]
#[command(name = "restore")]
struct Arguments {
    /// How often.
    #[arg(long, default_value_t = 50)]
    times: u32,
    /// What decides when, and what is put back.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which provider the sandbox plays; without it `generic`, whose server makes copies. `plain` makes none.
    #[arg(long, value_parser = parse_profile)]
    profile: Option<&'static Profile>,
}

fn parse_profile(name: &str) -> Result<&'static Profile, String> {
    profile::find(name).ok_or_else(|| {
        let names: Vec<_> = profile::ALL.iter().map(|profile| profile.name).collect();
        format!("known profiles: {}", names.join(", "))
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    match run_it(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run_it(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let profile = arguments.profile.unwrap_or(&profile::GENERIC);
    let servers = Servers::start_sandbox_as(Plays::verified(profile), arguments.seed).await?;
    let telling = Telling::begin(false);
    let summary = run(&servers, arguments.times, arguments.seed, &telling).await?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&summary)?)?;
    Ok(if summary.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
