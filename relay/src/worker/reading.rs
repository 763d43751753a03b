//! Reading what arrived since the last time, in INBOX and wherever else an answer may stand: replies and bounces stop
//! their leads. Reading again changes nothing, so a restart in the middle costs only time.

use std::collections::HashSet;
use std::time::Duration;

use protocol::evidence::{Party, Said, Stage};
use protocol::request::reply::Kind;
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::mailbox::{Mailbox, Places, Reader, learn_names};
use super::restored::compare_where_it_opens;
use super::returned::read_failure;
use crate::app::App;
use crate::failure::Failure;
use crate::imap::{Folder, Header, PassedOver, Position, is_of_the_moment};
use crate::record::FolderPosition;
use crate::store::addressed::Addressed;
use crate::store::folder::Place;
use crate::store::inbox::Inbox;
use crate::store::reply::Arrived;
use crate::store::restored::Proof;
use crate::text::arrival::away::{self, Written};
use crate::text::arrival::{self, Arrival, letter};
use crate::text::message::to_listed;
use crate::text::own::{self, Own};
use crate::text::way_out;

/// How much of a message is read where more than its headers is. Reports stand in front of what they return, and what
/// somebody writes in front of what they attach.
const READ_AT_MOST_BYTES: u32 = 256 * 1024;
/// Messages whose headers are held at a time.
const SLICE: usize = 200;
/// Connections that may end over the messages of one slice: one message is found among 200 in 8 halvings, and asked for
/// twice; this is for two of them.
const ENDS_MAX: usize = 20;
/// Folders of a person's own making that are gone through at every reading. Where there are more, hourly, and where
/// something may have been missed.
const FOLDERS_EACH_TIME: usize = 24;
/// Folders that are gone through at all; shared ones may be without number.
const FOLDERS_MAX: usize = 500;
/// Between two rounds through all folders, where they are many.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// A server's days begin where it stands (RFC 9051 §6.4.4), at most 14 hours off.
const DAY: Duration = Duration::from_hours(24);

/// What one reading found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Whether the sent folder could be read too: where it cannot, nothing is sent.
    pub(super) has_compared: bool,
    /// Up to where INBOX is read.
    pub(super) read_to: Option<FolderPosition>,
    pub(super) replies: u64,
    pub(super) bounces: u64,
}

/// Where reading a folder begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// Nothing came.
    Nowhere,
    /// At this UID.
    At(u32),
    /// At what came since this instant: the UIDs that were noted mean nothing, or none were.
    Since(Timestamp),
}

impl Begin {
    /// Whether a message came before what is read. The last ones of a folder are listed whenever they came.
    fn is_before(self, header: &Header) -> bool {
        match self {
            Self::Since(since) => header.internal_date.is_some_and(|at| at < since),
            Self::Nowhere | Self::At(_) => false,
        }
    }
}

/// A folder on its way to being read.
struct Task<'a> {
    app: &'a App,
    inbox: &'a Inbox,
    folder: &'a Folder,
    /// Where it was read to.
    noted: Option<FolderPosition>,
    /// From when on it was not read; `None` before the first reading, when nothing was sent that could be answered.
    since: Option<Timestamp>,
    /// Whether what is read needs no second reading.
    is_final: bool,
}

/// Reads INBOX from where the last reading ended, then the other folders in which something has changed.
pub(super) async fn read_inbox(
    app: &App,
    inbox: &Inbox,
    mailbox: &mut Mailbox,
) -> Result<Found, WorkError> {
    let began_at = app.clock.now();
    let is_swept = inbox.gap_open || is_sweep_due(mailbox, began_at);
    let reader = mailbox.reader(app, inbox).await?;
    reader.list_again(began_at, is_swept).await?;
    let has_compared = compare_where_it_opens(app, inbox, reader).await?;
    // While copies of what was sent may still come, answers to it are not known by it: they are read again after that.
    let is_final = app.watch.is_settled(&inbox.id);
    learn_names(app, inbox, reader).await?;
    let places = reader.list_places();
    let mut found = Found {
        has_compared,
        ..Found::default()
    };
    let since = inbox.last_read_at.map(|at| at - DAY);
    let task = Task {
        app,
        inbox,
        folder: &Folder::inbox(),
        noted: inbox.read_position,
        since,
        is_final,
    };
    let position = task.read(mailbox, &mut found).await?;
    found.read_to = Some(position);
    sweep(app, inbox, mailbox, places, is_final, &mut found).await?;
    if is_final {
        app.store
            .update_read_position(&inbox.id, position, began_at)
            .await?;
    }
    Ok(found)
}

