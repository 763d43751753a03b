//! The selected folder as one session knows it, and telling what has changed since.

use std::num::NonZeroU32;

use imap_codec::imap_types::response::{Data, Response};
use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet};

use super::Session;

/// The messages a session has been told of: the n-th UID is that of sequence number n.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) folder: String,
    pub(super) read_only: bool,
    pub(super) uids: Vec<u32>,
}

impl View {
    /// The UIDs that a set names, ascending. `*` is the last message, and a range may be written
    /// either way round (RFC 3501 §9 seq-range), so `9:*` names the last message in any case.
    pub(super) fn resolve(&self, set: &SequenceSet, is_uid: bool) -> Vec<u32> {
        let last = if is_uid {
            self.uids.last().copied()
        } else {
            u32::try_from(self.uids.len())
                .ok()
                .filter(|n_messages| *n_messages > 0)
        };
        let Some(last) = last else { return Vec::new() };
        let number = |bound: &SeqOrUid| match bound {
            SeqOrUid::Value(value) => value.get(),
            SeqOrUid::Asterisk => last,
        };
        let ranges: Vec<_> = set
            .0
            .as_ref()
            .iter()
            .map(|sequence| match sequence {
                Sequence::Single(only) => (number(only), number(only)),
                Sequence::Range(one, other) => {
                    let (one, other) = (number(one), number(other));
                    (one.min(other), one.max(other))
                }
            })
            .collect();
        self.uids
            .iter()
            .zip(1_u32..)
            .filter(|(uid, seq)| {
                let number = if is_uid { **uid } else { *seq };
                ranges
                    .iter()
                    .any(|(from, to)| (*from..=*to).contains(&number))
            })
            .map(|(uid, _)| *uid)
            .collect()
    }

    /// The sequence number of a UID.
    pub(super) fn seq(&self, uid: u32) -> Option<NonZeroU32> {
        let at = self.uids.binary_search(&uid).ok()?;
        NonZeroU32::new(u32::try_from(at).ok()?.saturating_add(1))
    }
}

impl Session {
    /// Tells what came, and where it is allowed what went (RFC 3501 §7.4.1).
    pub(super) fn tell_changes(&mut self, may_expunge: bool) {
        let (Some(view), Some(person)) = (self.view.take(), self.person.as_ref()) else {
            return;
        };
        let now =
            self.connection
                .provider
                .mail
                .read_folder(&person.address, &view.folder, |folder| {
                    folder
                        .messages
                        .iter()
                        .map(|stored| stored.uid)
                        .collect::<Vec<_>>()
                });
        let now = now.unwrap_or_default();
        let mut uids = view.uids.clone();
        if may_expunge {
            // From the last to the first, so that the numbers still to be told stay right.
            for uid in view.uids.iter().rev() {
                if now.binary_search(uid).is_err()
                    && let Some(seq) = view.seq(*uid)
                {
                    self.say(&Response::Data(Data::Expunge(seq)));
                    uids.retain(|other| other != uid);
                }
            }
        }
        let known = uids.last().copied().unwrap_or(0);
        let n_known = uids.len();
        uids.extend(now.into_iter().filter(|uid| *uid > known));
        if uids.len() > n_known {
            let n_messages = u32::try_from(uids.len()).unwrap_or(u32::MAX);
            self.say(&Response::Data(Data::Exists(n_messages)));
        }
        self.view = Some(View { uids, ..view });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_name_messages_as_the_standard_says() {
        let view = View {
            folder: "INBOX".to_owned(),
            read_only: true,
            uids: vec![4, 7, 9],
        };
        let uids = |set: &str| view.resolve(&SequenceSet::try_from(set).unwrap(), true);
        let seqs = |set: &str| view.resolve(&SequenceSet::try_from(set).unwrap(), false);
        assert_eq!(uids("4:7"), [4, 7]);
        assert_eq!(uids("8:*"), [9]);
        assert_eq!(
            uids("10:*"),
            [9],
            "beyond the last message, the last one is named"
        );
        assert_eq!(uids("*:5"), [7, 9]);
        assert_eq!(uids("7,4,7"), [4, 7]);
        assert_eq!(uids("5"), [0_u32; 0]);
        assert_eq!(seqs("2:3"), [7, 9]);
        assert_eq!(seqs("*"), [9]);
    }

    #[test]
    fn an_empty_folder_has_no_last_message() {
        let view = View {
            folder: "INBOX".to_owned(),
            read_only: true,
            uids: Vec::new(),
        };
        assert_eq!(
            view.resolve(&SequenceSet::try_from("1:*").unwrap(), true),
            [0_u32; 0]
        );
    }
}
