//! `unpause reconnect start`: everything that the extension does, at a terminal. What a provider's answer
//! is worth and how progress is told are decided beside it; proving is the relay's.

use std::time::Duration;

use clap::Args;
use protocol::card::Remedy;
use protocol::evidence::Said;
use protocol::id::ReconnectId;
use protocol::reconnect::{Authorization, Grant};
use protocol::request::inbox::Inbox;
use protocol::request::reconnect::{
    GetReceipt, GetReconnect, HostReconnect, NothingObtained, Reconnect, ReconnectState,
    RefuseReconnect, StartReconnect, StartedReconnect,
};
use protocol::secret::Secret;
use protocol::visit::Answer;
use serde_json::json;

use super::interrupt::Interrupt;
use super::password;
use super::progress::{Method, Progress, summarise};
use super::redirect::{Port, Redirect};
use super::sealing::hand_over;
use super::sign_in::SignIn;
use super::{ReconnectError, describe, describe_question, describe_refusal};
use crate::api::{ApiError, Client};
use crate::cli::CliError;
use crate::cli::inbox::find_inbox;
use crate::cli::next::start_command;
use crate::cli::print::Printer;
use crate::clock::Clock;
use crate::config::Config;

/// How often the relay is asked how far it is. Quicker than a person reads, and nothing for the relay.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The inbox: inb_…, or its address
    inbox: String,
    /// Read a password or app password from standard input instead of opening the provider's page
    #[arg(long)]
    password: bool,
    /// The user name of the password where it is not the address
    #[arg(long, value_name = "NAME", requires = "password")]
    user: Option<String>,
    /// Print a link that does the sign-in in another browser: the one where you are signed in at the provider
    #[arg(long, conflicts_with_all = ["password", "no_wait"])]
    link: bool,
    /// Only start it; it is finished elsewhere
    #[arg(long, conflicts_with = "password")]
    no_wait: bool,
}

/// Starts or joins the reconnect of an inbox, and stays until it is over. Success is only that it resumed.
pub(super) async fn start(
    arguments: Arguments,
    client: &Client,
    config: &Config,
    printer: &Printer,
) -> Result<(), CliError> {
    let inbox = find_inbox(client, &arguments.inbox).await?;
    if arguments.no_wait {
        let started = start_or_join(client, &inbox).await?;
        printer.answer(&started, |started| describe_start(started, &inbox))?;
        return Ok(());
    }
    let terminal = Terminal {
        client,
        printer,
        inbox: &inbox,
        clock: Clock::system(),
        interrupt: Interrupt::listen()?,
    };
    Ok(terminal.reconnect(arguments, config).await?)
}

async fn start_or_join(client: &Client, inbox: &Inbox) -> Result<StartedReconnect, ApiError> {
    client
        .call(&StartReconnect {
            inbox_id: inbox.id.clone(),
        })
        .await
}

fn describe_start(started: &StartedReconnect, inbox: &Inbox) -> String {
    format!(
        "{}\nFinish it here: {}\nHow it goes: unpause reconnect show {}",
        describe(&started.reconnect),
        start_command(inbox),
        started.reconnect.id
    )
}

/// One command that stays: whom it talks to, and for which inbox.
struct Terminal<'a> {
    client: &'a Client,
    printer: &'a Printer,
    inbox: &'a Inbox,
    clock: Clock,
    interrupt: Interrupt,
}

/// How waiting for the person ended.
enum Waited {
    /// The provider sent the browser back.
    Answered(Answer),
    /// The reconnect waits no more: it expired, or was finished elsewhere.
    Elsewhere,
    /// Ctrl-c.
    Interrupted,
}

