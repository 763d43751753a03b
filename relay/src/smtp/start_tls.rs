//! The part of a conversation before TLS: greeting, EHLO, STARTTLS (RFC 3207). Nothing else is ever
//! said in the clear, and nothing that was received in the clear outlives it.

use std::time::Duration;

use protocol::evidence::{Party, Said, Stage};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::conversation::said_of_unexpected;
use super::reading::{Offer, RawReply, ReplyBuffer};
use super::wire::read_reply;
use crate::failure::Failure;
use crate::tls::{said_of, timed_out};

/// Brings `tcp` to where TLS begins, and returns the reply that says so. `within` holds for each step.
pub(super) async fn start_tls(
    tcp: &mut TcpStream,
    hello: &str,
    within: Duration,
) -> Result<RawReply, Failure> {
    let mut buffer = ReplyBuffer::default();
    step(tcp, &mut buffer, None, Stage::Greeting, within).await?;
    let hello = format!("EHLO {hello}\r\n");
    let offered = step(tcp, &mut buffer, Some(&hello), Stage::Greeting, within).await?;
    if !Offer::parse(&offered.to_reply()).has("STARTTLS") {
        let detail = "the server offers no TLS: STARTTLS is missing from its EHLO".to_owned();
        return Err(Failure::new(Party::Smtp, Stage::Tls, Said::Tls { detail }));
    }
    let ready = step(tcp, &mut buffer, Some("STARTTLS\r\n"), Stage::Tls, within).await?;
    if !buffer.is_empty() {
        // RFC 3207 §4.2: what was known before TLS is discarded; what was *sent* before TLS to be read
        // after it is an attack.
        let detail = "the server sent plain text behind its answer to STARTTLS".to_owned();
        return Err(Failure::new(Party::Smtp, Stage::Tls, Said::Tls { detail }));
    }
    Ok(ready)
}

/// Says `command`, if any, and reads a positive reply.
async fn step(
    tcp: &mut TcpStream,
    buffer: &mut ReplyBuffer,
    command: Option<&str>,
    stage: Stage,
    within: Duration,
) -> Result<RawReply, Failure> {
    let exchange = async {
        if let Some(command) = command {
            tcp.write_all(command.as_bytes())
                .await
                .map_err(|error| said_of(&error))?;
        }
        read_reply(tcp, buffer).await
    };
    let answered = match timeout(within, exchange).await {
        Ok(answered) => answered,
        Err(_) => Err(timed_out("the wait for a reply", within)),
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
