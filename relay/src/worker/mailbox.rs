//! The open connections of one inbox, and what is looked up over them.

use std::collections::HashSet;
use std::time::Duration;

use protocol::connection::is_alarming;
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::restored::{compare, compare_where_changed};
use super::token::{Freshness, load_sign_in};
use crate::app::App;
use crate::engine::doubt::{Look, Seen};
use crate::failure::Failure;
use crate::imap::{self, Folder, SpecialUse, find_sent_folder};
use crate::record::{FolderPosition, SentPlace};
use crate::sign_in::SignIn;
use crate::smtp;
use crate::store::inbox::Inbox;
use crate::text::arrival;

/// The connections of one inbox. Each is opened when it is needed and dropped when it fails.
#[derive(Default)]
pub(super) struct Mailbox {
    smtp: Option<smtp::Session>,
    imap: Option<Reader>,
    /// Where the sent folder stood when the SMTP session was opened.
    sent: Option<SentPlace>,
    /// The access token's end is not known any more: the next sign-in takes a new one.
    needs_fresh_token: bool,
    /// Since when the IMAP connection listens; it does no more once anything else was asked over it.
    listens_since: Option<Timestamp>,
    /// When all folders were gone through last.
    pub(super) swept_at: Option<Timestamp>,
}

/// An IMAP session and the folder that it knows.
pub(super) struct Reader {
    pub(super) session: imap::Session,
    /// All folders, as they were listed last.
    folders: Vec<Folder>,
    /// When that was; `None` where one of them was not there any more since.
    listed_at: Option<Timestamp>,
    sent_folder: Option<Folder>,
    /// The folder that is open, by its key, and its UIDVALIDITY.
    opened: Option<(String, u32)>,
    /// Whether a message may have been accepted whose server's name for it is not known; see [`learn_names`].
    awaits_names: bool,
    /// Up to where the sent folder was searched for names.
    names_read_to: Option<FolderPosition>,
    /// Up to where the sent folder was compared with the ledger.
    compared_to: Option<FolderPosition>,
}

/// Folders in which an answer may stand.
pub(super) struct Places {
    /// Those that mail comes into by itself, or that a person puts read mail into.
    pub(super) near: Vec<Folder>,
    /// Those of the person's own making.
    pub(super) others: Vec<Folder>,
}

/// Headers of the sent folder that are held at a time.
const SLICE: usize = 200;

/// Folders of which the list is asked for at every reading. Where there are more, less often.
const LISTED_EACH_TIME: usize = 200;

/// Between two lists where they are long, but for rounds through all folders.
const LISTED_EVERY: Duration = Duration::from_mins(5);

/// How long a copy in the sent folder may take to tell what the server made of an id.
const NAMES_WITHIN: Duration = Duration::from_hours(24);

impl Mailbox {
    /// One whose IMAP connection is signed in already.
    pub(super) async fn with(session: imap::Session, now: Timestamp) -> Result<Self, WorkError> {
        Ok(Self {
            imap: Some(Reader::with(session, now).await?),
            ..Self::default()
        })
    }

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

    /// Closes the IMAP connection.
    pub(super) async fn close_imap(&mut self) {
        self.listens_since = None;
        if let Some(reader) = self.imap.take() {
            reader.session.logout().await;
        }
    }

    /// Since when the IMAP connection listens; `None` where it does not.
    pub(super) fn listens_since(&self) -> Option<Timestamp> {
        let listens = |reader: &Reader| reader.session.is_idling();
        self.listens_since
            .filter(|_| self.imap.as_ref().is_some_and(listens))
    }

    /// Since when it listened, also where its connection broke meanwhile.
    pub(super) fn listened_since(&self) -> Option<Timestamp> {
        self.listens_since
    }

    /// Whether the IMAP connection stands, and its server would say when something comes.
    pub(super) fn may_listen(&self) -> bool {
        let may = |reader: &Reader| reader.session.is_usable() && reader.session.offers_idle();
        self.imap.as_ref().is_some_and(may)
    }

    /// Lets the server say when something comes to the folder that is open; whether it takes that.
    pub(super) async fn begin_to_listen(&mut self, now: Timestamp) -> Result<bool, Failure> {
        self.listens_since = None;
        let Some(reader) = &mut self.imap else {
            return Ok(false);
        };
        let listens = reader.session.begin_idle().await?;
        self.listens_since = Some(now).filter(|_| listens);
        Ok(listens)
    }

    /// Comes back once the server says that something came, or its connection broke. Where nobody listens, never. What is
    /// dropped before loses nothing.
    pub(super) async fn wait_for_news(&mut self) -> Result<(), Failure> {
        match &mut self.imap {
            Some(reader) if reader.session.is_idling() => reader.session.wait_for_news().await,
            _ => std::future::pending().await,
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
            None => Reader::open(app, inbox, &self.load_sign_in(app, inbox).await?).await?,
        };
        Ok(self.imap.insert(reader))
    }

