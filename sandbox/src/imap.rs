//! `IMAP4rev1` (RFC 3501), with SASL-IR, IDLE, SPECIAL-USE, UIDPLUS and UNSELECT: one conversation.
//!
//! ```text
//! connected ─ LOGIN, AUTHENTICATE ─→ signed in ─ SELECT, EXAMINE ─→ selected ─ LOGOUT ─→ end
//!                                       ↑────────── CLOSE, UNSELECT ──────┘
//! ```
//! Not offered, and said so: ENVELOPE and BODYSTRUCTURE, parts of messages, COPY and MOVE.

mod authenticate;
mod fetch;
mod folder;
mod read;
mod search;
mod view;

use std::convert::Infallible;

use imap_codec::ResponseCodec;
use imap_codec::encode::Encoder as _;
use imap_codec::imap_types::auth::AuthMechanism;
use imap_codec::imap_types::command::{Command, CommandBody};
use imap_codec::imap_types::core::{Tag, Text, Vec1};
use imap_codec::imap_types::response::{
    Capability, Code, CodeOther, Data, Response, Status, StatusBody, StatusKind, Tagged,
};

use crate::connection::{Connection, Gone};
use crate::control::Gate;
use crate::imap::view::View;
use crate::locked;
use crate::profile::ImapNo;
use crate::provider::SignedIn;
use crate::sasl::Credentials;

/// Speaks until one side ends it.
pub(crate) async fn converse(connection: Connection) {
    let mut session = Session {
        connection,
        person: None,
        view: None,
        instead: None,
        shown: None,
        out: Vec::new(),
    };
    let Err(Gone) = session.run().await;
    if let Some(person) = &session.person {
        session
            .connection
            .provider
            .accounts
            .leave_imap(&person.address);
    }
    session.connection.shut_down().await;
}

struct Session {
    connection: Connection,
    person: Option<SignedIn>,
    /// The selected folder, as this session has been told of it.
    view: Option<View>,
    /// What is said in place of the tagged answer.
    instead: Option<Vec<u8>>,
    /// The credentials that were shown last.
    shown: Option<Credentials>,
    /// Answers that are not written yet.
    out: Vec<u8>,
}

/// How a command ended; its tagged line is made of it.
struct Outcome {
    kind: StatusKind,
    code: Option<Code<'static>>,
    text: &'static str,
}

impl Outcome {
    fn ok(text: &'static str) -> Self {
        Self {
            kind: StatusKind::Ok,
            code: None,
            text,
        }
    }

    fn no(text: &'static str) -> Self {
        Self {
            kind: StatusKind::No,
            code: None,
            text,
        }
    }

    fn bad(text: &'static str) -> Self {
        Self {
            kind: StatusKind::Bad,
            code: None,
            text,
        }
    }

    fn with(mut self, code: Code<'static>) -> Self {
        self.code = Some(code);
        self
    }

    /// A provider's own refusal.
    fn refusal(no: ImapNo) -> Self {
        let outcome = Self::no(no.text);
        match no.code {
            Some(code) => outcome.with_other(code),
            None => outcome,
        }
    }

    /// With a response code that the codec has no value for.
    fn with_other(self, code: &'static str) -> Self {
        self.with(Code::Other(CodeOther::unvalidated(code.as_bytes())))
    }
}

impl Session {
    async fn run(&mut self) -> Result<Infallible, Gone> {
        if let Some(said) = self.connection.meet(Gate::ImapGreeting, None).await? {
            self.out.extend_from_slice(&said);
            self.out.extend_from_slice(b"\r\n");
            self.flush().await?;
            return Err(Gone);
        }
        let code = Some(Code::Capability(self.capabilities()));
        self.say_status(None, StatusKind::Ok, code, "sandbox ready");
        self.flush().await?;
        loop {
            let command = self.read_command().await?;
            self.end_if_revoked().await?;
            if let Some(command) = command {
                self.obey(command).await?;
            }
            self.flush().await?;
        }
    }

