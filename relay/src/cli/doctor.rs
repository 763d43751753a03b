//! `unpause doctor`: what was found, a line each, and what to do. 0 where all is well, 1 with warnings, 2 where something
//! is broken.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use protocol::request::inbox::ConnectionState;
use protocol::request::status::GetStatus;
use serde::Serialize;

use super::CliError;
use super::print::{Printer, columns, while_people_wait};
use crate::api::{ApiError, Client};
use crate::clock::Clock;
use crate::config::Config;
use crate::doctor::{Finding, Level, look, render_checks, worst};
use crate::http::operator::DoorError;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Look for the DKIM key under this selector (`s=` of a DKIM-Signature), and not under the usual ones
    #[arg(long = "selector", value_name = "NAME")]
    selectors: Vec<String>,
    /// Print every check as a Markdown table, and look at nothing
    #[arg(long, conflicts_with = "selectors")]
    pub(super) reference: bool,
}

pub(super) fn print_reference(printer: &Printer) -> Result<(), CliError> {
    Ok(printer.text(&render_checks())?)
}

/// All of it, as programs are told.
#[derive(Debug, Serialize)]
struct Told {
    level: Level,
    findings: Vec<Finding>,
}

pub(super) async fn examine(
    arguments: Arguments,
    config: &Config,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let clock = Clock::system();
    let mut findings = ask_relay(config).await;
    let looking = look(config, &arguments.selectors, &clock);
    // What a foreign record makes of its reader is told as a finding, not as a panic of ours.
    let told_so_far = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found = while_people_wait("Looking", looking).await;
    std::panic::set_hook(told_so_far);
    findings.extend(found);
    let told = Told {
        level: worst(&findings),
        findings,
    };
    printer.answer(&told, |told| describe(&told.findings))?;
    Ok(ExitCode::from(match told.level {
        Level::Ok => 0,
        Level::Warning => 1,
        Level::Broken => 2,
    }))
}

/// The relay itself, over the operator's socket.
async fn ask_relay(config: &Config) -> Vec<Finding> {
    let about = config.data.display().to_string();
    let asked = async { Client::new(config)?.call(&GetStatus {}).await };
    match asked.await {
        Ok(status) => {
            let unwell = status.inboxes.iter().filter_map(|inbox| {
                let state = inbox.connection.state;
                let action = match state {
                    ConnectionState::Disconnected => "reconnect it: `unpause reconnect start`",
                    ConnectionState::Waiting => {
                        "it goes on by itself; `unpause inbox show` says what it waits for"
                    }
                    ConnectionState::Connected | ConnectionState::Checking => return None,
                };
                let address = inbox.address.to_string();
                Some(Finding::warning("relay", address, state.word(), action))
            });
            let unwell: Vec<Finding> = unwell.collect();
            let runs = format!("runs; inboxes: {}", status.inboxes.len());
            [vec![Finding::ok("relay", about, runs)], unwell].concat()
        }
        Err(ApiError::Door(DoorError::NotStarted { .. })) => vec![Finding::warning(
            "relay",
            about,
            "no relay runs on this data folder: nothing is sent",
            "start it: `unpause serve`, or its unit",
        )],
        Err(error) => vec![Finding::broken(
            "relay",
            about,
            crate::log::chain(&error),
            "do what it says, or restart the relay",
        )],
    }
}

fn describe(findings: &[Finding]) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            vec![
                finding.level.name().to_owned(),
                finding.check.to_owned(),
                finding.about.clone(),
                finding.found.clone(),
            ]
        })
        .collect();
    let lines = columns(&rows);
    let mut text = String::new();
    for (line, finding) in lines.lines().zip(findings) {
        text.push_str(line);
        text.push('\n');
        if let Some(action) = &finding.action {
            text.push_str("         → ");
            text.push_str(action);
            text.push('\n');
        }
    }
    let n = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let _ = write!(
        text,
        "\nok: {}, warnings: {}, broken: {}",
        n(Level::Ok),
        n(Level::Warning),
        n(Level::Broken)
    );
    text
}
