//! The account that signed in may not send as the inbox's address.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} may not send as this address",
        explanation: "The account that is signed in is not allowed to send as {inbox}. Sign in with the account that is.",
        remedy: Remedy::ReconnectAsInbox,
    },
    claim: |evidence| {
        let reply = evidence.refused_submission()?;
        // Exchange: 5.7.60 and 5.2.252, also after the body.
        if evidence.has_enhanced(&[(7, 60), (2, 252)]) {
            return Some(Claim::Coded);
        }
        let another = [
            "send as",
            "sendas",
            "send on behalf",
            "send mail as",
            "send mail from",
            "send email from",
            "send from this",
            "not owned by",
            "use this sender",
            "use this from",
            "envelope sender",
            "sender address rejected",
            "from address",
            "address is not verified",
            "not a verified",
            "from header",
            "sender is not allowed",
            "sender not allowed",
            "relaying disallowed as",
        ];
        let judged = ["dmarc", "spf", "dkim", "spam"];
        if evidence.mentions(&another) && !evidence.mentions(&judged) {
            return Some(Claim::Worded);
        }
        let at_sender = evidence.stage == Stage::Mail && reply.code != 530 && reply.code != 552;
        at_sender.then_some(Claim::Usual)
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
