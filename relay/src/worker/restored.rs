//! The sent folder compared with the ledger, before anything is claimed: a ledger that was put back from a copy of its
//! own holds for unsent what was sent since. What has a copy is taken over; what may have been sent, and nothing
//! shows, is held for a person; a copy that another process made while this one runs stops everything until a person
//! says which of the two stays.

use std::collections::HashMap;
use std::time::Duration;

use protocol::evidence::Stage;
use protocol::provider::SentCopy;
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::mailbox::Reader;
use crate::app::App;
use crate::copies;
use crate::record::{FolderPosition, SentPlace};
use crate::store::inbox::Inbox;
use crate::store::restored::{Made, Restored, SeenCopy, Taken};
use crate::text::arrival::parse_copy;

/// Tries of the lost time that may have left no copy although the server makes them: more of them show that it does not.
const REFUSED_AT_MOST: u64 = 2;
/// Headers of the sent folder that are held at a time.
const SLICE: usize = 200;
/// A server's days begin where it stands (RFC 9051 §6.4.4), at most 14 hours off.
const DAY: Duration = Duration::from_hours(24);
/// Servers tell whole seconds, and their clocks are not this machine's.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);

/// What the sent folder showed since the ledger last wrote of it.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    taken: Taken,
    /// Whether every message that came to the folder since then was shown.
    is_whole: bool,
}

/// Compares what came to the sent folder since the last time with the ledger. Answers where the folder stood before;
/// `None` where there is none, or where the server does not tell.
pub(super) async fn compare(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
) -> Result<Option<SentPlace>, WorkError> {
    // Before the folder is opened: what comes later is not seen.
    let lived = app.watch.lived(app.clock.uptime());
    let place = reader.find_sent_place().await?;
    let shown = read(app, inbox, reader, place.as_ref()).await?;
    conclude_from(app, inbox, shown, lived).await?;
    Ok(place)
}

async fn conclude_from(
    app: &App,
    inbox: &Inbox,
    shown: Shown,
    lived: Duration,
) -> Result<(), WorkError> {
    let taken = shown.taken;
    if taken != Taken::default() {
        tracing::warn!(
            inbox = %inbox.address, found = taken.found, strays = taken.strays,
            "the sent folder holds messages that the database held for unsent: they are not sent again"
        );
    }
    if app.watch.is_settled(&inbox.id) {
        match taken.made {
            Made::Before => {}
            Made::Now => meet_another(app, inbox).await?,
            Made::Lately => {
                // Later than is waited for at a start: the rest is waited for as after any restore.
                app.watch.unsettle(&inbox.id);
                app.store.note_restored(&inbox.id, app.watch.lost()).await?;
                tracing::warn!(
                    inbox = %inbox.address,
                    "a copy shows that the database was put back: what was sent since is looked for first"
                );
            }
        }
        return Ok(());
    }
    if taken.unattempted > 0 {
        app.store.note_restored(&inbox.id, app.watch.lost()).await?;
    }
    let n_found = app.watch.note_found(&inbox.id, taken.unattempted);
    let is_whole = app.watch.note_whole(&inbox.id, shown.is_whole);
    let mut restored = app.store.find_restored(&inbox.id).await?;
    if let Some(restored) = &mut restored {
        let n_proved = app.watch.n_proved(&inbox.id);
        restored.missing = restored.missing.map(|n| n.saturating_sub(n_proved));
    }
    let is_late = lived >= copies::wait_for(app, inbox, restored.is_some());
    match restored {
        // What is missing is on record, and all of it was found.
        Some(restored) if is_late || is_accounted(&restored, n_found) => {
            conclude(app, inbox, &restored, n_found, is_whole).await
        }
        Some(_) => Ok(()),
        None => {
            if is_late {
                app.watch.settle(&inbox.id);
            }
            Ok(())
        }
    }
}

/// The same before INBOX is read, so that no answer is met before its message can be known by it. A sent folder that
/// the server does not open keeps nobody's answer from being read; nothing is sent meanwhile. Answers whether it was
/// compared.
pub(super) async fn compare_where_it_opens(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
) -> Result<bool, WorkError> {
    match compare_where_changed(app, inbox, reader).await {
        Err(WorkError::Failed(failure))
            if failure.stage == Stage::Folder && reader.session.is_usable() =>
        {
            tracing::debug!(inbox = %inbox.address, words = %failure.said, "the sent folder cannot be read");
            Ok(false)
        }
        compared => compared.map(|()| true),
    }
}

/// The same where something came to the sent folder since the last time.
pub(super) async fn compare_where_changed(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
) -> Result<(), WorkError> {
    if reader.has_compared_all().await? && app.watch.is_settled(&inbox.id) {
        return Ok(());
    }
    compare(app, inbox, reader).await.map(|_| ())
}

/// The mark goes through to the disk; where another relay writes it, nothing is sent before a person has spoken.
pub(super) async fn sync_mark(app: &App) {
    let now = app.clock.now();
    if app.mark.sync(app.store.lived_ms(now)).await.is_ok() {
        return;
    }
    tracing::error!(
        "another relay writes the mark of this one: nothing is sent before a person says which one stays"
    );
    if let Err(error) = app.store.meet_another_relay(None, now).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "cannot note that another relay is there"
        );
    }
}

/// Whether as many copies were found as messages are missing.
fn is_accounted(restored: &Restored, n_found: u64) -> bool {
    restored.missing.is_some_and(|missing| n_found >= missing)
}

/// Whether the server promises to copy all that it takes.
fn makes_copies(app: &App, inbox: &Inbox) -> bool {
    copies::find_submission(app, inbox)
        .is_some_and(|submission| matches!(submission.sent_copy, SentCopy::Server { .. }))
}

