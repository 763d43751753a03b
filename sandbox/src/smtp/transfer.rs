//! DATA, the body, and what becomes of it (RFC 5321 §4.1.1.4), with the faults around the dot.

use std::sync::Arc;

use super::Session;
use crate::connection::Gone;
use crate::control::{AccountDoes, DropAfterData, Gate, Point, Stage, Trouble};
use crate::locked;
use crate::provider::{Submission, take_reply};

/// A body that was received whole.
enum Body {
    Complete(Vec<u8>),
    TooBig,
}

impl Session {
    pub(super) async fn transfer(&mut self) -> Result<(), Gone> {
        let Some(person) = self.person.clone() else {
            return self.reply("530 5.7.0 Authentication required").await;
        };
        let Some(envelope) = self.envelope.clone() else {
            return self.reply("503 5.5.1 Need MAIL command").await;
        };
        if envelope.recipients.is_empty() {
            return self.reply("554 5.5.1 No valid recipients").await;
        }
        if !self
            .answer(Stage::Data, "354 End data with <CR><LF>.<CR><LF>")
            .await?
        {
            self.envelope = None;
            return Ok(());
        }
        self.connection
            .pass(Point::SmtpData, Some(&person.address))
            .await?;
        let body = self.read_body().await?;
        // RFC 5321 §4.1.1.4: the transaction is over, however it ends.
        self.envelope = None;
        let raw = match body {
            Body::Complete(raw) => raw,
            Body::TooBig => return self.reply("552 5.3.4 Message too big").await,
        };
        let submission = Submission {
            person: person.address.clone(),
            epoch: Some(person.epoch),
            session: self.connection.session,
            envelope_from: envelope.from,
            recipients: envelope.recipients,
            raw,
        };
        let dot = self
            .connection
            .pass(Point::SmtpDotReceived, Some(&person.address))
            .await;
        if dot.is_err() {
            self.connection.provider.settle_unheard(submission);
            return Err(Gone);
        }
        self.end_if_revoked().await?;
        let trouble = locked(&self.connection.provider.faults)
            .troubles
            .take(Gate::SmtpBody, Some(&person.address));
        match trouble {
            Some(Trouble::StoreAndLose) => {
                // A session that was ended meanwhile stores nothing, as with a reply.
                let _ = self.connection.provider.accept(submission);
                self.connection.lose();
                return Err(Gone);
            }
            Some(trouble) => {
                if let Some(said) = self.connection.suffer(trouble).await? {
                    return self.reply_bytes(&said).await.map(|_| ());
                }
            }
            None => {}
        }
        let does = locked(&self.connection.provider.faults).accounts.meet(
            Stage::AfterData,
            &person.address,
            &submission.recipients,
        );
        match does {
            Some(AccountDoes::Say(said)) => return self.reply_bytes(&said).await.map(|_| ()),
            Some(AccountDoes::Lose) => {
                if self.connection.provider.chance.happens(0.5) {
                    // A session that was ended meanwhile stores nothing, as with a reply.
                    let _ = self.connection.provider.accept(submission);
                }
                self.connection.lose();
                return Err(Gone);
            }
            None => {}
        }
        let scripted = take_reply(&self.connection.provider, Stage::AfterData);
        if let Some(scripted) = scripted.as_deref().filter(|reply| !reply.starts_with(b"2")) {
            return self.reply_bytes(scripted).await.map(|_| ());
        }
        if let Some(stored) = self.lose_connection() {
            if stored {
                // A session that was ended meanwhile stores nothing, as with a reply.
                let _ = self.connection.provider.accept(submission);
            }
            self.connection.lose();
            return Err(Gone);
        }
        locked(&self.connection.provider.faults)
            .accounts
            .note_accepted(&person.address, &submission.recipients);
        let Ok(text) = Arc::clone(&self.connection.provider).accept(submission) else {
            return self.end_if_revoked().await;
        };
        self.connection
            .pass(Point::SmtpStored, Some(&person.address))
            .await?;
        let usual = format!("250 2.0.0 {text}");
        self.reply_bytes(scripted.as_deref().unwrap_or(usual.as_bytes()))
            .await?;
        self.connection
            .pass(Point::SmtpReplied, Some(&person.address))
            .await
    }

    /// Whether this connection is lost now, and if so whether the message was stored first.
    fn lose_connection(&self) -> Option<bool> {
        let provider = &self.connection.provider;
        let DropAfterData {
            chance,
            stored_share,
        } = locked(&provider.faults).drop_after_data?;
        provider
            .chance
            .happens(chance)
            .then(|| provider.chance.happens(stored_share))
    }

    /// Only a dot between two CR LF ends the body, and a dot in front of a line is removed
    /// (RFC 5321 §4.5.2). Bare line feeds are data: reading them as line ends is how messages are
    /// smuggled.
    async fn read_body(&mut self) -> Result<Body, Gone> {
        let most = self.connection.provider.profile.max_message_bytes;
        let mut raw = Vec::new();
        let mut too_big = false;
        let mut at_line_start = true;
        loop {
            let piece = self.connection.read_piece(most).await?;
            if at_line_start && piece == b".\r\n" {
                return Ok(if too_big {
                    Body::TooBig
                } else {
                    Body::Complete(raw)
                });
            }
            let text = match piece.strip_prefix(b".") {
                Some(rest) if at_line_start => rest,
                _ => piece.as_slice(),
            };
            at_line_start = piece.ends_with(b"\r\n");
            too_big = too_big || raw.len() + text.len() > most;
            if !too_big {
                raw.extend_from_slice(text);
            }
        }
    }
}
