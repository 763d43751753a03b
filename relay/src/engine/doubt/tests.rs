//! Doubts against folders that show more or less, and against a server that stops making copies.

use proptest::prelude::*;
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
/// When absence means something.
const OVER: i64 = 630;
const ADOPTION: i64 = 3;

fn doubt() -> Doubt {
    Doubt {
        id: DeliveryId::new("dlv_1"),
        message_id: "one@acme.example".to_owned(),
        since: Timestamp::from_ms(0),
        sent: Some(NOTED),
        folder: Some("Sent".to_owned()),
        claim_no: 40,
        adoption: ADOPTION,
        size_bytes: Some(5_000),
    }
}

fn look(seconds: i64, position: FolderPosition, copies: Vec<Copy>) -> Look {
    let seen = |copy| Seen {
        copy,
        size_bytes: Some(5_000),
    };
    Look {
        folder: "Sent".to_owned(),
        position,
        uids: Vec::new(),
        copies: copies.into_iter().map(seen).collect(),
        at: Timestamp::from_ms(seconds * 1_000),
    }
}

fn copy(message_id: &str, delivery: Option<&str>) -> Copy {
    Copy {
        message_id: Some(message_id.to_owned()),
        original_ids: Vec::new(),
        delivery: delivery.map(str::to_owned),
        ..Copy::default()
    }
}

fn canary() -> Canary {
    Canary {
        claim_no: 41,
        adoption: ADOPTION,
        accepted_at: Timestamp::from_ms(1_000),
        size_bytes: 500,
        folder: "Sent".to_owned(),
        uid_validity: 7,
    }
}

fn again(seconds: i64) -> Verdict {
    Verdict::LookAgain {
        at: Timestamp::from_ms(seconds * 1_000),
    }
}

/// The verdict where the relay knew of the doubt from the first instant on, and its clock was right.
fn judge(
    doubt: &Doubt,
    look: Option<&Look>,
    submission: &Submission,
    canaries: &[Canary],
) -> Verdict {
    let watched_for = look.map_or(Duration::ZERO, |look| look.at.since(doubt.since));
    decide(
        doubt,
        look,
        submission,
        canaries,
        false,
        ADOPTION,
        watched_for,
    )
}

#[test]
fn a_copy_settles_it_under_either_of_its_ids() {
    let rewritten = Copy {
        message_id: Some("theirs@mail.example".to_owned()),
        original_ids: vec!["one@acme.example".to_owned()],
        ..Copy::default()
    };
    let theirs = Some("theirs@mail.example".to_owned());
    for submission in [SERVER, CLIENT] {
        for (copy, wire_id) in [
            (copy("one@acme.example", None), None),
            (copy("theirs@mail.example", Some("dlv_1")), theirs.clone()),
            (rewritten.clone(), theirs.clone()),
        ] {
            let look = look(1, NOTED, vec![copy]);
            assert_eq!(
                judge(&doubt(), Some(&look), &submission, &[]),
                Verdict::Found { wire_id }
            );
        }
        // Some servers make a copy beside the one that another client of the person makes.
        let twice = vec![copy("one@acme.example", None); 2];
        let twice = look(1, NOTED, twice);
        let verdict = judge(&doubt(), Some(&twice), &submission, &[]);
        assert_eq!(verdict, Verdict::Found { wire_id: None });
    }
}

#[test]
fn absence_refutes_only_where_all_of_it_holds() {
    let at = |position| look(OVER, position, Vec::new());
    let here = at(NOTED);
    let moved = at(FolderPosition {
        uid_validity: 8,
        ..NOTED
    });
    let back = at(FolderPosition {
        uid_next: 99,
        ..NOTED
    });
    let elsewhere = Look {
        folder: "Gesendet".to_owned(),
        ..here.clone()
    };
    let unnoted = Doubt {
        sent: None,
        ..doubt()
    };
    let of_unknown_size = Doubt {
        size_bytes: None,
        ..doubt()
    };
    let changed = Verdict::Unsettled(NoEvidence::FolderChanged);
    let nowhere = Verdict::Unsettled(NoEvidence::NoSentFolder);
    for (name, doubt, look, verdict) in [
        ("all holds", doubt(), Some(here.clone()), Verdict::Refuted),
        (
            "too early",
            doubt(),
            Some(look(OVER - 1, NOTED, Vec::new())),
            again(OVER),
        ),
        ("another folder", doubt(), Some(moved), changed.clone()),
        ("the folder went back", doubt(), Some(back), changed.clone()),
        (
            "a folder of another name",
            doubt(),
            Some(elsewhere),
            changed,
        ),
        (
            "no place was noted",
            unnoted,
            Some(here.clone()),
            nowhere.clone(),
        ),
        ("no sent folder", doubt(), None, nowhere),
        (
            "nobody knows its size",
            of_unknown_size,
            Some(here),
            again(OVER + 1),
        ),
    ] {
        let found = judge(&doubt, look.as_ref(), &SERVER, &[canary()]);
        assert_eq!(found, verdict, "{name}");
    }
}

