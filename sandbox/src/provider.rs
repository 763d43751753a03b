//! The whole provider behind its servers: who may sign in, and what becomes of a message.
//! The wire formats are the business of `oauth`, `smtp` and `imap`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::account::{Accounts, Admission, Refusal, UnknownPerson};
use crate::chance::Chance;
use crate::clock;
use crate::control::fault::{Faults, SentCopyFault};
use crate::control::point::Points;
use crate::locked;
use crate::mail::{Delivered, MailStore, find_field, replace_field};
use crate::oauth::Clients;
use crate::oauth::browser::Browsers;
use crate::oauth::grant::Grants;
use crate::oauth::id_token::IdTokens;
use crate::profile::{Access, MessageIds, OAuth, PasswordRule, Profile, SentCopy};
use crate::sasl::Credentials;

/// Everything the servers share.
pub(crate) struct Provider {
    pub(crate) profile: &'static Profile,
    /// Where everything over HTTP is, without a slash at its end.
    pub(crate) origin: String,
    /// What the authorization server calls itself; the origin, with the profile's path.
    pub(crate) issuer: String,
    pub(crate) clients: Clients,
    pub(crate) accounts: Accounts,
    pub(crate) grants: Grants,
    pub(crate) id_tokens: IdTokens,
    pub(crate) browsers: Browsers,
    pub(crate) mail: MailStore,
    pub(crate) points: Points,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) chance: Chance,
    pub(crate) sessions: AtomicU64,
}

/// A person signed in over SMTP or IMAP.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) address: String,
    /// How often this person's sessions had been ended when this one began.
    pub(crate) epoch: u64,
    pub(crate) ended: watch::Receiver<u64>,
}

impl SignedIn {
    /// True once a revocation ended this session.
    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow() != self.epoch
    }
}

/// A message whose body is complete.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    /// The signed-in person.
    pub(crate) person: String,
    /// The session's epoch; `None` once the session is gone.
    pub(crate) epoch: Option<u64>,
    pub(crate) session: u64,
    pub(crate) envelope_from: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) raw: Vec<u8>,
}

/// The session was ended before the message was stored; nothing was stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SessionEnded;