/// Whether it is time for a round through all folders.
fn is_sweep_due(mailbox: &Mailbox, now: Timestamp) -> bool {
    mailbox
        .swept_at
        .is_none_or(|at| at > now || at + SWEEP_EVERY <= now)
}

/// Goes through the folders besides INBOX. One that cannot be read keeps nobody from the others.
async fn sweep(
    app: &App,
    inbox: &Inbox,
    mailbox: &mut Mailbox,
    places: Places,
    is_final: bool,
    found: &mut Found,
) -> Result<(), WorkError> {
    let began_at = app.clock.now();
    let Places { near, others } = places;
    let is_due = is_sweep_due(mailbox, began_at);
    let is_whole = inbox.gap_open || is_due || others.len() <= FOLDERS_EACH_TIME;
    let known = app.store.list_places(&inbox.id).await?;
    let mut folders = near;
    // One that was made since is read at once, however many others there are.
    let is_read = |folder: &Folder| is_whole || !known.contains_key(&folder.key());
    folders.extend(others.into_iter().filter(is_read));
    if folders.len() > FOLDERS_MAX {
        tracing::warn!(inbox = %inbox.address, n_folders = folders.len(), "only the first {FOLDERS_MAX} folders are read");
        folders.truncate(FOLDERS_MAX);
    }
    let mut n_ends = 0;
    for folder in &folders {
        let key = folder.key();
        let place = known.get(&key).copied();
        let task = Task {
            app,
            inbox,
            folder,
            noted: place.map(|place| place.position),
            // A folder that was not there is read from where the last good reading was.
            since: place
                .map(|place| place.read_at)
                .or(inbox.last_read_at)
                .map(|at| at - DAY),
            is_final,
        };
        match task.read_where_changed(mailbox, found).await {
            Ok(Some(position)) if is_final => {
                let read_at = began_at;
                app.store
                    .update_place(&inbox.id, &key, Place { position, read_at })
                    .await?;
            }
            Ok(_) => {}
            Err(WorkError::Failed(failure)) if failure.stage == Stage::Folder => {
                let refused = mailbox.has_usable_imap();
                tracing::debug!(inbox = %inbox.address, folder = folder.name, words = %failure.said, "a folder cannot be read");
                n_ends += usize::from(!refused);
                if n_ends > ENDS_MAX {
                    return Err(failure.into());
                }
                if refused {
                    mailbox.reader(app, inbox).await?.doubt_list();
                }
            }
            Err(error) => return Err(error),
        }
    }
    if is_whole && is_final {
        mailbox.swept_at = Some(began_at);
    }
    Ok(())
}