#[test]
fn a_canary_speaks_only_of_what_went_before_it_on_the_same_way() {
    let here = look(OVER, NOTED, Vec::new());
    for (name, canary) in [
        (
            "an earlier one",
            Canary {
                claim_no: 39,
                ..canary()
            },
        ),
        (
            "the doubt itself",
            Canary {
                claim_no: 40,
                ..canary()
            },
        ),
        (
            "accepted before",
            Canary {
                accepted_at: Timestamp::from_ms(-1),
                ..canary()
            },
        ),
        (
            "an earlier sign-in",
            Canary {
                adoption: ADOPTION - 1,
                ..canary()
            },
        ),
        (
            "a later sign-in",
            Canary {
                adoption: ADOPTION + 1,
                ..canary()
            },
        ),
        (
            "a much smaller one",
            Canary {
                size_bytes: 499,
                ..canary()
            },
        ),
        (
            "another folder",
            Canary {
                folder: "Archive".to_owned(),
                ..canary()
            },
        ),
        (
            "the folder before",
            Canary {
                uid_validity: 6,
                ..canary()
            },
        ),
    ] {
        let found = judge(&doubt(), Some(&here), &SERVER, &[canary]);
        assert_eq!(found, again(OVER + 1), "{name}");
    }
    assert_eq!(
        judge(&doubt(), Some(&here), &SERVER, &[canary()]),
        Verdict::Refuted
    );
}

#[test]
fn a_canary_that_never_comes_is_told_after_a_day_and_after_a_sign_in_at_once() {
    let day = 86_400;
    let looked = |seconds| {
        let look = look(seconds, NOTED, Vec::new());
        judge(&doubt(), Some(&look), &SERVER, &[])
    };
    assert!(matches!(looked(day - 1), Verdict::LookAgain { .. }));
    assert_eq!(looked(day), Verdict::Unsettled(NoEvidence::NoCanary));
    let here = look(OVER, NOTED, Vec::new());
    let watched_for = Duration::from_secs(630);
    assert_eq!(
        decide(
            &doubt(),
            Some(&here),
            &SERVER,
            &[],
            false,
            ADOPTION + 1,
            watched_for
        ),
        Verdict::Unsettled(NoEvidence::SignedInAnew)
    );
    // A day is looked through in some dozens of looks.
    let (mut seconds, mut n_looks) = (0, 0);
    while let Verdict::LookAgain { at } = looked(seconds) {
        seconds = at.as_ms() / 1_000;
        n_looks += 1;
    }
    assert!(n_looks < 100, "{n_looks} looks");
}

#[test]
fn a_copy_that_nobody_promised_is_looked_for_ten_minutes_and_its_absence_refutes_nothing() {
    let (mut seconds, mut looks) = (0, vec![0]);
    let verdict = loop {
        let look = look(seconds, NOTED, Vec::new());
        match judge(&doubt(), Some(&look), &CLIENT, &[canary()]) {
            Verdict::LookAgain { at } => {
                seconds = at.as_ms() / 1_000;
                looks.push(seconds);
            }
            verdict => break verdict,
        }
    };
    assert_eq!(looks, [0, 2, 10, 60, 300, 600]);
    assert_eq!(verdict, Verdict::Unsettled(NoEvidence::CopiesAreTheClients));
}

#[test]
fn a_clock_that_is_set_refutes_nothing() {
    // An hour on by the clock on the wall, and a minute by the one that nobody can set.
    let look = look(3_600, NOTED, Vec::new());
    let minute = Duration::from_mins(1);
    let verdict = decide(
        &doubt(),
        Some(&look),
        &SERVER,
        &[canary()],
        false,
        ADOPTION,
        minute,
    );
    assert_eq!(verdict, again(3_600 + 570));
}

