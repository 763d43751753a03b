//! Sentences of a card that hold a number or a time, as plain text.

use std::time::Duration;

use protocol::card::Remedy;
use protocol::timestamp::Timestamp;

use super::{Broken, Card, Done, Held};
use crate::when;

/// A sentence with a time in it, in three pieces, so that the time can be an element of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) before: String,
    pub(super) time: String,
    pub(super) after: String,
}

/// What waits: "2 campaigns have waited since 09:12; 25 messages are held, none is lost."
pub(super) fn held(held: &Held, now: Timestamp) -> Timed {
    let time = when::since(held.since, now);
    let (before, after) = match (held.campaigns, held.messages) {
        (0, 1) => (
            "1 message is held ".to_owned(),
            "; it is not lost.".to_owned(),
        ),
        (0, n) => (
            format!("{n} messages are held "),
            "; none is lost.".to_owned(),
        ),
        (1, n) => ("1 campaign has waited ".to_owned(), after_campaigns(n)),
        (campaigns, n) => (
            format!("{campaigns} campaigns have waited "),
            after_campaigns(n),
        ),
    };
    Timed {
        before,
        time,
        after,
    }
}

fn after_campaigns(messages: u64) -> String {
    match messages {
        0 => "; nothing is lost.".to_owned(),
        1 => "; 1 message is held, none is lost.".to_owned(),
        n => format!("; {n} messages are held, none is lost."),
    }
}

/// How a reconnect ended: "Resumed." where campaigns go on.
pub(super) fn ended(address: &str, done: &Done) -> String {
    if done.campaigns > 0 {
        "Resumed.".to_owned()
    } else {
        format!("{address} works.")
    }
}

/// When messages go out again; `None` where none does.
pub(super) fn next(done: &Done, now: Timestamp) -> Option<Timed> {
    let next_at = done.next_at?;
    let (before, time) = if next_at <= now {
        ("Messages have gone out again ", when::since(next_at, now))
    } else {
        ("Next message ", when::at(next_at, now))
    };
    Some(Timed {
        before: before.to_owned(),
        time,
        after: ".".to_owned(),
    })
}

/// What became of what was held: "25 were held: 23 will be sent, 2 were answered, bounced or stopped."
/// `None` before the receipt was read.
pub(super) fn fates(done: &Done) -> Option<String> {
    done.receipt.as_ref()?;
    let mut fates = Vec::new();
    if done.to_send > 0 {
        fates.push(format!("{} will be sent", done.to_send));
    }
    match done.skipped {
        0 => {}
        1 => fates.push("1 was answered, bounced or stopped".to_owned()),
        n => fates.push(format!("{n} were answered, bounced or stopped")),
    }
    match done.in_doubt {
        0 => {}
        1 => fates.push("1 is in doubt and being settled".to_owned()),
        n => fates.push(format!("{n} are in doubt and being settled")),
    }
    Some(match done.held {
        0 => "No message had waited.".to_owned(),
        1 => format!("1 was held: {}.", fates.join(", ")),
        n => format!("{n} were held: {}.", fates.join(", ")),
    })
}

/// By how much waits were moved; `None` under a minute.
pub(super) fn shifted(done: &Done) -> Option<String> {
    let shifted = Duration::from_millis(done.shifted_by_ms);
    (shifted >= Duration::from_mins(1))
        .then(|| format!("Waits were moved by {}.", when::length(shifted)))
}

/// The request for the organisation's administrator: what is wrong, or for consent the page where it is given.
pub(super) fn request(card: &Card, broken: &Broken) -> String {
    let address = &card.address;
    let mut request = if broken.remedy == Remedy::AskConsent {
        format!(
            "Please allow Unpause for {address}.\n\nIt sends our campaigns through this inbox and reads the replies. \
             Our organisation lets only an administrator allow that.\n"
        )
    } else {
        format!(
            "Please help with {address}. Unpause sends our campaigns through this inbox and reads the replies.\n\n\
             {}. {}\n",
            broken.title, broken.explanation
        )
    };
    if let Some(page) = &broken.admin_consent {
        request.push_str("\nThe page where it is allowed, for everybody here:\n");
        request.push_str(page);
        request.push('\n');
    }
    if let Some(evidence) = &broken.evidence {
        request.push_str("\nWhat the server said:\n");
        request.push_str(evidence);
        request.push('\n');
    }
    request
}

/// The report for whoever runs the relay. It holds nothing that the card does not show.
pub(super) fn report(card: &Card, broken: &Broken) -> String {
    let mut report = format!(
        "Unpause: {}\nInbox: {}\nSince: {}\n{}\n",
        broken.title, card.address, broken.since, broken.explanation
    );
    if let Some(evidence) = &broken.evidence {
        report.push_str("The server said:\n");
        report.push_str(evidence);
        report.push('\n');
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::ReceiptId;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_safe_is_said_in_numbers() {
        let now = instant("2026-11-23T09:30:00Z");
        for (campaigns, messages, expected) in [
            (
                2,
                25,
                "2 campaigns have waited since 09:12; 25 messages are held, none is lost.",
            ),
            (
                1,
                1,
                "1 campaign has waited since 09:12; 1 message is held, none is lost.",
            ),
            (1, 0, "1 campaign has waited since 09:12; nothing is lost."),
            (0, 7, "7 messages are held since 09:12; none is lost."),
            (0, 1, "1 message is held since 09:12; it is not lost."),
        ] {
            let words = held(
                &Held {
                    campaigns,
                    messages,
                    since: instant("2026-11-23T09:12:00Z"),
                },
                now,
            );
            let text = format!("{}{}{}", words.before, words.time, words.after);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn what_became_of_the_held_adds_up_in_words() {
        let done = |held, to_send, skipped, in_doubt| Done {
            receipt: Some(ReceiptId::new("rcp_1")),
            held,
            to_send,
            skipped,
            in_doubt,
            next_at: None,
            shifted_by_ms: 0,
            campaigns: 1,
        };
        for (done, expected) in [
            (
                done(25, 23, 2, 0),
                "25 were held: 23 will be sent, 2 were answered, bounced or stopped.",
            ),
            (
                done(3, 1, 1, 1),
                "3 were held: 1 will be sent, 1 was answered, bounced or stopped, 1 is in doubt and being settled.",
            ),
            (done(1, 1, 0, 0), "1 was held: 1 will be sent."),
            (
                done(2, 0, 0, 2),
                "2 were held: 2 are in doubt and being settled.",
            ),
            (done(0, 0, 0, 0), "No message had waited."),
        ] {
            assert_eq!(fates(&done).as_deref(), Some(expected));
        }
    }
}