impl Task<'_> {
    /// Reads the folder where something came to it, which is asked without opening it; how far it is read then.
    async fn read_where_changed(
        &self,
        mailbox: &mut Mailbox,
        found: &mut Found,
    ) -> Result<Option<FolderPosition>, WorkError> {
        let reader = mailbox.reader(self.app, self.inbox).await?;
        let status = reader.session.find_status(self.folder).await?;
        let status = status.map(|(uid_validity, uid_next)| FolderPosition {
            uid_validity,
            uid_next,
        });
        if status.is_some() && status == self.noted {
            return Ok(None);
        }
        if self.noted.is_none() && self.since.is_none() && status.is_some() {
            return Ok(status);
        }
        self.read(mailbox, found).await.map(Some)
    }

    /// Reads what came; how far the folder is read then.
    async fn read(
        &self,
        mailbox: &mut Mailbox,
        found: &mut Found,
    ) -> Result<FolderPosition, WorkError> {
        let reader = mailbox.reader(self.app, self.inbox).await?;
        let position = reader.examine(self.folder).await?;
        let is_told = reader.session.tells_uid_next();
        let begin = find_begin(self.noted, self.since, position, is_told);
        let (uids, from_uid) = match begin {
            Begin::Nowhere => {
                let noted = self.noted.filter(|_| !is_told);
                return Ok(noted.unwrap_or(FolderPosition {
                    uid_validity: position.uid_validity,
                    uid_next: position.uid_next,
                }));
            }
            Begin::At(uid) => (reader.session.list_uids(uid).await?, uid),
            Begin::Since(at) => (reader.session.list_uids_since(at).await?, position.uid_next),
        };
        let is_inbox = self.folder.is_inbox();
        for slice in uids.chunks(SLICE) {
            for header in self.fetch(mailbox, position, slice).await? {
                if begin.is_before(&header) {
                    continue;
                }
                if !self.is_ours(&header).await? {
                    self.read_one(mailbox, position, &header, found).await?;
                }
            }
            // By day the last ones come first in no order that a place could name.
            if is_inbox && self.is_final && matches!(begin, Begin::At(_)) {
                let position = FolderPosition {
                    uid_validity: position.uid_validity,
                    uid_next: next_unread(from_uid, slice),
                };
                self.app
                    .store
                    .note_progress(&self.inbox.id, position)
                    .await?;
            }
        }
        Ok(FolderPosition {
            uid_validity: position.uid_validity,
            uid_next: next_unread(from_uid, &uids),
        })
    }

    /// Whether we wrote a message: what bears one of our marks, and was written by one of our inboxes or has an id of
    /// ours. An answer may repeat the mark alone.
    async fn is_ours(&self, header: &Header) -> Result<bool, WorkError> {
        let (address, store) = (&self.inbox.address, &self.app.store);
        let own = own::judge(&header.bytes, address, self.app.keys.tags());
        Ok(match own {
            Own::Ours => true,
            Own::OfItsAddress => !self.folder.is_inbox(),
            Own::Marked { from, message_id } => {
                let is_from_us = match &from {
                    Some(from) => store.has_inbox(from).await?,
                    None => false,
                };
                is_from_us
                    || match &message_id {
                        Some(message_id) => store.has_sent(message_id).await?,
                        None => false,
                    }
            }
            Own::Others => false,
        })
    }

    /// The reader with this folder open, opened again where the connection had ended.
    async fn enter<'m>(
        &self,
        mailbox: &'m mut Mailbox,
        position: Position,
    ) -> Result<&'m mut Reader, WorkError> {
        let reader = mailbox.reader(self.app, self.inbox).await?;
        if !reader.is_in(self.folder, position.uid_validity) {
            let now = reader.examine(self.folder).await?;
            if now.uid_validity != position.uid_validity {
                return Err(cannot_read("the folder is another one than before").into());
            }
        }
        Ok(reader)
    }

    /// The headers of one slice, without those that the server cannot give, which are told once: they are behind
    /// where reading goes on. Where it gives none at all, it is not the messages.
    async fn fetch(
        &self,
        mailbox: &mut Mailbox,
        position: Position,
        uids: &[u32],
    ) -> Result<Vec<Header>, WorkError> {
        let (mut headers, mut passed_over) = (Vec::new(), Vec::new());
        let mut open = vec![uids.to_vec()];
        let mut asked_alone = HashSet::new();
        let mut n_ends = 0;
        while let Some(uids) = open.pop() {
            let reader = self.enter(mailbox, position).await?;
            let failure = match reader.session.fetch_headers_of(&uids).await {
                Ok(given) => {
                    headers.extend(given);
                    passed_over.extend(reader.session.take_passed_over());
                    continue;
                }
                Err(failure) if reader.session.is_usable() => return Err(failure.into()),
                Err(failure) => failure,
            };
            // The connection ended over one of these.
            n_ends += 1;
            if n_ends > ENDS_MAX {
                return Err(failure.into());
            }
            match uids.as_slice() {
                [uid] if asked_alone.insert(*uid) => open.push(uids),
                [uid] => passed_over.push(PassedOver {
                    uid: *uid,
                    words: failure.said.to_string(),
                }),
                uids => {
                    let (first, second) = uids.split_at(uids.len() / 2);
                    open.extend([second.to_vec(), first.to_vec()]);
                }
            }
        }
        if let Some(first) = passed_over.first().filter(|_| headers.is_empty()) {
            let reader = self.enter(mailbox, position).await?;
            let n_others = usize::try_from(reader.session.n_messages())
                .unwrap_or(usize::MAX)
                .saturating_sub(passed_over.len());
            if n_others > 0 && !reader.session.gives_any().await? {
                return Err(cannot_read(&first.words).into());
            }
        }
        for PassedOver { uid, words } in passed_over {
            self.tell_passed_over(uid, &words);
        }
        Ok(headers)
    }

    /// Reads one message, twice where its server refuses that: then it is passed over.
    async fn read_one(
        &self,
        mailbox: &mut Mailbox,
        position: Position,
        header: &Header,
        found: &mut Found,
    ) -> Result<(), WorkError> {
        let mut words = String::new();
        for _ in 0..2 {
            let reader = self.enter(mailbox, position).await?;
            match read_message(self.app, self.inbox, reader, header, found).await {
                Err(WorkError::Failed(failure))
                    if failure.stage == Stage::Folder && !is_of_the_moment(&failure) =>
                {
                    words = failure.said.to_string();
                }
                read => return read,
            }
        }
        self.tell_passed_over(header.uid, &words);
        Ok(())
    }

    fn tell_passed_over(&self, uid: u32, words: &str) {
        tracing::warn!(
            inbox = %self.inbox.address, folder = self.folder.name, uid, words,
            "the server cannot give this message: it is passed over"
        );
    }
}

