//! This recipient is refused; the inbox is fine.

use super::said::Refused;
use super::words::Concept;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Recipient,
        persistence: Persistence::Permanent,
        acts: Acts::Nobody,
        title: "A recipient was refused",
        explanation: "The server takes no mail for this recipient. The lead was set aside; the campaign goes on.",
        remedy: Remedy::Nothing,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        let late = matches!(evidence.stage, Stage::Rcpt | Stage::Data | Stage::Body);
        if !reply.is_permanent() || !late {
            return None;
        }
        // RFC 3463 §3.2: 5.1.1 no such mailbox, 5.1.2 no such domain, 5.1.3 syntax, 5.1.6 moved, 5.1.10 null MX.
        let address = evidence.has_enhanced(&[(1, 1), (1, 2), (1, 3), (1, 5), (1, 6), (1, 10)]);
        // RFC 3463 §3.3: after RCPT a mailbox is the recipient's. RFC 7293 §9: it has changed hands. The others are
        // Exchange's: more than it may receive, and recipients that take mail of few.
        let mailbox = evidence.has_enhanced(&[(2, 1), (2, 2), (2, 3), (2, 4), (2, 121), (2, 122)])
            || evidence.has_enhanced(&[(7, 12), (7, 13), (7, 17), (7, 18), (7, 19)])
            || matches!(evidence.enhanced(), Some((7, 100..=138 | 140..=199)));
        // Some servers put the sender's own allowance under these codes.
        let allowance = evidence.says(ALLOWANCE);
        // Exchange's name for recipients that take mail of few.
        let restricted = evidence.says(&["resolver rst"]);
        if (address || mailbox) && !allowance || restricted {
            return Some(Claim::Coded);
        }
        let others = matches!(evidence.names_refused(), Some(named) if named != Refused::Recipient);
        (evidence.stage == Stage::Rcpt && !evidence.is_coded_for_sign_in() && !others)
            .then_some(Claim::Usual)
    },
};

/// The sender's own allowance.
const ALLOWANCE: Concept = &[
    "submission*",
    "has sent",
    "may send",
    "you have sent",
    "sending",
    "messages sent",
];

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Rcpt, 550, "5.1.1 No such user here"),
        smtp(Stage::Rcpt, 550, "not wanted"),
        smtp(
            Stage::Rcpt,
            552,
            "5.2.2 Quota exceeded, mailbox of this user is full",
        ),
        smtp(
            Stage::Rcpt,
            552,
            "Requested action aborted: storage limit exceeded",
        ),
        smtp(Stage::Body, 550, "5.1.1 No such user here"),
        smtp(Stage::Body, 552, "5.2.2 No room is left in that mailbox"),
    ]
}
