//! `cargo xtask crash`: kills the relay again and again while it works, and counts what was sent. The last
//! line is one JSON object; the exit status is 0 only when nothing was lost, doubled or out of order.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use sandbox::{Profile, profile};
use tests::crash::{How, Summary, run};
use tests::disk::Faith;
use tests::last_line::end;
use tests::story::servers::{Plays, Servers, senders};
use tests::story::telling::Telling;

/// Kills the relay while it sends and while it verifies, and counts what was sent.
#[derive(Debug, Parser)]
#[command(name = "crash")]
struct Arguments {
    /// How often it is killed.
    #[arg(long, default_value_t = 20, conflicts_with = "power_cuts")]
    kills: u32,
    /// How often the power is cut: the relay is killed, and a disk of its own forgets what was not synced.
    #[arg(long)]
    power_cuts: Option<u32>,
    /// The disk says that it has on it what is in its cache only: such a run must fail. The sandbox plays `plain` then,
    /// since copies of what was sent show what a disk has forgotten.
    #[arg(long, requires = "power_cuts")]
    lying_disk: bool,
    /// What decides where.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many inboxes send; with more than one there are windows, a cap and leads that ask to be let out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=100))]
    inboxes: u8,
    /// How many messages are to be sent; without it as many as the kills need.
    #[arg(long)]
    deliveries: Option<u64>,
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
        let cuts_took_something = summary
            .power_cuts
            .is_none_or(|tally| tally.took_something());
        summary.is_exact()
            && cuts_took_something
            && summary.kills_by_state.at_work() * 2 >= summary.kills
    })
}

async fn play(arguments: Arguments) -> anyhow::Result<Summary> {
    let telling = Telling::begin(false);
    let seed = arguments.seed;
    let faith = if arguments.lying_disk {
        Faith::Lying
    } else {
        Faith::Honest
    };
    let how = How {
        kills: arguments.power_cuts.unwrap_or(arguments.kills),
        seed,
        inboxes: usize::from(arguments.inboxes),
        deliveries: arguments.deliveries,
        disk: arguments.power_cuts.map(|_| faith),
    };
    let servers = match arguments.servers {
        Whose::Sandbox => {
            let usual = match faith {
                Faith::Honest => &profile::GENERIC,
                Faith::Lying => &profile::PLAIN,
            };
            let profile = arguments.profile.unwrap_or(usual);
            let people = senders(how.inboxes);
            Servers::start_sandbox_with(Plays::verified(profile), people, seed).await?
        }
        Whose::Real if arguments.profile.is_some() => {
            anyhow::bail!("--profile says what the sandbox plays; leave it out with --servers real")
        }
        Whose::Real if how.inboxes > 1 => {
            anyhow::bail!("the real servers have one inbox to send: leave --inboxes out")
        }
        Whose::Real => Servers::start_real(&arguments.packages, &[]).await?,
    };
    run(&servers, how, &telling).await
}
