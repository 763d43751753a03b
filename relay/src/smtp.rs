//! Submitting mail (RFC 6409) through lettre's connection, driven step by step, so that the stage of a
//! failure is known from the line of code. How often to try again, what a reply means and what is
//! written down are nobody's business here.

mod auth;
mod conversation;
pub mod reading;
mod start_tls;
mod wire;

use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::commands::{Data, Quit, Rset};
use protocol::evidence::{IoFault, Party, Said, Stage};
use protocol::hush::Hush;
use protocol::inbox::{Address, MailServer, TlsMode};
use protocol::reply::SmtpReply;

use crate::failure::Failure;
use crate::sign_in::SignIn;
use crate::tls::Dialer;
use conversation::{Conversation, Line, said_of_unexpected};
use reading::Offer;
use wire::{Heard, Wire};

/// Time for the greeting and for the reply to EHLO. RFC 5321 §4.5.3.2.1 gives a *sending* client five
/// minutes; nothing has been handed over yet, a person may be waiting for the answer, and a new try
/// costs nothing.
const GREETING_WITHIN: Duration = Duration::from_mins(1);

/// Time for each reply while signing in, for the same reason. RFC 4954 names none.
const AUTH_WITHIN: Duration = Duration::from_mins(1);

/// RFC 5321 §4.5.3.2.2.
const MAIL_WITHIN: Duration = Duration::from_mins(5);

/// RFC 5321 §4.5.3.2.3.
const RCPT_WITHIN: Duration = Duration::from_mins(5);

/// RFC 5321 §4.5.3.2.4.
const DATA_WITHIN: Duration = Duration::from_mins(2);

/// Time for RSET, which no server has a reason to think about.
const RSET_WITHIN: Duration = Duration::from_secs(30);

/// Time for saying goodbye. Nothing depends on it.
const QUIT_WITHIN: Duration = Duration::from_secs(5);

/// 421: the server closes the channel (RFC 5321 §3.8).
const CLOSING: u16 = 421;

/// A signed-in conversation with a submission server.
pub struct Session {
    conversation: Conversation,
    offer: Offer,
    /// Goes over every word of the server: what it was shown once it may repeat at any time.
    hush: Hush,
    is_usable: bool,
}

/// From whom and to whom, as the servers see it (RFC 5321 §2.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The return path.
    pub from: Address,
    /// The one recipient: each delivery is one lead's.
    pub to: Address,
}

/// How the submission of one message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2yz to the final dot: the server has taken the message over. It is not delivered by that.
    Accepted {
        /// The reply.
        reply: SmtpReply,
    },
    /// A real 4yz or 5yz: nothing was taken. The session was reset if it is usable still.
    Refused {
        /// What was refused.
        stage: Stage,
        /// The reply.
        reply: SmtpReply,
    },
    /// The conversation failed before the final dot was handed over: the server cannot have taken the
    /// message (RFC 5321 §4.1.1.4: no processing without the end of the data).
    NotHandedOver(Failure),
    /// This server cannot take this message or this recipient: its own EHLO says so, and nothing was said to
    /// it. The session goes on with the next message.
    Unsendable {
        /// What it would refuse: [`Stage::Mail`] the message, [`Stage::Rcpt`] the recipient.
        stage: Stage,
        /// Why, for people.
        words: String,
    },
    /// The final dot may have been handed over, and its reply was not seen.
    InDoubt(Failure),
}

impl Session {
    /// Connects, says hello as `hello` (a domain or an address literal, RFC 5321 §4.1.1.1) and signs in.
    pub async fn open(
        dialer: &Dialer,
        server: &MailServer,
        hello: &str,
        sign_in: &SignIn,
    ) -> Result<Self, Failure> {
        let hush = sign_in.hush();
        let opened = Box::pin(Self::connect(dialer, server, hello, sign_in)).await;
        let (conversation, offer) = opened.map_err(|failure| failure.hushed(&hush))?;
        Ok(Self {
            conversation,
            offer,
            hush,
            is_usable: true,
        })
    }

    /// Connects and says hello, and signs nobody in: whether the server is there.
    pub async fn reach(dialer: &Dialer, server: &MailServer, hello: &str) -> Result<(), Failure> {
        Box::pin(Self::begin(dialer, server, hello)).await.map(drop)
    }