    async fn obey(&mut self, command: Command<'static>) -> Result<(), Gone> {
        let Command { tag, body } = command;
        // RFC 3501 §5.5, §7.4.1: numbers must not shift under a command that uses them.
        let may_expunge = !uses_sequence_numbers(&body);
        self.tell_changes(false);
        let is_logout = matches!(body, CommandBody::Logout);
        let outcome = match body {
            CommandBody::Capability => {
                self.say(&Response::Data(Data::Capability(self.capabilities())));
                Outcome::ok("done")
            }
            CommandBody::Noop => Outcome::ok("done"),
            CommandBody::Logout => {
                self.say_bye("until next time");
                Outcome::ok("done")
            }
            CommandBody::Login { .. } | CommandBody::Authenticate { .. }
                if self.person.is_some() =>
            {
                Outcome::bad("already signed in")
            }
            CommandBody::Login { username, password } => {
                self.log_in(username.as_ref(), password.declassify().as_ref())
                    .await?
            }
            CommandBody::Authenticate {
                mechanism,
                initial_response,
            } => {
                let initial = initial_response.map(|message| message.declassify().to_vec());
                self.authenticate(&mechanism, initial).await?
            }
            other => match self.person.as_ref().map(|person| person.address.clone()) {
                Some(address) => self.obey_signed_in(&address, other).await?,
                None => Outcome::bad("sign in first"),
            },
        };
        self.tell_changes(may_expunge);
        if let Some(said) = self.instead.take() {
            return self.say_instead(&tag, &said).await;
        }
        let Outcome { kind, code, text } = outcome;
        self.say_status(Some(tag), kind, code, text);
        if is_logout {
            self.flush().await?;
            return Err(Gone);
        }
        Ok(())
    }

    /// Commands that need somebody signed in.
    async fn obey_signed_in(
        &mut self,
        address: &str,
        body: CommandBody<'static>,
    ) -> Result<Outcome, Gone> {
        Ok(match body {
            CommandBody::List {
                reference,
                mailbox_wildcard,
            } => self.list_folders(address, &reference, &mailbox_wildcard),
            CommandBody::Status {
                mailbox,
                item_names,
            } => self.say_folder_status(address, mailbox, &item_names),
            CommandBody::Select { mailbox, .. } => self.select(address, &mailbox, false).await?,
            CommandBody::Examine { mailbox, .. } => self.select(address, &mailbox, true).await?,
            CommandBody::Create { mailbox } => self.create_folder(address, &mailbox),
            CommandBody::Subscribe { .. } | CommandBody::Unsubscribe { .. } => {
                Outcome::ok("done, though everything is subscribed here")
            }
            CommandBody::Append {
                mailbox,
                flags,
                date,
                message,
            } => self.append(address, &mailbox, &flags, date, &message),
            CommandBody::Idle if locked(&self.connection.provider.faults).hides_idle => {
                Outcome::bad("not offered")
            }
            CommandBody::Idle => self.idle(address).await?,
            other => match self.view.take() {
                Some(view) => self.obey_selected(address, view, other),
                None => Outcome::bad("not offered, or select a folder first"),
            },
        })
    }

    /// Commands that need a selected folder. `view` goes back unless the folder is left.
    fn obey_selected(&mut self, address: &str, view: View, body: CommandBody<'static>) -> Outcome {
        let mail = &self.connection.provider.mail;
        match body {
            CommandBody::Close => {
                if !view.read_only {
                    mail.expunge(address, &view.folder, None);
                }
                return Outcome::ok("closed");
            }
            CommandBody::Unselect => return Outcome::ok("left"),
            _ => {}
        }
        let outcome = match body {
            CommandBody::Check => Outcome::ok("done"),
            CommandBody::Expunge | CommandBody::ExpungeUid { .. } | CommandBody::Store { .. }
                if view.read_only =>
            {
                Outcome::no("the folder is open for reading only")
            }
            CommandBody::Expunge => {
                mail.expunge(address, &view.folder, None);
                Outcome::ok("done")
            }
            CommandBody::ExpungeUid { sequence_set } => {
                let uids = view.resolve(&sequence_set, true);
                mail.expunge(address, &view.folder, Some(&uids));
                Outcome::ok("done")
            }
            CommandBody::Fetch {
                sequence_set,
                macro_or_item_names,
                uid,
                ..
            } => self.fetch(address, &view, &sequence_set, macro_or_item_names, uid),
            CommandBody::Store {
                sequence_set,
                kind,
                response,
                flags,
                uid,
                ..
            } => self.store(address, &view, &sequence_set, (kind, response), &flags, uid),
            CommandBody::Search { criteria, uid, .. } => {
                self.search(address, &view, &criteria, uid)
            }
            _ => Outcome::bad("not offered here"),
        };
        self.view = Some(view);
        outcome
    }