    /// Whether the IMAP connection stands.
    pub(super) fn has_usable_imap(&self) -> bool {
        self.imap
            .as_ref()
            .is_some_and(|reader| reader.session.is_usable())
    }

    /// Both connections, opened in parallel where they are not open, and the place in the sent folder that
    /// was noted before the SMTP session began.
    pub(super) async fn sender(
        &mut self,
        app: &App,
        inbox: &Inbox,
    ) -> Result<(&mut smtp::Session, Option<SentPlace>), WorkError> {
        let usable = self.smtp.take().filter(smtp::Session::is_usable);
        if let Some(session) = usable {
            return Ok((self.smtp.insert(session), self.sent.clone()));
        }
        let sign_in = self.load_sign_in(app, inbox).await?;
        let hello = hello(inbox);
        let opening = smtp::Session::open(&app.dialer, &inbox.smtp, &hello, &sign_in);
        let imap = self.imap.take().filter(|reader| reader.session.is_usable());
        let (session, reader) = tokio::join!(opening, async {
            let mut reader = match imap {
                Some(reader) => reader,
                None => Reader::open(app, inbox, &sign_in).await?,
            };
            // Noted before the first byte of a message can be sent over the new session.
            let place = compare(app, inbox, &mut reader).await?;
            Ok::<_, WorkError>((reader, place))
        });
        let alarms = |failure: &Failure| {
            let (provider, now) = (inbox.provider.clone(), app.clock.now());
            is_alarming(&failure.clone().at(provider, now))
        };
        let (reader, place) = match (reader, &session) {
            // What passes must not hide what may have ended the inbox.
            (Err(_), Err(failure)) if alarms(failure) => return Err(failure.clone().into()),
            (reader, _) => reader?,
        };
        self.imap = Some(reader);
        self.sent.clone_from(&place);
        let session = session?;
        if session.size_at_most() != inbox.size_at_most {
            let (id, at_most) = (&inbox.id, session.size_at_most());
            app.store.note_size_at_most(id, at_most).await?;
        }
        Ok((self.smtp.insert(session), place))
    }

    /// Whether the SMTP connection stands.
    pub(super) fn has_usable_smtp(&self) -> bool {
        self.smtp.as_ref().is_some_and(smtp::Session::is_usable)
    }

    /// Compares what came to the sent folder meanwhile with the ledger: where nothing did, that is one question.
    pub(super) async fn compare_again(
        &mut self,
        app: &App,
        inbox: &Inbox,
    ) -> Result<(), WorkError> {
        let reader = self.reader(app, inbox).await?;
        let compared = compare_where_changed(app, inbox, reader).await;
        if compared.is_ok() || self.has_usable_imap() {
            return compared;
        }
        // The server had closed it meanwhile, as servers do with who says nothing.
        let reader = self.reader(app, inbox).await?;
        compare_where_changed(app, inbox, reader).await
    }

    /// Where the sent folder stood when the SMTP session was opened.
    pub(super) fn sent_place(&self) -> Option<SentPlace> {
        self.sent.clone()
    }

    /// Nobody knows any more when the access token ends.
    pub(super) fn doubt_token(&mut self) {
        self.needs_fresh_token = true;
    }

    /// A message was accepted, and its server did not tell what it made of the id.
    pub(super) fn await_names(&mut self) {
        if let Some(reader) = &mut self.imap {
            reader.awaits_names = true;
        }
    }

    async fn load_sign_in(&mut self, app: &App, inbox: &Inbox) -> Result<SignIn, WorkError> {
        let freshness = if self.needs_fresh_token {
            Freshness::Renewed
        } else {
            Freshness::Usable
        };
        let sign_in = load_sign_in(app, inbox, freshness).await?;
        self.needs_fresh_token = false;
        Ok(sign_in)
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
        Self::with(session, app.clock.now()).await
    }

    /// A reader over a session that is signed in.
    async fn with(mut session: imap::Session, now: Timestamp) -> Result<Self, WorkError> {
        let folders = session.list_folders().await?;
        Ok(Self {
            session,
            sent_folder: find_sent_folder(&folders).cloned(),
            folders,
            listed_at: Some(now),
            opened: None,
            awaits_names: true,
            names_read_to: None,
            compared_to: None,
        })
    }

