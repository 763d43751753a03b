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
//! | `POST make-app-password` | `{address}` | `{app_password}` |
//! | `POST delete-app-password` | `{address}` | |
//! | `POST lock` | `{address, on}` | |
//! | `POST share` | `{address, with}` | |
//! | `POST rate-limit` | `{address, messages}` | |
//! | `POST smtp-auth-off`, `garbage`, `echo`, `down`, `hide-ids`, `want-admin`, `redirects-forgotten`, `secrets-over`, `codes-stolen`, `permissions-end`, `other-issuer` | `{on}` | |
//! | `POST hold-imap-connections` | `{address, n}` | |
//! | `POST sent-copy` | a [`SentCopyFault`], as `{"copy": "never"}`, or null | |
//! | `POST renumber` | `{address, folder}` | |
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
//! [`Trouble`] for one person's next conversation, an [`AccountFault`], the [`Flood`] and folders that do not open are
//! made in process only.

pub(crate) mod fault;
pub(crate) mod flood;
pub(crate) mod http;
pub(crate) mod point;
pub(crate) mod token;
pub(crate) mod trouble;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

pub use fault::{AccountDoes, AccountFault, DropAfterData, SentCopyFault, Stage};
pub use flood::Flood;
pub use point::{Event, GrantType, Held, Point};
pub use trouble::{Gate, Met, Trouble};

use crate::account::UnknownPerson;
use crate::clock;
use crate::locked;
use crate::mail::{Delivered, Folder};
use crate::oauth::grant::{Grant, KnownSecret};
use crate::provider::Provider;

