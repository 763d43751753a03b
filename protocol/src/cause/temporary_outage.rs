//! A passing fault at the provider.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;
use crate::reply::ImapStatus;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Server,
        persistence: Persistence::Transient,
        acts: Acts::Nobody,
        title: "{provider} has a passing fault",
        explanation: "Its server asked to try again later. The relay does so by itself; nothing is lost.",
        remedy: Remedy::Wait,
    },
    claim: |evidence| {
        if let Some(reply) = evidence.smtp() {
            // RFC 5321 §3.8: 421 at any stage is the server closing.
            let passing = reply.code == 421 || (reply.is_transient() && evidence.stage != Stage::Rcpt);
            return passing.then_some(Claim::Usual);
        }
        if let Some(reply) = evidence.imap() {
            // RFC 5530 §3; BYE is the server closing (RFC 9051 §7.1.5).
            return match (reply.code.as_deref(), reply.status) {
                (Some("UNAVAILABLE" | "INUSE" | "SERVERBUG"), _) => Some(Claim::Coded),
                (_, ImapStatus::Bye) => Some(Claim::Usual),
                _ => None,
            };
        }
        let reply = evidence.oauth()?;
        let named = matches!(reply.error.as_deref(), Some("temporarily_unavailable" | "server_error"));
        let status = reply.http_status.is_some_and(|status| status >= 500);
        (named || status).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Auth, 454, "4.7.0 Temporary authentication failure"),
        smtp(Stage::Greeting, 421, "Service not available"),
        imap(Stage::Auth, ImapStatus::No, Some("UNAVAILABLE"), "Temporary authentication failure"),
        imap(Stage::Folder, ImapStatus::Bye, None, "Server shutting down"),
        oauth(Stage::Refresh, Some(503), "temporarily_unavailable"),
        status(Stage::Refresh, 502),
    ]
}
