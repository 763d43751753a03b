//! The IMAP adapter (RFC 3501, and RFC 9051 where a server has it): sign in, list folders, read
//! headers and messages, put a copy into a folder. It changes nothing else: folders are opened
//! read-only and messages are read without marking them. What a message *is* (a reply, a bounce) is
//! not decided here.
//!
//! ```text
//! open ── list_folders, find_status, append, noop
//!   └─ examine ── list_uids, list_uids_since, fetch_headers_of, fetch_message     (of the folder examined last)
//!        └─ begin_idle ── wait_for_news     (until any other command, which ends it first)
//! ```

mod authentication;
mod capabilities;
mod command;
pub mod fetching;
pub mod folder;
pub mod framing;
mod headers;
mod listing;
mod opening;
mod position;
pub mod reading;
mod sent_names;
pub mod value;
mod wire;

use std::fmt;
use std::time::Duration;

use protocol::evidence::{Party, Said, Stage};
use protocol::hush::Hush;
use protocol::inbox::MailServer;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use self::capabilities::Capabilities;
use self::command::Command;
use self::fetching::Fetched;
pub use self::fetching::Header;
pub use self::folder::{Folder, SpecialUse, find_sent_folder};
use self::framing::RESPONSE_BYTES_MAX;
pub use self::headers::{PassedOver, is_of_the_moment};
use self::opening::open;
pub use self::position::Position;
use self::reading::{Code, Data, Unreadable};
use self::wire::{Told, Wire};
use crate::failure::Failure;
use crate::sign_in::SignIn;
use crate::tls::Dialer;

/// Time for every other command. Ours: a slice of headers from a cold store takes seconds; RFC 9051
/// §5.4 lets a server wait 30 minutes, and no person or lease of ours can.
const COMMAND_WITHIN: Duration = Duration::from_mins(2);

/// Time for the farewell, which nothing depends on.
const LOGOUT_WITHIN: Duration = Duration::from_secs(5);

/// What the list of all folders may hold: tens of thousands of them.
const FOLDERS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The largest part of a message that is read. Above what providers take over SMTP (Gmail 25 MB).
const MESSAGE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// A signed-in connection.
pub struct Session {
    wire: Wire<TlsStream<TcpStream>>,
    capabilities: Capabilities,
    /// Goes over every refusal: what the server was shown once it may repeat at any time.
    hush: Hush,
    /// Messages in the folder examined last, as far as the server told.
    n_messages: u32,
    /// Whether the server told the UIDNEXT of the folder examined last.
    is_uid_next_told: bool,
    /// Messages that the server could not give, not taken yet.
    passed_over: Vec<PassedOver>,
    /// Whether it refused IDLE, which it offers.
    refuses_idle: bool,
}

