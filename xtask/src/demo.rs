//! `cargo xtask demo`: the whole story, played for real and printed as it happens.

use std::process::ExitCode;

use crate::args::{Accepts, Command, Flag, Given};
use crate::shell::Workspace;
use crate::story_binary;
use crate::test::{install, need};
use crate::web::{self, Shrink};

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "demo",
    summary: "plays the story: a dead permission, one reconnect, a campaign that continues",
    about: "\
Builds the relay and the story, starts the sandbox provider and the relay on free ports, lets the
provider revoke the permission in the middle of a campaign, reconnects, and counts at the
recipients' mailboxes. The last line is one JSON object. The exit status is 0 only when the story
ends well. With a browser it also builds the extension and the dashboard, and the prompt of the
extension is what is clicked: by a person in a window, or with --headless by the demo itself.

  cargo xtask demo --browser none --client public
  cargo xtask demo --browser chromium
  cargo xtask demo --browser firefox --headless --client confidential",
    accepts: Accepts::PassedOnTo(
        "demo",
        &[
            Flag {
                name: "--browser",
                value: Some("none|chromium|firefox"),
                help: "in which browser, with the extension; none where it is left out",
            },
            Flag {
                name: "--headless",
                value: None,
                help: "without a window: the browser's driver clicks",
            },
            Flag {
                name: "--dark",
                value: None,
                help: "in dark colours",
            },
            Flag {
                name: "--screenshots",
                value: Some("DIR"),
                help: "where a picture of every screen goes",
            },
            Flag {
                name: "--extension",
                value: Some("DIR"),
                help: "the built extension",
            },
            Flag {
                name: "--profile",
                value: Some("generic|google|microsoft|plain"),
                help: "which provider the sandbox plays",
            },
            Flag {
                name: "--unverified",
                value: None,
                help: "the provider has not verified the relay's app",
            },
            Flag {
                name: "--client",
                value: Some("public|confidential"),
                help: "where the authorization code is exchanged",
            },
            Flag {
                name: "--servers",
                value: Some("sandbox|real"),
                help: "whose servers",
            },
            Flag {
                name: "--leads",
                value: Some("16..10000"),
                help: "leads of the campaign",
            },
            Flag {
                name: "--packages",
                value: Some("DIR"),
                help: "where npm's packages of `--servers real` are kept",
            },
        ],
    ),
    run,
};

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    play("demo", given)
}

/// Builds what the browser that the arguments name needs, and becomes the binary.
pub(crate) fn play(binary: &str, given: &Given) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let needs = needs_of(browser(given.passed_on()));
    if !needs.is_empty() {
        if !install::ensure(&workspace, needs)? {
            return Ok(ExitCode::FAILURE);
        }
        // Before the relay, whose binary takes the dashboard in.
        web::build(&workspace, Shrink::WherePossible)?;
    }
    story_binary::run(binary, given)
}

/// Which browser the arguments name; the binary itself refuses one that it does not know.
fn browser(words: &[String]) -> Option<&str> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--browser" {
            return words.next().map(String::as_str);
        }
        if let Some(name) = word.strip_prefix("--browser=") {
            return Some(name);
        }
    }
    None
}

fn needs_of(browser: Option<&str>) -> &'static [&'static need::Need] {
    match browser {
        Some("chromium") => &[&need::WASM_TARGET, &need::CHROMIUM],
        Some("firefox") => &[&need::WASM_TARGET, &need::FIREFOX, &need::GECKODRIVER],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_browser_needs_the_extension() {
        let needs = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let needs = needs_of(browser(&words));
            needs.iter().map(|need| need.name).collect::<Vec<_>>()
        };
        assert!(needs("").is_empty());
        assert!(needs("--browser none --client public").is_empty());
        assert_eq!(
            needs("--client public --browser chromium --headless"),
            [
                "the wasm32 target",
                "chromium 148 or newer, and chromedriver"
            ]
        );
        assert_eq!(
            needs("--browser=firefox"),
            [
                "the wasm32 target",
                "firefox-esr 142 or newer",
                "geckodriver"
            ]
        );
    }
}