/// The server made no copies for a while, and makes them again when the inbox writes to itself.
#[test]
fn a_later_message_without_a_copy_takes_the_canary_its_voice() {
    let sent = |claim_no, adoption| Sent {
        id: DeliveryId::new("dlv_2"),
        message_id: "two@acme.example".to_owned(),
        claim_no,
        adoption,
        accepted_at: Timestamp::from_ms(1_000),
    };
    let later = sent(41, ADOPTION);
    let lacks = |look: &Look, sent: &Sent| {
        let sent = std::slice::from_ref(sent);
        look.lacks_a_copy(&doubt(), sent, &SERVER)
    };
    let here = look(OVER + 1, NOTED, Vec::new());
    assert!(lacks(&here, &later));
    assert!(
        !lacks(&look(OVER, NOTED, Vec::new()), &later),
        "in its time"
    );
    let shown = look(OVER + 1, NOTED, vec![copy("two@acme.example", None)]);
    assert!(!lacks(&shown, &later), "its copy is there");
    assert!(!lacks(&here, &sent(39, ADOPTION)), "sent before");
    assert!(!lacks(&here, &sent(41, ADOPTION + 1)), "signed in anew");

    let verdict = |copies| {
        let (here, watched_for) = (look(OVER + 1, NOTED, copies), Duration::from_secs(630));
        let canaries = [canary()];
        decide(
            &doubt(),
            Some(&here),
            &SERVER,
            &canaries,
            true,
            ADOPTION,
            watched_for,
        )
    };
    let unsettled = Verdict::Unsettled(NoEvidence::NoCanary);
    assert_eq!(verdict(Vec::new()), unsettled);
    let own = vec![copy("one@acme.example", None)];
    assert_eq!(verdict(own), Verdict::Found { wire_id: None });
}

#[test]
fn a_folder_that_shows_less_than_came_to_it_refutes_nothing() {
    let came = FolderPosition {
        uid_validity: 7,
        uid_next: 103,
    };
    for (uids, refutes) in [
        (&[][..], false),
        (&[100, 102], false),
        (&[99, 100, 102], false),
        (&[100, 101, 102], true),
        (&[99, 100, 101, 102, 103], true),
    ] {
        let look = Look {
            uids: uids.to_vec(),
            ..look(1_231, came, Vec::new())
        };
        let verdict = judge(&doubt(), Some(&look), &SERVER, &[canary()]);
        assert_eq!(verdict == Verdict::Refuted, refutes, "{uids:?}");
    }
}

#[test]
fn the_inbox_writes_to_itself_only_where_nothing_else_can_speak() {
    let silence = Silence {
        n_doubts: 1,
        over_for: Some(QUIET_FOR),
        accepted_since: false,
        last_canary: None,
        is_shut: false,
        every: Duration::from_hours(1),
    };
    let minutes = Duration::from_mins;
    for (name, silence, wanted) in [
        ("quiet for ten minutes", silence, true),
        (
            "too early",
            Silence {
                over_for: None,
                ..silence
            },
            false,
        ),
        (
            "quiet for less",
            Silence {
                over_for: Some(minutes(9)),
                ..silence
            },
            false,
        ),
        (
            "others were accepted",
            Silence {
                accepted_since: true,
                ..silence
            },
            false,
        ),
        (
            "an hour ago",
            Silence {
                last_canary: Some(minutes(60)),
                ..silence
            },
            true,
        ),
        (
            "just now",
            Silence {
                last_canary: Some(minutes(59)),
                ..silence
            },
            false,
        ),
        (
            "nothing leaves, and nobody can settle why",
            Silence {
                n_doubts: 0,
                over_for: None,
                is_shut: true,
                ..silence
            },
            true,
        ),
        (
            "the same, just after one",
            Silence {
                n_doubts: 0,
                over_for: None,
                is_shut: true,
                last_canary: Some(minutes(59)),
                ..silence
            },
            false,
        ),
        (
            "nothing leaves, and one may still be found",
            Silence {
                over_for: None,
                is_shut: true,
                ..silence
            },
            false,
        ),
        (
            "two wait",
            Silence {
                n_doubts: 2,
                over_for: Some(Duration::ZERO),
                accepted_since: true,
                ..silence
            },
            true,
        ),
    ] {
        assert_eq!(silence.wants_canary(), wanted, "{name}");
    }
}

/// A message that a server was given, and what a simulation decides about it.
#[derive(Clone, Copy, Debug)]
struct Given {
    size: u64,
    /// Whether the reply is lost; and whether it was taken all the same.
    lost: Option<bool>,
    /// Somebody signs in anew before it.
    signs_in: bool,
    /// The folder is made anew before it.
    renumbers: bool,
}