async fn conclude(
    app: &App,
    inbox: &Inbox,
    restored: &Restored,
    n_found: u64,
    is_whole: bool,
) -> Result<(), WorkError> {
    // The server copies all that it takes, and all that it copied was shown: what is absent has not left. That it still
    // does so is seen by a copy, and by few being absent: tries that it refused are among them.
    let is_copied = makes_copies(app, inbox)
        && is_whole
        && restored.missing.is_none_or(|missing| {
            n_found > 0 && missing.saturating_sub(n_found) <= REFUSED_AT_MOST
        });
    let n_held = if is_accounted(restored, n_found) || is_copied {
        0
    } else {
        app.store
            .hold_what_may_be_sent(&inbox.id, restored.lost, app.clock.now())
            .await?
    };
    tracing::warn!(
        inbox = %inbox.address, missing = restored.missing, found = n_found, held = n_held,
        "the database was put back: what was sent since is known, or held for a person"
    );
    app.bell.tell();
    app.store.settle_restored(&inbox.id).await?;
    app.watch.settle(&inbox.id);
    Ok(())
}

/// A message that nobody here sent, of a time in which this process runs.
async fn meet_another(app: &App, inbox: &Inbox) -> Result<(), WorkError> {
    app.store
        .meet_another_relay(Some(&inbox.id), app.clock.now())
        .await?;
    app.bell.tell();
    tracing::error!(
        inbox = %inbox.address,
        "another relay sends the same campaigns: nothing is sent before a person says which one stays"
    );
    Ok(())
}

/// Which process may have sent a message. What was written after this one began, but for clocks that differ, no
/// earlier one wrote; and none has a copy made after its time.
fn find_made(
    app: &App,
    inbox: &Inbox,
    written_at: Option<Timestamp>,
    at: Option<Timestamp>,
) -> Made {
    let started_at = app.watch.started_at();
    let within = copies::within(app, inbox);
    let is_after = |at: Option<Timestamp>, from: Timestamp| at.is_some_and(|at| at > from);
    let lost_from = started_at - app.watch.lost() - CLOCKS_DIFFER;
    // It is told in whole seconds.
    let written_by = written_at.map(|at| at + Duration::from_secs(1));
    if is_after(written_by, started_at + within.min(copies::AT_A_START))
        || is_after(at, started_at + within)
    {
        Made::Now
    } else if is_after(written_at.max(at), lost_from) {
        Made::Lately
    } else {
        Made::Before
    }
}

async fn read(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
    place: Option<&SentPlace>,
) -> Result<Shown, WorkError> {
    let Some(folder) = reader.sent_folder() else {
        return Ok(Shown::default());
    };
    // Where the server tells no place, every reading would begin anew: it is read once.
    if place.is_none() && app.watch.is_settled(&inbox.id) {
        return Ok(Shown::default());
    }
    let known = app.store.find_compared(&inbox.id).await?;
    let noted = reader.compared_to().or_else(|| {
        let place = known.place.as_ref()?;
        (place.folder == folder.name).then_some(place.position)
    });
    let noted = noted.filter(|noted| {
        place.is_some_and(|place| {
            place.position.uid_validity == noted.uid_validity
                && place.position.uid_next >= noted.uid_next
        })
    });
    let (uids, is_continued) = match noted {
        Some(noted) if place.is_some_and(|place| place.position.uid_next == noted.uid_next) => {
            (Vec::new(), true)
        }
        Some(noted) => (reader.session.list_uids(noted.uid_next).await?, true),
        // A folder that is not the one that was noted (RFC 9051 §2.3.1.1) is read by day.
        None => {
            let since = known.since - DAY;
            (reader.session.list_uids_since(since).await?, false)
        }
    };
    // The server promises one; elsewhere this relay may have made one beside the server's.
    let per_attempt = if makes_copies(app, inbox) { 1 } else { 2 };
    let mut shown = Shown::default();
    let mut n_shown = 0_usize;
    let mut at_once: HashMap<String, u32> = HashMap::new();
    for slice in uids.chunks(SLICE) {
        let mut copies = Vec::new();
        for header in reader.session.fetch_headers_of(slice).await? {
            n_shown += 1;
            let copy = parse_copy(&header.bytes);
            let Some(tag) = copy.find_tag(app.keys.tags()) else {
                continue;
            };
            let n_at_once = at_once.entry(tag.clone()).or_default();
            *n_at_once += u32::from(is_continued);
            // Attempts at one message differ by when it was written, or by what the server made of its id.
            let message = format!("{:?} {:?}", copy.written_at, copy.message_id);
            copies.push(SeenCopy {
                n_copies: app.watch.note_copies(&inbox.id, &tag, &message, *n_at_once),
                made: find_made(app, inbox, copy.written_at, header.internal_date),
                tag,
                message_id: copy.message_id,
                to: copy.to.into_iter().next().unwrap_or_default(),
                at: header.internal_date,
            });
        }
        // What cannot be read may have been one of ours.
        let _ = reader.session.take_passed_over();
        let taken = app
            .store
            .take_copies(
                &inbox.id,
                &inbox.address,
                &copies,
                per_attempt,
                app.keys.tags(),
                app.clock.now(),
            )
            .await?;
        shown.taken = shown.taken.and(taken);
    }
    if let Some(place) = place {
        let came = noted.map_or(0, |noted| {
            place.position.uid_next.saturating_sub(noted.uid_next)
        });
        shown.is_whole = is_continued && n_shown >= usize::try_from(came).unwrap_or(usize::MAX);
        let last_read = uids.iter().max().map_or(0, |uid| uid.saturating_add(1));
        reader.note_compared(FolderPosition {
            uid_next: place.position.uid_next.max(last_read),
            ..place.position
        });
    }
    Ok(shown)
}