    async fn connect(
        dialer: &Dialer,
        server: &MailServer,
        hello: &str,
        sign_in: &SignIn,
    ) -> Result<(Conversation, Offer), Failure> {
        let (mut conversation, offer) = Self::begin(dialer, server, hello).await?;
        auth::sign_in(&mut conversation, &offer, sign_in).await?;
        Ok((conversation, offer))
    }

    async fn begin(
        dialer: &Dialer,
        server: &MailServer,
        hello: &str,
    ) -> Result<(Conversation, Offer), Failure> {
        let mut tcp = dialer.tcp(Party::Smtp, server).await?;
        let greeting = match server.tls {
            TlsMode::Implicit => None,
            TlsMode::StartTls => {
                Some(start_tls::start_tls(dialer, server, &mut tcp, hello, GREETING_WITHIN).await?)
            }
        };
        let stream = dialer.tls(Party::Smtp, server, tcp).await?;
        let heard = Heard::default();
        let wire = Wire::new(stream, heard.clone(), greeting.as_ref());
        Conversation::begin(wire, heard, hello, dialer.ending().clone()).await
    }

    /// Submits one message. Line ends of `message` become CRLF (RFC 5321 §2.3.8); nothing else of it
    /// is changed. If the future is dropped half way, the session is no longer usable.
    pub async fn send(&mut self, envelope: &Envelope, message: &[u8]) -> Outcome {
        if !self.is_usable {
            let said = Said::Io {
                fault: IoFault::Closed,
                detail: "the session has ended already".to_owned(),
            };
            return Outcome::NotHandedOver(Failure::new(Party::Smtp, Stage::Mail, said));
        }
        let body = render_body(message);
        let parameters = match self.find_mail_parameters(envelope, &body) {
            Ok(parameters) => parameters,
            Err(outcome) => return outcome,
        };
        self.is_usable = false;
        let outcome = self.submit(envelope, &parameters, &body).await;
        self.is_usable = match &outcome {
            Outcome::Accepted { .. } => true,
            Outcome::Refused { reply, .. } if reply.code == CLOSING => false,
            // Without a reset the refused transaction would go on with the next message.
            Outcome::Refused { .. } => self.reset().await,
            Outcome::NotHandedOver(_) | Outcome::Unsendable { .. } | Outcome::InDoubt(_) => false,
        };
        self.hushed(outcome)
    }

    fn hushed(&self, outcome: Outcome) -> Outcome {
        let hush = &self.hush;
        match outcome {
            Outcome::Accepted { reply } => Outcome::Accepted {
                reply: hush.smtp(reply),
            },
            Outcome::Refused { stage, reply } => Outcome::Refused {
                stage,
                reply: hush.smtp(reply),
            },
            Outcome::NotHandedOver(failure) => Outcome::NotHandedOver(failure.hushed(hush)),
            Outcome::InDoubt(failure) => Outcome::InDoubt(failure.hushed(hush)),
            // These words are ours.
            unsendable @ Outcome::Unsendable { .. } => unsendable,
        }
    }

    /// Another message may be sent through this session.
    pub fn is_usable(&self) -> bool {
        self.is_usable
    }

    /// The largest message that the server takes, in bytes, where it said so (RFC 1870 §3).
    pub fn size_at_most(&self) -> Option<u64> {
        self.offer.size_at_most.and_then(|n| u64::try_from(n).ok())
    }

    /// Ends the session; with words, if the server still listens.
    pub async fn quit(mut self) {
        if self.is_usable {
            // Whatever is answered, the connection ends here.
            let _ = self
                .conversation
                .ask(Quit, Stage::Connect, QUIT_WITHIN)
                .await;
        }
    }

