//! Reading what arrived in INBOX since the last time: replies and bounces stop their leads. Reading again
//! changes nothing, so a restart in the middle costs only time.

use protocol::timestamp::Timestamp;

use super::WorkError;
use super::mailbox::{Reader, learn_names};
use crate::app::App;
use crate::engine::outcome;
use crate::imap::{Folder, Header};
use crate::record::FolderPosition;
use crate::store::doubt::Bounced;
use crate::store::inbox::Inbox;
use crate::text::arrival::{self, Arrival};
use crate::text::report::Returned;

/// How much of a message is read to understand a bounce. Reports stand in front of what they return.
const BOUNCE_AT_MOST_BYTES: u32 = 256 * 1024;
/// Messages whose headers are held at a time.
const SLICE: usize = 200;

/// What one reading found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) replies: u64,
    pub(super) bounces: u64,
}

/// Reads INBOX from where the last reading ended.
pub(super) async fn read_inbox(
    app: &App,
    inbox: &Inbox,
    reader: &mut Reader,
) -> Result<Found, WorkError> {
    learn_names(app, inbox, reader).await?;
    let position = reader.session.examine(&Folder::inbox()).await?;
    let mut found = Found::default();
    let mut next = position.uid_next;
    if let Some(from_uid) = first_unread(
        inbox.read_position,
        position.uid_validity,
        position.uid_next,
    ) {
        let uids = reader.session.list_uids(from_uid).await?;
        next = next_unread(from_uid, &uids);
        for slice in uids.chunks(SLICE) {
            for header in reader.session.fetch_headers_of(slice).await? {
                read_message(app, inbox, reader, &header, &mut found).await?;
            }
        }
    }
    let position = FolderPosition {
        uid_validity: position.uid_validity,
        uid_next: next,
    };
    app.store
        .update_read_position(&inbox.id, position, app.clock.now())
        .await?;
    Ok(found)
}

/// The first UID that was not read; `None` when there is nothing to read. Before the first reading
/// nothing was sent, so nothing is an answer. A folder that is not the one that was noted
/// (RFC 9051 §2.3.1.1) is read from its beginning: what is known already changes nothing.
fn first_unread(noted: Option<FolderPosition>, uid_validity: u32, uid_next: u32) -> Option<u32> {
    let noted = noted?;
    if noted.uid_validity != uid_validity || uid_next < noted.uid_next {
        return Some(1);
    }
    (uid_next > noted.uid_next).then_some(noted.uid_next)
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
    let (arrival, returned) = if arrival::may_be_bounce(&header.bytes) {
        match reader
            .session
            .fetch_message(header.uid, BOUNCE_AT_MOST_BYTES)
            .await?
        {
            Some(message) => (arrival::parse(&message), Returned::read(&message)),
            None => (Arrival::Other, Returned::default()),
        }
    } else {
        (arrival::parse(&header.bytes), Returned::default())
    };
    let now = app.clock.now();
    match arrival {
        Arrival::Reply { to } => {
            if let Some(addressed) = app.store.find_addressed(&inbox.id, &to).await?
                && app.store.note_reply(&addressed.lead, now).await?
            {
                tracing::info!(inbox = %inbox.address, lead = %addressed.lead, "the lead answered");
                found.replies += 1;
            }
        }
        Arrival::Bounce { of } => {
            if let Some(addressed) = app.store.find_addressed(&inbox.id, &of).await?
                && app
                    .store
                    .note_bounce(&addressed, &met(inbox, &returned, now), now)
                    .await?
            {
                tracing::info!(inbox = %inbox.address, lead = %addressed.lead, "a message bounced");
                found.bounces += 1;
            }
        }
        Arrival::Other => {}
    }
    Ok(())
}

/// What a bounce says, as the inbox's standing learns it.
fn met(inbox: &Inbox, returned: &Returned, now: Timestamp) -> Bounced {
    let own = [
        inbox.smtp.host.as_str(),
        inbox.imap.host.as_str(),
        inbox.address.domain(),
    ];
    let evidence = returned.evidence(inbox.provider.clone(), now);
    Bounced {
        refusal: outcome::refusal_of_bounce(&evidence),
        remote: returned.said_by(&own),
    }
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
    fn reading_goes_on_where_it_ended_and_begins_anew_in_another_folder() {
        let noted = Some(FolderPosition {
            uid_validity: 7,
            uid_next: 100,
        });
        for (noted, uid_validity, uid_next, expected) in [
            (None, 7, 100, None),
            (noted, 7, 100, None),
            (noted, 7, 103, Some(100)),
            (noted, 8, 103, Some(1)),
            (noted, 7, 99, Some(1)),
        ] {
            assert_eq!(first_unread(noted, uid_validity, uid_next), expected);
        }
    }
}
