//! Settling a delivery in doubt: by evidence, never by guess and never by absence alone. A copy proves, whoever made
//! it. Absence proves only beside a canary, a later message of the same sign-in whose copy was seen: evidence that
//! a server makes copies expires with every message.

use std::time::Duration;

use protocol::delivery::NoEvidence;
use protocol::provider::{SentCopy, Submission};
use protocol::timestamp::Timestamp;

use crate::record::{Doubt, FolderPosition, OPEN_DOUBTS_AT_MOST, Sent};
use crate::text::arrival::Copy;

/// What the sent folder showed.
#[derive(Clone, Debug)]
pub struct Look {
    /// The folder's name.
    pub folder: String,
    /// Where the folder stands now.
    pub position: FolderPosition,
    /// The unique ids of all messages that it showed, ascending, from the place on that was asked for.
    pub uids: Vec<u32>,
    /// Those of the messages that are ours.
    pub copies: Vec<Seen>,
    /// When the look began.
    pub at: Timestamp,
}

/// A copy that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it says.
    pub copy: Copy,
    /// The size that the server tells; `None` where it tells none.
    pub size_bytes: Option<u64>,
}

/// A message of ours that was accepted and whose copy was seen: the server made copies when it took this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Its place in the order in which the inbox's attempts began.
    pub claim_no: i64,
    /// The adoption of credentials that it was sent with.
    pub adoption: i64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The size of its copy.
    pub size_bytes: u64,
    /// The folder in which its copy was seen.
    pub folder: String,
    /// That folder's UIDVALIDITY.
    pub uid_validity: u32,
}

/// What to do with a delivery in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was accepted; the server named it so, where that differs from our id.
    Found {
        /// The server's id.
        wire_id: Option<String>,
    },
    /// The server cannot have taken it.
    Refuted,
    /// No evidence can come, or none came.
    Unsettled(NoEvidence),
    /// Look again at this instant.
    LookAgain {
        /// When.
        at: Timestamp,
    },
}

impl Look {
    /// Whether it showed every message that came to the folder since `noted`. A message that was there and is
    /// gone, or that the server did not list, may have been the one that is looked for.
    fn shows_all_since(&self, noted: FolderPosition) -> bool {
        let came = noted.uid_next..self.position.uid_next;
        let shown = self.uids.iter().filter(|uid| came.contains(uid)).count();
        shown >= came.len()
    }

    /// Whether it showed no copy of a message that the same sign-in submitted after the doubtful one, although the
    /// server has had its time for it: then the server made no copies for a while, and absence says nothing.
    pub fn lacks_a_copy(&self, doubt: &Doubt, accepted: &[Sent], submission: &Submission) -> bool {
        let Some(within) = conclusive_after(submission) else {
            return false;
        };
        accepted.iter().any(|sent| {
            let is_meant = sent.claim_no > doubt.claim_no
                && sent.accepted_at >= doubt.since
                && sent.adoption == doubt.adoption;
            let is_shown = self
                .copies
                .iter()
                .any(|seen| seen.copy.is_of(&sent.id, &sent.message_id));
            is_meant && !is_shown && self.at.since(sent.accepted_at) >= within
        })
    }

    /// Those of the accepted messages whose copies it showed.
    pub fn find_canaries(&self, accepted: &[Sent]) -> Vec<Canary> {
        let canary = |sent: &Sent| {
            let seen = self
                .copies
                .iter()
                .find(|seen| seen.copy.is_of(&sent.id, &sent.message_id))?;
            Some(Canary {
                claim_no: sent.claim_no,
                adoption: sent.adoption,
                accepted_at: sent.accepted_at,
                size_bytes: seen.size_bytes?,
                folder: self.folder.clone(),
                uid_validity: self.position.uid_validity,
            })
        };
        accepted.iter().filter_map(canary).collect()
    }
}

impl Canary {
    /// Whether a copy of this message would have been made if the doubtful one had been taken: it was submitted
    /// after the doubt began, by the same sign-in, is not much smaller, and its copy is where the other's would be.
    fn speaks_of(&self, doubt: &Doubt, noted: FolderPosition) -> bool {
        self.claim_no > doubt.claim_no
            && self.accepted_at >= doubt.since
            && self.adoption == doubt.adoption
            && doubt.folder.as_ref() == Some(&self.folder)
            && self.uid_validity == noted.uid_validity
            && doubt
                .size_bytes
                .is_some_and(|size| self.size_bytes >= size / SIZES_APART)
    }
}

