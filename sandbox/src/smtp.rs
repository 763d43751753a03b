//! Submission over SMTP (RFC 6409, RFC 5321): one conversation, from greeting to QUIT.
//!
//! ```text
//! connected ─ EHLO ─ (STARTTLS ─ EHLO) ─ AUTH ─┬─ MAIL ─ RCPT… ─ DATA ─ body ─ dot ─┐
//!                                              └──────────── stored, 250 ───────────┘
//! ```
//! What is stored, and for whom, is the provider's business.

mod authenticate;
mod transfer;

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write as _;

use smtp_proto::{Error as ParseError, Request};
use tokio_rustls::TlsAcceptor;

use crate::connection::{Connection, Gone};
use crate::control::{AccountDoes, Gate, Point, Stage};
use crate::locked;
use crate::provider::{SignedIn, take_reply};
use crate::sasl::Credentials;

/// The longest line: RFC 4954 §4 asks for 12288 octets so that tokens fit into AUTH.
const LONGEST_LINE: usize = 12_288;

/// Speaks until one side ends it. `tls` is what STARTTLS will use; `None` when TLS is on already.
pub(crate) async fn converse(connection: Connection, tls: Option<TlsAcceptor>) {
    let mut session = Session {
        connection,
        tls,
        person: None,
        envelope: None,
        shown: None,
    };
    let Err(Gone) = session.run().await;
    session.connection.shut_down().await;
}

struct Session {
    connection: Connection,
    /// Present until TLS is on.
    tls: Option<TlsAcceptor>,
    person: Option<SignedIn>,
    envelope: Option<Envelope>,
    /// The credentials that were shown last.
    shown: Option<Credentials>,
}

#[derive(Debug, Clone)]
struct Envelope {
    from: String,
    recipients: Vec<String>,
}

impl Session {
    async fn run(&mut self) -> Result<Infallible, Gone> {
        self.connection.pass(Point::SmtpConnected, None).await?;
        if let Some(said) = self.connection.meet(Gate::SmtpGreeting, None).await? {
            self.reply_bytes(&said).await?;
            return Err(Gone);
        }
        self.reply("220 sandbox ESMTP ready").await?;
        loop {
            let line = self.connection.read_piece(LONGEST_LINE).await?;
            self.end_if_revoked().await?;
            if !line.ends_with(b"\n") {
                // RFC 5321 §4.5.3.1.9
                self.reply("500 5.5.6 Line too long").await?;
                return Err(Gone);
            }
            match Request::parse(&mut line.iter()) {
                Ok(request) => self.obey(request).await?,
                Err(error) => self.reply(refuse_syntax(&error)).await?,
            }
        }
    }

    async fn obey(&mut self, request: Request<Cow<'_, str>>) -> Result<(), Gone> {
        match request {
            Request::Ehlo { host } => {
                self.envelope = None;
                self.greet(&host).await
            }
            Request::Helo { .. } => {
                self.envelope = None;
                self.reply("250 sandbox").await
            }
            Request::StartTls => self.start_tls().await,
            Request::Auth {
                mechanism,
                initial_response,
            } => self.authenticate(mechanism, &initial_response).await,
            Request::Mail { from } => self.begin_mail(&from.address, from.size).await,
            Request::Rcpt { to } => self.add_recipient(&to.address).await,
            Request::Data => self.transfer().await,
            Request::Rset => {
                self.envelope = None;
                self.reply("250 2.0.0 Ok").await
            }
            Request::Noop { .. } => self.reply("250 2.0.0 Ok").await,
            Request::Quit => {
                self.reply("221 2.0.0 Bye").await?;
                Err(Gone)
            }
            _ => self.reply("502 5.5.1 Command not implemented").await,
        }
    }

