//! Settling a delivery in doubt: by evidence, never by guess and never by absence alone.

use std::time::Duration;

use protocol::provider::{SentCopy, Submission};
use protocol::timestamp::Timestamp;

use crate::record::{Doubt, FolderPosition};

/// A message of the sent folder, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// Its `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// What the server keeps of an id that it replaced.
    pub original_ids: Vec<String>,
    /// Our own header.
    pub delivery: Option<String>,
}

/// What the sent folder showed.
#[derive(Clone, Debug)]
pub struct Look {
    /// Where the folder stands now.
    pub position: FolderPosition,
    /// The messages from the noted place on.
    pub copies: Vec<Copy>,
    /// When the look began.
    pub at: Timestamp,
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
    /// No evidence can come.
    Unsettled,
    /// Look again at this instant.
    LookAgain {
        /// When.
        at: Timestamp,
    },
}

/// Headers in which servers keep an id that they replaced: Exchange Online and Gmail.
pub const ORIGINAL_ID_HEADERS: [&str; 2] = [
    "X-Microsoft-Original-Message-ID",
    "X-Google-Original-Message-ID",
];

/// The verdict on one delivery. `look` is `None` where the inbox has no sent folder.
pub fn decide(
    doubt: &Doubt,
    look: Option<&Look>,
    submission: &Submission,
    copy_seen: bool,
) -> Verdict {
    let (Some(look), Some(noted)) = (look, doubt.sent) else {
        return Verdict::Unsettled;
    };
    // RFC 9051 §2.3.1.1: a new UIDVALIDITY makes every noted UID meaningless; a UIDNEXT that went back
    // means that the folder is not the one that was noted.
    let same_folder = look.position.uid_validity == noted.uid_validity
        && look.position.uid_next >= noted.uid_next;
    if let Some(copy) = look.copies.iter().find(|copy| is_of(copy, doubt)) {
        let wire_id = copy.message_id.clone().filter(|id| *id != doubt.message_id);
        return Verdict::Found { wire_id };
    }
    let SentCopy::Server { within } = submission.sent_copy else {
        return Verdict::Unsettled;
    };
    if !same_folder {
        return Verdict::Unsettled;
    }
    let conclusive_at = doubt.since + submission.settles_within + within;
    if look.at < conclusive_at {
        return Verdict::LookAgain { at: conclusive_at };
    }
    if copy_seen {
        Verdict::Refuted
    } else {
        wait_for_a_copy(doubt, look.at, conclusive_at)
    }
}

/// How long the first copy of an inbox is waited for after absence would have counted.
const FIRST_COPY_WITHIN: Duration = Duration::from_mins(10);

/// Absence counts only once the server has been seen to make copies. Another delivery may show that yet.
fn wait_for_a_copy(doubt: &Doubt, now: Timestamp, conclusive_at: Timestamp) -> Verdict {
    if now.since(doubt.since) > conclusive_at.since(doubt.since) + FIRST_COPY_WITHIN {
        return Verdict::Unsettled;
    }
    Verdict::LookAgain {
        at: now + Duration::from_secs(1),
    }
}

fn is_of(copy: &Copy, doubt: &Doubt) -> bool {
    let by_id = copy.message_id.as_deref() == Some(doubt.message_id.as_str())
        || copy.original_ids.contains(&doubt.message_id);
    by_id || copy.delivery.as_deref() == Some(doubt.id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::DeliveryId;

    const SERVER: Submission = Submission {
        sent_copy: SentCopy::Server {
            within: Duration::from_secs(30),
        },
        settles_within: Duration::from_mins(10),
    };
    const CLIENT: Submission = Submission {
        sent_copy: SentCopy::Client,
        ..SERVER
    };
    const NOTED: FolderPosition = FolderPosition {
        uid_validity: 7,
        uid_next: 100,
    };

    fn doubt() -> Doubt {
        Doubt {
            id: DeliveryId::new("dlv_1"),
            message_id: "one@acme.example".to_owned(),
            since: Timestamp::from_ms(0),
            sent: Some(NOTED),
        }
    }

    fn look(seconds: i64, position: FolderPosition, copies: Vec<Copy>) -> Look {
        Look {
            position,
            copies,
            at: Timestamp::from_ms(seconds * 1_000),
        }
    }

    fn copy(message_id: &str, delivery: Option<&str>) -> Copy {
        Copy {
            message_id: Some(message_id.to_owned()),
            original_ids: Vec::new(),
            delivery: delivery.map(str::to_owned),
        }
    }

    #[test]
    fn a_copy_settles_it_under_either_of_its_ids() {
        let rewritten = Copy {
            message_id: Some("theirs@mail.example".to_owned()),
            original_ids: vec!["one@acme.example".to_owned()],
            delivery: None,
        };
        let theirs = Some("theirs@mail.example".to_owned());
        for (copy, wire_id) in [
            (copy("one@acme.example", None), None),
            (copy("theirs@mail.example", Some("dlv_1")), theirs.clone()),
            (rewritten, theirs),
        ] {
            let look = look(1, NOTED, vec![copy]);
            assert_eq!(
                decide(&doubt(), Some(&look), &CLIENT, false),
                Verdict::Found { wire_id }
            );
        }
    }

    #[test]
    fn absence_refutes_only_where_all_of_it_holds() {
        let moved = FolderPosition {
            uid_validity: 8,
            uid_next: 100,
        };
        let back = FolderPosition {
            uid_validity: 7,
            uid_next: 99,
        };
        let unnoted = Doubt {
            sent: None,
            ..doubt()
        };
        let nothing = |seconds, position| {
            look(
                seconds,
                position,
                vec![copy("other@acme.example", Some("dlv_2"))],
            )
        };
        for (name, doubt, look, submission, copy_seen, verdict) in [
            (
                "all holds",
                doubt(),
                Some(nothing(630, NOTED)),
                SERVER,
                true,
                Verdict::Refuted,
            ),
            (
                "too early",
                doubt(),
                Some(nothing(629, NOTED)),
                SERVER,
                true,
                Verdict::LookAgain {
                    at: Timestamp::from_ms(630_000),
                },
            ),
            (
                "no copy ever seen",
                doubt(),
                Some(nothing(631, NOTED)),
                SERVER,
                false,
                Verdict::LookAgain {
                    at: Timestamp::from_ms(632_000),
                },
            ),
            (
                "none seen for long",
                doubt(),
                Some(nothing(1_231, NOTED)),
                SERVER,
                false,
                Verdict::Unsettled,
            ),
            (
                "the client copies",
                doubt(),
                Some(nothing(630, NOTED)),
                CLIENT,
                true,
                Verdict::Unsettled,
            ),
            (
                "another folder",
                doubt(),
                Some(nothing(630, moved)),
                SERVER,
                true,
                Verdict::Unsettled,
            ),
            (
                "the folder went back",
                doubt(),
                Some(nothing(630, back)),
                SERVER,
                true,
                Verdict::Unsettled,
            ),
            (
                "no place was noted",
                unnoted,
                Some(nothing(630, NOTED)),
                SERVER,
                true,
                Verdict::Unsettled,
            ),
            (
                "no sent folder",
                doubt(),
                None,
                SERVER,
                true,
                Verdict::Unsettled,
            ),
        ] {
            assert_eq!(
                decide(&doubt, look.as_ref(), &submission, copy_seen),
                verdict,
                "{name}"
            );
        }
    }
}
