//! What a test may do to the provider, and see of it. In process by [`Control`], and over HTTP.
//!
//! Over HTTP every call is below `/control/`, takes and gives JSON, and answers only to callers on
//! this machine that name a loopback `Host` and send no `Origin`: no web page can drive it.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `POST revoke` | `{address}` | |
//! | `POST revoke-after` | `{address, messages}` | |
//! | `POST change-password` | `{address, password}` | |
//! | `POST demand-app-password` | `{address}` | `{app_password}` |
//! | `POST lock` | `{address, on}` | |
//! | `POST share` | `{address, with}` | |
//! | `POST rate-limit` | `{address, messages}` | |
//! | `POST smtp-auth-off`, `POST garbage`, `POST down` | `{on}` | |
//! | `POST redirects-forgotten`, `POST secrets-over`, `POST other-issuer` | `{on}` | |
//! | `POST refuse-visit` | `{error, description}` | |
//! | `POST slow` | `{ms}` | |
//! | `POST drop-after-data` | `{chance, stored_share}` | |
//! | `POST refuse-recipient` | `{address, reply}` | |
//! | `POST next-reply` | `{stage, reply}` | |
//! | `POST reset-faults` | | |
//! | `POST deliver` | `{to, raw}` | |
//! | `POST hold` | a [`Point`], as `{"at": "smtp_stored"}` | `{hold}` |
//! | `GET hold/{hold}?wait_ms=…` | | `{reached}`: an [`Event`], or null when nothing came in time |
//! | `DELETE hold/{hold}` | | releases it |
//! | `GET events` | | one [`Event`] a line, until the caller hangs up |
//! | `GET delivered?from=N&raw=true` | | the deliveries from the N-th on, with their headers |
//! | `GET folder?address=…&name=…` | | the folder and its messages |
//! | `GET grants?address=…` | | the grants of a person |
//!
//! An unknown address is answered 404, a body of another shape 4xx; nothing is half done.

pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod point;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

pub use fault::{DropAfterData, Stage};
pub use point::{Event, GrantType, Held, Point};

use crate::account::UnknownPerson;
use crate::clock;
use crate::locked;
use crate::mail::{Delivered, Folder};
use crate::oauth::grant::Grant;
use crate::provider::Provider;

/// The handle of everything a test may do; cheap to clone.
#[derive(Clone)]
pub struct Control {
    provider: Arc<Provider>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("issuer", &self.provider.issuer)
            .finish_non_exhaustive()
    }
}