fn cannot_read(words: &str) -> Failure {
    let detail = words.to_owned();
    Failure::new(Party::Imap, Stage::Folder, Said::Garbage { detail })
}

/// Where reading begins. Before the first reading nothing was sent, so nothing is an answer. A folder that is not the
/// one that was noted (RFC 9051 §2.3.1.1) is read by day: what is known already changes nothing. `is_told` says whether
/// the server itself told the UIDNEXT.
fn find_begin(
    noted: Option<FolderPosition>,
    since: Option<Timestamp>,
    position: Position,
    is_told: bool,
) -> Begin {
    let (Some(noted), Some(since)) = (noted, since) else {
        return since.map_or(Begin::Nowhere, Begin::Since);
    };
    let went_back = is_told && position.uid_next < noted.uid_next;
    if noted.uid_validity != position.uid_validity || went_back {
        Begin::Since(since)
    } else if is_told && position.uid_next == noted.uid_next {
        Begin::Nowhere
    } else {
        Begin::At(noted.uid_next)
    }
}

/// The first UID that is not read after these were, of those from `from_uid` on. What the server says has come
/// and does not list counts as unread: its list may lag behind, and asking for it again costs little.
fn next_unread(from_uid: u32, listed: &[u32]) -> u32 {
    let last = listed.iter().max();
    last.map_or(from_uid, |last| last.saturating_add(1))
}

