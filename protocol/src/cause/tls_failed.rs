//! Certificate or encryption failed.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Said;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} has no safe connection to its server",
        explanation: "The server's certificate or encryption was refused, so nothing was sent over it. The server's name, or its certificate, must be corrected.",
        remedy: Remedy::CorrectServers,
    },
    claim: |evidence| {
        matches!(evidence.said, Said::Tls { .. }).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Party;
    vec![
        tls(Party::Smtp),
        tls(Party::Imap),
    ]
}
