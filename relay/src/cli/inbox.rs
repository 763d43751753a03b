//! `unpause inbox`: adding inboxes and looking at them.

use std::fmt::Write as _;

use clap::{Subcommand, ValueEnum};
use protocol::evidence::may_be_host;
use protocol::id::InboxId;
use protocol::inbox::{Address, MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::request::inbox::{
    AnswerInbox, Change, ConnectionState, CreateInbox, DeleteInbox, GetInbox, Inbox, ListChanges,
    ListInboxes, UpdateInbox,
};
use protocol::request::pace::{GetPace, ListPaces, Pace};
use protocol::standing::{Answer, Shown};

use super::access::none_or;
use super::pace::{self, Asked};
use super::print::{Printer, columns};
use super::{CliError, next, sender};
use crate::api::Client;

/// How many changes of a connection are shown.
const CHANGES_SHOWN: usize = 5;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add an inbox; its first reconnect connects it
    Add {
        /// Its address
        address: Address,
        /// A provider of the configuration
        #[arg(long)]
        provider: String,
        /// The submission server where it is not the provider's: HOST:PORT, or starttls://HOST:PORT
        #[arg(long, value_name = "SERVER", value_parser = parse_server)]
        smtp: Option<MailServer>,
        /// The IMAP server where it is not the provider's, in the same form
        #[arg(long, value_name = "SERVER", value_parser = parse_server)]
        imap: Option<MailServer>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Correct the servers of an inbox that is not connected; its next reconnect proves them
    Update {
        /// The inbox: inb_…, or its address
        inbox: String,
        /// The submission server: HOST:PORT, or starttls://HOST:PORT; as it was where it is left out
        #[arg(long, value_name = "SERVER", value_parser = parse_server, required_unless_present = "imap")]
        smtp: Option<MailServer>,
        /// The IMAP server, in the same form
        #[arg(long, value_name = "SERVER", value_parser = parse_server)]
        imap: Option<MailServer>,
    },
    /// Remove an inbox that no campaign has
    Remove {
        /// The inbox: inb_…, or its address
        inbox: String,
    },
    /// List the inboxes
    List,
    /// Show one inbox
    Show {
        /// The inbox: inb_…, or its address
        inbox: String,
    },
    /// Show how fast an inbox sends, or change it, also while campaigns run
    Pace(pace::Arguments),
    /// Show how an inbox presents itself, or change it, also while campaigns run
    Sender(sender::Arguments),
    /// Answer what an inbox asks whose mail is refused
    Answer {
        /// The inbox: inb_…, or its address
        inbox: String,
        /// Whose the refusals are
        answer: Word,
    },
}

/// Whose refusals are.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Word {
    /// It is the account, and it was seen to: one message is tried now
    Account,
    /// It is these addresses: they are set aside, and the others are sent
    Addresses,
}

