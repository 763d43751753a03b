//! Questions to a submission server and its answers, through lettre, and the one answer that counts:
//! that to the final dot. Which commands are said in which order is [`super`]'s.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use protocol::evidence::{IoFault, Party, Said, Stage};
use protocol::reply::SmtpReply;
use tokio::time::timeout;

use super::reading::Offer;
use super::wire::{Heard, Wire};
use super::{GREETING_WITHIN, Outcome};
use crate::failure::Failure;
use crate::tls::{Ending, timed_out};

/// For each block of the body (RFC 5321 §4.5.3.2.5).
const BLOCK_WITHIN: Duration = Duration::from_mins(3);

/// From the final dot to its reply (RFC 5321 §4.5.3.2.6).
const DOT_WITHIN: Duration = Duration::from_mins(10);

/// How long words are waited for that the server said before it stopped listening. They have been sent
/// already, if there are any.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// A block of the body: what one write hands to TLS.
const BLOCK_BYTES: usize = 64 * 1024;

/// Questions and answers, whatever they are about. lettre's own verdict on an answer is not used: it
/// tells only that an answer is complete, and [`Heard`] has it in full.
pub(super) struct Conversation {
    connection: AsyncSmtpConnection,
    heard: Heard,
    ending: Ending,
}

impl Conversation {
    /// Greeting and EHLO.
    pub(super) async fn begin(
        wire: Wire,
        heard: Heard,
        hello: &str,
        ending: Ending,
    ) -> Result<(Self, Offer), Failure> {
        let fail = |said| Err(Failure::new(Party::Smtp, Stage::Greeting, said));
        let hello = ClientId::Domain(hello.to_owned());
        // lettre reads both replies in one call.
        let within = 2 * GREETING_WITHIN;
        let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello);
        let connected = ending.within(within, connecting).await;
        let mut last = None;
        for _ in ["greeting", "hello"] {
            match heard.take_reply() {
                Some(reply) if reply.is_positive() => last = Some(reply),
                Some(reply) => return fail(said_of_unexpected(reply, "2yz")),
                None => last = None,
            }
        }
        match (connected, last) {
            (Ok(Ok(connection)), Some(hello)) => {
                let conversation = Self {
                    connection,
                    heard,
                    ending,
                };
                Ok((conversation, Offer::parse(&hello)))
            }
            (Err(cut), _) => fail(cut.said("the wait for greeting and hello", within)),
            (Ok(Err(error)), _) => fail(said_of_silence(&heard, &error)),
            (Ok(Ok(_)), None) => fail(Said::Garbage {
                detail: "expected a reply to EHLO, found none".to_owned(),
            }),
        }
    }

    /// Says `command` and waits for its reply, whatever that is.
    pub(super) async fn ask<C: fmt::Display>(
        &mut self,
        command: C,
        stage: Stage,
        within: Duration,
    ) -> Result<SmtpReply, Failure> {
        let fail = |said| Err(Failure::new(Party::Smtp, stage, said));
        if let Some(fault) = self.heard.fault() {
            return fail(fault);
        }
        if self.heard.is_early() {
            return fail(early());
        }
        let asking = self.connection.command(command);
        let asked = self.ending.within(within, asking).await;
        if let Some(reply) = self.hear().await {
            return Ok(reply);
        }
        match asked {
            Err(cut) => fail(cut.said("the wait for a reply", within)),
            Ok(Err(error)) => fail(said_of_silence(&self.heard, &error)),
            Ok(Ok(_)) => fail(Said::Garbage {
                detail: "expected a reply, found none".to_owned(),
            }),
        }
    }

    /// The reply that came; where writing failed, the words that the server said before it stopped
    /// listening (as in 421 before it closes an idle connection).
    async fn hear(&mut self) -> Option<SmtpReply> {
        if let Some(reply) = self.heard.take_reply() {
            return Some(reply);
        }
        if self.heard.has_only_write_fault() {
            let _ = timeout(LAST_WORDS_WITHIN, self.connection.read_response()).await;
        }
        self.heard.take_reply()
    }

    /// Body and final dot. From the moment at which lettre has no block left, and so writes the dot
    /// next, the dot may have been handed over: what TLS buffers counts as gone.
    pub(super) async fn hand_over(&mut self, body: &[u8]) -> Outcome {
        let fail = |said| Failure::new(Party::Smtp, Stage::Body, said);
        if self.heard.is_early() {
            return Outcome::NotHandedOver(fail(early()));
        }
        let dot_is_due = AtomicBool::new(false);
        let mut blocks = body.chunks(BLOCK_BYTES);
        let n_blocks = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        let blocks = std::iter::from_fn(|| {
            let block = blocks.next();
            if block.is_none() {
                dot_is_due.store(true, Ordering::Relaxed);
            }
            block
        });
        let within = BLOCK_WITHIN
            .saturating_mul(n_blocks)
            .saturating_add(DOT_WITHIN);
        let submitted = timeout(within, self.connection.message_iter(blocks)).await;
        let dot_is_due = dot_is_due.into_inner();
        let reply = if dot_is_due {
            self.heard.take_reply()
        } else {
            self.hear().await
        };
        match reply {
            Some(reply) if self.heard.is_contradictory() => {
                let found: String = reply.to_string().chars().take(200).collect();
                Outcome::InDoubt(fail(Said::Garbage {
                    detail: format!(
                        "expected one verdict in all lines of a reply, found \"{}\" behind another",
                        found.escape_debug()
                    ),
                }))
            }
            Some(reply) if reply.is_positive() && dot_is_due => Outcome::Accepted { reply },
            Some(reply) if reply.is_transient() || reply.is_permanent() => Outcome::Refused {
                stage: Stage::Body,
                reply,
            },
            Some(reply) => {
                let expected = if dot_is_due {
                    "2yz"
                } else {
                    "silence until the final dot"
                };
                Outcome::InDoubt(fail(said_of_unexpected(reply, expected)))
            }
            None => {
                let said = match submitted {
                    Err(_) => timed_out("the wait for the reply to the message", within),
                    Ok(Err(error)) => said_of_silence(&self.heard, &error),
                    Ok(Ok(_)) => Said::Garbage {
                        detail: "expected a reply, found none".to_owned(),
                    },
                };
                if dot_is_due {
                    Outcome::InDoubt(fail(said))
                } else {
                    Outcome::NotHandedOver(fail(said))
                }
            }
        }
    }
}

/// A command without its line end.
pub(super) struct Line(pub(super) String);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n", self.0)
    }
}

/// Why lettre gave up without a reply.
fn said_of_silence(heard: &Heard, error: &lettre::transport::smtp::Error) -> Said {
    heard.fault().unwrap_or_else(|| Said::Io {
        fault: IoFault::Other,
        detail: error.to_string(),
    })
}

/// A refusal stays a reply; a positive reply in the wrong place is garbage, because read as a verdict
/// it would be the wrong one.
pub(super) fn said_of_unexpected(reply: SmtpReply, expected: &str) -> Said {
    if reply.is_transient() || reply.is_permanent() {
        return Said::Smtp(reply);
    }
    let found: String = reply.to_string().chars().take(200).collect();
    Said::Garbage {
        detail: format!("expected {expected}, found \"{}\"", found.escape_debug()),
    }
}

fn early() -> Said {
    Said::Garbage {
        detail: "expected silence until the next command, found more".to_owned(),
    }
}
