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
        // Words about sending over time are surer than a code that has other meanings too.
        let over_time = [
            "daily",
            "per day",
            "a day",
            "24 hours",
            "24-hour",
            "24h",
            "submission quota",
            "sending limit",
            "sending quota",
            "submissionquota",
            "email quota",
            "mail quota",
            "quota limit",
            "quota d'envoi",
            "limite d'envoi",
            "versandlimit",
            "límite de envío",
            "message quota",
        ];
        let recipients_own = evidence.mentions(&["recipient's", "receiv"]);
        if evidence.mentions(&over_time) && !recipients_own {
            return Some(Claim::Coded);
        }
        // Exchange Online: the organisation's external recipients, and those of a trial.
        if evidence.has_enhanced(&[(7, 232), (7, 233)]) {
            return Some(Claim::Coded);
        }
        // RFC 3463 §3.3 and §3.4: a full mailbox and a message too big have limits of their own, which are the
        // recipient's and the message's.
        let another = reply
            .enhanced
            .is_some_and(|code| code.subject == 2 || code.is_about(3, 4));
        (!another && evidence.mentions(&["message limit"])).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::smtp;
    vec![
        smtp(Stage::Body, 550, "5.4.5 Daily user sending quota exceeded"),
        smtp(
            Stage::Rcpt,
            554,
            "5.7.1 You have reached your daily sending limit",
        ),
        smtp(Stage::Mail, 550, "Message limit for this account reached"),
        smtp(Stage::Body, 554, "5.2.2 The submission quota is used up"),
    ]
}
