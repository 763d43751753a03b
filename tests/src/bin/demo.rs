//! `cargo xtask demo`: plays the story and says how it ended. The last line is one JSON object; the exit
//! status is 0 only when it ended well.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sandbox::profile;
use serde::Serialize;
use tests::browsers::{Kind, Settings};
use tests::story::play::{Script, play};
use tests::story::play_in_browser::{GAP, InBrowser, play_in_browser};
use tests::story::servers::{Plays, Servers};
use tests::story::telling::Telling;

/// Plays the story: a campaign is paused by a dead permission, reconnected, and continues exactly where
/// it stopped.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Arguments {
    /// In which browser, with the extension; without one a scripted client signs in.
    #[arg(long, value_enum, default_value = "none")]
    browser: Browser,
    /// Without a window: the clicks are sent by the browser's driver and counted. Else a person clicks.
    #[arg(long)]
    headless: bool,
    /// In dark colours.
    #[arg(long)]
    dark: bool,
    /// Where a picture of every screen goes.
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
    /// The built extension.
    #[arg(long, value_name = "DIR", default_value = "target/web/extension")]
    extension: PathBuf,
    /// Which provider the sandbox plays.
    #[arg(long, value_enum, default_value = "generic")]
    profile: Profile,
    /// The provider has not verified the relay's app, and warns of it where it does that.
    #[arg(long)]
    unverified: bool,
    /// Where the authorization code is exchanged; without it `public`, or `confidential` where the provider
    /// demands a secret.
    #[arg(long, value_enum)]
    client: Option<Client>,
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
    Chromium,
    Firefox,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    Generic,
    Google,
    Microsoft,
    Plain,
}

impl Profile {
    fn known(self) -> &'static sandbox::Profile {
        match self {
            Self::Generic => &profile::GENERIC,
            Self::Google => &profile::GOOGLE,
            Self::Microsoft => &profile::MICROSOFT,
            Self::Plain => &profile::PLAIN,
        }
    }
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
    let telling = Telling::begin(false);
    let known = arguments.profile.known();
    let demands_secret = known
        .oauth
        .as_ref()
        .is_some_and(|habits| habits.demands_secret_with_pkce);
    let client = arguments.client.unwrap_or(if demands_secret {
        Client::Confidential
    } else {
        Client::Public
    });
    let plays = Plays {
        profile: known,
        verified: !arguments.unverified,
    };
    let mut script = Script {
        confidential: client == Client::Confidential,
        leads: arguments.leads,
        gap: match arguments.servers {
            Whose::Sandbox => Duration::ZERO,
            // Slow enough that the permission ends while messages are left.
            Whose::Real => Duration::from_millis(100),
        },
    };
    let kind = match arguments.browser {
        Browser::None => {
            let servers = start(arguments.servers, plays, &arguments.packages, &[]).await?;
            telling.say(&format!("the provider is ready at {}", servers.issuer()));
            let ending = play(&servers, script, &telling).await?;
            return finish(&ending, &ending.outcome);
        }
        Browser::Chromium => Kind::Chromium,
        Browser::Firefox => Kind::Firefox,
    };
    script.gap = GAP;
    let how = InBrowser {
        browser: Settings {
            headless: arguments.headless,
            dark: arguments.dark,
            ..Settings::headless(kind, arguments.extension)
        },
        screenshots: arguments.screenshots,
    };
    let servers = async |redirects: &[String]| {
        start(arguments.servers, plays, &arguments.packages, redirects).await
    };
    let ending = play_in_browser(servers, script, how, &telling).await?;
    finish(&ending, &ending.ending.outcome)
}

async fn start(
    whose: Whose,
    plays: Plays,
    packages: &Path,
    redirects: &[String],
) -> anyhow::Result<Servers> {
    match whose {
        Whose::Sandbox => Servers::start_sandbox_as(plays, 1).await,
        Whose::Real => Servers::start_real(packages, redirects).await,
    }
}

fn finish(ending: &impl Serialize, outcome: &str) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(ending)?)?;
    Ok(if outcome == "resumed" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
