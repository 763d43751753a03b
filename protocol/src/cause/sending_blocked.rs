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
        // A server that turns the relay away before it knows whom it speaks to, for the address it comes from.
        let judged = [
            "blocked",
            "blacklist",
            "blocklist",
            "black list",
            "block list",
            "listed",
            "spam",
            "rbl",
            "reputation",
            "banned",
            "bloqu",
        ];
        if evidence.stage == Stage::Greeting && reply.is_permanent() && evidence.mentions(&judged) {
            return Some(Claim::Worded);
        }
        // Yandex refuses a right password so.
        if evidence.refuses_sign_in() && evidence.mentions(&["spam"]) {
            return Some(Claim::Coded);
        }
        evidence.refused_submission()?;
        // "Email non-delivery reports and SMTP errors in Exchange Online": abuse seen, organisation or address of
        // origin over a threshold, domain not registered.
        if evidence.has_enhanced(&[(7, 501), (7, 502), (7, 503), (7, 705), (7, 708), (7, 750)]) {
            return Some(Claim::Coded);
        }
        let ours = [
            "account has been blocked",
            "account is blocked",
            "account has been suspended",
            "account is suspended",
            "account suspended",
            "sender is blocked",
            "outbound spam",
            "outbound sender",
            "blocked from sending",
            "sending has been disabled",
            "sending disabled",
            "sending is disabled",
            "sending suspended",
            "sending denied",
            "account disabled",
            "account is disabled",
            "unusual sending",
            "is not allowed to send:",
        ];
        let outgoing = evidence.mentions_both(&["outgoing"], &["blocked", "suspended", "disabled"]);
        (outgoing || evidence.mentions(&ours)).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::smtp;
    vec![
        smtp(
            Stage::Body,
            554,
            "5.2.0 Outbound spam was seen from this mailbox",
        ),
        smtp(Stage::Rcpt, 550, "5.7.1 Your account has been blocked"),
        smtp(Stage::Greeting, 554, "5.7.1 Your address is on a blocklist"),
        smtp(Stage::Body, 550, "5.7.708 Not from there"),
    ]
}
