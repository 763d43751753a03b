//! The command line: what can be said, and how its outcome is told. Every command but `serve`, `openapi`, `config`,
//! `backup`, `restore` and `doctor` goes over the API of a running relay.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::problem::Problem;
use protocol::shown;
use serde_json::json;

use crate::api::{ApiError, Client};
use crate::config::{Config, ConfigError, Environment};
use crate::log::{LogError, chain};
use crate::ownership;
use crate::running::StartError;
use crate::systemd::HandedError;

mod access;
mod account;
mod alert;
mod audit;
mod backup;
mod campaign;
mod doctor;
mod file;
mod inbox;
mod key;
mod keys;
mod lead;
mod ledger;
mod named;
mod next;
mod pace;
mod print;
mod receipts;
mod reconnect;
mod reply;
mod sender;
mod serve;
mod session;
mod settings;
mod setup;
mod status;
mod steps;
mod suppression;
mod verify;

use print::Printer;

/// Keeps the campaigns of your inboxes going: one click reconnects, and nobody is skipped or mailed twice.
#[derive(Debug, Parser)]
#[command(name = "unpause", version)]
struct Arguments {
    /// The configuration file; else `UNPAUSE_CONFIG`, else ./unpause.toml if it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the answer as JSON, and an error as a JSON object on standard error
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay until ctrl-c or SIGTERM
    Serve,
    /// Make a one-time sign-in link for the dashboard
    Login,
    /// Make a one-time link that pairs a browser extension
    Pair,
    /// Show how every inbox and every campaign stands
    Status,
    /// Inboxes
    #[command(subcommand)]
    Inbox(inbox::Command),
    /// Campaigns, their leads and deliveries
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Leads, one by one
    #[command(subcommand, alias = "leads")]
    Lead(lead::Command),
    /// What arrived about messages of campaigns
    #[command(subcommand, alias = "replies")]
    Reply(reply::Command),
    /// Files that go with messages
    #[command(subcommand)]
    File(file::Command),
    /// Reconnects and their receipts
    #[command(subcommand)]
    Reconnect(reconnect::Command),
    /// Check a receipt that a relay has signed, without the relay. Ends with 0 when it is whole and signed by the key
    /// that `--key` names, 3 when it is whole and no key was named, 1 when it is anything else
    Verify(verify::Arguments),
    /// List the receipts of resumes, newest first
    Receipts(receipts::Arguments),
    /// What a restore of the database has left open
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Who signs in, and what each may do
    #[command(subcommand, alias = "accounts")]
    Account(account::Command),
    /// API keys, by which programs come in
    #[command(subcommand)]
    Key(key::Command),
    /// The relay's own keys: what they are, and renewing them. API keys are `unpause key`
    #[command(subcommand)]
    Keys(keys::Command),
    /// Who did what, when and from where
    #[command(subcommand)]
    Audit(audit::Command),
    /// What people were told
    #[command(subcommand)]
    Alerts(alert::Command),
    /// Who is told, and whether they can be
    #[command(subcommand)]
    Notify(alert::Notify),
    /// Paired devices
    #[command(subcommand)]
    Device(access::Command),
    /// Who is signed in to the dashboard
    #[command(alias = "sessions")]
    Session(session::Arguments),
    /// Who is not written to, in any campaign
    #[command(subcommand)]
    Suppression(suppression::Command),
    /// Save everything but the keys to one file, while the relay runs or not
    Backup(backup::Arguments),
    /// Put a backup into an empty data folder
    Restore(backup::RestoreArguments),
    /// Look at everything that campaigns depend on, and say what to do
    Doctor(doctor::Arguments),
    /// Print the OpenAPI document of the API
    Openapi,
    /// Look at the settings
    Config(settings::Arguments),
    /// Register at a mail provider: says what to register, asks what came of it, writes the configuration
    Setup(setup::Arguments),
}