impl Provider {
    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn oauth(&self) -> Option<&'static OAuth> {
        self.profile.oauth.as_ref()
    }

    /// Decides on the credentials of SMTP or IMAP.
    pub(crate) fn sign_in(
        &self,
        credentials: &Credentials,
        access: Access,
    ) -> Result<SignedIn, Refusal> {
        match credentials {
            Credentials::Password { username, password } => {
                // The epoch is read first: whatever is revoked from here on ends the session.
                let signed_in = self.session_of(username, Refusal::WrongPassword)?;
                self.accounts.check_mail_password(username, password)?;
                Ok(signed_in)
            }
            Credentials::Token {
                username, token, ..
            } => {
                let person = self.grants.holder(token).ok_or(Refusal::BadToken)?.person;
                let opened = username.as_deref().unwrap_or(&person);
                if !self.accounts.may_open(opened, &person) {
                    return Err(Refusal::SomebodyElse);
                }
                let signed_in = self.session_of(opened, Refusal::BadToken)?;
                let holder = self.grants.holder(token).ok_or(Refusal::BadToken)?;
                if !self
                    .oauth()
                    .is_some_and(|oauth| oauth.allows(&holder.scopes, access))
                {
                    return Err(Refusal::MissingScope);
                }
                if self.accounts.is_locked(&person) {
                    return Err(Refusal::Locked);
                }
                Ok(signed_in)
            }
        }
    }

    /// Makes an app password for a person; an earlier one ends.
    pub(crate) fn make_app_password(&self, address: &str) -> Result<String, UnknownPerson> {
        let app_password = self.chance.app_password();
        self.accounts
            .set_app_password(address, Some(app_password.clone()))?;
        Ok(app_password)
    }

    /// Ends every session of a person, and what programs were given: grants, and the app password where that
    /// is the only way in.
    pub(crate) fn revoke(&self, address: &str) -> Result<(), UnknownPerson> {
        self.accounts.end_sessions(address)?;
        self.take_back(address)
    }

    fn take_back(&self, address: &str) -> Result<(), UnknownPerson> {
        self.grants.revoke_person(&address.to_lowercase());
        if self.profile.passwords == PasswordRule::AppOnly {
            self.accounts.set_app_password(address, None)?;
        }
        Ok(())
    }

    /// Stores, delivers and copies the message, and says the text of the 250 reply.
    pub(crate) fn accept(self: &Arc<Self>, submission: Submission) -> Result<String, SessionEnded> {
        let admission = self.accounts.admit(&submission.person, submission.epoch);
        if admission == Admission::SessionEnded {
            return Err(SessionEnded);
        }
        let queue_id = self.chance.short_id();
        let domain = submission
            .envelope_from
            .rsplit_once('@')
            .map_or("localhost", |(_, domain)| domain);
        let fresh_id = format!("<{queue_id}@{domain}>");
        let (raw, told) = self.finish_ids(submission.raw, &fresh_id);
        let message_id = find_field(&raw, "Message-ID");
        let raw: Arc<[u8]> = raw.into();
        let at_ms = clock::now_ms();
        for recipient in &submission.recipients {
            self.mail.deliver(Delivered {
                recipient: recipient.to_lowercase(),
                envelope_from: submission.envelope_from.clone(),
                message_id: message_id.clone(),
                raw: Arc::clone(&raw),
                at_ms,
                session: submission.session,
            });
        }
        self.copy_to_sent(&submission.person, &raw);
        if admission == Admission::AdmittedAsLast {
            // Whoever sent has an account.
            let _ = self.take_back(&submission.person);
        }
        Ok(if told {
            format!("Ok {fresh_id} queued as {queue_id}")
        } else {
            format!("Ok: queued as {queue_id}")
        })
    }

    /// The connection was lost after the final dot and before the reply: a real server may have
    /// the message or not. The seed decides, and when, within the profile's submission time.
    pub(crate) fn settle_unheard(self: &Arc<Self>, mut submission: Submission) {
        /// Neither outcome is the likelier one.
        const STORED: f64 = 0.5;
        if !self.chance.happens(STORED) {
            return;
        }
        let wait = self.profile.submission_time.mul_f64(self.chance.share());
        submission.epoch = None;
        let provider = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // Without an epoch the session cannot have ended.
            let _ = provider.accept(submission);
        });
    }

    fn session_of(&self, address: &str, otherwise: Refusal) -> Result<SignedIn, Refusal> {
        let ended = self.accounts.ended(address).ok_or(otherwise)?;
        let epoch = *ended.borrow();
        Ok(SignedIn {
            address: address.to_lowercase(),
            epoch,
            ended,
        })
    }

    /// The message as it is stored, and whether the reply names its id.
    fn finish_ids(&self, raw: Vec<u8>, fresh_id: &str) -> (Vec<u8>, bool) {
        let written = find_field(&raw, "Message-ID");
        let fresh = format!("Message-ID: {fresh_id}\r\n");
        let replace = |original_in: &str, written: Option<String>| {
            let original = written.map(|id| format!("{original_in}: {id}\r\n"));
            let in_front = fresh.clone() + &original.unwrap_or_default();
            replace_field(&raw, "Message-ID", &in_front)
        };
        match (self.profile.message_ids, written) {
            (MessageIds::Kept, Some(_)) => (raw, false),
            (MessageIds::ReplacedIfMalformed { .. }, Some(id)) if is_well_formed(&id) => {
                (raw, false)
            }
            // RFC 6409 §8.3: a missing id is added.
            (MessageIds::Kept, None) => (replace_field(&raw, "Message-ID", &fresh), false),
            (MessageIds::ReplacedIfMalformed { original_in }, written) => {
                (replace(original_in, written), false)
            }
            (MessageIds::Replaced { original_in, told }, written) => {
                let told = told && !locked(&self.faults).hides_ids;
                (replace(original_in, written), told)
            }
        }
    }

    fn copy_to_sent(self: &Arc<Self>, person: &str, raw: &Arc<[u8]>) {
        let SentCopy::ByServer { late_by } = self.profile.sent_copy else {
            return;
        };
        let Some(folder) = self.mail.find_special(person, "Sent") else {
            return;
        };
        let (n_copies, late_by) = match locked(&self.faults).sent_copy {
            None => (1, late_by),
            Some(SentCopyFault::Never) => (0, late_by),
            Some(SentCopyFault::Twice) => (2, late_by),
            Some(SentCopyFault::Late { ms }) => (1, Duration::from_millis(ms)),
        };
        for _ in 0..n_copies {
            let (provider, person, folder) = (Arc::clone(self), person.to_owned(), folder.clone());
            let raw = Arc::clone(raw);
            let copy = move || {
                let now = clock::now_ms();
                provider
                    .mail
                    .append(&person, &folder, raw, &["\\Seen"], now)
            };
            if late_by == Duration::ZERO {
                copy();
                continue;
            }
            tokio::spawn(async move {
                tokio::time::sleep(late_by).await;
                copy();
            });
        }
    }
}

/// `<left@right>` without spaces and with one `@`: what servers that replace malformed ids let stand.
fn is_well_formed(id: &str) -> bool {
    id.strip_prefix('<')
        .and_then(|id| id.strip_suffix('>'))
        .and_then(|id| id.split_once('@'))
        .is_some_and(|(left, right)| {
            let plain = |part: &str| {
                !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>@".contains(c))
            };
            plain(left) && plain(right)
        })
}

/// Takes the scripted reply of that stage, if one waits.
pub(crate) fn take_reply(provider: &Provider, stage: crate::control::Stage) -> Option<Vec<u8>> {
    locked(&provider.faults).take_reply(stage)
}
