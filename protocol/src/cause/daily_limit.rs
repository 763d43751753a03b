//! The day's allowance of messages is used up; the inbox is fine tomorrow.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

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
        if evidence.stage == Stage::Auth || reply.is_positive() {
            return None;
        }
        let limit = [
            "daily",
            "per day",
            "sending limit",
            "sending quota",
            "quota exceeded",
            "message limit",
            "recipient limit",
            "limit exceeded",
        ];
        // RFC 3463 §3.5: x.4.5 is mail system congestion; with these words it is an allowance, also as 5yz.
        let congested = reply.enhanced.is_some_and(|code| code.is_about(4, 5));
        let worded = evidence.mentions(&limit);
        let permanent = reply.is_permanent() && worded && !reply.enhanced.is_some_and(|code| code.is_about(3, 4));
        ((congested && worded) || permanent).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::smtp;
    vec![
        smtp(Stage::Body, 550, "5.4.5 Daily user sending quota exceeded"),
        smtp(Stage::Rcpt, 554, "5.7.1 You have reached your daily sending limit"),
        smtp(Stage::Mail, 550, "Message limit for this account reached"),
    ]
}