impl Terminal<'_> {
    async fn reconnect(
        mut self,
        arguments: Arguments,
        config: &Config,
    ) -> Result<(), ReconnectError> {
        // Asked first: while the person looks for it, nothing waits and nothing expires.
        let grant = if arguments.password {
            let password = password::read(&mut self.interrupt).await?;
            let user = arguments
                .user
                .unwrap_or_else(|| self.inbox.address.to_string());
            Some(Grant::Password { user, password })
        } else {
            None
        };
        let started = start_or_join(self.client, self.inbox).await?;
        let reconnect = started.reconnect;
        let waits = reconnect.state == ReconnectState::Started;
        let begun = match (grant, started.authorization) {
            (Some(grant), _) if waits => hand_over(self.client, &reconnect, &grant)
                .await
                .map(|()| Method::Other),
            (Some(_), _) => Err(ReconnectError::UnderWay {
                reconnect: reconnect.id.clone(),
            }),
            (None, Some(_)) if arguments.link => {
                self.send_link(&reconnect).await.map(|()| Method::Page)
            }
            (None, Some(authorization)) => self.visit(&reconnect, &authorization, config).await,
            (None, None) if waits => Err(ReconnectError::NoPage),
            (None, None) => Ok(Method::Other),
        };
        match begun {
            Ok(method) => self.follow(reconnect.id, method).await,
            Err(error) => {
                // One that was under way may still be finished where it was begun.
                if !started.joined {
                    self.give_up(&reconnect.id, &error).await?;
                }
                Err(error)
            }
        }
    }

    /// Prints a link; whoever opens it is sent to the provider by the relay, which takes what comes of it.
    async fn send_link(&self, reconnect: &Reconnect) -> Result<(), ReconnectError> {
        let hosted = self
            .client
            .call(&HostReconnect {
                reconnect_id: reconnect.id.clone(),
            })
            .await?;
        let link = hosted.url.expose();
        self.printer.for_programs(&json!({ "link": link }))?;
        self.printer.for_people(&format!(
            "Open this link in the browser where you are signed in as {}:\n\n{link}\n\nIt works once, and waits for \
             {}. Ctrl-c ends it.",
            self.inbox.address,
            self.left(reconnect)
        ))?;
        Ok(())
    }

    /// For how long a reconnect still waits.
    fn left(&self, reconnect: &Reconnect) -> String {
        let left = reconnect.expires_at.since(self.clock.now());
        match left.as_secs().div_ceil(60) {
            0 | 1 => "a minute".to_owned(),
            minutes => format!("{minutes} minutes"),
        }
    }

    /// Sends the person to the provider, and the relay what comes of it.
    async fn visit(
        &mut self,
        reconnect: &Reconnect,
        authorization: &Authorization,
        config: &Config,
    ) -> Result<Method, ReconnectError> {
        let port = Port::take().await?;
        let visit = SignIn::begin(authorization, port.redirect_uri(), config).await?;
        let mut redirect = port.expect(visit.expected());
        self.printer
            .for_programs(&json!({ "authorization_url": visit.url() }))?;
        self.printer.for_people(&format!(
            "Open this page and sign in as {}:\n\n{}\n\nIt waits for {}. Ctrl-c ends it.",
            authorization.login_hint,
            visit.url(),
            self.left(reconnect)
        ))?;
        let waited = self.wait(&mut redirect, reconnect).await;
        redirect.close().await;
        match waited? {
            Waited::Answered(Answer::Granted { code }) => {
                self.grant(visit, code, reconnect).await?;
                Ok(Method::Page)
            }
            Waited::Answered(Answer::Refused { error, description }) => {
                let why = NothingObtained::Provider { error, description };
                self.refuse(&reconnect.id, why).await?;
                Ok(Method::Page)
            }
            Waited::Answered(Answer::OtherIssuer { found }) => Err(ReconnectError::OtherIssuer {
                expected: authorization.issuer.clone(),
                found,
            }),
            Waited::Interrupted => {
                // Perhaps the provider showed a page from which nobody comes back.
                let why = NothingObtained::Closed {
                    redirect_uri: Some(visit.redirect_uri().to_owned()),
                };
                self.refuse(&reconnect.id, why).await?;
                Ok(Method::Page)
            }
            Waited::Elsewhere => Ok(Method::Other),
        }
    }

    async fn wait(
        &mut self,
        redirect: &mut Redirect,
        reconnect: &Reconnect,
    ) -> Result<Waited, ReconnectError> {
        loop {
            tokio::select! {
                answer = redirect.answer() => {
                    return answer.map(Waited::Answered).ok_or(ReconnectError::ListenerEnded);
                }
                () = self.interrupt.came() => return Ok(Waited::Interrupted),
                () = self.clock.wait_for(BETWEEN_LOOKS) => {}
            }
            match self.look(&reconnect.id).await {
                Ok(seen) if seen.state == ReconnectState::Started => {}
                Ok(_) => return Ok(Waited::Elsewhere),
                // A relay that is started again meanwhile still takes what the person obtains.
                Err(error) if self.clock.now() > reconnect.expires_at => return Err(error.into()),
                Err(_) => {}
            }
        }
    }

    async fn grant(
        &self,
        visit: SignIn,
        code: Secret,
        reconnect: &Reconnect,
    ) -> Result<(), ReconnectError> {
        let said = match visit.obtain(code).await {
            Ok(grant) => return hand_over(self.client, reconnect, &grant).await,
            Err(failure) => failure.said,
        };
        match said {
            Said::Oauth(reply) if reply.error.is_some() => {
                let why = NothingObtained::Provider {
                    error: reply.error.unwrap_or_default(),
                    description: Some(reply.description),
                };
                self.refuse(&reconnect.id, why).await?;
                Ok(())
            }
            said => Err(ReconnectError::Provider { said }),
        }
    }

    async fn refuse(&self, id: &ReconnectId, why: NothingObtained) -> Result<Reconnect, ApiError> {
        self.client
            .call(&RefuseReconnect {
                reconnect_id: id.clone(),
                why,
            })
            .await
    }

    /// Ends what cannot be finished here, so that the next click starts anew.
    async fn give_up(&self, id: &ReconnectId, why: &ReconnectError) -> Result<(), ReconnectError> {
        let told = match why {
            ReconnectError::OtherIssuer { .. } => NothingObtained::MixedUp,
            _ => NothingObtained::Cancelled,
        };
        // It may be over already, or the relay gone: what ended it here is what matters.
        if let Ok(reconnect) = self.refuse(id, told).await {
            self.printer.for_programs(&reconnect)?;
        }
        Ok(())
    }

    async fn look(&self, id: &ReconnectId) -> Result<Reconnect, ApiError> {
        self.client
            .call(&GetReconnect {
                reconnect_id: id.clone(),
            })
            .await
    }

    /// Tells each stage as it is reached, until the end.
    async fn follow(mut self, id: ReconnectId, method: Method) -> Result<(), ReconnectError> {
        let mut progress = Progress::new(method);
        let mut has_asked = false;
        let reconnect = loop {
            let reconnect = self.look(&id).await?;
            for line in progress.advance(&reconnect) {
                self.printer.for_people(&line)?;
            }
            match reconnect.state {
                ReconnectState::Resumed | ReconnectState::Refused => break reconnect,
                ReconnectState::Unconfirmed if !has_asked => {
                    has_asked = true;
                    self.printer.for_programs(&reconnect)?;
                    self.printer.for_people(&Self::ask(&reconnect))?;
                }
                ReconnectState::Started
                | ReconnectState::Granted
                | ReconnectState::Verifying
                | ReconnectState::Unconfirmed => {}
            }
            tokio::select! {
                () = self.clock.wait_for(BETWEEN_LOOKS) => {}
                () = self.interrupt.came() => {
                    if reconnect.state != ReconnectState::Started {
                        return Err(ReconnectError::Unwatched { reconnect: id });
                    }
                    let why = NothingObtained::Closed { redirect_uri: None };
                    self.refuse(&id, why).await?;
                }
            }
        };
        self.printer.for_programs(&reconnect)?;
        let Some(receipt_id) = reconnect.receipt.clone() else {
            return Err(self.refused(&reconnect));
        };
        let receipt = self.client.call(&GetReceipt { receipt_id }).await?;
        self.printer
            .for_people(&summarise(&receipt, self.inbox.address.as_str()))?;
        Ok(())
    }

    /// Whether the sign-in is meant is said by a command, so that a script can say it too.
    fn ask(reconnect: &Reconnect) -> String {
        let id = &reconnect.id;
        format!(
            "{}\n\
             Use it:        unpause reconnect confirm {id}\n\
             Do not use it: unpause reconnect cancel {id}",
            describe_question(reconnect)
        )
    }

    fn refused(&self, reconnect: &Reconnect) -> ReconnectError {
        let inbox = self.inbox.address.to_string();
        let mut words =
            describe_refusal(reconnect).unwrap_or_else(|| "The relay does not say why.".to_owned());
        let helps = reconnect.card.as_ref().is_none_or(|card| {
            matches!(
                card.remedy,
                Remedy::Reconnect | Remedy::ReconnectAsInbox | Remedy::SignInInstead
            )
        });
        if helps {
            words.push_str("\nTry again: ");
            words.push_str(&start_command(self.inbox));
        }
        ReconnectError::Refused { inbox, words }
    }
}