/// The inbox has no such folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} has no folder {folder}")]
pub struct UnknownFolder {
    /// The inbox.
    pub address: String,
    /// The folder that was asked for.
    pub folder: String,
}

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

    pub(crate) fn profile(&self) -> &'static crate::profile::Profile {
        self.provider.profile
    }

    /// Ends every grant of the person, access and refresh tokens, the app password where that is the
    /// only way in, and every SMTP and IMAP session: SMTP answers the next command with 421 4.7.0, IMAP says BYE.
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
        let ends_grants = self
            .provider
            .oauth()
            .is_some_and(|habits| habits.password_change_ends_grants);
        if ends_grants {
            self.provider.grants.end_person(&address.to_lowercase());
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

    /// Makes an app password, as a person does on the provider's page; an earlier one ends.
    pub fn make_app_password(&self, address: &str) -> Result<String, UnknownPerson> {
        self.provider.make_app_password(address)
    }

    /// Deletes the app password, as a person does on the provider's page: its sessions end.
    pub fn delete_app_password(&self, address: &str) -> Result<(), UnknownPerson> {
        self.provider.accounts.set_app_password(address, None)
    }

    /// What becomes of the copies in the sent folder; `None` is what the profile says.
    pub fn set_sent_copy(&self, fault: Option<SentCopyFault>) {
        locked(&self.provider.faults).sent_copy = fault;
    }

    /// The reply after the data does not name the id that the message got.
    pub fn hide_ids(&self, on: bool) {
        locked(&self.provider.faults).hides_ids = on;
    }

    /// Whoever has to be asked for consent needs an administrator first.
    pub fn want_admin(&self, on: bool) {
        locked(&self.provider.faults).wants_admin = on;
    }

    /// So many IMAP connections of the person are held by another program.
    pub fn hold_imap_connections(&self, address: &str, n: usize) -> Result<(), UnknownPerson> {
        self.provider.accounts.set_imap_elsewhere(address, n)
    }

    /// Gives a folder another UIDVALIDITY and its messages other UIDs.
    pub fn renumber(&self, address: &str, folder: &str) -> Result<(), UnknownFolder> {
        if self.provider.mail.renumber(address, folder) {
            return Ok(());
        }
        Err(UnknownFolder {
            address: address.to_owned(),
            folder: folder.to_owned(),
        })
    }

    /// Refuses every sign-in over SMTP, whatever the credentials.
    pub fn switch_smtp_auth_off(&self, on: bool) {
        locked(&self.provider.faults).smtp_auth_off = on;
    }

    /// The same for one person.
    pub fn switch_smtp_off(&self, address: &str, on: bool) {
        switch(&mut locked(&self.provider.faults).smtp_off, address, on);
    }

    /// Refuses every sign-in of one person over IMAP, whatever the credentials.
    pub fn switch_imap_off(&self, address: &str, on: bool) {
        switch(&mut locked(&self.provider.faults).imap_off, address, on);
    }

    /// Ends the person's SMTP and IMAP sessions at their next command, and nothing else.
    pub fn end_sessions(&self, address: &str) -> Result<(), UnknownPerson> {
        self.provider.accounts.end_sessions(address)
    }

    /// The next conversation that comes to this gate meets trouble there, once: this person's, or anybody's
    /// where `whom` is `None` or nobody has said yet who they are. Several wait in order.
    pub fn trouble(&self, gate: Gate, whom: Option<&str>, trouble: Trouble) -> Met {
        locked(&self.provider.faults)
            .troubles
            .add(gate, whom, trouble)
    }

    /// When a sign-in or a refresh of this person was first refused by a true verdict, in milliseconds since
    /// 1970 UTC; `None` when none was since [`Self::forget_refusals`].
    pub fn first_refused_at_ms(&self, address: &str) -> Option<u64> {
        locked(&self.provider.faults)
            .troubles
            .first_refused(address)
    }

    /// Forgets when this person was refused.
    pub fn forget_refusals(&self, address: &str) {
        locked(&self.provider.faults)
            .troubles
            .forget_refused(address);
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

    /// The next request to the token endpoint is answered without end.
    pub fn flood_next_token(&self) -> Flood {
        let flood = Flood::default();
        locked(&self.provider.faults).flood = Some(flood.clone());
        flood
    }

    /// Repeats to whoever signed in what they showed: in every reply of SMTP and IMAP after that, and in the refusals
    /// of the token and userinfo endpoints.
    pub fn echo_secrets(&self, on: bool) {
        locked(&self.provider.faults).echo = on;
    }

    /// IMAP offers no IDLE (RFC 2177), and takes none.
    pub fn hide_idle(&self, on: bool) {
        locked(&self.provider.faults).hides_idle = on;
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

    /// From now on, or from some message on, this happens to all mail of the account that leaves its own domain; `None`
    /// ends it. At MAIL no recipient is known, so there it happens to all.
    pub fn trouble_account(&self, address: &str, fault: Option<AccountFault>) {
        locked(&self.provider.faults).accounts.set(address, fault);
    }

    /// When the fault of this account was met, in milliseconds since 1970 UTC, the earliest first.
    pub fn account_met_at_ms(&self, address: &str) -> Vec<u64> {
        locked(&self.provider.faults).accounts.met_at_ms(address)
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

    /// Somebody else uses every code before its client comes with it; the second use is refused as any second use
    /// is (RFC 6749 §4.1.2).
    pub fn steal_codes(&self, on: bool) {
        locked(&self.provider.faults).codes_stolen = on;
    }

    /// New permissions come without a refresh token, whatever was asked for.
    pub fn give_passing_permissions(&self, on: bool) {
        locked(&self.provider.faults).permissions_end = on;
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

    /// Puts a message into a folder of theirs, which is made where it is missing, as a person or a rule does.
    pub fn deliver_into(&self, to: &str, folder: &str, raw_message: impl AsRef<[u8]>) {
        let raw = with_crlf(raw_message.as_ref());
        let mail = &self.provider.mail;
        mail.create_folder(to, folder);
        mail.append(to, folder, raw.into(), &[], clock::now_ms());
    }

    /// Refuses with NO, whoever asks, to give the header or the body of messages that hold this text; `None` ends it.
    pub fn make_unreadable(&self, text: Option<&str>) {
        locked(&self.provider.faults).unreadable = text.map(|text| text.as_bytes().to_vec());
    }

    /// Refuses with NO, whoever asks, to open folders of this name, though they are listed; `on: false` ends it.
    pub fn shut_folder(&self, name: &str, on: bool) {
        let shut = &mut locked(&self.provider.faults).shut_folders;
        if on {
            shut.insert(name.to_owned());
        } else {
            shut.remove(name);
        }
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

    /// Every code, token and verifier that was issued here or shown to the token endpoint, the oldest first. Not over
    /// HTTP: only the program that started the sandbox may ask.
    pub fn known_secrets(&self) -> Vec<KnownSecret> {
        self.provider.grants.known_secrets()
    }

    /// Ends every fault and releases every hold. Revoked grants and changed passwords stay.
    pub fn reset_faults(&self) {
        *locked(&self.provider.faults) = fault::Faults::default();
        self.provider.accounts.reset_faults();
        self.provider.points.release_all();
    }
}

fn switch(people: &mut HashSet<String>, address: &str, on: bool) {
    let address = address.to_lowercase();
    if on {
        people.insert(address);
    } else {
        people.remove(&address);
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
