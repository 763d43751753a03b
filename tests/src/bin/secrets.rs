//! `cargo xtask secrets`: plays the story with marked values and looks for each in everything that is left. The last
//! line is one JSON object; the exit status is 0 only when nothing was found and the search proved itself.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tests::browsers::{Kind, Settings};
use tests::secrets::run::run;
use tests::story::telling::Telling;

/// Plays the story with marked secrets, and looks for each of them in everything that is left.
#[derive(Debug, Parser)]
#[command(name = "secrets")]
struct Arguments {
    /// In which browser, with the extension; without one scripted clients do what it does.
    #[arg(long, value_enum, default_value = "none")]
    browser: Browser,
    /// What decides the marked values.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The built extension.
    #[arg(long, value_name = "DIR", default_value = "target/web/extension")]
    extension: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Browser {
    None,
    Chromium,
    Firefox,
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
    let kind = match arguments.browser {
        Browser::None => None,
        Browser::Chromium => Some(Kind::Chromium),
        Browser::Firefox => Some(Kind::Firefox),
    };
    let settings = kind.map(|kind| Settings::headless(kind, arguments.extension));
    let telling = Telling::begin(false);
    let report = run(settings, arguments.seed, &telling).await?;
    for missed in &report.planted_missed {
        telling.say(&format!("the search missed what was planted: {missed}"));
    }
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&report)?)?;
    Ok(if report.outcome == "clean" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