/// Where `APPEND` put a message (RFC 4315 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The folder's UIDVALIDITY.
    pub uid_validity: u32,
    /// The message's unique id.
    pub uid: u32,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("is_usable", &self.is_usable())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Connects and signs in. The credentials are proved when this succeeds.
    pub async fn open(
        dialer: &Dialer,
        server: &MailServer,
        sign_in: &SignIn,
    ) -> Result<Self, Failure> {
        let hush = sign_in.hush();
        let opened = Box::pin(open(dialer, server, sign_in)).await;
        let (wire, capabilities) = opened.map_err(|failure| failure.hushed(&hush))?;
        Ok(Self {
            wire,
            capabilities,
            hush,
            n_messages: 0,
            is_uid_next_told: false,
            passed_over: Vec::new(),
            refuses_idle: false,
        })
    }

    /// Whether the server would tell by itself what comes (RFC 2177).
    pub fn offers_idle(&self) -> bool {
        !self.refuses_idle && (self.capabilities.has("IDLE") || self.capabilities.has("IMAP4REV2"))
    }

    /// Whether it does so now.
    pub fn is_idling(&self) -> bool {
        self.wire.is_idling()
    }

    /// Has the server tell by itself what comes to the folder examined last; whether it does. Any other command ends that
    /// first.
    pub async fn begin_idle(&mut self) -> Result<bool, Failure> {
        let n_messages = &mut self.n_messages;
        let began = self
            .wire
            .begin_idle(COMMAND_WITHIN, |data| {
                count(n_messages, data);
            })
            .await;
        match began {
            Ok(()) => Ok(true),
            // It is read again and again instead.
            Err(_) if self.wire.is_ready() => {
                self.refuses_idle = true;
                Ok(false)
            }
            Err(failure) => Err(failure.hushed(&self.hush)),
        }
    }

    /// Waits until there are more messages in the folder than before, or the server has ended IDLE. Where this is dropped
    /// before, nothing is lost.
    pub async fn wait_for_news(&mut self) -> Result<(), Failure> {
        loop {
            let before = self.n_messages;
            let heard = self.wire.hear().await;
            match heard.map_err(|failure| failure.hushed(&self.hush))? {
                Some(data) => count(&mut self.n_messages, &data),
                None => return Ok(()),
            }
            if self.n_messages > before {
                return Ok(());
            }
        }
    }

    /// Connects and hears what the server offers, and signs nobody in: whether it is there.
    pub async fn reach(dialer: &Dialer, server: &MailServer) -> Result<(), Failure> {
        Box::pin(opening::begin(dialer, server)).await.map(drop)
    }

    /// Whether another command can be sent: not after a failure other than the server's `NO` or
    /// `BAD`, and not after a call that was dropped before it ended.
    pub fn is_usable(&self) -> bool {
        self.wire.is_ready()
    }

    /// Messages in the folder examined last, as far as the server told.
    pub fn n_messages(&self) -> u32 {
        self.n_messages
    }

    /// All folders whose line can be read.
    pub async fn list_folders(&mut self) -> Result<Vec<Folder>, Failure> {
        let mut command = Command::new("LIST").string(b"").string(b"*");
        // RFC 6154 §2: a plain LIST may leave the uses out. Asking takes both extensions.
        let has = |name| self.capabilities.has(name);
        if has("IMAP4REV2") || has("LIST-EXTENDED") && has("SPECIAL-USE") {
            command = command.word("RETURN (SPECIAL-USE)");
        }
        command.answer_bytes_max = FOLDERS_BYTES_MAX;
        let mut folders = Vec::new();
        self.run(command, |data| {
            // A folder that cannot be named cannot be opened either: it hides no other.
            if data.kind == "LIST"
                && let Ok(folder) = Folder::parse(data)
            {
                folders.push(folder);
            }
            Ok(())
        })
        .await?;
        Ok(folders)
    }

    /// The start of a message, `at_most_bytes` long and no more than 32 MiB; `None` where it is
    /// gone.
    pub async fn fetch_message(
        &mut self,
        uid: u32,
        at_most_bytes: u32,
    ) -> Result<Option<Vec<u8>>, Failure> {
        // RFC 9051 §6.4.5.1: a part of no bytes cannot be asked for.
        let n_bytes = at_most_bytes.clamp(1, MESSAGE_BYTES_MAX);
        let mut command = Command::new(&format!("UID FETCH {uid} (UID BODY.PEEK[]<0.{n_bytes}>)"));
        command.response_bytes_max = response_bytes_max(n_bytes);
        command.answer_bytes_max = 2 * command.response_bytes_max;
        let mut message = None;
        self.run(command, |data| {
            if data.kind == "FETCH" {
                let fetched = Fetched::parse(data)?;
                if fetched.uid == Some(uid) {
                    message = fetched.body.or(message.take());
                }
            }
            Ok(())
        })
        .await?;
        Ok(message)
    }

    /// Puts a message into a folder, marked as read; where it stands, if the server tells.
    pub async fn append(
        &mut self,
        folder: &Folder,
        message: &[u8],
    ) -> Result<Option<Appended>, Failure> {
        let command = Command::new("APPEND")
            .string(&folder.wire_name)
            .word("(\\Seen)")
            .literal(message);
        let code = self.run(command, |_| Ok(())).await?;
        let numbers = code
            .and_then(|code| code.numbers("APPENDUID"))
            .unwrap_or_default();
        Ok(match numbers.as_slice() {
            [uid_validity, uid] => Some(Appended {
                uid_validity: *uid_validity,
                uid: *uid,
            }),
            _ => None,
        })
    }

    /// Asks nothing: shows that the connection stands, and lets the server tell what is new.
    pub async fn noop(&mut self) -> Result<(), Failure> {
        self.run(Command::new("NOOP"), |_| Ok(())).await?;
        Ok(())
    }

    /// Says goodbye. Whether the server hears it changes nothing.
    pub async fn logout(mut self) {
        let command = Command::new("LOGOUT");
        if let Err(failure) = self
            .wire
            .run(Stage::Folder, LOGOUT_WITHIN, command, |_| Ok(()))
            .await
        {
            let said = self.hush.said(failure.said);
            tracing::debug!(%said, "the IMAP server did not take its leave");
        }
    }

    /// A command about folders; `read` gets the data responses.
    async fn run(
        &mut self,
        command: Command,
        read: impl FnMut(&Data) -> Result<(), Unreadable>,
    ) -> Result<Option<Code>, Failure> {
        self.run_with_codes(command, read, |_| {}).await
    }

    /// As `run`; `note` gets the codes of untagged `OK`s.
    async fn run_with_codes(
        &mut self,
        command: Command,
        mut read: impl FnMut(&Data) -> Result<(), Unreadable>,
        mut note: impl FnMut(&Code),
    ) -> Result<Option<Code>, Failure> {
        let n_messages = &mut self.n_messages;
        let tell = |told: Told| match told {
            Told::Code(code) => {
                note(&code);
                Ok(())
            }
            Told::Data(data) => {
                count(n_messages, &data);
                read(&data)
            }
        };
        self.wire
            .run(Stage::Folder, COMMAND_WITHIN, command, tell)
            .await
            .map_err(|failure| failure.hushed(&self.hush))
    }
}

/// How many messages the folder has: both may come with any command (RFC 9051 §7.4.1, §7.5.1).
fn count(n_messages: &mut u32, data: &Data) {
    match (data.kind.as_str(), data.number) {
        ("EXISTS", Some(number)) => *n_messages = number,
        ("EXPUNGE", Some(_)) => *n_messages = n_messages.saturating_sub(1),
        _ => {}
    }
}

/// Room for the bytes asked for and for what stands around them.
fn response_bytes_max(n_bytes: u32) -> usize {
    usize::try_from(n_bytes)
        .unwrap_or(usize::MAX)
        .saturating_add(RESPONSE_BYTES_MAX)
}

fn fail(said: Said) -> Failure {
    Failure::new(Party::Imap, Stage::Folder, said)
}
