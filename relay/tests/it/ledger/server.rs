//! A submission server as far as a ledger can tell: what it stored, when, and what its sent folder shows.
//! It knows nothing of the relay's records, so that the two can be compared.

use std::collections::HashMap;
use std::time::Duration;

use protocol::id::DeliveryId;
use protocol::provider::{SentCopy, Submission};
use protocol::timestamp::Timestamp;
use relay::engine::doubt::{Look, Seen};
use relay::record::FolderPosition;
use relay::store::delivery::Job;
use relay::store::doubt::NewCanary;
use relay::text::arrival::Copy;

/// The size of every message here.
pub(crate) const SIZE_BYTES: u64 = 700;

/// What becomes of a message whose connection is lost when the server has the whole of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// It is never stored.
    Never,
    /// It is stored and copied at once.
    Now,
    /// It is stored at the last moment that the provider allows itself, and copied at the last.
    Late,
}

/// The server and its sent folders, one for each inbox.
pub(crate) struct Server {
    pub(crate) submission: Submission,
    /// How many copies it makes before it stops; `None` where it never does.
    copies_left: Option<usize>,
    accepted: HashMap<DeliveryId, Vec<Timestamp>>,
    message_ids: HashMap<DeliveryId, String>,
    /// Copies that are not made yet.
    coming: Vec<(Timestamp, usize, Copy)>,
    folders: Vec<Folder>,
}

#[derive(Default)]
struct Folder {
    uid_validity: u32,
    copies: Vec<(u32, Copy)>,
    uid_next: u32,
}

impl Server {
    pub(crate) fn new(
        n_inboxes: usize,
        submission: Submission,
        copies_left: Option<usize>,
    ) -> Self {
        let folders = (0..n_inboxes).map(|_| Folder {
            uid_validity: 7,
            uid_next: 1,
            copies: Vec::new(),
        });
        Self {
            submission,
            copies_left,
            accepted: HashMap::new(),
            message_ids: HashMap::new(),
            coming: Vec::new(),
            folders: folders.collect(),
        }
    }

    /// The whole message is there.
    pub(crate) fn take(&mut self, inbox: usize, job: &Job, fate: Fate, now: Timestamp) {
        let late = match (fate, self.submission.sent_copy) {
            (Fate::Never, _) => return,
            (Fate::Now, _) => Duration::ZERO,
            (Fate::Late, _) => self.submission.settles_within,
        };
        let stored_at = now + late;
        self.accepted
            .entry(job.id.clone())
            .or_default()
            .push(stored_at);
        self.message_ids
            .insert(job.id.clone(), job.message_id.clone());
        self.copy(inbox, &job.id, &job.message_id, stored_at, fate);
        self.advance(now);
    }

    /// The inbox has written to itself.
    pub(crate) fn take_canary(&mut self, inbox: usize, canary: &NewCanary, now: Timestamp) {
        self.copy(inbox, &canary.id, &canary.message_id, now, Fate::Now);
        self.advance(now);
    }

    fn copy(
        &mut self,
        inbox: usize,
        id: &DeliveryId,
        message_id: &str,
        stored_at: Timestamp,
        fate: Fate,
    ) {
        let SentCopy::Server { within } = self.submission.sent_copy else {
            return;
        };
        if let Some(left) = &mut self.copies_left {
            let Some(fewer) = left.checked_sub(1) else {
                return;
            };
            *left = fewer;
        }
        let copy = Copy {
            message_id: Some(message_id.to_owned()),
            original_ids: Vec::new(),
            delivery: Some(id.to_string()),
            ..Copy::default()
        };
        let copied_at = match fate {
            Fate::Late => stored_at + within,
            Fate::Now | Fate::Never => stored_at,
        };
        self.coming.push((copied_at, inbox, copy));
    }

    /// Time has passed: copies that are due are made.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.coming.sort_by_key(|(at, ..)| *at);
        let due = self.coming.partition_point(|(at, ..)| *at <= now);
        for (_, inbox, copy) in self.coming.drain(..due) {
            let folder = &mut self.folders[inbox];
            folder.copies.push((folder.uid_next, copy));
            folder.uid_next += 1;
        }
    }

    /// When it accepted a delivery; several instants mean that the lead has several messages.
    pub(crate) fn accepted(&self, delivery: &DeliveryId) -> &[Timestamp] {
        self.accepted.get(delivery).map_or(&[], Vec::as_slice)
    }

    /// The deliveries that recipients have by now, and their message ids: these can be answered.
    pub(crate) fn list_arrived(&self, now: Timestamp) -> Vec<(DeliveryId, String)> {
        let mut arrived: Vec<_> = self
            .accepted
            .iter()
            .filter(|(_, at)| at.iter().any(|at| *at <= now))
            .map(|(id, _)| (id.clone(), self.message_ids[id].clone()))
            .collect();
        // Ids are random; message ids too. The order must at least be the same within a run.
        arrived.sort();
        arrived
    }

    pub(crate) fn position(&self, inbox: usize) -> FolderPosition {
        let folder = &self.folders[inbox];
        FolderPosition {
            uid_validity: folder.uid_validity,
            uid_next: folder.uid_next,
        }
    }

    /// What a client sees from a UID on.
    pub(crate) fn look(&self, inbox: usize, from_uid: u32, now: Timestamp) -> Look {
        let (uids, copies) = self.folders[inbox]
            .copies
            .iter()
            .filter(|(uid, _)| *uid >= from_uid)
            .map(|(uid, copy)| {
                let seen = Seen {
                    copy: copy.clone(),
                    size_bytes: Some(SIZE_BYTES),
                };
                (*uid, seen)
            })
            .unzip();
        Look {
            folder: "Sent".to_owned(),
            position: self.position(inbox),
            uids,
            copies,
            at: now,
        }
    }

    /// The folder is made anew (RFC 9051 §2.3.1.1): the messages are the same, their UIDs are not.
    pub(crate) fn renumber(&mut self, inbox: usize) {
        let folder = &mut self.folders[inbox];
        folder.uid_validity += 1;
        for (uid, (at, _)) in (1..).zip(&mut folder.copies) {
            *at = uid;
        }
        folder.uid_next = u32::try_from(folder.copies.len()).unwrap() + 1;
    }
}
