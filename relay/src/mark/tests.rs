//! How databases stand to their marks.

use super::*;

fn inbox() -> InboxId {
    InboxId::new("inb_1")
}

fn ledger(run: Option<&str>, attempts: u64) -> Run {
    Run {
        run: run.map(str::to_owned),
        r_ms: 0,
        at: None,
        attempts: BTreeMap::from([(inbox(), attempts)]),
        addresses: BTreeMap::from([(inbox(), "jane@acme.example".to_owned())]),
        is_put_back: false,
    }
}

fn marked(run: &str, before: Option<&str>, attempts: u64) -> Lines {
    let line = Line {
        attempts,
        ..Line::default()
    };
    Lines {
        run: run.to_owned(),
        before: before.map(str::to_owned),
        r_ms: 0,
        in_a_row_ms: 0,
        inboxes: BTreeMap::from([(inbox(), line)]),
    }
}

#[test]
fn a_new_database_beside_the_mark_of_a_used_one_is_told_of() {
    let used = marked("a", None, 12);
    let never = |attempts| ledger(None, attempts);
    assert_eq!(count_lost(Some(&used), &never(0)), 12);
    for (mark, ledger) in [
        (None, never(0)),
        (Some(&marked("a", None, 0)), never(0)),
        // One of a version before there was a mark.
        (Some(&used), never(3)),
        (Some(&used), ledger(Some("a"), 4)),
    ] {
        assert_eq!(count_lost(mark, &ledger), 0);
    }
}

#[test]
fn the_same_backup_is_behind_however_often_it_is_put_back() {
    let verdict = |mark: &Lines, ledger: &Run| judge(Some(mark), ledger, &inbox());
    let backup = ledger(Some("a"), 4);
    let mut mark = Lines::begin(Some(&marked("a", None, 12)), &backup);
    assert_eq!(verdict(&marked("a", None, 12), &backup), Verdict::Behind(8));
    // Ended before the database knew of this start.
    assert_eq!(verdict(&mark, &backup), Verdict::Behind(8));
    // Three more are attempted.
    mark.inboxes.get_mut(&inbox()).unwrap().attempts += 3;
    assert_eq!(verdict(&mark, &backup), Verdict::Behind(11));
    let grown = ledger(Some(&mark.run), 7);
    assert_eq!(verdict(&mark, &grown), Verdict::Newest);
    // And the start after that, before and after the database knows of it.
    let next = Lines::begin(Some(&mark), &grown);
    assert_eq!(verdict(&next, &grown), Verdict::Newest);
    assert_eq!(verdict(&next, &ledger(Some(&next.run), 7)), Verdict::Newest);
    assert_eq!(
        verdict(&next, &ledger(Some(&next.run), 6)),
        Verdict::Behind(1)
    );
    assert_eq!(verdict(&next, &backup), Verdict::Behind(11));
}

#[test]
fn a_backup_is_never_the_newest_whatever_mark_stands_beside_it() {
    let backup = Run {
        is_put_back: true,
        ..ledger(Some("a"), 4)
    };
    for (mark, expected) in [
        (None, Verdict::Unknown),
        // Put back with it.
        (Some(marked("a", None, 4)), Verdict::Unknown),
        (Some(marked("a", None, 3)), Verdict::Unknown),
        (Some(marked("another", None, 0)), Verdict::Unknown),
        (Some(marked("a", None, 12)), Verdict::Behind(8)),
    ] {
        assert_eq!(judge(mark.as_ref(), &backup, &inbox()), expected);
    }
    // The same database, had it never been away.
    let own = ledger(Some("a"), 4);
    let mark = marked("a", None, 4);
    assert_eq!(judge(Some(&mark), &own, &inbox()), Verdict::Newest);
}

#[test]
fn what_is_marked_of_an_inbox_outlives_a_database_that_does_not_know_it() {
    let mark = Lines::begin(Some(&marked("a", None, 12)), &ledger(Some("a"), 12));
    // One from before the inbox was added is put back, and relays run on it.
    let older = Run {
        attempts: BTreeMap::new(),
        addresses: BTreeMap::new(),
        ..ledger(Some("older"), 0)
    };
    let mark = Lines::begin(Some(&mark), &older);
    let again = Run {
        run: Some(mark.run.clone()),
        ..older
    };
    let mark = Lines::begin(Some(&mark), &again);
    let line = mark.inboxes.get(&inbox()).unwrap();
    assert_eq!(line.attempts, 12);
    assert_eq!(line.address.as_deref(), Some("jane@acme.example"));
    // And then one that knows it, of some of its attempts.
    let later = ledger(Some("a"), 4);
    assert_eq!(judge(Some(&mark), &later, &inbox()), Verdict::Behind(8));
}