    /// A scripted answer: with the tag where it is a verdict, as it stands where it is anything else.
    async fn say_instead(&mut self, tag: &Tag<'static>, said: &[u8]) -> Result<(), Gone> {
        if said.starts_with(b"NO") || said.starts_with(b"BAD") {
            self.out.extend_from_slice(tag.inner().as_bytes());
            self.out.push(b' ');
        }
        self.out.extend_from_slice(said);
        self.out.extend_from_slice(b"\r\n");
        if said.starts_with(b"* BYE") {
            self.flush().await?;
            return Err(Gone);
        }
        Ok(())
    }

    async fn end_if_revoked(&mut self) -> Result<(), Gone> {
        if self.person.as_ref().is_some_and(SignedIn::has_ended) {
            self.say_bye("your sign-in was revoked");
            self.flush().await?;
            return Err(Gone);
        }
        Ok(())
    }

    fn capabilities(&self) -> Vec1<Capability<'static>> {
        let profile = self.connection.provider.profile;
        let mut capabilities = vec![Capability::Imap4Rev1];
        if profile.sasl_ir {
            capabilities.push(Capability::SaslIr);
        }
        if !locked(&self.connection.provider.faults).hides_idle {
            capabilities.push(Capability::Idle);
        }
        capabilities.extend([Capability::UidPlus, Capability::Unselect]);
        let mechanisms = profile.imap_mechanisms.iter().copied();
        capabilities.extend(
            mechanisms
                .filter_map(|name| AuthMechanism::try_from(name).ok())
                .map(Capability::Auth),
        );
        if profile
            .folders
            .iter()
            .any(|folder| folder.special_use.is_some())
        {
            capabilities.extend(Capability::try_from("SPECIAL-USE"));
        }
        Vec1::try_from(capabilities).unwrap_or_else(|_| Vec1::from(Capability::Imap4Rev1))
    }

    fn say(&mut self, response: &Response<'_>) {
        self.out
            .extend_from_slice(&ResponseCodec::default().encode(response).dump());
    }

    fn say_status(
        &mut self,
        tag: Option<Tag<'static>>,
        kind: StatusKind,
        code: Option<Code<'static>>,
        text: &'static str,
    ) {
        // Every text here is plain ASCII, so the second way is never taken.
        let text = Text::try_from(text).unwrap_or_else(|_| Text::unvalidated("done"));
        let body = StatusBody { kind, code, text };
        let status = match tag {
            Some(tag) => Status::Tagged(Tagged { tag, body }),
            None => Status::Untagged(body),
        };
        self.say_and_repeat(&Response::Status(status));
    }

    fn say_bye(&mut self, text: &'static str) {
        if let Ok(bye) = Status::bye(None, text) {
            self.say_and_repeat(&Response::Status(bye));
        }
    }

    /// A status, and behind its text what a careless server repeats: that may be beyond ASCII, which the codec refuses.
    fn say_and_repeat(&mut self, status: &Response<'_>) {
        self.say(status);
        if let Some(echo) = self.echo() {
            self.out.truncate(self.out.len().saturating_sub(2));
            self.out
                .extend_from_slice(format!("; {echo}\r\n").as_bytes());
        }
    }

    /// What a careless server repeats, while it is to.
    fn echo(&self) -> Option<String> {
        let shown = self.shown.as_ref()?;
        let is_on = locked(&self.connection.provider.faults).echo;
        is_on.then(|| shown.forms().join("; "))
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        self.connection.write(&out).await
    }
}

fn uses_sequence_numbers(body: &CommandBody<'_>) -> bool {
    matches!(
        body,
        CommandBody::Fetch { uid: false, .. }
            | CommandBody::Store { uid: false, .. }
            | CommandBody::Search { uid: false, .. }
    )
}