    /// Lists the folders again, so that those are read that were made since, or have another name: at every reading,
    /// where the list is long every five minutes and where `is_whole` asks for it. A list that the server refuses, or
    /// that is empty, leaves the one that is known.
    pub(super) async fn list_again(
        &mut self,
        now: Timestamp,
        is_whole: bool,
    ) -> Result<(), WorkError> {
        let is_short = self.folders.len() <= LISTED_EACH_TIME;
        let is_fresh = self
            .listed_at
            .is_some_and(|at| at <= now && now.since(at) < LISTED_EVERY);
        if is_fresh && !is_short && !is_whole {
            return Ok(());
        }
        let folders = match self.session.list_folders().await {
            Ok(folders) => folders,
            Err(failure) if self.session.is_usable() => {
                tracing::debug!(words = %failure.said, "the folders cannot be listed again");
                return Ok(());
            }
            Err(failure) => return Err(failure.into()),
        };
        self.listed_at = Some(now);
        if folders.is_empty() {
            return Ok(());
        }
        let sent_folder = find_sent_folder(&folders).cloned();
        let key = |folder: &Option<Folder>| folder.as_ref().map(Folder::key);
        if key(&sent_folder) != key(&self.sent_folder) {
            self.names_read_to = None;
            self.compared_to = None;
        }
        self.sent_folder = sent_folder;
        self.folders = folders;
        Ok(())
    }

    /// A folder of the list cannot be read: it may not be there any more.
    pub(super) fn doubt_list(&mut self) {
        self.listed_at = None;
    }

    /// Opens a folder, from its beginning: what the server tells of it is told anew.
    pub(super) async fn examine(&mut self, folder: &Folder) -> Result<imap::Position, WorkError> {
        self.opened = None;
        let position = self.session.examine(folder).await?;
        self.opened = Some((folder.key(), position.uid_validity));
        Ok(position)
    }

    /// Whether this folder is open, and is the one of this UIDVALIDITY.
    pub(super) fn is_in(&self, folder: &Folder, uid_validity: u32) -> bool {
        self.opened
            .as_ref()
            .is_some_and(|(key, opened)| *key == folder.key() && *opened == uid_validity)
    }

    /// The folders other than INBOX into which an answer may come, or may be put by a person or a rule; those first
    /// that are made for it. Where one shows every message (RFC 6154 §2), that one stands for all but spam.
    pub(super) fn list_places(&self) -> Places {
        let is_own = |folder: &Folder| Some(folder) == self.sent_folder.as_ref();
        let selectable = self
            .folders
            .iter()
            .filter(|folder| folder.selectable && !folder.is_inbox() && !is_own(folder));
        let (mut near, mut others) = (Vec::new(), Vec::new());
        for folder in selectable {
            match folder.special_use {
                Some(SpecialUse::All | SpecialUse::Archive | SpecialUse::Junk) => {
                    near.push(folder.clone());
                }
                // What is flagged is shown there, and stands elsewhere.
                Some(
                    SpecialUse::Sent | SpecialUse::Drafts | SpecialUse::Trash | SpecialUse::Flagged,
                ) => {}
                None => others.push(folder.clone()),
            }
        }
        let shows_all = |folder: &Folder| folder.special_use == Some(SpecialUse::All);
        if near.iter().any(shows_all) {
            others.clear();
        }
        Places { near, others }
    }

    /// The sent folder, where there is one.
    pub(super) fn sent_folder(&self) -> Option<&Folder> {
        self.sent_folder.as_ref()
    }

    /// Up to where the sent folder was compared with the ledger over this connection.
    pub(super) fn compared_to(&self) -> Option<FolderPosition> {
        self.compared_to
    }

    /// Whether nothing came to the sent folder since it was compared, as far as the server tells without opening it.
    pub(super) async fn has_compared_all(&mut self) -> Result<bool, WorkError> {
        let (Some(compared), Some(folder)) = (self.compared_to, self.sent_folder.clone()) else {
            return Ok(false);
        };
        // RFC 9051 §6.3.11: not of the folder that is open.
        if self.is_in(&folder, compared.uid_validity) {
            return Ok(false);
        }
        let status = self.session.find_status(&folder).await?;
        Ok(status == Some((compared.uid_validity, compared.uid_next)))
    }

    /// It was compared up to here.
    pub(super) fn note_compared(&mut self, position: FolderPosition) {
        self.compared_to = Some(position);
    }

    pub(super) async fn find_sent_place(&mut self) -> Result<Option<SentPlace>, WorkError> {
        let Some(folder) = self.sent_folder.clone() else {
            return Ok(None);
        };
        let position = self.examine(&folder).await?;
        // A place that the server does not name itself is no evidence: what came there may have gone unseen.
        let is_evidence = position.uid_validity != 0 && self.session.tells_uid_next();
        Ok(is_evidence.then(|| SentPlace {
            folder: folder.name.clone(),
            position: FolderPosition {
                uid_validity: position.uid_validity,
                uid_next: position.uid_next,
            },
        }))
    }

