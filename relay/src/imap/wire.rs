//! One IMAP connection: sends a command, reads up to its end, keeps time. Which commands there are
//! and what their answers mean to the relay is in `imap` and `authentication`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::evidence::{IoFault, Party, Said, Stage};
use protocol::reply::{ImapReply, ImapStatus};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::command::Command;
use super::framing::{Framer, Piece, RESPONSE_BYTES_MAX};
use super::reading::{
    Code, Data, Response, Status, StatusKind, Unreadable, legible, parse_response,
};
use crate::failure::Failure;
use crate::greeting::Service;
use crate::tls::{Ending, said_of, timed_out};

/// How long the end of a command may take after the server said `BYE`: it closes at once (RFC 9051
/// §7.1.5), and a refusal that still comes tells more than the `BYE` does.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);

/// How long the end of IDLE may take: nothing is left to be done for it.
const IDLE_ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Bytes asked of the socket at a time: one TLS record (RFC 8446 §5.1).
const READ_BYTES: usize = 16 * 1024;

/// Refusals beside the tagged one that are kept; the first say why, and a server may send them without end.
const ASIDES_MAX: usize = 8;

/// Lines in a row that are no response and are passed over. Servers put one behind each message; one that says nothing
/// else has left the protocol.
const STRAYS_IN_A_ROW_MAX: usize = 100;

/// A connection over any stream, so that STARTTLS can put TLS under it.
pub(super) struct Wire<S> {
    stream: S,
    framer: Framer,
    /// Commands sent so far; their tags.
    n_commands: u32,
    /// What may still come before the end of the greeting or of the command under way, and what was allowed.
    bytes_left: usize,
    bytes_max: usize,
    /// Whether the next command may be sent: not while one is unfinished, whatever the reason.
    is_ready: bool,
    /// The tag of an IDLE (RFC 2177) that the server has taken, and that the next command ends.
    idle: Option<String>,
    ending: Ending,
}

/// What the server tells besides the end of a command.
pub(super) enum Told {
    /// The code of an untagged `OK`.
    Code(Code),
    /// A data response.
    Data(Data),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Over a fresh stream.
    pub(super) fn new(stream: S, ending: Ending) -> Self {
        Self {
            stream,
            framer: Framer::default(),
            n_commands: 0,
            bytes_left: RESPONSE_BYTES_MAX,
            bytes_max: RESPONSE_BYTES_MAX,
            is_ready: true,
            idle: None,
            ending,
        }
    }

