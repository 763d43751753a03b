//! `cargo xtask demo`: plays the story and says how it ended. The last line is one JSON object; the exit
//! status is 0 only when it ended well.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tests::story::play::{Script, play};
use tests::story::servers::Servers;
use tests::story::telling::Telling;

/// Plays the story: a campaign is paused by a dead permission, reconnected, and continues exactly where
/// it stopped.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Which browser clicks; the ones with a window come with the extension.
    #[arg(long, value_enum, default_value = "none")]
    browser: Browser,
    /// Which provider the sandbox plays.
    #[arg(long, value_enum, default_value = "generic")]
    profile: Profile,
    /// Where the authorization code is exchanged.
    #[arg(long, value_enum, default_value = "public")]
    client: Client,
    /// Whose servers: the project's sandbox, or oidc-provider with Dovecot and smtp-sink.
    #[arg(long, value_enum, default_value = "sandbox")]
    servers: Whose,
    /// Leads of the campaign.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(16..=10_000))]
    leads: u64,
    /// Where npm's packages of `--servers real` are kept.
    #[arg(long, default_value = "target/tests/oidc")]
    packages: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Browser {
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    Generic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    Public,
    Confidential,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    Sandbox,
    Real,
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
    let (Browser::None, Profile::Generic) = (arguments.browser, arguments.profile);
    let telling = Telling::begin(false);
    let servers = match arguments.servers {
        Whose::Sandbox => Servers::start_sandbox(1).await?,
        Whose::Real => Servers::start_real(&arguments.packages).await?,
    };
    telling.say(&format!("the provider is ready at {}", servers.issuer()));
    let gap = match arguments.servers {
        Whose::Sandbox => Duration::ZERO,
        // Slow enough that the permission ends while messages are left.
        Whose::Real => Duration::from_millis(100),
    };
    let confidential = arguments.client == Client::Confidential;
    let ending = play(
        &servers,
        Script {
            confidential,
            leads: arguments.leads,
            gap,
        },
        &telling,
    )
    .await?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&ending)?)?;
    Ok(if ending.outcome == "resumed" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
