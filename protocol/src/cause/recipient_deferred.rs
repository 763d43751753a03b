//! This recipient cannot be written to just now; the inbox is fine.

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
        (evidence.stage == Stage::Rcpt && evidence.smtp()?.is_transient() && evidence.smtp()?.code != 421).then_some(Claim::Usual)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Rcpt, 450, "4.2.1 The mailbox is busy"),
        smtp(Stage::Rcpt, 451, "greylisted"),
    ]
}
