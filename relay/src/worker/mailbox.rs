//! The open connections of one inbox, and what is looked up over them.

use protocol::delivery::Event;
use protocol::provider::{SentCopy, Submission};
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::token::{Freshness, load_sign_in};
use crate::app::App;
use crate::engine::arrival;
use crate::engine::doubt::{self, Look, Verdict};
use crate::imap::{self, Folder, find_sent_folder};
use crate::record::FolderPosition;
use crate::sign_in::SignIn;
use crate::smtp;
use crate::store::inbox::Inbox;

/// The connections of one inbox. Each is opened when it is needed and dropped when it fails.
#[derive(Default)]
pub(super) struct Mailbox {
    smtp: Option<smtp::Session>,
    imap: Option<Reader>,
    /// Where the sent folder stood when the SMTP session was opened.
    sent: Option<FolderPosition>,
}

/// An IMAP session and the folder that it knows.
pub(super) struct Reader {
    pub(super) session: imap::Session,
    sent_folder: Option<Folder>,
}

impl Mailbox {
    /// Closes both connections.
    pub(super) async fn close(&mut self) {
        if let Some(session) = self.smtp.take() {
            session.quit().await;
        }
        if let Some(reader) = self.imap.take() {
            reader.session.logout().await;
        }
        self.sent = None;
    }

    /// Closes the SMTP connection.
    pub(super) async fn close_smtp(&mut self) {
        self.sent = None;
        if let Some(session) = self.smtp.take() {
            session.quit().await;
        }
    }

    /// The IMAP connection, opened where there is none that works.
    pub(super) async fn reader(
        &mut self,
        app: &App,
        inbox: &Inbox,
    ) -> Result<&mut Reader, WorkError> {
        let usable = self.imap.take().filter(|reader| reader.session.is_usable());
        let reader = match usable {
            Some(reader) => reader,
            None => {
                Reader::open(
                    app,
                    inbox,
                    &load_sign_in(app, inbox, Freshness::Usable).await?,
                )
                .await?
            }
        };
        Ok(self.imap.insert(reader))
    }

    /// Both connections, opened in parallel where they are not open, and the place in the sent folder that
    /// was noted before the SMTP session began.
    pub(super) async fn sender(
        &mut self,
        app: &App,
        inbox: &Inbox,
    ) -> Result<(&mut smtp::Session, Option<FolderPosition>), WorkError> {
        let usable = self.smtp.take().filter(smtp::Session::is_usable);
        if let Some(session) = usable {
            return Ok((self.smtp.insert(session), self.sent));
        }
        let sign_in = load_sign_in(app, inbox, Freshness::Usable).await?;
        let hello = hello(inbox);
        let opening = smtp::Session::open(&app.dialer, &inbox.smtp, &hello, &sign_in);
        let imap = self.imap.take().filter(|reader| reader.session.is_usable());
        let (session, reader) = tokio::join!(opening, async {
            let mut reader = match imap {
                Some(reader) => reader,
                None => Reader::open(app, inbox, &sign_in).await?,
            };
            // Noted before the first byte of a message can be sent over the new session.
            let position = reader.find_sent_position().await?;
            Ok::<_, WorkError>((reader, position))
        });
        let (reader, position) = reader?;
        self.imap = Some(reader);
        self.sent = position;
        Ok((self.smtp.insert(session?), position))
    }
}

/// Our name in EHLO (RFC 5321 §4.1.1.1): the inbox's own domain tells the server nothing new.
pub(super) fn hello(inbox: &Inbox) -> String {
    inbox.address.domain().to_owned()
}

impl Reader {
    /// Signs in.
    pub(super) async fn open(
        app: &App,
        inbox: &Inbox,
        sign_in: &SignIn,
    ) -> Result<Self, WorkError> {
        let session = imap::Session::open(&app.dialer, &inbox.imap, sign_in).await?;
        Self::with(session).await
    }

    /// A reader over a session that is signed in.
    pub(super) async fn with(mut session: imap::Session) -> Result<Self, WorkError> {
        let sent_folder = find_sent_folder(&session.list_folders().await?).cloned();
        Ok(Self {
            session,
            sent_folder,
        })
    }