/// There is no such inbox.
#[derive(Debug, thiserror::Error)]
#[error(
    "no inbox has the address {address}: `unpause inbox list` shows them, `unpause inbox add` adds one"
)]
pub(super) struct NoSuchInbox {
    address: String,
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Add {
                address,
                provider,
                smtp,
                imap,
                asked,
            } => {
                let provider = ProviderId::new(provider);
                let inbox = client
                    .call(&CreateInbox {
                        address,
                        provider,
                        smtp,
                        imap,
                        distance_ms: asked.distance_ms(),
                        daily_cap: asked.daily_cap,
                    })
                    .await?;
                printer.answer(&inbox, |inbox| {
                    format!(
                        "{}Connect it: {}",
                        describe(inbox),
                        next::start_command(inbox)
                    )
                })?;
            }
            Self::Update { inbox, smtp, imap } => {
                let inbox_id = find_inbox(client, &inbox).await?.id;
                let request = UpdateInbox {
                    inbox_id,
                    smtp,
                    imap,
                };
                let inbox = client.call(&request).await?;
                printer.answer(&inbox, |inbox| {
                    format!(
                        "{}Connect it: {}",
                        describe(inbox),
                        next::start_command(inbox)
                    )
                })?;
            }
            Self::Remove { inbox } => {
                let inbox = find_inbox(client, &inbox).await?;
                let inbox_id = inbox.id.clone();
                let done = client.call(&DeleteInbox { inbox_id }).await?;
                printer.answer(&done, |_| {
                    let words = "is removed, with the sign-in that was on record; what it may at its provider is ended there.";
                    format!("{} {words}", inbox.address)
                })?;
            }
            Self::List => {
                let inboxes = client.call(&ListInboxes {}).await?;
                let paces = client.call(&ListPaces {}).await?.paces;
                printer.answer(&inboxes, |answer| {
                    let rows = answer.inboxes.iter().map(|inbox| {
                        let pace = paces.iter().find(|pace| pace.inbox_id == inbox.id);
                        let state = describe_state(inbox, pace);
                        vec![inbox.id.to_string(), inbox.address.to_string(), state]
                    });
                    let listed = none_or(
                        columns(&rows.collect::<Vec<_>>()),
                        "There is no inbox; `unpause inbox add` adds one.",
                    );
                    let next = next::of_all(&answer.inboxes, &[]);
                    format!("{}{next}", listed.trim_end())
                })?;
            }
            Self::Show { inbox } => {
                let inbox = find_inbox(client, &inbox).await?;
                let inbox_id = inbox.id.clone();
                let pace = client.call(&GetPace { inbox_id }).await?;
                let inbox_id = inbox.id.clone();
                let changes = client.call(&ListChanges { inbox_id }).await?.changes;
                printer.answer(&inbox, |inbox| {
                    let shown =
                        describe(inbox) + &pace::describe(&pace) + &describe_changes(&changes);
                    shown + &next::of_inbox(inbox).unwrap_or_default()
                })?;
            }
            Self::Pace(arguments) => arguments.run(client, printer).await?,
            Self::Sender(arguments) => arguments.run(client, printer).await?,
            Self::Answer { inbox, answer } => {
                let inbox_id = find_inbox(client, &inbox).await?.id;
                let answer = match answer {
                    Word::Account => Answer::Account,
                    Word::Addresses => Answer::Addresses,
                };
                let inbox = client.call(&AnswerInbox { inbox_id, answer }).await?;
                printer.answer(&inbox, |inbox| {
                    describe(inbox) + &next::of_inbox(inbox).unwrap_or_default()
                })?;
            }
        }
        Ok(())
    }
}

/// The inbox that a person named by its id or by its address.
pub(super) async fn find_inbox(client: &Client, named: &str) -> Result<Inbox, CliError> {
    if !named.contains('@') {
        let inbox_id = InboxId::new(named);
        return Ok(client.call(&GetInbox { inbox_id }).await?);
    }
    let mut inboxes = client.call(&ListInboxes {}).await?.inboxes;
    // Before the @, servers may tell capitals apart (RFC 5321 §2.4); people do not.
    inboxes.retain(|inbox| inbox.address.as_str().eq_ignore_ascii_case(named));
    inboxes.sort_by_key(|inbox| inbox.address.as_str() != named);
    Ok(inboxes.into_iter().next().ok_or_else(|| NoSuchInbox {
        address: named.to_owned(),
    })?)
}

/// How an inbox stands, in one line: its connection, and until when it rests by itself.
pub(super) fn describe_state(inbox: &Inbox, pace: Option<&Pace>) -> String {
    let mut state = match inbox.connection.state {
        ConnectionState::Waiting => format!("waiting since {}", inbox.connection.since),
        state => state.word().to_owned(),
    };
    if let Some(rest) = pace.and_then(|pace| pace.rest.as_ref()) {
        let _ = write!(state, ", rests until {}", rest.until);
    }
    if let Some(refused) = &inbox.refused {
        let _ = write!(
            state,
            ", its mail is refused since {}: {}",
            refused.since,
            describe_next_try(refused)
        );
    }
    state
}

/// When an inbox whose mail is refused tries the next message.
fn describe_next_try(refused: &Shown) -> String {
    let next = match refused.next_try_at {
        Some(at) => format!("rests until {at}, then one message is tried"),
        None if refused.asks => "nothing is tried before you answer".to_owned(),
        None => "the next message is tried when it is due".to_owned(),
    };
    if refused.asks && refused.next_try_at.is_some() {
        format!("{next}; it asks you whose that is")
    } else {
        next
    }
}

