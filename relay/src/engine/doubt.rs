//! Settling a delivery in doubt: by evidence, never by guess and never by absence alone.

use std::time::Duration;

use protocol::provider::{SentCopy, Submission};
use protocol::timestamp::Timestamp;

use crate::record::{Doubt, FolderPosition};
use crate::text::arrival::Copy;

/// What the sent folder showed.
#[derive(Clone, Debug)]
pub struct Look {
    /// Where the folder stands now.
    pub position: FolderPosition,
    /// The unique ids of all messages that it showed, ascending, from the place on that was asked for.
    pub uids: Vec<u32>,
    /// Those of the messages that are ours.
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

impl Look {
    /// Whether it showed every message that came to the folder since `noted`. A message that was there and is
    /// gone, or that the server did not list, may have been the one that is looked for.
    fn shows_all_since(&self, noted: FolderPosition) -> bool {
        let came = noted.uid_next..self.position.uid_next;
        let shown = self.uids.iter().filter(|uid| came.contains(uid)).count();
        shown >= came.len()
    }
}

/// The verdict on one delivery. `look` is `None` where the inbox has no sent folder; `watched_for` is how long
/// the relay itself has known of the doubt, by a clock that nobody can set: until the server's own time has
/// truly passed, absence means nothing.
pub fn decide(
    doubt: &Doubt,
    look: Option<&Look>,
    submission: &Submission,
    copy_seen: bool,
    watched_for: Duration,
) -> Verdict {
    let (Some(look), Some(noted)) = (look, doubt.sent) else {
        return Verdict::Unsettled;
    };
    // RFC 9051 §2.3.1.1: a new UIDVALIDITY makes every noted UID meaningless; a UIDNEXT that went back
    // means that the folder is not the one that was noted.
    let same_folder = look.position.uid_validity == noted.uid_validity
        && look.position.uid_next >= noted.uid_next;
    let found = look
        .copies
        .iter()
        .find(|copy| copy.is_of(&doubt.id, &doubt.message_id));
    if let Some(copy) = found {
        let wire_id = copy.message_id.clone().filter(|id| *id != doubt.message_id);
        return Verdict::Found { wire_id };
    }
    let SentCopy::Server { within } = submission.sent_copy else {
        return Verdict::Unsettled;
    };
    if !same_folder {
        return Verdict::Unsettled;
    }
    let conclusive_after = submission.settles_within + within;
    if watched_for < conclusive_after {
        return Verdict::LookAgain {
            at: look.at + conclusive_after.saturating_sub(watched_for),
        };
    }
    if copy_seen && look.shows_all_since(noted) {
        Verdict::Refuted
    } else if watched_for > conclusive_after + PATIENCE {
        Verdict::Unsettled
    } else {
        let again_after = (within / LOOKS_A_COPY).clamp(AGAIN_AT_LEAST, AGAIN_AT_MOST);
        Verdict::LookAgain {
            at: look.at + again_after,
        }
    }
}

/// How long absence that does not count yet is looked at after it would have counted: another delivery may show
/// that the server makes copies, and a folder that lists less than it holds may come right.
const PATIENCE: Duration = Duration::from_mins(10);

/// Looks in the time in which a copy is made; not more often than this, and not more seldom.
const LOOKS_A_COPY: u32 = 60;
const AGAIN_AT_LEAST: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use protocol::id::DeliveryId;

    use super::*;

    const SERVER: Submission = Submission {
        sent_copy: SentCopy::Server {
            within: Duration::from_secs(30),
        },
        keeps_ids: true,
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
            uids: Vec::new(),
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
                decide(&doubt(), Some(&look), &CLIENT, false, Duration::ZERO),
                Verdict::Found { wire_id }
            );
        }
        // Some servers make a copy beside the one that another client of the person makes.
        let twice = vec![
            copy("one@acme.example", None),
            copy("one@acme.example", None),
        ];
        let twice = look(1, NOTED, twice);
        let verdict = decide(&doubt(), Some(&twice), &SERVER, false, Duration::ZERO);
        assert_eq!(verdict, Verdict::Found { wire_id: None });
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
            // In these the relay knew of the doubt from the first instant on, and its clock was right.
            let at = look.as_ref().map_or(doubt.since, |look| look.at);
            let watched_for = at.since(doubt.since);
            assert_eq!(
                decide(&doubt, look.as_ref(), &submission, copy_seen, watched_for),
                verdict,
                "{name}"
            );
        }
    }

    #[test]
    fn a_clock_that_is_set_refutes_nothing() {
        // A day on by the clock on the wall, and a minute by the one that nobody can set.
        let look = look(86_400, NOTED, Vec::new());
        let minute = Duration::from_mins(1);
        let verdict = decide(&doubt(), Some(&look), &SERVER, true, minute);
        let at = look.at + Duration::from_secs(570);
        assert_eq!(verdict, Verdict::LookAgain { at });
    }

    #[test]
    fn a_folder_that_shows_less_than_came_to_it_refutes_nothing() {
        let came = FolderPosition {
            uid_validity: 7,
            uid_next: 103,
        };
        for (uids, expected) in [
            (&[][..], Verdict::Unsettled),
            (&[100, 102], Verdict::Unsettled),
            (&[99, 100, 102], Verdict::Unsettled),
            (&[100, 101, 102], Verdict::Refuted),
            (&[99, 100, 101, 102, 103], Verdict::Refuted),
        ] {
            let look = Look {
                uids: uids.to_vec(),
                ..look(1_231, came, Vec::new())
            };
            let waited = Duration::from_secs(1_231);
            let verdict = decide(&doubt(), Some(&look), &SERVER, true, waited);
            assert_eq!(verdict, expected, "{uids:?}");
        }
        let early = look(700, came, Vec::new());
        let verdict = decide(
            &doubt(),
            Some(&early),
            &SERVER,
            true,
            Duration::from_secs(700),
        );
        let at = early.at + Duration::from_secs(1);
        assert_eq!(verdict, Verdict::LookAgain { at });
    }
}