    async fn greet(&mut self, host: &str) -> Result<(), Gone> {
        let trouble = locked(&self.connection.provider.faults)
            .troubles
            .take_in_domain(Gate::SmtpHello, host);
        if let Some(trouble) = trouble
            && let Some(said) = self.connection.suffer(trouble).await?
        {
            return self.reply_bytes(&said).await.map(|_| ());
        }
        let profile = self.connection.provider.profile;
        let mut lines = vec![
            format!("sandbox greets {}", host.escape_debug()),
            format!("SIZE {}", profile.max_message_bytes),
            "8BITMIME".to_owned(),
            "PIPELINING".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
        ];
        // RFC 4954 §4: PLAIN and LOGIN are not offered without TLS; here nothing is.
        lines.push(if self.tls.is_some() {
            "STARTTLS".to_owned()
        } else {
            format!("AUTH {}", profile.smtp_mechanisms.join(" "))
        });
        let last = lines.len() - 1;
        let mut text = String::new();
        for (idx, line) in lines.iter().enumerate() {
            let divider = if idx == last { ' ' } else { '-' };
            let _ = write!(text, "250{divider}{line}\r\n");
        }
        self.connection.write(text.as_bytes()).await
    }

    async fn start_tls(&mut self) -> Result<(), Gone> {
        let Some(acceptor) = self.tls.clone() else {
            return self.reply("503 5.5.1 TLS is on already").await;
        };
        self.reply("220 2.0.0 Ready to start TLS").await?;
        self.connection.start_tls(&acceptor).await?;
        // RFC 3207 §4.2: whatever was known before is forgotten.
        self.tls = None;
        self.envelope = None;
        Ok(())
    }

    async fn begin_mail(&mut self, from: &str, size: usize) -> Result<(), Gone> {
        let Some(person) = self.person.as_ref().map(|person| person.address.clone()) else {
            return self.reply("530 5.7.0 Authentication required").await;
        };
        if self.envelope.is_some() {
            return self.reply("503 5.5.1 Nested MAIL command").await;
        }
        self.connection.pass(Point::SmtpMail, Some(&person)).await?;
        self.end_if_revoked().await?;
        let provider = &self.connection.provider;
        if size > provider.profile.max_message_bytes {
            return self.reply("552 5.3.4 Message too big").await;
        }
        if from.to_lowercase() != person {
            return self
                .reply("550 5.7.1 Sender is not the signed-in address")
                .await;
        }
        if provider.accounts.is_over_rate_limit(&person) {
            return self
                .reply("450 4.7.1 Too many messages, try again later")
                .await;
        }
        if self.answer(Stage::Mail, "250 2.1.0 Ok").await? {
            self.envelope = Some(Envelope {
                from: from.to_owned(),
                recipients: Vec::new(),
            });
        }
        Ok(())
    }

    async fn add_recipient(&mut self, to: &str) -> Result<(), Gone> {
        let most = self.connection.provider.profile.max_recipients;
        let Some(n_recipients) = self
            .envelope
            .as_ref()
            .map(|envelope| envelope.recipients.len())
        else {
            return self.reply("503 5.5.1 Need MAIL command").await;
        };
        if n_recipients >= most {
            return self.reply("452 4.5.3 Too many recipients").await;
        }
        let refusal = {
            let faults = locked(&self.connection.provider.faults);
            faults.refused_recipients.get(&to.to_lowercase()).cloned()
        };
        if let Some(refusal) = refusal {
            return self.reply_bytes(&refusal).await.map(|_| ());
        }
        match self.meet_account(Stage::Rcpt, Some(to)) {
            Some(AccountDoes::Say(said)) => return self.reply_bytes(&said).await.map(|_| ()),
            Some(AccountDoes::Lose) => {
                self.connection.lose();
                return Err(Gone);
            }
            None => {}
        }
        if self.answer(Stage::Rcpt, "250 2.1.5 Ok").await?
            && let Some(envelope) = self.envelope.as_mut()
        {
            envelope.recipients.push(to.to_owned());
        }
        Ok(())
    }