#[test]
fn a_database_is_the_newest_behind_or_a_stranger_to_its_mark() {
    for (name, mark, ledger, expected) in [
        ("the first start", None, ledger(None, 9), Verdict::Newest),
        (
            "the mark is gone",
            None,
            ledger(Some("a"), 9),
            Verdict::Unknown,
        ),
        (
            "after a crash",
            Some(marked("a", None, 9)),
            ledger(Some("a"), 9),
            Verdict::Newest,
        ),
        (
            "the machine lost the mark's last writes",
            Some(marked("a", None, 7)),
            ledger(Some("a"), 9),
            Verdict::Newest,
        ),
        (
            "put back",
            Some(marked("a", None, 12)),
            ledger(Some("a"), 9),
            Verdict::Behind(3),
        ),
        (
            "put back from before the last start",
            Some(marked("b", Some("a"), 12)),
            ledger(Some("a"), 9),
            Verdict::Behind(3),
        ),
        (
            "ended between the mark and the database",
            Some(marked("b", Some("a"), 9)),
            ledger(Some("a"), 9),
            Verdict::Newest,
        ),
        (
            "put back from long ago",
            Some(marked("c", Some("b"), 12)),
            ledger(Some("a"), 9),
            Verdict::Behind(3),
        ),
        (
            "another branch of its life",
            Some(marked("c", Some("b"), 8)),
            ledger(Some("a"), 9),
            Verdict::Unknown,
        ),
        (
            "a backup of a version without a mark",
            Some(marked("c", Some("b"), 8)),
            ledger(None, 8),
            Verdict::Unknown,
        ),
    ] {
        assert_eq!(judge(mark.as_ref(), &ledger, &inbox()), expected, "{name}");
    }
}

#[test]
fn copies_of_a_tag_are_counted_by_message_and_by_how_many_stand_there_at_once() {
    let clock = Clock::manual(Timestamp::from_ms(0));
    let watch = Watch::begin(&clock, Duration::ZERO, HashSet::new(), Duration::ZERO);
    let inbox = inbox();
    assert_eq!(watch.note_copies(&inbox, "old", "a", 1), 0);
    watch.settle(&inbox);
    // Its first one may be an earlier process's.
    assert_eq!(watch.note_copies(&inbox, "old", "b", 2), 0);
    for (message, at_once, expected) in [("a", 1, 1), ("a", 1, 1), ("b", 1, 2), ("a", 3, 3)] {
        assert_eq!(watch.note_copies(&inbox, "new", message, at_once), expected);
    }
    for n in 0..COPIES_KEPT {
        assert_eq!(watch.note_copies(&inbox, &n.to_string(), "a", 1), 1);
    }
    assert_eq!(watch.note_copies(&inbox, "new", "c", 1), 1);
}

#[test]
fn the_file_is_replaced_whole_and_kept_from_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/unpause.mark");
    assert_eq!(read(&path), None);
    for attempts in [1, 2] {
        let lines = marked("a", None, attempts);
        write(&path, &lines, attempts == 2).unwrap();
        assert_eq!(read(&path).map(|written| written.lines), Some(lines));
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What a power cut leaves of one that was not waited for: its name, and none or some of its bytes.
    let beat = read(&path).unwrap();
    assert!(!beat.is_of_beat);
    write(&path, &marked("a", None, 3), false).unwrap();
    assert_eq!(read(&path).unwrap().lines, marked("a", None, 3));
    for left in ["", "{\"run\":"] {
        std::fs::write(&path, left).unwrap();
        let found = read(&path).unwrap();
        assert_eq!(found.lines, beat.lines);
        assert!(found.is_of_beat && found.original.is_none());
    }
    // Who takes the mark away begins anew.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read(&path), None);
    std::fs::write(&path, "").unwrap();
    std::fs::remove_file(path.with_extension(BEAT)).unwrap();
    assert_eq!(read(&path), None);
}