async fn read_message(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
    header: &Header,
    found: &mut Found,
) -> Result<(), WorkError> {
    let mut whole = None;
    let arrival = if arrival::may_be_bounce(&header.bytes) {
        whole = fetch_start(reader, header).await?;
        whole
            .as_ref()
            .map_or(Arrival::Other, |message| arrival::parse(message))
    } else {
        arrival::parse(&header.bytes)
    };
    let now = app.clock.now();
    // Where the server tells no time, it has come by now.
    let arrived_at = header.internal_date.unwrap_or(now);
    let store = &app.store;
    take_named(app, inbox, &arrival, arrived_at).await?;
    let by_subject = arrival::find_way_out(&header.bytes, app.keys.tags());
    if let Some(person) = &by_subject {
        unsubscribe(app, inbox, person, now).await?;
    }
    let (about, kind) = match arrival {
        Arrival::Reply(answer) => {
            let Some(addressed) = store
                .find_answered(&inbox.id, &inbox.address, &answer, arrived_at)
                .await?
            else {
                return Ok(());
            };
            if store.note_reply(&addressed, now).await? {
                tracing::info!(inbox = %inbox.address, lead = %addressed.lead, "the lead answered");
                found.replies += 1;
                // It may have been its campaign's last lead.
                app.bell.tell();
            }
            if whole.is_none() {
                whole = fetch_start(reader, header).await?;
            }
            let asks = answer
                .subjects
                .iter()
                .any(|subject| way_out::is_wish(subject))
                || whole
                    .as_ref()
                    .is_some_and(|message| arrival::asks_for_way_out(message));
            if asks {
                unsubscribe(app, inbox, &addressed.address, now).await?;
            }
            let kind = if asks || by_subject.is_some() {
                Kind::Unsubscribe
            } else {
                Kind::Reply
            };
            (addressed, kind)
        }
        Arrival::Automatic(answer) => {
            let Some(addressed) = store
                .find_answered(&inbox.id, &inbox.address, &answer, arrived_at)
                .await?
            else {
                return Ok(());
            };
            (addressed, Kind::AutoReply)
        }
        Arrival::Bounce(bounce) => {
            let Some((addressed, failure)) =
                store.find_bounced(&inbox.id, &bounce, arrived_at).await?
            else {
                return Ok(());
            };
            let bounced = if addressed.inbox == inbox.id {
                read_failure(inbox, &failure, now)
            } else {
                read_failure(&store.load_inbox(&addressed.inbox).await?, &failure, now)
            };
            if store.note_bounce(&addressed, &bounced, now).await? {
                let hardness = failure.hardness();
                tracing::info!(inbox = %inbox.address, lead = %addressed.lead, ?hardness, "a message bounced");
                found.bounces += 1;
                // It may have been its campaign's last lead.
                app.bell.tell();
            }
            (addressed, Kind::Bounce)
        }
        Arrival::Complaint(named) => {
            let Some(addressed) = store.find_named(&inbox.id, &named, arrived_at).await? else {
                return Ok(());
            };
            if store.note_complaint(&addressed.lead, now).await? {
                tracing::info!(inbox = %inbox.address, lead = %addressed.lead, "the lead complained");
                // It may have been its campaign's last lead.
                app.bell.tell();
            }
            (addressed, Kind::Complaint)
        }
        Arrival::Other => return Ok(()),
    };
    if whole.is_none() {
        whole = fetch_start(reader, header).await?;
    }
    let message = whole.as_deref().unwrap_or(&header.bytes);
    keep_arrived(app, inbox, (&about, kind), message, arrived_at).await
}

/// The start of a message; `None` where it is gone.
async fn fetch_start(reader: &mut Reader, header: &Header) -> Result<Option<Vec<u8>>, Failure> {
    reader
        .session
        .fetch_message(header.uid, READ_AT_MOST_BYTES)
        .await
}

