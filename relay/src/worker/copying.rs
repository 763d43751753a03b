//! Copies of accepted messages in the sent folder of an inbox whose server promises none: who makes them is learned, and
//! where nobody does, the relay makes them. Which messages owe one is on record, so that no end of the relay costs a
//! copy; after one each is looked for before it is made.

use std::collections::HashSet;
use std::time::Duration;

use protocol::id::DeliveryId;
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::mailbox::Mailbox;
use super::memory::Memory;
use crate::app::App;
use crate::record::SentPlace;
use crate::store::inbox::{CopiedBy, Inbox};
use crate::text::message::{Parts, compose};

/// How long a copy that the server may make is looked for before the relay makes one.
const COPIED_WITHIN: Duration = Duration::from_mins(2);
/// The first time that it is looked for, after the acceptance.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(2);
/// When it is looked for.
const LOOKS: [Duration; 4] = [
    FIRST_LOOK,
    Duration::from_secs(10),
    Duration::from_mins(1),
    COPIED_WITHIN,
];
/// Messages that are held while it is not known who makes copies; of what goes beyond, a copy is made at once.
const HELD_AT_MOST: usize = 200;
/// Until a copy is tried again that could not be made.
const AGAIN_AFTER: Duration = Duration::from_mins(1);
/// The same where the server refused it.
const REFUSED_AGAIN_AFTER: Duration = Duration::from_hours(1);
/// A server's days begin where it stands (RFC 9051 §6.4.4), at most 14 hours off.
const DAY: Duration = Duration::from_hours(24);

/// An accepted message of which the relay makes no copy before it knows that there is none and nobody else makes one.
pub(super) struct Copied {
    id: DeliveryId,
    message_id: String,
    accepted_at: Timestamp,
    /// Where the sent folder stood before it, of one that was accepted in this life. `None` of any other, and where a copy
    /// may have been made that nobody confirmed: it is looked for by day, and teaches nothing.
    sent: Option<SentPlace>,
    /// At which uptime a copy of the server's had its time, or its own may be tried again.
    over_at: Duration,
    /// Whether its own could not be made the last time.
    is_put_off: bool,
}

/// Makes a copy of an accepted message in the sent folder where nobody but the client makes one, or holds it until
/// that is known.
pub(super) async fn keep_copy(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    id: &DeliveryId,
    message_id: &str,
    message: &[u8],
) -> Result<(), WorkError> {
    let sent = memory.mailbox.sent_place();
    let copied = Copied {
        id: id.clone(),
        message_id: message_id.to_owned(),
        accepted_at: app.clock.now(),
        sent,
        over_at: app.clock.uptime() + COPIED_WITHIN,
        is_put_off: false,
    };
    match inbox.copied_by() {
        CopiedBy::Server => Ok(()),
        CopiedBy::Unknown if copied.sent.is_some() && memory.copied.len() < HELD_AT_MOST => {
            memory.copied.push(copied);
            memory.doubt(app.clock.now());
            Ok(())
        }
        CopiedBy::Unknown | CopiedBy::Client => {
            let left = append(app, inbox, &mut memory.mailbox, copied, Some(message)).await?;
            memory.copied.extend(left);
            Ok(())
        }
    }
}

/// Makes the copy; what could not be made is answered, to be looked for and tried again.
async fn append(
    app: &App,
    inbox: &Inbox,
    mailbox: &mut Mailbox,
    copied: Copied,
    message: Option<&[u8]>,
) -> Result<Option<Copied>, WorkError> {
    let written = if let Some(message) = message {
        Some(message.to_vec())
    } else {
        let (id, message_id) = (&copied.id, &copied.message_id);
        write_again(app, inbox, id, message_id, copied.accepted_at).await?
    };
    let kept = match (mailbox.reader(app, inbox).await, &written) {
        (Ok(reader), Some(message)) => reader.append_sent(message).await,
        (Ok(_), None) => Ok(()),
        (Err(error), _) => Err(error),
    };
    let Err(error) = kept else {
        app.store.note_copied(&copied.id).await?;
        return Ok(None);
    };
    let after = if mailbox.has_usable_imap() {
        REFUSED_AGAIN_AFTER
    } else {
        AGAIN_AFTER
    };
    tracing::warn!(inbox = %inbox.address, %error, "no copy was kept in the sent folder yet; it is tried again");
    Ok(Some(Copied {
        sent: None,
        over_at: app.clock.uptime() + after,
        is_put_off: true,
        ..copied
    }))
}

/// The message of a delivery, as what is on record makes it again; `None` where that makes none any more.
pub(super) async fn write_again(
    app: &App,
    inbox: &Inbox,
    id: &DeliveryId,
    message_id: &str,
    date: Timestamp,
) -> Result<Option<Vec<u8>>, WorkError> {
    let Some(written) = app.store.find_written(id).await? else {
        return Ok(None);
    };
    let way_out = app.way_out(written.tells_way_out, &inbox.address, &written.to);
    let step = written.steps.get(written.step_idx);
    let attached = step.map_or(&[][..], |step| step.files.as_slice());
    let parts = Parts {
        from: &inbox.address,
        files: &app.store.load_files(attached).await?,
        sender: &written.sender.or(&inbox.sender),
        to: &written.to,
        lead: &written.lead,
        fields: &written.fields,
        steps: &written.steps,
        step_idx: written.step_idx,
        delivery: id,
        message_id,
        thread: &written.thread,
        date,
        way_out: way_out.as_ref(),
    };
    Ok(compose(&parts).ok())
}