    async fn find_sent_position(&mut self) -> Result<Option<FolderPosition>, WorkError> {
        let Some(folder) = &self.sent_folder else {
            return Ok(None);
        };
        let position = self.session.examine(folder).await?;
        Ok(Some(FolderPosition {
            uid_validity: position.uid_validity,
            uid_next: position.uid_next,
        }))
    }

    /// What stands in the sent folder from `from_uid` on.
    async fn look(&mut self, from_uid: u32, at: Timestamp) -> Result<Option<Look>, WorkError> {
        let Some(position) = self.find_sent_position().await? else {
            return Ok(None);
        };
        let headers = self.session.fetch_headers(from_uid).await?;
        let copies = headers
            .iter()
            .map(|header| arrival::parse_copy(&header.bytes))
            .collect();
        Ok(Some(Look {
            position,
            copies,
            at,
        }))
    }

    /// Puts a copy of an accepted message into the sent folder, where the server makes none.
    pub(super) async fn append_sent(&mut self, message: &[u8]) -> Result<(), WorkError> {
        if let Some(folder) = &self.sent_folder {
            self.session.append(folder, message).await?;
        }
        Ok(())
    }
}

/// Looks into the sent folder and settles what can be settled; answers when to look again.
pub(super) async fn settle_doubts(
    app: &App,
    inbox: &Inbox,
    mailbox: &mut Mailbox,
    submission: &Submission,
) -> Result<Option<Timestamp>, WorkError> {
    let doubts = app.store.list_doubts(&inbox.id).await?;
    let Some(from_uid) = doubts
        .iter()
        .filter_map(|doubt| doubt.sent)
        .map(|position| position.uid_next)
        .min()
    else {
        for doubt in &doubts {
            settle(app, inbox, doubt, Verdict::Unsettled).await?;
        }
        return Ok(None);
    };
    let look = mailbox
        .reader(app, inbox)
        .await?
        .look(from_uid, app.clock.now())
        .await?;
    let mut copy_seen = inbox.copy_seen_at.is_some();
    if let (Some(look), SentCopy::Server { .. }) = (&look, submission.sent_copy) {
        copy_seen = copy_seen || note_copies(app, inbox, look).await?;
    }
    let mut again: Option<Timestamp> = None;
    for doubt in &doubts {
        match doubt::decide(doubt, look.as_ref(), submission, copy_seen) {
            Verdict::LookAgain { at } => again = Some(again.map_or(at, |earlier| earlier.min(at))),
            verdict => settle(app, inbox, doubt, verdict).await?,
        }
    }
    Ok(again)
}

async fn settle(
    app: &App,
    inbox: &Inbox,
    doubt: &crate::record::Doubt,
    verdict: Verdict,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    let (event, wire_id) = match verdict {
        Verdict::Found { wire_id } => (Event::Found { at: now }, wire_id),
        Verdict::Refuted => (Event::Refuted { at: now }, None),
        Verdict::Unsettled => (Event::Unsettled, None),
        Verdict::LookAgain { .. } => return Ok(()),
    };
    tracing::info!(inbox = %inbox.address, delivery = %doubt.id, verdict = event.name(), "a doubt is settled");
    app.store
        .settle_doubt(&doubt.id, event, wire_id.as_deref(), now)
        .await?;
    Ok(())
}

/// Whether one of the copies is of a message that this inbox sent, or is in doubt of having sent: either
/// way the server made it, since the relay appends nothing here.
async fn note_copies(app: &App, inbox: &Inbox, look: &Look) -> Result<bool, WorkError> {
    let ours = look.copies.iter().any(|copy| copy.delivery.is_some());
    if ours {
        app.store.note_copy_seen(&inbox.id, app.clock.now()).await?;
    }
    Ok(ours)
}

/// Looks once for the copy of a message that was accepted, where the server is said to make copies.
pub(super) async fn watch_for_copy(
    app: &App,
    inbox: &Inbox,
    mailbox: &mut Mailbox,
) -> Result<bool, WorkError> {
    let Some(sent) = mailbox.sent else {
        return Ok(false);
    };
    let look = mailbox
        .reader(app, inbox)
        .await?
        .look(sent.uid_next, app.clock.now())
        .await?;
    match look {
        Some(look) => note_copies(app, inbox, &look).await,
        None => Ok(false),
    }
}
