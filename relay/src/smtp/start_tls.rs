//! The part of a conversation before TLS: greeting, EHLO, STARTTLS (RFC 3207). Nothing else is ever
//! said in the clear, and nothing that was received in the clear outlives it.

use std::time::Duration;

use protocol::evidence::{Party, Said, Stage};
use protocol::inbox::MailServer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::conversation::said_of_unexpected;
use super::reading::{Offer, RawReply, ReplyBuffer};
use super::wire::read_reply;
use crate::failure::Failure;
use crate::tls::{Dialer, Ending, said_of};

/// Brings `tcp` to where TLS begins, and returns the reply that says so. `within` holds for each step.
pub(super) async fn start_tls(
    dialer: &Dialer,
    server: &MailServer,
    tcp: &mut TcpStream,
    hello: &str,
    within: Duration,
) -> Result<RawReply, Failure> {
    let mut buffer = ReplyBuffer::default();
    let mut talk = Talk {
        ending: dialer.ending(),
        tcp,
        buffer: &mut buffer,
        within,
    };
    let greeting = Box::pin(talk.step(None, Stage::Greeting));
    dialer.unless_tls(Party::Smtp, server, greeting).await?;
    let hello = format!("EHLO {hello}\r\n");
    let offered = talk.step(Some(&hello), Stage::Greeting).await?;
    if !Offer::parse(&offered.to_reply()).has("STARTTLS") {
        let detail = "the server offers no TLS: STARTTLS is missing from its EHLO".to_owned();
        return Err(Failure::new(Party::Smtp, Stage::Tls, Said::Tls { detail }));
    }
    let ready = talk.step(Some("STARTTLS\r\n"), Stage::Tls).await?;
    if !buffer.is_empty() {
        // RFC 3207 §4.2: what was known before TLS is discarded; what was *sent* before TLS to be read
        // after it is an attack.
        let detail = "the server sent plain text behind its answer to STARTTLS".to_owned();
        return Err(Failure::new(Party::Smtp, Stage::Tls, Said::Tls { detail }));
    }
    Ok(ready)
}

/// What is said in the clear.
struct Talk<'a> {
    ending: &'a Ending,
    tcp: &'a mut TcpStream,
    buffer: &'a mut ReplyBuffer,
    within: Duration,
}

impl Talk<'_> {
    /// Says `command`, if any, and reads a positive reply.
    async fn step(&mut self, command: Option<&str>, stage: Stage) -> Result<RawReply, Failure> {
        let exchange = async {
            if let Some(command) = command {
                self.tcp
                    .write_all(command.as_bytes())
                    .await
                    .map_err(|error| said_of(&error))?;
            }
            read_reply(self.tcp, self.buffer).await
        };
        let answered = match self.ending.within(self.within, exchange).await {
            Ok(answered) => answered,
            Err(cut) => Err(cut.said("the wait for a reply", self.within)),
        };
        let raw = answered.map_err(|said| Failure::new(Party::Smtp, stage, said))?;
        let reply = raw.to_reply();
        if reply.is_positive() {
            Ok(raw)
        } else {
            Err(Failure::new(
                Party::Smtp,
                stage,
                said_of_unexpected(reply, "2yz"),
            ))
        }
    }
}
