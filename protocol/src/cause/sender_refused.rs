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
        let reply = evidence.smtp()?;
        let at_sender = evidence.stage == Stage::Mail && reply.is_permanent() && reply.code != 530 && reply.code != 552;
        at_sender.then_some(Claim::Usual)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Mail, 553, "5.7.1 Sender address rejected: not owned by user"),
        smtp(Stage::Mail, 550, "sender denied"),
        smtp(Stage::Mail, 550, "5.7.60 Client is not allowed to send as this sender"),
    ]
}
