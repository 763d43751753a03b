//! `unpause session`: who is signed in to the dashboard, and ending that.

use clap::{Args, Subcommand};
use protocol::id::SessionId;
use protocol::request::session::{DeleteSession, DeleteSessions, ListSessions, ListedSession};

use super::CliError;
use super::access::none_or;
use super::print::{Printer, columns};
use crate::api::Client;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the sessions that let somebody in (also without a word)
    List,
    /// End a session, or all of them; its browser is asked for a new link at its next click
    End {
        /// The session, ses_…
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        session: Option<String>,
        /// End all of them
        #[arg(long)]
        all: bool,
    },
}

impl Arguments {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let sessions = client.call(&ListSessions {}).await?;
                printer.answer(&sessions, |answer| {
                    let rows: Vec<_> = answer.sessions.iter().map(row).collect();
                    none_or(
                        columns(&rows),
                        "Nobody is signed in to the dashboard; `unpause login` makes a link.",
                    )
                })?;
            }
            Command::End {
                session: Some(session),
                ..
            } => {
                let end = DeleteSession {
                    session_id: SessionId::new(session.as_str()),
                };
                printer.answer(&client.call(&end).await?, |_| {
                    format!("{session} is ended.")
                })?;
            }
            Command::End { session: None, .. } => {
                let ended = client.call(&DeleteSessions {}).await?;
                printer.answer(&ended, |answer| match answer.ended {
                    0 => "Nobody was signed in.".to_owned(),
                    1 => "1 session is ended.".to_owned(),
                    n => format!("{n} sessions are ended."),
                })?;
            }
        }
        Ok(())
    }
}

fn row(session: &ListedSession) -> Vec<String> {
    vec![
        session.id.to_string(),
        session.account.to_string(),
        format!("since {}", session.made_at),
        format!("used {}", session.used_at),
        format!("ends {}", session.ends_at),
        format!("from {}", session.peer),
        session.browser.clone().unwrap_or_default(),
    ]
}