/// What owes its copy since an earlier sign-in is remembered.
async fn load_owed(app: &App, inbox: &Inbox, memory: &mut Memory) -> Result<(), WorkError> {
    if memory.knows_owed {
        return Ok(());
    }
    let (now, uptime) = (app.clock.now(), app.clock.uptime());
    let all = app.store.list_owed(&inbox.id, HELD_AT_MOST).await?;
    memory.knows_owed = all.len() < HELD_AT_MOST;
    for owed in all {
        if memory.copied.iter().any(|known| known.id == owed.id) {
            continue;
        }
        // A clock may have been set back since.
        let accepted_at = owed.accepted_at.min(now);
        let passed = now.since(accepted_at);
        memory.copied.push(Copied {
            id: owed.id,
            message_id: owed.message_id,
            accepted_at,
            sent: None,
            over_at: uptime + COPIED_WITHIN.saturating_sub(passed),
            is_put_off: false,
        });
    }
    Ok(())
}

/// Which of the messages that are held have a copy.
async fn look(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<HashSet<DeliveryId>, WorkError> {
    let uptime = app.clock.uptime();
    let is_due = |copied: &&Copied| !copied.is_put_off || copied.over_at <= uptime;
    let due: Vec<&Copied> = memory.copied.iter().filter(is_due).collect();
    let ids: HashSet<&str> = due.iter().map(|held| held.message_id.as_str()).collect();
    let noted = due.iter().filter_map(|held| held.sent.as_ref());
    let from_uid = noted.map(|sent| sent.position.uid_next).min();
    let earlier = due.iter().filter(|held| held.sent.is_none());
    let since = earlier.map(|held| held.accepted_at).min();
    let mut seen = HashSet::new();
    if from_uid.is_none() && since.is_none() {
        return Ok(seen);
    }
    let reader = memory.mailbox.reader(app, inbox).await?;
    let mut copies = Vec::new();
    if let Some(from_uid) = from_uid {
        let look = reader.look(from_uid, app.clock.now(), &ids).await?;
        copies.extend(look.into_iter().flat_map(|look| look.copies));
    }
    if let Some(since) = since {
        copies.extend(reader.look_since(since - DAY, &ids).await?);
    }
    for held in due {
        let mut copies = copies.iter();
        if copies.any(|one| one.copy.is_of(&held.id, &held.message_id)) {
            seen.insert(held.id.clone());
        }
    }
    Ok(seen)
}

/// Looks for copies of the messages that are held, and makes those that nobody else makes; answers when to look again.
pub(super) async fn learn_copies(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    load_owed(app, inbox, memory).await?;
    if memory.copied.is_empty() {
        return Ok(None);
    }
    let seen = look(app, inbox, memory).await?;
    let uptime = app.clock.uptime();
    let mut known = inbox.clone();
    let mut held = Vec::new();
    // What an error of our own leaves is loaded again.
    let knows_owed = std::mem::take(&mut memory.knows_owed);
    for copied in std::mem::take(&mut memory.copied) {
        let teaches = i64::from(copied.sent.is_some());
        if seen.contains(&copied.id) {
            known.copies_found += teaches;
            app.store.note_copied(&copied.id).await?;
        } else if copied.over_at <= uptime {
            known.copies_missing += teaches;
            held.extend(append(app, inbox, &mut memory.mailbox, copied, None).await?);
        } else {
            held.push(copied);
        }
    }
    let (found, missing) = (
        known.copies_found - inbox.copies_found,
        known.copies_missing - inbox.copies_missing,
    );
    if found + missing > 0 {
        app.store
            .note_copies(&inbox.id, inbox.adoption, found, missing)
            .await?;
    }
    match known.copied_by() {
        CopiedBy::Server => {
            for copied in held.drain(..) {
                app.store.note_copied(&copied.id).await?;
            }
        }
        CopiedBy::Client => {
            let (put_off, due): (Vec<_>, Vec<_>) =
                held.drain(..).partition(|copied| copied.is_put_off);
            held = put_off;
            for copied in due {
                held.extend(append(app, inbox, &mut memory.mailbox, copied, None).await?);
            }
        }
        CopiedBy::Unknown => {}
    }
    let next = |copied: &Copied| {
        let left = copied.over_at.saturating_sub(uptime);
        let held_for = COPIED_WITHIN.saturating_sub(left);
        let next = LOOKS.into_iter().find(|after| *after > held_for);
        let by_look = next.map_or(left, |next| next.saturating_sub(held_for));
        app.clock.now() + if copied.sent.is_some() { by_look } else { left }
    };
    let again = held.iter().map(next).min();
    memory.copied = held;
    memory.knows_owed = knows_owed;
    Ok(again)
}

/// The sign-in ends, in order or with its inbox: copies that nobody has made by now are made where the session still
/// stands. What cannot be made stays owed.
pub(super) async fn finish_copies(app: &App, inbox: &Inbox, memory: &mut Memory) {
    if memory.copied.is_empty() || !memory.mailbox.has_usable_imap() {
        return;
    }
    if let Err(error) = make_all(app, inbox, memory).await {
        tracing::info!(inbox = %inbox.address, %error, "copies are made at the next sign-in");
    }
}

async fn make_all(app: &App, inbox: &Inbox, memory: &mut Memory) -> Result<(), WorkError> {
    let seen = look(app, inbox, memory).await?;
    memory.knows_owed = false;
    for copied in std::mem::take(&mut memory.copied) {
        if seen.contains(&copied.id) {
            app.store.note_copied(&copied.id).await?;
        } else if !copied.is_put_off && memory.mailbox.has_usable_imap() {
            append(app, inbox, &mut memory.mailbox, copied, None).await?;
        }
    }
    Ok(())
}
