//! The sent folder compared with the ledger, before anything is claimed: a ledger that was put back from a copy of its
//! own holds for unsent what was sent since. What has a copy is taken over; what may have been sent, and nothing
//! shows, is held for a person; a copy that another process made while this one runs stops everything until a person
//! says which of the two stays.

use std::time::Duration;

use protocol::evidence::Stage;
use protocol::provider::{SentCopy, Submission};
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::mailbox::Reader;
use crate::app::App;
use crate::engine::doubt::conclusive_after;
use crate::record::{FolderPosition, SentPlace};
use crate::store::inbox::Inbox;
use crate::store::restored::{Restored, SeenCopy, Taken};
use crate::text::arrival::parse_copy;

/// Headers of the sent folder that are held at a time.
const SLICE: usize = 200;
/// A server's days begin where it stands (RFC 9051 §6.4.4), at most 14 hours off.
const DAY: Duration = Duration::from_hours(24);

/// What the sent folder showed since the ledger last wrote of it.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    taken: Taken,
    /// Whether every message that came to the folder since then was shown.
    is_whole: bool,
}

/// Compares what came to the sent folder since the last time with the ledger. `place` is where the folder stands, as it
/// is open; `None` where there is none, or where the server does not tell.
pub(super) async fn compare(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
    place: Option<&SentPlace>,
) -> Result<(), WorkError> {
    let shown = read(app, inbox, reader, place).await?;
    let taken = shown.taken;
    if taken != Taken::default() {
        tracing::warn!(
            inbox = %inbox.address, found = taken.found, strays = taken.strays,
            "the sent folder holds messages that the database held for unsent: they are not sent again"
        );
    }
    if app.watch.is_settled(&inbox.id) {
        if taken.unattempted > 0 {
            meet_another(app, inbox, taken.unattempted_at).await?;
        }
        return Ok(());
    }
    if taken.unattempted > 0 {
        app.store.note_restored(&inbox.id, app.watch.gap()).await?;
    }
    let n_found = app.watch.note_found(&inbox.id, taken.unattempted);
    let is_whole = app.watch.note_whole(&inbox.id, shown.is_whole);
    let Some(restored) = app.store.find_restored(&inbox.id).await? else {
        app.watch.settle(&inbox.id);
        return Ok(());
    };
    let submission = app
        .providers
        .find(&inbox.provider)
        .map(|(_, p)| p.submission);
    if !is_over(app, &restored, n_found, submission.as_ref()) {
        return Ok(());
    }
    conclude(
        app,
        inbox,
        &restored,
        n_found,
        submission.as_ref(),
        is_whole,
    )
    .await
}

/// The same before INBOX is read, so that no answer is met before its message can be known by it. A sent folder that
/// the server does not open keeps nobody's answer from being read; nothing is sent meanwhile.
pub(super) async fn compare_where_changed(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
) -> Result<(), WorkError> {
    if reader.has_compared_all().await? && app.watch.is_settled(&inbox.id) {
        return Ok(());
    }
    let compared = match reader.find_sent_place().await {
        Ok(place) => compare(app, inbox, reader, place.as_ref()).await,
        Err(error) => Err(error),
    };
    match compared {
        Err(WorkError::Failed(failure))
            if failure.stage == Stage::Folder && reader.session.is_usable() =>
        {
            tracing::debug!(inbox = %inbox.address, words = %failure.said, "the sent folder cannot be read");
            Ok(())
        }
        compared => compared,
    }
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

/// When an inbox may claim, where it has to wait for copies that may still be made.
pub(super) fn not_before(app: &App, inbox: &Inbox) -> Option<Timestamp> {
    if app.watch.is_settled(&inbox.id) {
        return None;
    }
    let submission = app
        .providers
        .find(&inbox.provider)
        .map(|(_, p)| p.submission);
    let left =
        copies_within(submission.as_ref()).saturating_sub(app.watch.lived(app.clock.uptime()));
    Some(app.clock.now() + left)
}

/// How long after an acceptance its copy may come.
fn copies_within(submission: Option<&Submission>) -> Duration {
    submission.and_then(conclusive_after).unwrap_or_default()
}

/// Whether nothing more can be learned: all that is missing was found, or the last copy has had its time.
fn is_over(app: &App, restored: &Restored, n_found: u64, submission: Option<&Submission>) -> bool {
    restored.missing.is_some_and(|missing| n_found >= missing)
        || app.watch.lived(app.clock.uptime()) >= copies_within(submission)
}

async fn conclude(
    app: &App,
    inbox: &Inbox,
    restored: &Restored,
    n_found: u64,
    submission: Option<&Submission>,
    is_whole: bool,
) -> Result<(), WorkError> {
    let is_accounted = restored.missing.is_some_and(|missing| n_found >= missing);
    // The server copies all that it takes, and all that it copied was shown: what is absent has not left.
    let is_copied = submission
        .is_some_and(|submission| matches!(submission.sent_copy, SentCopy::Server { .. }))
        && is_whole;
    let n_held = if is_accounted || is_copied {
        0
    } else {
        app.store
            .hold_what_may_be_sent(&inbox.id, restored.gap, app.clock.now())
            .await?
    };
    tracing::warn!(
        inbox = %inbox.address, missing = restored.missing, found = n_found, held = n_held,
        "the database was put back: what was sent since is known, or held for a person"
    );
    app.store.settle_restored(&inbox.id).await?;
    app.watch.settle(&inbox.id);
    Ok(())
}

/// A copy that nobody here made while this process runs.
async fn meet_another(
    app: &App,
    inbox: &Inbox,
    made_at: Option<Timestamp>,
) -> Result<(), WorkError> {
    let submission = app
        .providers
        .find(&inbox.provider)
        .map(|(_, p)| p.submission);
    let own_from = app.watch.started_at() + copies_within(submission.as_ref());
    if made_at.is_some_and(|at| at > own_from) {
        app.store
            .meet_another_relay(Some(&inbox.id), app.clock.now())
            .await?;
        tracing::error!(
            inbox = %inbox.address,
            "another relay sends the same campaigns: nothing is sent before a person says which one stays"
        );
    }
    Ok(())
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
    let mut shown = Shown::default();
    let mut n_shown = 0_usize;
    for slice in uids.chunks(SLICE) {
        let mut copies = Vec::new();
        for header in reader.session.fetch_headers_of(slice).await? {
            n_shown += 1;
            let copy = parse_copy(&header.bytes);
            let Some(tag) = copy.find_tag(app.keys.tags()) else {
                continue;
            };
            copies.push(SeenCopy {
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
                app.keys.tags(),
                app.clock.now(),
            )
            .await?;
        shown.taken.found += taken.found;
        shown.taken.strays += taken.strays;
        shown.taken.unattempted += taken.unattempted;
        shown.taken.unattempted_at = shown.taken.unattempted_at.max(taken.unattempted_at);
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
