//! `cargo xtask crash`: kills the relay again and again while it works, and counts what was sent. The last
//! line is one JSON object; the exit status is 0 only when nothing was lost, doubled or out of order.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use sandbox::{Profile, profile};
use tests::crash::run;
use tests::story::telling::Telling;

/// Kills the relay while it sends and while it verifies, and counts what was sent.
#[derive(Debug, Parser)]
#[command(name = "crash")]
struct Arguments {
    /// How often it is killed.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// What decides where.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which provider the sandbox plays.
    #[arg(long, default_value = "generic", value_parser = parse_profile)]
    profile: &'static Profile,
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
    let telling = Telling::begin(false);
    let summary = run(arguments.kills, arguments.seed, arguments.profile, &telling).await?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&summary)?)?;
    let exact = summary.lost == 0 && summary.duplicated == 0 && summary.disordered == 0;
    let at_work = summary.kills_by_state.at_work() * 2 >= summary.kills;
    Ok(if exact && at_work {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
