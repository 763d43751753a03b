//! Which way to begin TLS the other end seems to have, where it is not the one that is on record. A second connection
//! asks: it says nothing that was meant for the first one.

use std::time::Duration;

use protocol::evidence::{Finding, Party, Said, Stage};
use protocol::inbox::{MailServer, TlsMode};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Dialer;
use crate::failure::Failure;
use crate::greeting::Service;

/// How long a server that is to greet first may be silent before it is asked whether it waits for TLS. Servers that let
/// wait on purpose, and shut out who speaks meanwhile, do so for some seconds (postscreen(8) `postscreen_greet_wait`:
/// 6; Sendmail `greet_pause`: 5).
const SILENT_FOR: Duration = Duration::from_secs(20);

/// Time for the answer to that.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How much of a greeting is read and shown.
const GREETING_BYTES: usize = 80;

impl Dialer {
    /// The greeting of a server that begins in the clear. Where it says nothing for a while, it may wait for TLS.
    pub async fn unless_tls<T>(
        &self,
        party: Party,
        server: &MailServer,
        mut greeting: impl Future<Output = Result<T, Failure>> + Unpin,
    ) -> Result<T, Failure> {
        tokio::select! {
            greeted = &mut greeting => return greeted,
            () = sleep(SILENT_FOR) => {}
        }
        let mut asked = Box::pin(async {
            if self.speaks_tls(party, server).await {
                let words = format!(
                    "{server} says nothing before TLS, and answers TLS from the first byte: it is set to STARTTLS and \
                     wants TLS from the start (write {server} instead of starttls://{server})"
                );
                return Some(other_mode(party, Stage::Greeting, words));
            }
            None
        });
        tokio::select! {
            greeted = &mut greeting => greeted,
            other = &mut asked => match other {
                Some(failure) => Err(failure),
                None => greeting.await,
            },
        }
    }

    /// Why a handshake with a server of TLS from the first byte failed, where the server greets in the clear instead.
    pub(super) async fn find_clear(&self, party: Party, server: &MailServer) -> Option<Failure> {
        if server.tls != TlsMode::Implicit {
            return None;
        }
        let greeting = timeout(ANSWERS_WITHIN, async {
            let mut tcp = self.tcp(party, server).await.ok()?;
            read_greeting(&mut tcp).await
        });
        let greeting = greeting.await.ok()??;
        let found = Service::find(&greeting).filter(|found| *found != Service::Tls)?;
        let expected = match party {
            Party::Imap => Service::Imap,
            _ => Service::Smtp,
        };
        if found != expected {
            let said = expected.find_other(&greeting)?;
            return Some(Failure::new(party, Stage::Tls, said));
        }
        let words = format!(
            "{server} greets before TLS (\"{}\"): it is set to TLS from the start and wants STARTTLS (write \
             starttls://{server} instead of {server})",
            greeting.escape_ascii()
        );
        Some(other_mode(party, Stage::Tls, words))
    }

    /// Whether a server answers to TLS, whatever it thinks of us and we of its certificate.
    async fn speaks_tls(&self, party: Party, server: &MailServer) -> bool {
        let shaken = timeout(ANSWERS_WITHIN, async {
            let tcp = self.tcp(party, server).await.ok()?;
            Some(self.shake_hands(server, tcp).await)
        });
        match shaken.await {
            Ok(Some(Ok(_))) => true,
            Ok(Some(Err(error))) => is_of_tls(&error),
            Ok(None) | Err(_) => false,
        }
    }
}

/// Whether a handshake ended with words of TLS, of one side or the other.
fn is_of_tls(error: &std::io::Error) -> bool {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    tls.is_some_and(|tls| !matches!(tls, rustls::Error::InvalidMessage(_)))
}

/// The first line, or as much of it as comes.
async fn read_greeting(tcp: &mut TcpStream) -> Option<Vec<u8>> {
    let mut greeting = Vec::new();
    while greeting.len() < GREETING_BYTES && !greeting.contains(&b'\n') {
        if tcp.read_buf(&mut greeting).await.ok()? == 0 {
            break;
        }
    }
    let line = greeting
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()?;
    let line = line.get(..GREETING_BYTES).unwrap_or(line);
    (!line.is_empty()).then(|| line.to_vec())
}

fn other_mode(party: Party, stage: Stage, words: String) -> Failure {
    Failure::new(party, stage, Said::Found(Finding::OtherService { words }))
}