    /// What stands in the sent folder from `from_uid` on. Of its messages those are kept that are ours, by
    /// our header or by one of these ids.
    pub(super) async fn look(
        &mut self,
        from_uid: u32,
        at: Timestamp,
        message_ids: &HashSet<&str>,
    ) -> Result<Option<Look>, WorkError> {
        let Some(SentPlace { folder, position }) = self.find_sent_place().await? else {
            return Ok(None);
        };
        let (mut uids, mut copies) = (Vec::new(), Vec::new());
        for slice in self.session.list_uids(from_uid).await?.chunks(SLICE) {
            for header in self.session.fetch_headers_of(slice).await? {
                uids.push(header.uid);
                let copy = arrival::parse_copy(&header.bytes);
                let size_bytes = header.size_bytes;
                let seen = Seen { copy, size_bytes };
                copies.extend(seen.copy.is_ours(message_ids).then_some(seen));
            }
            // It stays among those that were not shown, so that its absence proves nothing.
            for passed_over in self.session.take_passed_over() {
                tracing::debug!(
                    uid = passed_over.uid,
                    words = passed_over.words,
                    "a message of the sent folder cannot be read"
                );
            }
        }
        Ok(Some(Look {
            folder,
            position,
            uids,
            copies,
            at,
        }))
    }

    /// What stands in the sent folder of what came since then, wherever that is noted to have stood: of its messages those
    /// that are ours.
    pub(super) async fn look_since(
        &mut self,
        since: Timestamp,
        message_ids: &HashSet<&str>,
    ) -> Result<Vec<Seen>, WorkError> {
        let Some(folder) = self.sent_folder.clone() else {
            return Ok(Vec::new());
        };
        self.examine(&folder).await?;
        let mut copies = Vec::new();
        for slice in self.session.list_uids_since(since).await?.chunks(SLICE) {
            for header in self.session.fetch_headers_of(slice).await? {
                let copy = arrival::parse_copy(&header.bytes);
                let size_bytes = header.size_bytes;
                let seen = Seen { copy, size_bytes };
                copies.extend(seen.copy.is_ours(message_ids).then_some(seen));
            }
            let _ = self.session.take_passed_over();
        }
        Ok(copies)
    }

    /// Puts a copy of an accepted message into the sent folder, where the server makes none.
    pub(super) async fn append_sent(&mut self, message: &[u8]) -> Result<(), WorkError> {
        if let Some(folder) = &self.sent_folder {
            self.session.append(folder, message).await?;
        }
        Ok(())
    }
}

/// Where the server replaces ids, the reply of an accepted message does not always tell what it made of ours.
/// Its copy does: answers name that id, and follow-ups carry it. Called before INBOX is read, so that no answer
/// is met before its message can be known by it; each copy is read once in a session.
pub(super) async fn learn_names(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
) -> Result<(), WorkError> {
    let replaces_ids = app
        .providers
        .find(&inbox.provider)
        .is_some_and(|(_, provider)| !provider.submission.keeps_ids);
    if !replaces_ids || !reader.awaits_names {
        return Ok(());
    }
    let now = app.clock.now();
    let unnamed = app
        .store
        .list_unnamed(&inbox.id, now - NAMES_WITHIN)
        .await?;
    let noted = unnamed.iter().filter_map(|sent| sent.sent);
    let Some(first) = noted.min_by_key(|position| position.uid_next) else {
        reader.awaits_names = false;
        return Ok(());
    };
    let read_to = reader
        .names_read_to
        .filter(|read_to| read_to.uid_validity == first.uid_validity);
    let from_uid = read_to.map_or(first.uid_next, |read_to| {
        read_to.uid_next.max(first.uid_next)
    });
    let message_ids = unnamed.iter().map(|sent| sent.message_id.as_str());
    let look = reader.look(from_uid, now, &message_ids.collect()).await?;
    let Some(look) = look else {
        reader.awaits_names = false;
        return Ok(());
    };
    for Seen { copy, .. } in &look.copies {
        let sent = unnamed
            .iter()
            .find(|sent| copy.is_of(&sent.id, &sent.message_id));
        if let (Some(sent), Some(wire_id)) = (sent, &copy.message_id) {
            app.store.note_wire_id(&sent.id, wire_id).await?;
        }
    }
    let last_read = look
        .uids
        .iter()
        .max()
        .map_or(0, |uid| uid.saturating_add(1));
    reader.names_read_to = Some(FolderPosition {
        uid_next: look.position.uid_next.max(last_read),
        ..look.position
    });
    Ok(())
}