impl Control {
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self { provider }
    }

    /// Ends every grant of the person, access and refresh tokens, and every SMTP and IMAP
    /// session: SMTP answers the next command with 421 4.7.0, IMAP says BYE.
    pub fn revoke(&self, address: &str) -> Result<(), UnknownPerson> {
        self.provider.revoke(address)
    }

    /// Revokes by itself once `messages` more messages of the person were accepted, counted from
    /// now. The last one is answered 250; a message whose body is complete after that is answered
    /// 421 and not stored, on whatever connection it came.
    pub fn revoke_after(&self, address: &str, messages: u32) -> Result<(), UnknownPerson> {
        if messages == 0 {
            return self.revoke(address);
        }
        self.provider.accounts.set_revoke_after(address, messages)
    }

    /// Changes the password and ends the person's sessions; whether grants end is the profile's.
    pub fn change_password(&self, address: &str, password: &str) -> Result<(), UnknownPerson> {
        self.provider.accounts.set_password(address, password)?;
        if self.provider.profile.password_change_ends_grants {
            self.provider.grants.revoke_person(&address.to_lowercase());
        }
        Ok(())
    }

    /// From now on SMTP and IMAP take only the app password that is returned, and tokens.
    pub fn demand_app_password(&self, address: &str) -> Result<String, UnknownPerson> {
        let app_password = self.provider.chance.short_id().to_lowercase();
        self.provider
            .accounts
            .demand_app_password(address, app_password.clone())?;
        Ok(app_password)
    }

    /// Refuses every sign-in over SMTP, whatever the credentials.
    pub fn switch_smtp_auth_off(&self, on: bool) {
        locked(&self.provider.faults).smtp_auth_off = on;
    }

    /// Locks the account: no sign-in, no refresh, and its sessions end.
    pub fn lock(&self, address: &str, on: bool) -> Result<(), UnknownPerson> {
        self.provider.accounts.set_locked(address, on)
    }

    /// From now on `with` may open the mailbox of `address` with a permission of their own, as a shared mailbox is
    /// opened: the sign-in names the mailbox, the token the person.
    pub fn share(&self, address: &str, with: &str) -> Result<(), UnknownPerson> {
        self.provider.accounts.share(address, with)
    }

    /// Waits this long before each answer of SMTP, IMAP and OAuth.
    pub fn answer_slowly(&self, slow: Duration) {
        locked(&self.provider.faults).slow = slow;
    }

    /// Answers nonsense over SMTP, IMAP and at the token and userinfo endpoints.
    pub fn answer_garbage(&self, on: bool) {
        locked(&self.provider.faults).garbage = on;
    }

    /// After this many more messages MAIL is answered 450 4.7.1.
    pub fn rate_limit(&self, address: &str, messages: u32) -> Result<(), UnknownPerson> {
        self.provider.accounts.set_rate_limit(address, messages)
    }

    /// Loses connections right after the final dot, without a reply, as the seed decides.
    pub fn drop_after_data(&self, fault: DropAfterData) {
        locked(&self.provider.faults).drop_after_data = Some(fault);
    }

    /// Answers RCPT of this recipient with this line.
    pub fn refuse_recipient(&self, address: &str, reply: impl Into<Vec<u8>>) {
        locked(&self.provider.faults)
            .refused_recipients
            .insert(address.to_lowercase(), reply.into());
    }

    /// Puts this reply in the place of the next true one of that stage. Several wait in order.
    /// Bytes, not text: a server may say anything. Lines are divided by CR LF, the last one is
    /// ended for you. A reply that is not 2yz or 3yz takes its effect too: nothing is stored.
    /// After 421 the connection is closed.
    pub fn next_reply(&self, stage: Stage, reply: impl Into<Vec<u8>>) {
        locked(&self.provider.faults)
            .next_replies
            .entry(stage)
            .or_default()
            .push_back(reply.into());
    }

    /// No redirect address is registered any more: a visit ends on a page of the provider's own.
    pub fn forget_redirects(&self, on: bool) {
        locked(&self.provider.faults).redirects_forgotten = on;
    }

    /// The secrets of the clients have run out: the token endpoint says `invalid_client`.
    pub fn end_secrets(&self, on: bool) {
        locked(&self.provider.faults).secrets_over = on;
    }

    /// Answers to visits bear the issuer of another provider (RFC 9207).
    pub fn name_other_issuer(&self, on: bool) {
        locked(&self.provider.faults).other_issuer = on;
    }

    /// Sends the next visit back with this error (RFC 6749 §4.1.2.1), whoever comes.
    pub fn refuse_next_visit(&self, error: &str, description: &str) {
        locked(&self.provider.faults).next_visit_refused =
            Some((error.to_owned(), description.to_owned()));
    }

    /// SMTP and IMAP accept connections and close them at once; OAuth answers 503.
    pub fn down(&self, on: bool) {
        locked(&self.provider.faults).down = on;
    }

    /// Holds the next conversation that reaches this point until [`Held`] is released or dropped.
    ///
    /// Whose peer vanishes meanwhile is not held any longer. At [`Point::SmtpDotReceived`] the
    /// seed then decides whether the message is stored, at a moment within the profile's
    /// submission time: a real server that has the whole body may go either way.
    pub fn hold(&self, point: Point) -> Held {
        self.provider.points.hold(point)
    }

    /// Every point that any conversation passes from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.provider.points.events()
    }

    /// Puts a message into somebody's INBOX, as if it had come from outside.
    /// Bare line feeds become CR LF. It does not count as [`Self::delivered`].
    pub fn deliver(&self, to: &str, raw_message: impl AsRef<[u8]>) {
        let raw = with_crlf(raw_message.as_ref());
        self.provider
            .mail
            .append(to, "INBOX", raw.into(), &[], clock::now_ms());
    }

    /// Every message that was handed over to a recipient, in order.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.provider.mail.delivered()
    }

    /// A folder with its messages; `None` where the inbox has no such folder.
    pub fn folder(&self, address: &str, name: &str) -> Option<Folder> {
        self.provider.mail.folder(address, name)
    }

    /// The grants that a person gave, ended ones too, the oldest first.
    pub fn grants(&self, address: &str) -> Vec<Grant> {
        self.provider.grants.of_person(&address.to_lowercase())
    }

    /// Ends every fault and releases every hold. Revoked grants and changed passwords stay.
    pub fn reset_faults(&self) {
        *locked(&self.provider.faults) = fault::Faults::default();
        self.provider.accounts.reset_faults();
        self.provider.points.release_all();
    }
}

fn with_crlf(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut previous = 0;
    for byte in raw {
        if *byte == b'\n' && previous != b'\r' {
            text.push(b'\r');
        }
        text.push(*byte);
        previous = *byte;
    }
    text
}