    /// What this stage does to a message of whoever is signed in, to these recipients and to `next`.
    fn meet_account(&self, stage: Stage, next: Option<&str>) -> Option<AccountDoes> {
        // The recipient that is being added is judged before it is one.
        if stage == Stage::Rcpt && next.is_none() {
            return None;
        }
        let person = &self.person.as_ref()?.address;
        let mut to = self
            .envelope
            .as_ref()
            .map(|envelope| envelope.recipients.clone())
            .unwrap_or_default();
        to.extend(next.map(str::to_owned));
        locked(&self.connection.provider.faults)
            .accounts
            .meet(stage, person, &to)
    }

    /// A revoked session hears of it at its next command (RFC 5321 §3.8).
    async fn end_if_revoked(&mut self) -> Result<(), Gone> {
        if self.person.as_ref().is_some_and(SignedIn::has_ended) {
            self.reply("421 4.7.0 Your sign-in was revoked, closing")
                .await?;
            return Err(Gone);
        }
        Ok(())
    }

    /// The usual reply, or the scripted one; true where the reply is 2yz or 3yz.
    async fn answer(&mut self, stage: Stage, usual: &str) -> Result<bool, Gone> {
        let gate = match stage {
            Stage::Auth => None,
            Stage::Mail => Some(Gate::SmtpMail),
            Stage::Rcpt => Some(Gate::SmtpRcpt),
            Stage::Data => Some(Gate::SmtpData),
            Stage::AfterData => Some(Gate::SmtpBody),
        };
        let person = self.person.as_ref().map(|person| person.address.clone());
        if let Some(gate) = gate
            && let Some(said) = self.connection.meet(gate, person.as_deref()).await?
        {
            return self.reply_bytes(&said).await;
        }
        match self.meet_account(stage, None) {
            Some(AccountDoes::Say(said)) => return self.reply_bytes(&said).await,
            Some(AccountDoes::Lose) => {
                self.connection.lose();
                return Err(Gone);
            }
            None => {}
        }
        match take_reply(&self.connection.provider, stage) {
            Some(scripted) => self.reply_bytes(&scripted).await,
            None => self.reply_bytes(usual.as_bytes()).await,
        }
    }

    async fn reply(&mut self, line: &str) -> Result<(), Gone> {
        self.reply_bytes(line.as_bytes()).await.map(|_| ())
    }

    async fn reply_bytes(&mut self, reply: &[u8]) -> Result<bool, Gone> {
        let mut line = reply.to_vec();
        let echo = locked(&self.connection.provider.faults).echo;
        if let (Some(shown), Some((code, rest)), true) =
            (&self.shown, reply.split_first_chunk::<3>(), echo)
        {
            // RFC 5321 §4.2.1: every line but the last has a hyphen behind the code.
            let mut lines: Vec<Vec<u8>> = vec![rest.get(1..).unwrap_or_default().to_vec()];
            lines.extend(shown.forms().into_iter().map(String::into_bytes));
            let last = lines.len() - 1;
            line.clear();
            for (idx, text) in lines.iter().enumerate() {
                line.extend_from_slice(if idx == 0 { b"" } else { b"\r\n" });
                line.extend_from_slice(code);
                line.push(if idx == last { b' ' } else { b'-' });
                line.extend_from_slice(text);
            }
        }
        line.extend_from_slice(b"\r\n");
        self.connection.write(&line).await?;
        if reply.starts_with(b"421") {
            return Err(Gone);
        }
        Ok(matches!(reply.first(), Some(b'2' | b'3')))
    }
}

fn refuse_syntax(error: &ParseError) -> &'static str {
    match error {
        ParseError::UnknownCommand => "500 5.5.2 Command not recognised",
        ParseError::InvalidSenderAddress => "501 5.1.7 Bad sender address syntax",
        ParseError::InvalidRecipientAddress => "501 5.1.3 Bad recipient address syntax",
        ParseError::UnsupportedParameter { .. } => "555 5.5.4 Parameter not recognised",
        _ => "501 5.5.4 Syntax error in parameters",
    }
}
