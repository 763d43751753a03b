//! Between two readings: the server says at once that something came (IDLE, RFC 2177), where it offers that. Where it does
//! not, and for every folder but INBOX, the inbox is read again and again as ever.

use std::time::Duration;

use protocol::connection::is_alarming;
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::confirming::meet;
use super::memory::{Memory, grown, spread};
use crate::app::App;
use crate::engine::jitter::share;
use crate::failure::Failure;
use crate::imap::{Folder, Position};
use crate::record::FolderPosition;
use crate::store::inbox::Inbox;

/// IDLE is begun anew before a server may take the client for gone (RFC 2177 §3: 29 minutes).
const ANEW_AFTER: Duration = Duration::from_mins(28);
/// What looks again within this is not told of anything meanwhile: asking costs two round trips.
pub(super) const NOT_WORTH: Duration = Duration::from_secs(2);
/// Between two readings because something came, however often the server says so.
const READ_AT_MOST_EVERY: Duration = Duration::from_secs(2);
/// A connection that listened for so long had not just broken before.
const STEADY_AFTER: Duration = Duration::from_mins(1);
/// The first tries of inboxes whose connections broke together are spread over this long.
const SPREAD: Duration = Duration::from_secs(2);

/// What the task of an inbox remembers of listening.
#[derive(Default)]
pub(super) struct Listening {
    /// Up to where INBOX was read.
    pub(super) read_to: Option<FolderPosition>,
    /// For which UIDNEXT it was read again, so that a server which never lists what it counts is not read for ever.
    read_for: Option<u32>,
    /// When it was read last because something came.
    news_at: Option<Timestamp>,
    /// Connections that broke in a row while nothing was asked of them.
    n_broken: u32,
    /// With what the last one broke, until that is dealt with.
    broken: Option<Failure>,
}

impl Listening {
    /// Whether a connection broke and nothing was done about it yet.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }
}

/// The server said something, or its connection broke, while nothing was asked of it.
pub(super) fn notice(app: &App, memory: &mut Memory, news: Result<(), Failure>) {
    let now = app.clock.now();
    let listening = &mut memory.listening;
    match news {
        Ok(()) => {
            let earliest = listening.news_at.map_or(now, |at| at + READ_AT_MOST_EVERY);
            // A clock that was set back puts nothing off.
            let at = earliest.min(now + READ_AT_MOST_EVERY).max(now);
            listening.news_at = Some(at);
            memory.read_at = Some(memory.read_at.map_or(at, |read_at| read_at.min(at)));
        }
        Err(failure) => listening.broken = Some(failure),
    }
}

/// Deals with a connection that broke while it listened. What may say that the inbox is lost is confirmed as ever; else it
/// is signed in and read anew soon, which finds out. Answers when to look again.
pub(super) async fn mend(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    let Some(failure) = memory.listening.broken.take() else {
        return Ok(None);
    };
    let now = app.clock.now();
    if is_alarming(&failure.clone().at(inbox.provider.clone(), now)) {
        return meet(app, inbox, memory, failure).await;
    }
    tracing::debug!(inbox = %inbox.address, words = %failure.said, "the connection that listened ended");
    let was_steady = memory
        .mailbox
        .listened_since()
        .is_some_and(|since| now.since(since) >= STEADY_AFTER);
    let listening = &mut memory.listening;
    listening.n_broken = if was_steady {
        1
    } else {
        listening.n_broken.saturating_add(1)
    };
    let timing = &app.config.timing;
    let delay = grown(timing, timing.first_retry_after, listening.n_broken - 1);
    let own = SPREAD.mul_f64(share(&inbox.id, "listen", 0));
    let at = now + spread(app, &inbox.id, "listen", delay) + own;
    memory.read_at = Some(memory.read_at.map_or(at, |read_at| read_at.min(at)));
    memory.mailbox.close_imap().await;
    // What is due goes on being sent.
    Ok(Some(now))
}

/// Lets the server say when something comes, once everything else is done. Answers when to look again for that.
pub(super) async fn listen(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
) -> Result<Option<Timestamp>, WorkError> {
    let Some(read_to) = memory.listening.read_to else {
        return Ok(None);
    };
    let now = app.clock.now();
    if let Some(since) = memory.mailbox.listens_since() {
        let anew_at = since + ANEW_AFTER;
        if since <= now && now < anew_at {
            return Ok(Some(anew_at));
        }
    }
    // One that broke is opened by the next reading, which is soon.
    if !memory.mailbox.may_listen() {
        return Ok(None);
    }
    let reader = memory.mailbox.reader(app, inbox).await?;
    let position = reader.examine(&Folder::inbox()).await?;
    let is_told = reader.session.tells_uid_next();
    if is_told
        && has_come(read_to, position)
        && memory.listening.read_for != Some(position.uid_next)
    {
        memory.listening.read_for = Some(position.uid_next);
        memory.read_at = Some(now);
        return Ok(Some(now));
    }
    if memory.mailbox.begin_to_listen(now).await? {
        Ok(Some(now + ANEW_AFTER))
    } else {
        Ok(None)
    }
}

/// Whether something came to INBOX since it was read.
fn has_come(read_to: FolderPosition, position: Position) -> bool {
    read_to.uid_validity != position.uid_validity || read_to.uid_next < position.uid_next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_between_reading_and_listening_is_seen() {
        let read_to = FolderPosition {
            uid_validity: 7,
            uid_next: 100,
        };
        for (uid_validity, uid_next, expected) in [
            (7, 100, false),
            (7, 101, true),
            (8, 100, true),
            (7, 99, false),
        ] {
            let position = Position {
                uid_validity,
                uid_next,
                n_messages: 3,
            };
            assert_eq!(
                has_come(read_to, position),
                expected,
                "{uid_validity} {uid_next}"
            );
        }
    }
}