/// Puts what arrived on record, once; whoever is away by it is held.
async fn keep_arrived(
    app: &App,
    inbox: &Inbox,
    (about, kind): (&Addressed, Kind),
    message: &[u8],
    arrived_at: Timestamp,
) -> Result<(), WorkError> {
    let is_whole = u32::try_from(message.len()).is_ok_and(|n_bytes| n_bytes < READ_AT_MOST_BYTES);
    let letter = letter::read(message, is_whole);
    let away_until = (kind == Kind::AutoReply)
        .then(|| {
            let written = letter.written.unwrap_or_else(|| Written::at(arrived_at));
            away::find_return(&format!("{}\n\n{}", letter.subject, letter.text), written)
        })
        .flatten();
    let arrived = Arrived {
        inbox: &inbox.id,
        about,
        kind,
        letter: &letter,
        arrived_at,
        away_until,
        keeps_words: app.config.reply_text_days > 0,
    };
    let now = app.clock.now();
    // The hold first: where it is broken off before the row stands, both are done again.
    if let Some(until) = away_until.filter(|until| *until > now)
        && !app.store.has_arrived(&inbox.id, &letter.key).await?
    {
        let n_leads = app.store.hold_person(&about.lead, until, now).await?;
        tracing::info!(inbox = %inbox.address, lead = %about.lead, %until, n_leads, "the lead is away");
    }
    app.store.note_arrived(&arrived, now).await?;
    Ok(())
}

/// Somebody asked not to be written to any more, in whatever campaign.
async fn unsubscribe(
    app: &App,
    inbox: &Inbox,
    person: &str,
    now: Timestamp,
) -> Result<(), WorkError> {
    let Ok(whom) = to_listed(person).parse() else {
        return Ok(());
    };
    if let Some(n_leads) = app.store.unsubscribe(&whom, now).await? {
        tracing::info!(inbox = %inbox.address, %whom, n_leads, "asked not to be written to any more");
        app.bell.tell();
    }
    Ok(())
}

/// What it names of ours was sent, also where a database that was put back does not know it.
async fn take_named(
    app: &App,
    inbox: &Inbox,
    arrival: &Arrival,
    arrived_at: Timestamp,
) -> Result<(), WorkError> {
    let (texts, addresses) = arrival.named();
    let known = app.keys.tags();
    let mut tags: Vec<String> = texts
        .into_iter()
        .filter_map(|text| known.find(text))
        .collect();
    tags.sort_unstable();
    tags.dedup();
    if tags.is_empty() {
        return Ok(());
    }
    let proof = Proof {
        tags,
        addresses: addresses.into_iter().cloned().collect(),
        at: arrived_at,
    };
    let n_taken = app
        .store
        .take_named(&inbox.id, &inbox.address, &proof, known, app.clock.now())
        .await?;
    if n_taken > 0 {
        app.watch.note_proved(&inbox.id, n_taken);
        tracing::warn!(
            inbox = %inbox.address, found = n_taken,
            "what arrived names messages that the database held for unsent: they are not sent again"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_does_not_list_is_asked_for_again() {
        for (listed, expected) in [(&[][..], 100), (&[100], 101), (&[100, 104], 105)] {
            assert_eq!(next_unread(100, listed), expected);
        }
    }

    #[test]
    fn reading_goes_on_where_it_ended_and_begins_by_day_in_another_folder() {
        let since = Timestamp::from_ms(5);
        let noted = Some(FolderPosition {
            uid_validity: 7,
            uid_next: 100,
        });
        for (noted, since, uid_validity, uid_next, is_told, expected) in [
            (None, None, 7, 100, true, Begin::Nowhere),
            (None, Some(since), 7, 100, true, Begin::Since(since)),
            (noted, Some(since), 7, 100, true, Begin::Nowhere),
            (noted, Some(since), 7, 103, true, Begin::At(100)),
            (noted, Some(since), 8, 103, true, Begin::Since(since)),
            (noted, Some(since), 7, 99, true, Begin::Since(since)),
            // The last message may be gone, and one may have come where nobody tells it.
            (noted, Some(since), 7, 99, false, Begin::At(100)),
            (noted, Some(since), 7, 100, false, Begin::At(100)),
            (noted, Some(since), 0, 100, false, Begin::Since(since)),
        ] {
            let position = Position {
                uid_validity,
                uid_next,
                n_messages: 3,
            };
            assert_eq!(find_begin(noted, since, position, is_told), expected);
        }
    }
}
