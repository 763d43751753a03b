//! One connection of SMTP or IMAP: lines in, bytes out, and noticing that the peer is gone.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use crate::control::{Gate, Point, Trouble};
use crate::locked;
use crate::provider::Provider;

/// What `answer_garbage` sends in place of every answer: no protocol's line, and not UTF-8.
const GARBAGE: &[u8] = b"\x00\xff\xfe garbage \x80\r\n";

/// How much is kept of what a peer sends while it is held.
const HELD_BYTES: usize = 64 * 1024 * 1024;

/// A connection ended: the peer is gone, or we ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// Anything bytes flow through.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection with what was read from it and not yet used.
pub(crate) struct Connection {
    pub(crate) provider: Arc<Provider>,
    pub(crate) session: u64,
    wire: Box<dyn Wire>,
    read: Vec<u8>,
    used: usize,
}

impl Connection {
    pub(crate) fn new(wire: Box<dyn Wire>, provider: Arc<Provider>) -> Self {
        let session = provider.next_session();
        Self {
            provider,
            session,
            wire,
            read: Vec::new(),
            used: 0,
        }
    }

    /// What was read and not used.
    pub(crate) fn buffered(&self) -> &[u8] {
        self.read.get(self.used..).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, n_bytes: usize) {
        self.used = self.used.saturating_add(n_bytes).min(self.read.len());
    }

    /// Reads more. May be cancelled without loss.
    pub(crate) async fn fill(&mut self) -> Result<(), Gone> {
        if self.used > 0 {
            self.read.drain(..self.used);
            self.used = 0;
        }
        match self.wire.read_buf(&mut self.read).await {
            Ok(0) | Err(_) => Err(Gone),
            Ok(_) => Ok(()),
        }
    }

    /// The next bytes up to and with a line feed, or `limit` bytes without one.
    /// May be cancelled without loss.
    pub(crate) async fn read_piece(&mut self, limit: usize) -> Result<Vec<u8>, Gone> {
        loop {
            let buffered = self.buffered();
            let end = buffered
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + 1);
            let end = end.or((buffered.len() >= limit).then_some(limit));
            if let Some(piece) = end.and_then(|end| buffered.get(..end)) {
                let piece = piece.to_vec();
                self.consume(piece.len());
                return Ok(piece);
            }
            self.fill().await?;
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let (slow, garbage) = {
            let faults = locked(&self.provider.faults);
            (faults.slow, faults.garbage)
        };
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        let bytes = if garbage { GARBAGE } else { bytes };
        self.wire.write_all(bytes).await.map_err(|_| Gone)?;
        self.wire.flush().await.map_err(|_| Gone)
    }

    /// Passes a point; ends where the peer vanishes while somebody holds it there.
    pub(crate) async fn pass(&mut self, point: Point, person: Option<&str>) -> Result<(), Gone> {
        let provider = Arc::clone(&self.provider);
        let session = self.session;
        tokio::select! {
            biased;
            () = provider.points.pass(point, person, session) => Ok(()),
            () = self.vanished() => Err(Gone),
        }
    }

    /// Meets the trouble that waits at this gate, if any: what to say in place of the true answer. Ends where
    /// the trouble is an end.
    pub(crate) async fn meet(
        &mut self,
        gate: Gate,
        whom: Option<&str>,
    ) -> Result<Option<Vec<u8>>, Gone> {
        let trouble = locked(&self.provider.faults).troubles.take(gate, whom);
        match trouble {
            Some(trouble) => self.suffer(trouble).await,
            None => Ok(None),
        }
    }

    /// The same for a trouble that was taken.
    pub(crate) async fn suffer(&mut self, trouble: Trouble) -> Result<Option<Vec<u8>>, Gone> {
        match trouble {
            Trouble::Say(said) => Ok(Some(said)),
            Trouble::Answer { body, .. } => Ok(Some(body.as_bytes().to_vec())),
            Trouble::Wait(late) => {
                tokio::time::sleep(late).await;
                Ok(None)
            }
            Trouble::Lose | Trouble::StoreAndLose => {
                self.lose();
                Err(Gone)
            }
            Trouble::Silence => {
                self.vanished().await;
                Err(Gone)
            }
        }
    }

    /// Begins TLS. What was sent before in clear is forgotten, so that nobody on the way can put
    /// commands in front of the encrypted ones (RFC 3207 §6).
    pub(crate) async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> Result<(), Gone> {
        self.read.clear();
        self.used = 0;
        let plain = std::mem::replace(&mut self.wire, Box::new(tokio::io::empty()));
        self.wire = Box::new(acceptor.accept(plain).await.map_err(|_| Gone)?);
        Ok(())
    }

    /// Drops the connection without a goodbye, as a broken network does.
    pub(crate) fn lose(&mut self) {
        self.wire = Box::new(tokio::io::empty());
    }

    /// Says goodbye to TLS; a connection that is only dropped looks lost to the peer.
    pub(crate) async fn shut_down(&mut self) {
        // The peer may be gone already.
        let _ = self.wire.shutdown().await;
    }

    /// Waits until the peer is gone; what it still sends is kept.
    async fn vanished(&mut self) {
        while self.buffered().len() < HELD_BYTES {
            if self.fill().await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}