fn describe(inbox: &Inbox) -> String {
    let connection = &inbox.connection;
    let mut text = format!(
        "{}  {}\nprovider    {}, sends by {} ({}), reads by {} ({})\nconnection  {} since {}\n",
        inbox.id,
        inbox.address,
        inbox.provider,
        inbox.smtp,
        inbox.smtp.tls,
        inbox.imap,
        inbox.imap.tls,
        connection.state.word(),
        connection.since
    );
    if let Some(card) = &connection.card {
        let _ = writeln!(
            text,
            "            {}. {}",
            card.title.trim_end_matches('.'),
            card.explanation
        );
    }
    if let Some(evidence) = &connection.evidence {
        let _ = writeln!(
            text,
            "            the server said: {}",
            evidence.replace('\n', " ")
        );
    }
    if let Some(refused) = &inbox.refused {
        let _ = writeln!(
            text,
            "refused     since {}, the server said: {}",
            refused.since,
            refused.words.replace('\n', " ")
        );
        let _ = writeln!(text, "            {}", describe_next_try(refused));
        if refused.asks {
            let _ = writeln!(
                text,
                "            say whose that is: unpause inbox answer {} account, or addresses",
                inbox.address
            );
        }
    }
    let _ = writeln!(
        text,
        "deliveries  {} waiting, {} for you to decide",
        inbox.held, inbox.unsettled
    );
    text
}

/// The last changes, newest first.
fn describe_changes(changes: &[Change]) -> String {
    let mut text = String::new();
    for (idx, change) in changes.iter().take(CHANGES_SHOWN).enumerate() {
        let label = if idx == 0 { "history" } else { "" };
        let state = change.state.word();
        let cause = change.cause.map(|cause| format!(" ({})", cause.code()));
        let cause = cause.unwrap_or_default();
        let _ = writeln!(text, "{label:<12}{} {state}{cause}", change.at);
    }
    text
}

fn parse_server(text: &str) -> Result<MailServer, String> {
    let expected = || format!("expected HOST:PORT or starttls://HOST:PORT, found {text:?}");
    let (tls, rest) = match text.strip_prefix("starttls://") {
        Some(rest) => (TlsMode::StartTls, rest),
        None => (TlsMode::Implicit, text),
    };
    let (host, port) = rest.rsplit_once(':').ok_or_else(expected)?;
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = port
        .parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(expected)?;
    if !may_be_host(&host) {
        return Err(expected());
    }
    Ok(MailServer { host, port, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbox_whose_mail_is_refused_says_until_when_it_rests_wherever_it_is_shown() {
        let mut inbox: Inbox = serde_json::from_str(
            r#"{"id": "inb_1", "address": "jane@acme.example", "provider": "imap",
                "smtp": {"host": "smtp.acme.example", "port": 587, "tls": "starttls"},
                "imap": {"host": "imap.acme.example", "port": 993, "tls": "implicit"},
                "connection": {"state": "connected", "since": "2026-11-23T09:00:00Z"}, "held": 0, "unsettled": 0,
                "refused": {"since": "2026-11-23T10:00:00Z", "words": "550 5.7.1 no", "alike": "rcpt-550-5.7.1",
                            "next_try_at": "2026-11-23T10:15:00Z", "asks": false}}"#,
        )
        .unwrap();
        let until = "rests until 2026-11-23T10:15:00";
        for shown in [describe_state(&inbox, None), describe(&inbox)] {
            assert!(shown.contains(until), "{shown}");
        }
        let shown = describe(&inbox);
        for server in [
            "smtp.acme.example:587 (STARTTLS)",
            "imap.acme.example:993 (TLS from the start)",
        ] {
            assert!(shown.contains(server), "{shown}");
        }
        let refused = inbox.refused.as_mut().unwrap();
        (refused.next_try_at, refused.asks) = (None, true);
        let shown = describe_state(&inbox, None);
        assert!(shown.contains("before you answer"), "{shown}");
    }

    #[test]
    fn a_server_is_host_port_and_how_tls_begins() {
        for (text, expected) in [
            (
                "mail.example:465",
                Some(("mail.example", 465, TlsMode::Implicit)),
            ),
            (
                "starttls://mail.example:587",
                Some(("mail.example", 587, TlsMode::StartTls)),
            ),
            ("[::1]:993", Some(("::1", 993, TlsMode::Implicit))),
            ("mail.example", None),
            ("mail.example:0", None),
            ("http://mail.example:80", None),
            (":465", None),
        ] {
            let parsed = parse_server(text).ok();
            let parsed = parsed
                .as_ref()
                .map(|server| (server.host.as_str(), server.port, server.tls));
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