    /// Whether another command can be sent.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready || self.is_idling()
    }

    /// Whether the server is to tell by itself what comes.
    pub(super) fn is_idling(&self) -> bool {
        self.idle.is_some()
    }

    /// Sends IDLE and reads up to where the server waits with us (RFC 2177 §3); `tell` gets what comes before. A refusal is
    /// a [`Failure`] and leaves the connection ready.
    pub(super) async fn begin_idle(
        &mut self,
        within: Duration,
        mut tell: impl FnMut(&Data),
    ) -> Result<(), Failure> {
        let fail = |said| Failure::new(Party::Imap, Stage::Folder, said);
        self.end_idle(within).await?;
        if !self.is_ready {
            return Err(fail(closed("the connection ended with an earlier command")));
        }
        self.is_ready = false;
        self.allow(RESPONSE_BYTES_MAX);
        self.n_commands += 1;
        let tag = format!("U{}", self.n_commands);
        let ending = self.ending.clone();
        let beginning = async {
            self.send(format!("{tag} IDLE\r\n").as_bytes()).await?;
            self.flush().await?;
            loop {
                match self.receive(None, STRAYS_IN_A_ROW_MAX).await? {
                    Response::Continue(_) => return Ok(Ok(())),
                    Response::Tagged(told, status) if told == tag => {
                        return match refusal(status) {
                            Ok(_) => Err(garbage("the server ended IDLE before it began")),
                            Err(reply) => Ok(Err(reply)),
                        };
                    }
                    Response::Tagged(..) => return Err(garbage("the end of another command")),
                    Response::Untagged(status) => {
                        if let Err(reply) = refusal(status)
                            && reply.status == ImapStatus::Bye
                        {
                            return Err(Said::Imap(reply));
                        }
                    }
                    Response::Data(data) => tell(&data),
                }
            }
        };
        match ending.within(within, beginning).await {
            Ok(Ok(Ok(()))) => {
                self.idle = Some(tag);
                Ok(())
            }
            Ok(Ok(Err(reply))) => {
                self.is_ready = true;
                Err(fail(Said::Imap(reply)))
            }
            Ok(Err(said)) => Err(fail(said)),
            Err(cut) => Err(fail(cut.said("the command", within))),
        }
    }

    /// What the server tells next by itself while it is idle; `None` where it has ended that. Whoever drops this loses
    /// nothing of it.
    pub(super) async fn hear(&mut self) -> Result<Option<Data>, Failure> {
        let fail = |said| Failure::new(Party::Imap, Stage::Folder, said);
        loop {
            self.allow(RESPONSE_BYTES_MAX);
            let heard = match self.receive(None, STRAYS_IN_A_ROW_MAX).await {
                Ok(heard) => heard,
                Err(said) => {
                    self.idle = None;
                    return Err(fail(said));
                }
            };
            match heard {
                Response::Data(data) => return Ok(Some(data)),
                // Servers say now and then that they are still there.
                Response::Continue(_) => {}
                Response::Untagged(status) => {
                    if let Err(reply) = refusal(status)
                        && reply.status == ImapStatus::Bye
                    {
                        self.idle = None;
                        return Err(fail(Said::Imap(reply)));
                    }
                }
                Response::Tagged(..) => {
                    self.idle = None;
                    self.is_ready = true;
                    return Ok(None);
                }
            }
        }
    }

    /// Ends IDLE, where it goes on. What the server tells meanwhile is not heard: whoever listens anew looks first.
    async fn end_idle(&mut self, within: Duration) -> Result<(), Failure> {
        let Some(tag) = self.idle.take() else {
            return Ok(());
        };
        let fail = |said| Failure::new(Party::Imap, Stage::Folder, said);
        self.allow(RESPONSE_BYTES_MAX);
        let ending = self.ending.clone();
        let leaving = async {
            self.send(b"DONE\r\n").await?;
            self.flush().await?;
            loop {
                match self.receive(None, STRAYS_IN_A_ROW_MAX).await? {
                    Response::Tagged(told, _) if told == tag => return Ok(()),
                    Response::Untagged(status) => {
                        if let Err(reply) = refusal(status)
                            && reply.status == ImapStatus::Bye
                        {
                            return Err(Said::Imap(reply));
                        }
                    }
                    _ => {}
                }
            }
        };
        match ending.within(within.min(IDLE_ENDS_WITHIN), leaving).await {
            Ok(Ok(())) => {
                self.is_ready = true;
                Ok(())
            }
            Ok(Err(said)) => Err(fail(said)),
            Err(cut) => Err(fail(cut.said("the end of IDLE", IDLE_ENDS_WITHIN))),
        }
    }

    /// What may come until that is said anew.
    fn allow(&mut self, n_bytes: usize) {
        self.framer.bytes_max = n_bytes;
        self.bytes_max = n_bytes;
        self.bytes_left = n_bytes;
    }

    /// The stream; `None` where something is left that was read from it.
    pub(super) fn into_stream(self) -> Option<S> {
        self.framer.is_empty().then_some(self.stream)
    }

    /// Reads the greeting (RFC 9051 §7.1).
    pub(super) async fn greet(&mut self, within: Duration) -> Result<Status, Failure> {
        self.is_ready = false;
        let fail = |said| Failure::new(Party::Imap, Stage::Greeting, said);
        let ending = self.ending.clone();
        let greeting = match ending.within(within, self.receive_greeting()).await {
            Ok(Ok(Response::Untagged(greeting))) => greeting,
            Ok(Ok(other)) => {
                return Err(fail(garbage(&format!(
                    "expected a greeting, got: {other:?}"
                ))));
            }
            Ok(Err(said)) => return Err(fail(said)),
            Err(cut) => return Err(fail(cut.said("the wait for the greeting", within))),
        };
        match refusal(greeting) {
            Ok(greeting) => {
                self.is_ready = true;
                Ok(greeting)
            }
            Err(reply) => Err(fail(Said::Imap(reply))),
        }
    }

    /// The first response; where another service answers, that.
    async fn receive_greeting(&mut self) -> Result<Response, Said> {
        let pieces = self.receive_pieces(None).await?;
        let other = match pieces.first() {
            Some(Piece::Line(line)) => Service::Imap.find_other(line),
            _ => None,
        };
        match other {
            Some(other) => Err(other),
            None => parse_response(pieces).map_err(|Unreadable(detail)| garbage(&detail)),
        }
    }

    /// Sends `command` and reads up to its end; `tell` gets what comes before. Gives the code of the
    /// tagged `OK`. A `NO` or `BAD`, and data that `tell` cannot read, are a [`Failure`] and leave the connection
    /// ready; every other failure ends it.
    pub(super) async fn run(
        &mut self,
        stage: Stage,
        within: Duration,
        command: Command,
        tell: impl FnMut(Told) -> Result<(), Unreadable>,
    ) -> Result<Option<Code>, Failure> {
        let fail = |said| Failure::new(Party::Imap, stage, said);
        self.end_idle(within).await?;
        if !self.is_ready {
            return Err(fail(closed("the connection ended with an earlier command")));
        }
        self.is_ready = false;
        self.framer.bytes_max = command.response_bytes_max;
        self.bytes_max = command.answer_bytes_max;
        self.bytes_left = command.answer_bytes_max;
        // While a sign-in is under way, what is no response is no server of ours either.
        let strays_max = if stage == Stage::Folder {
            STRAYS_IN_A_ROW_MAX
        } else {
            0
        };
        let ending = self.ending.clone();
        let conversing = self.converse(command, strays_max, tell);
        match ending.within(within, conversing).await {
            Ok(Ok(code)) => {
                self.is_ready = true;
                code.map_err(|Unreadable(detail)| fail(garbage(&detail)))
            }
            Ok(Err(
                said @ Said::Io {
                    fault: IoFault::Closed,
                    ..
                },
            )) => {
                // A server that closed while we wrote may have said why before.
                let bye = timeout(LAST_WORDS_WITHIN, self.find_bye())
                    .await
                    .ok()
                    .flatten();
                Err(fail(bye.map_or(said, Said::Imap)))
            }
            Ok(Err(said)) => {
                self.is_ready =
                    matches!(&said, Said::Imap(reply) if reply.status != ImapStatus::Bye);
                Err(fail(said))
            }
            Err(cut) => Err(fail(cut.said("the command", within))),
        }
    }

    /// The code of the tagged `OK`, or what `tell` could not read first.
    async fn converse(
        &mut self,
        command: Command,
        strays_max: usize,
        mut tell: impl FnMut(Told) -> Result<(), Unreadable>,
    ) -> Result<Result<Option<Code>, Unreadable>, Said> {
        let mut unread = None;
        self.n_commands += 1;
        let tag = format!("U{}", self.n_commands);
        let mut turns = command.turns.into_iter();
        let mut takes_challenge = command.takes_challenge;
        // What is said beside the tagged refusal and belongs to it.
        let mut asides = Vec::new();
        let mut bye = None;
        self.send(format!("{tag} ").as_bytes()).await?;
        if let Some(first) = turns.next() {
            self.send(&first).await?;
        }
        self.flush().await?;
        loop {
            let within = bye.as_ref().map(|_| LAST_WORDS_WITHIN);
            let response = match self.receive(within, strays_max).await {
                Ok(response) => response,
                Err(said) => return Err(bye.map_or(said, Said::Imap)),
            };
            match response {
                Response::Continue(text) => {
                    if let Some(turn) = turns.next() {
                        self.send(&turn).await?;
                    } else if takes_challenge {
                        takes_challenge = false;
                        asides.push(decode_challenge(&text));
                        self.send(b"\r\n").await?;
                    } else {
                        return Err(garbage(&format!(
                            "nothing is left to continue, got: + {text}"
                        )));
                    }
                    self.flush().await?;
                }
                Response::Tagged(told_tag, _) if told_tag != tag => {
                    let detail =
                        format!("expected the end of command {tag}, got that of {told_tag}");
                    return Err(garbage(&detail));
                }
                Response::Tagged(_, status) => match refusal(status) {
                    Ok(_) if turns.len() > 0 => {
                        return Err(garbage(
                            "the server said OK before it had the whole command",
                        ));
                    }
                    Ok(status) => return Ok(unread.map_or(Ok(status.code), Err)),
                    Err(mut reply) => {
                        asides.insert(0, std::mem::take(&mut reply.text));
                        asides.retain(|text| !text.is_empty());
                        reply.text = asides.join("\n");
                        return Err(Said::Imap(reply));
                    }
                },
                Response::Untagged(status) => match refusal(status) {
                    Ok(Status {
                        code: Some(code), ..
                    }) => unread = unread.or(tell(Told::Code(code)).err()),
                    Ok(_) => {}
                    Err(reply) if reply.status == ImapStatus::Bye => bye = Some(reply),
                    Err(_) if asides.len() >= ASIDES_MAX => {}
                    Err(reply) => asides.push(match reply.code {
                        Some(code) => format!("[{code}] {}", reply.text),
                        None => reply.text,
                    }),
                },
                Response::Data(data) => unread = unread.or(tell(Told::Data(data)).err()),
            }
        }
    }

    /// The `BYE` among what was received and not read yet.
    async fn find_bye(&mut self) -> Option<ImapReply> {
        loop {
            if let Response::Untagged(status) =
                self.receive(None, STRAYS_IN_A_ROW_MAX).await.ok()?
                && let Err(reply) = refusal(status)
                && reply.status == ImapStatus::Bye
            {
                return Some(reply);
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Said> {
        self.stream
            .write_all(bytes)
            .await
            .map_err(|error| said_of(&error))
    }

    async fn flush(&mut self) -> Result<(), Said> {
        self.stream.flush().await.map_err(|error| said_of(&error))
    }

    /// The next response; `within` bounds the wait for each part of it. So many lines before it are passed over that
    /// are none, and always some empty ones.
    async fn receive(
        &mut self,
        within: Option<Duration>,
        strays_max: usize,
    ) -> Result<Response, Said> {
        let mut n_strays = 0;
        loop {
            let pieces = self.receive_pieces(within).await?;
            let is_empty = matches!(pieces.as_slice(), [Piece::Line(line)] if line.is_empty());
            let at_most = if is_empty {
                STRAYS_IN_A_ROW_MAX
            } else {
                strays_max
            };
            match parse_response(pieces) {
                Ok(Response::Tagged(tag, _)) if n_strays < at_most && !is_tag(&tag) => {}
                Ok(response) => return Ok(response),
                Err(Unreadable(detail)) if n_strays >= at_most => return Err(garbage(&detail)),
                Err(_) => {}
            }
            n_strays += 1;
        }
    }

    async fn receive_pieces(&mut self, within: Option<Duration>) -> Result<Vec<Piece>, Said> {
        loop {
            match self.framer.take_response() {
                Ok(Some(pieces)) => return Ok(pieces),
                Ok(None) => {}
                Err(too_large) => {
                    let bytes_max = too_large.bytes_max;
                    return Err(garbage(&format!(
                        "a response of more than {bytes_max} bytes"
                    )));
                }
            }
            if self.bytes_left == 0 {
                return Err(garbage(&format!(
                    "answers of more than {} bytes before their end",
                    self.bytes_max
                )));
            }
            self.framer.room().reserve(READ_BYTES);
            let read = self.stream.read_buf(self.framer.room());
            let n_bytes = match within {
                None => read.await,
                Some(within) => match timeout(within, read).await {
                    Ok(read) => read,
                    Err(_) => return Err(timed_out("the command", within)),
                },
            }
            .map_err(|error| said_of(&error))?;
            self.bytes_left = self.bytes_left.saturating_sub(n_bytes);
            if n_bytes == 0 {
                let where_it_was = if self.framer.is_empty() {
                    ""
                } else {
                    " in the middle of a response"
                };
                let detail = format!("the server closed the connection{where_it_was}");
                return Err(Said::Io {
                    fault: IoFault::Closed,
                    detail,
                });
            }
        }
    }
}

fn closed(detail: &str) -> Said {
    Said::Io {
        fault: IoFault::Closed,
        detail: detail.to_owned(),
    }
}

/// A status that refuses, as a reply; `Err` is the refusal.
fn refusal(status: Status) -> Result<Status, ImapReply> {
    let refused = match status.kind {
        StatusKind::Ok | StatusKind::PreAuth => return Ok(status),
        StatusKind::No => ImapStatus::No,
        StatusKind::Bad => ImapStatus::Bad,
        StatusKind::Bye => ImapStatus::Bye,
    };
    let (code, text) = match status.code {
        // Arguments of a code are words of the server too, as in `[WEBALERT https://…]`.
        Some(Code { name, arguments }) if !arguments.is_empty() => (
            Some(name),
            format!("{} {}", legible(arguments.as_bytes()), status.text),
        ),
        Some(Code { name, .. }) => (Some(name), status.text),
        None => (None, status.text),
    };
    Err(ImapReply {
        status: refused,
        code,
        text: text.trim().to_owned(),
    })
}

/// The error that XOAUTH2 puts into a challenge: JSON in base64, or whatever stands there.
fn decode_challenge(text: &str) -> String {
    STANDARD
        .decode(text)
        .map_or_else(|_| text.to_owned(), |json| legible(&json))
}

/// Whether a tag has the form of ours.
fn is_tag(tag: &str) -> bool {
    tag.strip_prefix('U').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// What was expected and what came, as evidence.
pub(super) fn garbage(detail: &str) -> Said {
    Said::Garbage {
        detail: detail.to_owned(),
    }
}
