//! The day's allowance of messages is used up; the inbox is fine tomorrow.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Transient,
        acts: Acts::Nobody,
        title: "{inbox} has sent what it may for now",
        explanation: "{provider} takes no more messages from it for some hours. The relay tries again by itself; nothing is lost.",
        remedy: Remedy::Wait,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        if reply.is_positive() {
            return None;
        }
        // Exchange Online: the day's recipients; the organisation's external recipients, and those of a trial.
        // Google: 5.4.5 is the day's messages of a user.
        let coded = evidence.has_enhanced(&[(1, 90), (7, 232), (7, 233)])
            || reply.is_permanent() && evidence.has_enhanced(&[(4, 5)]);
        if evidence.submits() && coded {
            return Some(Claim::Coded);
        }
        evidence.is_allowance_used_up().then_some(Claim::Named)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::smtp;
    use crate::evidence::Stage;
    vec![
        smtp(Stage::Body, 550, "5.4.5 Daily user sending quota exceeded"),
        smtp(
            Stage::Rcpt,
            554,
            "5.7.1 You have reached your daily sending limit",
        ),
        smtp(Stage::Mail, 550, "Message limit for this account reached"),
        smtp(Stage::Body, 554, "5.2.2 The submission quota is used up"),
        smtp(
            Stage::Rcpt,
            554,
            "Recipient address rejected: your allowance is exhausted",
        ),
        smtp(Stage::Rcpt, 550, "Versandlimit erreicht"),
    ]
}
