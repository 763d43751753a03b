//! The sign-in works and sending is blocked for reputation: everything this inbox sends would be refused.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is not allowed to send",
        explanation: "{provider} has blocked sending from this account. Ask there to have it lifted, then reconnect; everything waits until then.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        let sending = matches!(
            evidence.stage,
            Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body
        );
        let ours = [
            "account has been blocked",
            "account is blocked",
            "account has been suspended",
            "account suspended",
            "sender is blocked",
            "outbound spam",
            "blocked from sending",
            "sending has been disabled",
            "sending disabled",
        ];
        (sending && reply.is_permanent() && evidence.mentions(&ours)).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::smtp;
    vec![
        smtp(Stage::Body, 554, "5.2.0 Outbound spam was seen from this mailbox"),
        smtp(Stage::Rcpt, 550, "5.7.1 Your account has been blocked"),
    ]
}