    /// The parameters of MAIL, each with a space in front; `Err` where the server cannot take what is to be
    /// sent.
    fn find_mail_parameters(&self, envelope: &Envelope, body: &[u8]) -> Result<String, Outcome> {
        let unsendable = |stage, words| Err(Outcome::Unsendable { stage, words });
        let mut parameters = String::new();
        if self.offer.has("SIZE") {
            // RFC 1870 §5: counted with the last CRLF and without stuffed dots.
            let n_bytes = body.len() + 2;
            if let Some(at_most) = self.offer.size_at_most.filter(|at_most| n_bytes > *at_most) {
                let words = format!(
                    "the message has {n_bytes} bytes, and the server takes at most {at_most}; it was not sent"
                );
                return unsendable(Stage::Mail, words);
            }
            parameters = format!(" SIZE={n_bytes}");
        }
        let takes_utf8 = self.offer.has("SMTPUTF8");
        if !envelope.from.as_str().is_ascii() {
            if !takes_utf8 {
                // The inbox's own address: no lead is to blame, and none may be set aside for it.
                let detail = format!(
                    "expected an offer of SMTPUTF8, which {} needs, found none",
                    envelope.from
                );
                let said = Said::Garbage { detail };
                let failure = Failure::new(Party::Smtp, Stage::Mail, said);
                return Err(Outcome::NotHandedOver(failure));
            }
            parameters.push_str(SMTPUTF8);
        }
        if !envelope.to.as_str().is_ascii() {
            if !takes_utf8 {
                let words = format!(
                    "the server takes no addresses beyond ASCII (SMTPUTF8), and {} is one",
                    envelope.to
                );
                return unsendable(Stage::Rcpt, words);
            }
            if !parameters.ends_with(SMTPUTF8) {
                parameters.push_str(SMTPUTF8);
            }
        }
        if !body.is_ascii() {
            if !self.offer.has("8BITMIME") {
                let words = "the server takes no messages beyond ASCII (8BITMIME), and this is one";
                return unsendable(Stage::Mail, words.to_owned());
            }
            // RFC 6152 §3.
            parameters.push_str(" BODY=8BITMIME");
        }
        Ok(parameters)
    }

    async fn submit(&mut self, envelope: &Envelope, parameters: &str, body: &[u8]) -> Outcome {
        let mail = Line(format!("MAIL FROM:<{}>{parameters}", envelope.from));
        let rcpt = Line(format!("RCPT TO:<{}>", envelope.to));
        let conversation = &mut self.conversation;
        let steps = [
            (mail, Stage::Mail, MAIL_WITHIN),
            (rcpt, Stage::Rcpt, RCPT_WITHIN),
        ];
        for (command, stage, within) in steps {
            match conversation.ask(command, stage, within).await {
                Ok(reply) if reply.is_positive() => {}
                other => return not_taken(stage, other, "2yz"),
            }
        }
        match conversation.ask(Data, Stage::Data, DATA_WITHIN).await {
            Ok(reply) if reply.code == 354 => conversation.hand_over(body).await,
            other => not_taken(Stage::Data, other, "354"),
        }
    }

    async fn reset(&mut self) -> bool {
        let reply = self
            .conversation
            .ask(Rset, Stage::Connect, RSET_WITHIN)
            .await;
        reply.is_ok_and(|reply| reply.is_positive())
    }
}

/// RFC 6531 §3.4.
const SMTPUTF8: &str = " SMTPUTF8";

/// The outcome of a step before the body that did not go as it should.
fn not_taken(stage: Stage, answer: Result<SmtpReply, Failure>, expected: &str) -> Outcome {
    match answer {
        Err(failure) => Outcome::NotHandedOver(failure),
        Ok(reply) if reply.is_transient() || reply.is_permanent() => {
            Outcome::Refused { stage, reply }
        }
        Ok(reply) => Outcome::NotHandedOver(Failure::new(
            Party::Smtp,
            stage,
            said_of_unexpected(reply, expected),
        )),
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("is_usable", &self.is_usable)
            .finish_non_exhaustive()
    }
}

/// The message as lettre's codec needs it: every line end CRLF (RFC 5321 §2.3.8 forbids the others, and
/// a dot behind one would not be stuffed), and none at the end, because lettre adds `CRLF . CRLF`.
fn render_body(message: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(message.len());
    let mut bytes = message.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                let _ = bytes.next_if_eq(&b'\n');
                body.extend_from_slice(b"\r\n");
            }
            b'\n' => body.extend_from_slice(b"\r\n"),
            other => body.push(other),
        }
    }
    if body.ends_with(b"\r\n") {
        body.truncate(body.len() - 2);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_becomes_crlf_and_the_last_one_goes() {
        for (message, expected) in [
            (&b"a\r\nb\r\n"[..], &b"a\r\nb"[..]),
            (b"a\nb\n", b"a\r\nb"),
            (b"a\rb\r", b"a\r\nb"),
            (b"a\n\r\nb", b"a\r\n\r\nb"),
            (b"a\n.\nb", b"a\r\n.\r\nb"),
            (b"a\r\n\r\n", b"a\r\n"),
            (b"\r\n", b""),
            (b"", b""),
        ] {
            assert_eq!(render_body(message), expected, "{}", message.escape_ascii());
        }
    }
}
