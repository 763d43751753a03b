//! What arrives in INBOX: which messages of ours it speaks of, and whether it says that they came back.

use relay::text::arrival::{Arrival, Named, may_be_bounce, parse, parse_copy};

use crate::cost;

/// Declarations after which an id need not stand in the bytes as it reads.
const DECODED: [&str; 4] = ["base64", "quoted-printable", "=?", "charset"];

pub(super) fn run(bytes: &[u8]) {
    let arrival = cost::bounded(bytes, 256 * 1024, 512, || parse(bytes));
    assert_eq!(
        parse(bytes),
        arrival,
        "the same message is read in two ways"
    );
    let text = String::from_utf8_lossy(bytes);
    let is_plain = {
        let lower = text.to_ascii_lowercase();
        !DECODED.iter().any(|word| lower.contains(word))
    };
    match &arrival {
        Arrival::Other => {}
        Arrival::Reply(answer) | Arrival::Automatic(answer) => {
            assert!(
                !answer.to.is_empty() || answer.from.is_some(),
                "an answer to nothing, from nobody"
            );
            check_ids(&answer.to, &text, is_plain);
        }
        Arrival::Bounce(bounce) => {
            check_named(&bounce.of, &text, is_plain);
            assert!(!bounce.failures.is_empty(), "a bounce of nothing");
            assert!(
                may_be_bounce(bytes),
                "a bounce that its headers do not tell"
            );
        }
        Arrival::Complaint(of) => {
            check_named(of, &text, is_plain);
            assert!(
                may_be_bounce(bytes),
                "a complaint that its headers do not tell"
            );
        }
    }
    let copy = parse_copy(bytes);
    let ids: Vec<String> = copy
        .message_id
        .into_iter()
        .chain(copy.original_ids)
        .chain(copy.delivery)
        .collect();
    check_stand_in(&ids, &text, is_plain);
}

/// It names something, by which a message can be found.
fn check_named(of: &Named, text: &str, is_plain: bool) {
    let names = !of.ids.is_empty() || of.delivery.is_some() || !of.addresses.is_empty();
    assert!(names, "a report of nothing: {of:?}");
    assert!(of.addresses.len() <= 20, "{} addresses", of.addresses.len());
    check_ids(&of.ids, text, is_plain);
}

fn check_ids(ids: &[String], text: &str, is_plain: bool) {
    // Each is looked up in the ledger, so a message made for the purpose must not name them without end.
    assert!(ids.len() <= 100, "{} ids", ids.len());
    for id in ids {
        assert!(!id.is_empty() && id.len() <= 998, "{} bytes", id.len());
        assert_eq!(id.trim(), id);
    }
    check_stand_in(ids, text, is_plain);
}

/// Nothing is named that does not stand in the message; folding aside.
fn check_stand_in(ids: &[String], text: &str, is_plain: bool) {
    if !is_plain {
        return;
    }
    let solid = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
    let all = solid(text);
    for id in ids {
        assert!(
            all.contains(&solid(id)),
            "{id:?} does not stand in the message"
        );
    }
}
