//! This recipient cannot be written to just now; the inbox is fine.

use super::words::Concept;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Recipient,
        persistence: Persistence::Transient,
        acts: Acts::Nobody,
        title: "A recipient is not available for now",
        explanation: "The server could not take mail for this recipient. The relay tries again later.",
        remedy: Remedy::Wait,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        if !reply.is_transient() {
            return None;
        }
        let grey: Concept = &["greylist*", "graylist*", "grey list*", "gray list*"];
        match evidence.stage {
            Stage::Rcpt if evidence.is_of_receiving() || evidence.says(grey) => Some(Claim::Worded),
            // RFC 5321 §3.8: 421 is the server closing, whoever the recipient is.
            Stage::Rcpt if reply.code != 421 => Some(Claim::Usual),
            // RFC 3463 §3.3: after RCPT a mailbox is the recipient's.
            Stage::Data | Stage::Body if evidence.has_enhanced(&[(2, 1), (2, 2)]) => {
                Some(Claim::Worded)
            }
            _ => None,
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Rcpt, 450, "4.2.1 The mailbox is busy"),
        smtp(Stage::Rcpt, 451, "greylisted"),
        smtp(Stage::Rcpt, 421, "4.7.1 Greylisting, come back later"),
        smtp(Stage::Body, 452, "4.2.2 That mailbox is full"),
    ]
}
