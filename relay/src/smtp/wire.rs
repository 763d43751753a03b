//! The stream between lettre and the server. lettre writes the commands and stuffs the dots; whether a
//! reply is complete and what it says is read here, because lettre takes a reply that is not UTF-8 for
//! a network error, drops the code of a refusal, and knows no codes such as 571.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use protocol::evidence::{IoFault, Said};
use protocol::reply::SmtpReply;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::reading::{RawReply, ReplyBuffer};
use crate::tls::said_of;

/// Most bytes taken from the socket at once.
const READ_BYTES: usize = 4 * 1024;

/// What came in, kept where the session can look at it while lettre owns the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    replies: VecDeque<SmtpReply>,
    read_fault: Option<Said>,
    write_fault: Option<Said>,
    is_early: bool,
    is_contradictory: bool,
}

impl Heard {
    /// The oldest reply that nobody has taken.
    pub(super) fn take_reply(&self) -> Option<SmtpReply> {
        self.log().replies.pop_front()
    }

    /// Why no reply came, once the stream has failed.
    pub(super) fn fault(&self) -> Option<Said> {
        let log = self.log();
        log.read_fault
            .as_ref()
            .or(log.write_fault.as_ref())
            .cloned()
    }

    /// Writing failed; what the server said before that may still be there to be read.
    pub(super) fn has_only_write_fault(&self) -> bool {
        let log = self.log();
        log.write_fault.is_some() && log.read_fault.is_none()
    }

    /// The server said something that answers no command, and it is not 421.
    pub(super) fn is_early(&self) -> bool {
        self.log().is_early
    }

    /// The last reply said in one line that all was done, and in another that it was not.
    pub(super) fn is_contradictory(&self) -> bool {
        self.log().is_contradictory
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    buffer: ReplyBuffer,
    /// What lettre is given and has not read yet.
    for_lettre: VecDeque<u8>,
    heard: Heard,
}

impl Wire {
    /// A wire over a fresh TLS stream. After STARTTLS a server sends no second greeting (RFC 3207
    /// §4.2), and lettre waits for one: there `greeting` is the 220 that answered STARTTLS.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        heard: Heard,
        greeting: Option<&RawReply>,
    ) -> Self {
        let mut wire = Self {
            stream,
            buffer: ReplyBuffer::default(),
            for_lettre: VecDeque::new(),
            heard,
        };
        if let Some(greeting) = greeting {
            wire.give(greeting);
        }
        wire
    }

    fn give(&mut self, reply: &RawReply) {
        self.for_lettre.extend(reply.render_class());
        let mut log = self.heard.log();
        log.replies.push_back(reply.to_reply());
        log.is_contradictory = reply.is_contradictory();
        log.is_early = !self.buffer.is_empty() && !self.buffer.is_farewell();
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.for_lettre.is_empty() {
                let (ready, _) = this.for_lettre.as_slices();
                let n_given = ready.len().min(into.remaining());
                into.put_slice(ready.get(..n_given).unwrap_or_default());
                this.for_lettre.drain(..n_given);
                return Poll::Ready(Ok(()));
            }
            if this.heard.log().read_fault.is_some() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            let fault = match this.buffer.take_reply() {
                Ok(Some(reply)) => {
                    this.give(&reply);
                    continue;
                }
                Err(not_a_reply) => not_a_reply.into_said(),
                Ok(None) => {
                    let mut bytes = [0; READ_BYTES];
                    let mut received = ReadBuf::new(&mut bytes);
                    match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut received)) {
                        Ok(()) if received.filled().is_empty() => closed(&this.buffer),
                        Ok(()) => {
                            this.buffer.push(received.filled());
                            continue;
                        }
                        Err(error) => said_of(&error),
                    }
                }
            };
            this.heard.log().read_fault = Some(fault);
        }
    }
}

impl Wire {
    fn note_write<T>(&self, written: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &written {
            self.heard.log().write_fault = Some(said_of(error));
        }
        written
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(self.note_write(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(self.note_write(flushed))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().0.peer_addr()
    }
}

/// Reads one reply from a stream that lettre does not own yet.
pub(super) async fn read_reply(
    tcp: &mut TcpStream,
    buffer: &mut ReplyBuffer,
) -> Result<RawReply, Said> {
    loop {
        match buffer.take_reply() {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(not_a_reply) => return Err(not_a_reply.into_said()),
        }
        let mut bytes = [0; READ_BYTES];
        let n_received = tcp
            .read(&mut bytes)
            .await
            .map_err(|error| said_of(&error))?;
        if n_received == 0 {
            return Err(closed(buffer));
        }
        buffer.push(bytes.get(..n_received).unwrap_or_default());
    }
}

fn closed(buffer: &ReplyBuffer) -> Said {
    let detail = if buffer.is_empty() {
        "the server closed the connection"
    } else {
        "the server closed the connection within a reply"
    };
    Said::Io {
        fault: IoFault::Closed,
        detail: detail.to_owned(),
    }
}
