//! Certificate or encryption failed.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::{Said, Stage};
use crate::reply::{ImapStatus, SmtpReply};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} has no safe connection to its server",
        explanation: "The server's certificate or encryption was refused, so nothing was sent over it. Whoever runs the server must renew the certificate, or whoever runs the relay must have it trusted there. If the server's name is wrong, it cannot be changed for this inbox yet.",
        remedy: Remedy::CorrectServers,
    },
    claim: |evidence| {
        let refused = evidence.stage == Stage::Tls
            && (evidence.smtp().is_some_and(SmtpReply::is_permanent)
                || evidence
                    .imap()
                    .is_some_and(|reply| reply.status != ImapStatus::Bye));
        if matches!(evidence.said, Said::Tls { .. }) {
            Some(Claim::Coded)
        } else {
            // STARTTLS was offered and is refused (RFC 3207 §4, RFC 9051 §6.2.1).
            refused.then_some(Claim::Usual)
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Party;
    vec![
        tls(Party::Smtp),
        tls(Party::Imap),
        smtp(Stage::Tls, 502, "5.5.1 Not now"),
    ]
}