/// Why a command did not do what it was told to.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Handed(#[from] HandedError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Steps(#[from] steps::StepsError),
    #[error(transparent)]
    NoFile(#[from] sender::NoFile),
    #[error(transparent)]
    Account(#[from] account::NoSuchAccount),
    #[error(transparent)]
    Inbox(#[from] inbox::NoSuchInbox),
    #[error(transparent)]
    Campaign(#[from] named::NoSuchCampaign),
    #[error(transparent)]
    Reconnect(#[from] reconnect::ReconnectError),
    #[error(transparent)]
    Setup(#[from] setup::SetupError),
    #[error(transparent)]
    Verify(#[from] verify::VerifyError),
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    #[error(transparent)]
    NoKeys(#[from] backup::NoKeys),
    #[error("{not_taken} of {channels} channels did not take the test: their words are above")]
    NotTaken { not_taken: usize, channels: usize },
    #[error("it was told to end: nothing was written")]
    Interrupted,
    #[error("the output cannot be written")]
    Output(#[from] std::io::Error),
    #[error("the runtime cannot be started")]
    Runtime(#[source] std::io::Error),
    #[error("signals cannot be waited for")]
    Signals(#[source] std::io::Error),
}

/// Runs the command of this process: 0 when it was done, 1 when it was refused or failed, 2 when it was
/// not understood. `doctor` says 0, 1 and 2 of what it found, and `verify` 3 of a receipt whose key nobody named.
pub fn run() -> ExitCode {
    ownership::keep_to_ourselves();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // There is nowhere left to say that this failed.
            if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
                let words = error.to_string();
                let words = words.strip_prefix("error: ").unwrap_or(&words);
                let _ = writeln!(
                    std::io::stderr(),
                    "{}",
                    render_error(words.trim_end(), None)
                );
            } else {
                let _ = error.print();
            }
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let is_json = arguments.json;
    match perform(arguments) {
        Ok(code) => code,
        Err(error) => {
            let words = chain(&error);
            let told = if is_json {
                render_error(&words, find_problem(&error))
            } else {
                shown::lines(&format!("unpause: {words}")).into_owned()
            };
            let _ = writeln!(std::io::stderr(), "{told}");
            ExitCode::FAILURE
        }
    }
}

/// What the relay answered, where it was the relay that refused.
fn find_problem(error: &CliError) -> Option<&Problem> {
    match error {
        CliError::Api(ApiError::Refused(problem)) => Some(problem),
        _ => None,
    }
}

/// An error as a program reads it: `{"error": {"detail", "code", "field", "row"}}` in one line; the last three where the
/// relay's answer has them.
fn render_error(words: &str, problem: Option<&Problem>) -> String {
    let mut error = serde_json::Map::new();
    let detail = problem.map_or(words, |problem| problem.detail.as_str());
    error.insert("detail".to_owned(), json!(detail));
    if let Some(problem) = problem {
        error.insert("code".to_owned(), json!(problem.code));
        if let Some(field) = &problem.field {
            error.insert("field".to_owned(), json!(field));
        }
        if let Some(row) = problem.row {
            error.insert("row".to_owned(), json!(row));
        }
    }
    shown::json(&json!({ "error": error }).to_string()).into_owned()
}

fn perform(arguments: Arguments) -> Result<ExitCode, CliError> {
    let Arguments {
        config,
        json,
        command,
    } = arguments;
    let printer = Printer::new(json);
    // A variable that is no text cannot be one of ours.
    let environment: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if let Command::Openapi = command {
        printer.text(&crate::http::render_openapi())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Config(wanted) = &command
        && wanted.reference
    {
        settings::print_reference(&printer)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Doctor(wanted) = &command
        && wanted.reference
    {
        doctor::print_reference(&printer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let load = || Config::load(config.as_deref(), &environment);
    let client = || -> Result<Client, CliError> { Ok(Client::new(&load()?)?) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(async {
        match command {
            Command::Doctor(arguments) => {
                return doctor::examine(arguments, &load()?, &printer).await;
            }
            Command::Verify(arguments) => return Ok(verify::verify(arguments, &printer).await?),
            Command::Serve => serve::serve(load()?).await,
            Command::Config(_) | Command::Openapi => settings::print_checked(&printer, &load()?),
            Command::Backup(arguments) => backup::back_up(arguments, &load()?, &printer).await,
            Command::Restore(arguments) => backup::restore(arguments, &load()?, &printer).await,
            Command::Login => access::login(&client()?, &printer).await,
            Command::Pair => access::pair(&client()?, &printer).await,
            Command::Status => status::show(&client()?, &printer).await,
            Command::Inbox(command) => command.run(&client()?, &printer).await,
            Command::Campaign(command) => command.run(&client()?, &printer).await,
            Command::Lead(command) => command.run(&client()?, &printer).await,
            Command::Reply(command) => command.run(&client()?, &printer).await,
            Command::File(command) => command.run(&client()?, &printer).await,
            Command::Reconnect(command) => {
                let config = load()?;
                command.run(&Client::new(&config)?, &config, &printer).await
            }
            Command::Receipts(arguments) => arguments.run(&client()?, &printer).await,
            Command::Ledger(command) => command.run(&client()?, &printer).await,
            Command::Account(command) => command.run(&client()?, &printer).await,
            Command::Key(command) => command.run(&client()?, &printer).await,
            Command::Keys(command) => command.run(&client()?, &printer).await,
            Command::Audit(command) => command.run(&client()?, &printer).await,
            Command::Alerts(command) => command.run(&client()?, &printer).await,
            Command::Notify(command) => command.run(&client()?, &printer).await,
            Command::Device(command) => command.run(&client()?, &printer).await,
            Command::Session(command) => command.run(&client()?, &printer).await,
            Command::Suppression(command) => command.run(&client()?, &printer).await,
            // It also mends a configuration that lacks what it writes, so it does its own loading.
            Command::Setup(arguments) => {
                setup::set_up(arguments, config.as_deref(), &environment, &printer).await
            }
        }
        .map(|()| ExitCode::SUCCESS)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let error = Arguments::try_parse_from(["unpause", "inbox", "rename"]).unwrap_err();
        assert!(error.to_string().contains("rename"), "{error}");
        let lines = [
            ["campaign", "deliveries", "cmp_1", "--limit", "many"],
            ["reconnect", "receipt", "rcp_1", "--after", "many"],
        ];
        for line in lines {
            let error = Arguments::try_parse_from(["unpause"].iter().chain(&line)).unwrap_err();
            let words = error.to_string();
            assert!(
                words.contains(line[3])
                    && words.contains("expected a whole number")
                    && words.contains("found \"many\""),
                "{words}"
            );
        }
        let error = Arguments::try_parse_from(["unpause", "pair", "--colour"]).unwrap_err();
        assert!(error.to_string().contains("--colour"), "{error}");
    }
}
