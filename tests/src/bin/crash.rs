//! `cargo xtask crash`: kills the relay again and again while it works, and counts what was sent. The last
//! line is one JSON object; the exit status is 0 only when nothing was lost, doubled or out of order.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use sandbox::{Profile, profile};
use tests::crash::{Summary, run};
use tests::last_line::end;
use tests::story::servers::{Plays, Servers};
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
    /// Which provider the sandbox plays; without it `generic`.
    #[arg(long, value_parser = parse_profile)]
    profile: Option<&'static Profile>,
    /// Whose servers: the project's sandbox, or oidc-provider with Dovecot and smtp-sink.
    #[arg(
        long,
        value_enum,
        default_value = "sandbox",
        conflicts_with = "profile"
    )]
    servers: Whose,
    /// Where npm's packages of `--servers real` are kept.
    #[arg(long, default_value = "target/tests/oidc")]
    packages: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    Sandbox,
    Real,
}

fn parse_profile(name: &str) -> Result<&'static Profile, String> {
    profile::find(name).ok_or_else(|| {
        let names: Vec<_> = profile::ALL.iter().map(|profile| profile.name).collect();
        format!("known profiles: {}", names.join(", "))
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    end(play(Arguments::parse()).await, |summary| {
        let is_exact = summary.lost == 0
            && summary.duplicated == 0
            && summary.disordered == 0
            && summary.written_on == 0;
        is_exact && summary.kills_by_state.at_work() * 2 >= summary.kills
    })
}

async fn play(arguments: Arguments) -> anyhow::Result<Summary> {
    let telling = Telling::begin(false);
    let (kills, seed) = (arguments.kills, arguments.seed);
    let servers = match arguments.servers {
        Whose::Sandbox => {
            let profile = arguments.profile.unwrap_or(&profile::GENERIC);
            Servers::start_sandbox_as(Plays::verified(profile), seed).await?
        }
        Whose::Real if arguments.profile.is_some() => {
            anyhow::bail!("--profile says what the sandbox plays; leave it out with --servers real")
        }
        Whose::Real => Servers::start_real(&arguments.packages, &[]).await?,
    };
    run(&servers, kills, seed, &telling).await
}