fn any_given() -> impl Strategy<Value = Given> {
    (
        prop_oneof![Just(40_u64), Just(400), Just(4_000)],
        prop::option::weighted(0.3, any::<bool>()),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(size, lost, signs_in, renumbers)| Given {
            size,
            lost,
            signs_in,
            renumbers,
        })
}

/// The server's sent folder: it knows what was taken, and makes copies of the first `copies_until` alone.
#[derive(Default)]
struct Mailbox {
    uid_validity: u32,
    held: Vec<(u32, String, u64)>,
    uid_next: u32,
}

impl Mailbox {
    fn renumber(&mut self) {
        self.uid_validity += 1;
        for (uid, held) in (1..).zip(&mut self.held) {
            held.0 = uid;
        }
        self.uid_next = 1 + u32::try_from(self.held.len()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A server makes copies until it stops. What it took is never refuted, whatever it was given before and after; and
    /// what it did not take is refuted where a later message of the same sign-in, large enough, was copied.
    #[test]
    fn what_a_server_took_is_never_refuted(
        given in prop::collection::vec(any_given(), 1..20),
        copies_until in 0..20_usize,
    ) {
        let mut mailbox = Mailbox { uid_validity: 1, uid_next: 1, held: Vec::new() };
        let (mut adoption, mut doubts, mut accepted) = (0, Vec::new(), Vec::new());
        let mut n_taken = 0;
        for (place, message) in (1_i64..).zip(&given) {
            if message.signs_in {
                adoption += 1;
            }
            if message.renumbers {
                mailbox.renumber();
            }
            let now = Timestamp::from_ms(place * 1_000);
            let id = DeliveryId::new(format!("dlv_{place}"));
            let position = FolderPosition {
                uid_validity: mailbox.uid_validity,
                uid_next: mailbox.uid_next,
            };
            let is_taken = message.lost.unwrap_or(true);
            if is_taken {
                if n_taken < copies_until {
                    mailbox.held.push((mailbox.uid_next, id.to_string(), message.size));
                    mailbox.uid_next += 1;
                }
                n_taken += 1;
            }
            if message.lost.is_none() {
                accepted.push(Sent {
                    id,
                    message_id: format!("{place}@acme.example"),
                    claim_no: place,
                    adoption,
                    accepted_at: now,
                });
            } else {
                let doubt = Doubt {
                    id,
                    message_id: format!("{place}@acme.example"),
                    since: now,
                    sent: Some(position),
                    folder: Some("Sent".to_owned()),
                    claim_no: place,
                    adoption,
                    size_bytes: Some(message.size),
                };
                doubts.push((doubt, is_taken));
            }
        }
        for (doubt, is_taken) in &doubts {
            let from = doubt.sent.unwrap().uid_next;
            let shown: Vec<_> = mailbox.held.iter().filter(|held| held.0 >= from).collect();
            let seen = |held: &&(u32, String, u64)| Seen {
                copy: copy("", Some(&held.1)),
                size_bytes: Some(held.2),
            };
            let look = Look {
                folder: "Sent".to_owned(),
                position: FolderPosition {
                    uid_validity: mailbox.uid_validity,
                    uid_next: mailbox.uid_next,
                },
                uids: shown.iter().map(|held| held.0).collect(),
                copies: shown.iter().map(seen).collect(),
                at: doubt.since + Duration::from_hours(1),
            };
            let canaries = look.find_canaries(&accepted);
            let watched_for = Duration::from_hours(1);
            let verdict = decide(doubt, Some(&look), &SERVER, &canaries, false, adoption, watched_for);
            prop_assert!(!(*is_taken && verdict == Verdict::Refuted), "sent twice: {doubt:?}");
            // The oracle: the messages themselves, from this one on.
            let place = usize::try_from(doubt.claim_no).unwrap();
            let later = given.get(place..).unwrap();
            let same = later.iter().take_while(|message| !message.signs_in);
            let whole = !later.iter().any(|message| message.renumbers);
            let taken_before = |upto: usize| {
                given[..upto].iter().filter(|message| message.lost.unwrap_or(true)).count()
            };
            let speaks = (place..).zip(same).any(|(nth, message)| {
                message.lost.is_none()
                    && message.size * 10 >= given[place - 1].size
                    && taken_before(nth) < copies_until
            });
            if !is_taken && whole && speaks {
                prop_assert_eq!(verdict, Verdict::Refuted);
            }
        }
    }
}
