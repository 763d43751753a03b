//! The account that signed in may not send as the inbox's address.

use super::concept::{
    ADDRESS, DOMAIN_PROOF, LISTED, NOT_OWNED, NOT_PROVED, NOT_SIGNED_IN, SEND_AS, SENDER,
};
use super::said::Refused;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} may not send as this address",
        explanation: "{provider} does not let this account send as {inbox}. If the account is the right one, the address or its domain must be verified there, or allowed as an alias; no sign-in replaces that. Else sign in with the account that owns it.",
        remedy: Remedy::ReconnectAsInbox,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        if !evidence.submits() {
            return None;
        }
        // Exchange: 5.7.60 and 5.2.252, also after the body. RFC 3463 §3.2: x.1.7 and x.1.8 are the sender's address.
        let at_sender = evidence.stage == Stage::Mail;
        if reply.is_permanent() && evidence.has_enhanced(&[(7, 60), (2, 252)]) {
            return Some(Claim::Coded);
        }
        // Whose address it is does not change by waiting, whatever the code says.
        let judged =
            evidence.says(DOMAIN_PROOF) || evidence.says(LISTED) || evidence.says(NOT_SIGNED_IN);
        let owned = evidence.relates(SENDER, NOT_OWNED)
            || evidence.relates(SENDER, &["incorrect", "wrong"])
            || evidence.relates(ADDRESS, NOT_PROVED)
                && evidence.names_refused() != Some(Refused::Recipient);
        if !judged && owned && evidence.says(&["your | you"]) {
            return Some(Claim::Named);
        }
        if !judged && owned || evidence.says(SEND_AS) {
            return Some(Claim::Worded);
        }
        let coded = at_sender && evidence.has_enhanced(&[(1, 7), (1, 8)]);
        if reply.is_permanent() && coded {
            return Some(Claim::Hinted);
        }
        let named = evidence.names_refused() == Some(Refused::Sender)
            || evidence.relates(&["sender"], &["rejected | refused | blocked | denied"]);
        if reply.is_permanent() && !judged && named {
            return Some(Claim::Worded);
        }
        let usual = at_sender && reply.is_permanent() && !evidence.is_coded_for_sign_in();
        (usual && !matches!(reply.code, 530 | 552)).then_some(Claim::Usual)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(
            Stage::Mail,
            553,
            "5.7.1 Sender address rejected: not owned by user",
        ),
        smtp(Stage::Mail, 550, "sender denied"),
        smtp(Stage::Body, 550, "this sender is refused here"),
        smtp(
            Stage::Rcpt,
            550,
            "Your name is not permitted in the From header",
        ),
        smtp(Stage::Body, 554, "The sending address must be one of yours"),
        smtp(
            Stage::Mail,
            550,
            "5.7.60 Client is not allowed to send as this sender",
        ),
        smtp(
            Stage::Body,
            554,
            "5.2.0 SendAsDenied: this account is another",
        ),
        smtp(
            Stage::Rcpt,
            553,
            "5.7.1 Sender address rejected: not owned by this user",
        ),
    ]
}