/// The verdict on one delivery. `look` is `None` where the inbox has no sent folder; `canaries` are the messages that
/// were accepted and whose copies this look showed, `lacks_a_copy` whether [`Look::lacks_a_copy`]; `adoption` counts the adoptions of credentials until now.
/// `watched_for` is how long the relay itself has known of the doubt, by a clock that nobody can set: until the
/// server's own time has truly passed, absence means nothing.
pub fn decide(
    doubt: &Doubt,
    look: Option<&Look>,
    submission: &Submission,
    canaries: &[Canary],
    lacks_a_copy: bool,
    adoption: i64,
    watched_for: Duration,
) -> Verdict {
    let (Some(look), Some(noted)) = (look, doubt.sent) else {
        return Verdict::Unsettled(NoEvidence::NoSentFolder);
    };
    let found = look
        .copies
        .iter()
        .find(|seen| seen.copy.is_of(&doubt.id, &doubt.message_id));
    if let Some(seen) = found {
        let message_id = seen.copy.message_id.clone();
        let wire_id = message_id.filter(|id| *id != doubt.message_id);
        return Verdict::Found { wire_id };
    }
    // RFC 9051 §2.3.1.1: a new UIDVALIDITY makes every noted UID meaningless; a UIDNEXT that went back
    // means that the folder is not the one that was noted.
    if look.position.uid_validity != noted.uid_validity
        || look.position.uid_next < noted.uid_next
        || doubt.folder.as_ref() != Some(&look.folder)
    {
        return Verdict::Unsettled(NoEvidence::FolderChanged);
    }
    let Some(conclusive_after) = conclusive_after(submission) else {
        let settles_within = submission.settles_within;
        let looks = LOOKS.into_iter().filter(|after| *after < settles_within);
        let mut looks = looks.chain([settles_within]);
        return match looks.find(|after| *after > watched_for) {
            Some(next) => Verdict::LookAgain {
                at: look.at + next.saturating_sub(watched_for),
            },
            None => Verdict::Unsettled(NoEvidence::CopiesAreTheClients),
        };
    };
    let Some(over_for) = watched_for.checked_sub(conclusive_after) else {
        return Verdict::LookAgain {
            at: look.at + conclusive_after.saturating_sub(watched_for),
        };
    };
    if lacks_a_copy {
        return Verdict::Unsettled(NoEvidence::NoCanary);
    }
    let speaks = |canary: &Canary| canary.speaks_of(doubt, noted);
    if canaries.iter().any(speaks) && look.shows_all_since(noted) {
        return Verdict::Refuted;
    }
    if doubt.adoption != adoption {
        return Verdict::Unsettled(NoEvidence::SignedInAnew);
    }
    if look.at.since(doubt.since) >= PATIENCE {
        return Verdict::Unsettled(NoEvidence::NoCanary);
    }
    let again_after = (over_for / 4).clamp(AGAIN_AT_LEAST, AGAIN_AT_MOST);
    Verdict::LookAgain {
        at: look.at + again_after,
    }
}

/// After which time absence can mean anything; `None` where it never does.
pub fn conclusive_after(submission: &Submission) -> Option<Duration> {
    match submission.sent_copy {
        SentCopy::Server { within } => Some(submission.settles_within + within),
        SentCopy::Client => None,
    }
}

/// What is known when it is asked whether the inbox must write to itself.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Doubts that are open.
    pub n_doubts: usize,
    /// For how long absence would have meant something, of the oldest doubt; `None` where it does not yet.
    pub over_for: Option<Duration>,
    /// Whether anything was accepted since that doubt began.
    pub accepted_since: bool,
    /// How long ago the last message of the inbox to itself was; `None` before the first.
    pub last_canary: Option<Duration>,
    /// As many doubts are open as may be, so that nothing else leaves; some of them nobody can settle any more.
    pub is_shut: bool,
    /// The least time between two messages of the inbox to itself.
    pub every: Duration,
}

impl Silence {
    /// Whether a message of the inbox to itself is needed as a canary.
    pub fn wants_canary(&self) -> bool {
        let rested = self.last_canary.is_none_or(|ago| ago >= self.every);
        let is_needed = match self.over_for {
            Some(over_for) => {
                self.n_doubts >= OPEN_DOUBTS_AT_MOST
                    || over_for >= QUIET_FOR && !self.accepted_since
                    || self.is_shut
            }
            None => self.is_shut && self.n_doubts == 0,
        };
        is_needed && rested
    }
}

/// A canary is at least a tenth of the size of what it speaks of.
pub const SIZES_APART: u64 = 10;
/// How long nothing may be accepted before the inbox writes to itself.
pub const QUIET_FOR: Duration = Duration::from_mins(10);
/// How long a canary is waited for.
pub const PATIENCE: Duration = Duration::from_hours(24);
/// When a copy is looked for that nobody promised, after the doubt became known, until the server's own time is over.
/// Servers that make copies were seen to take seconds.
const LOOKS: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
];
/// Between two looks while a canary is waited for: ever more seldom, within these.
const AGAIN_AT_LEAST: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_mins(30);

#[cfg(test)]
mod tests;
