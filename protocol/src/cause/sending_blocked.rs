//! The sign-in works and sending is blocked for reputation: everything this inbox sends would be refused.

use super::concept::{DOMAIN_PROOF, OUTGOING};
use super::said::Refused;
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
        // Yandex refuses a right password so.
        if evidence.stage == Stage::Auth && evidence.refuses_sign_in() && evidence.says(&["spam"]) {
            return Some(Claim::Coded);
        }
        if !evidence.submits() {
            return None;
        }
        // "Email non-delivery reports and SMTP errors in Exchange Online": abuse seen, organisation or address of
        // origin over a threshold, domain not registered.
        let late = evidence.stage != Stage::Mail || evidence.enhanced() != Some((1, 8));
        if reply.is_permanent()
            && late
            && matches!(
                evidence.enhanced(),
                Some((1, 8) | (7, 501..=503 | 700..=799))
            )
        {
            return Some(Claim::Coded);
        }
        let ours = evidence.is_sending_shut()
            || evidence.relates(OUTGOING, &["spam*", "abuse"])
            || evidence.relates(
                &["bounce* | complaint* | abuse"],
                &["your account | your domain | your mailbox"],
            );
        let others = evidence.is_of_receiving() || evidence.says(DOMAIN_PROOF);
        // What passes is not said to be shut; the server's own word for it counts more than the first digit.
        if ours && !others && evidence.is_final() {
            return Some(Claim::Named);
        }
        let by_name = evidence.names_refused() == Some(Refused::SaslLogin);
        (by_name && reply.is_permanent()).then_some(Claim::Hinted)
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
        smtp(Stage::Body, 550, "5.7.708 Not from there"),
        smtp(
            Stage::Body,
            550,
            "Strange: suspicious traffic from your account",
        ),
        smtp(Stage::Body, 550, "Your mailbox is flagged"),
        smtp(
            Stage::Body,
            554,
            "More complaints about your domain than we take",
        ),
    ]
}
