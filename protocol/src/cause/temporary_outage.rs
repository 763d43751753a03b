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
        // Words of a fault that is the server's own, whatever code stands before them.
        let passing = [
            "temporar",
            "try again later",
            "try later",
            "internal error",
            "internal server error",
            "server error",
            "system error",
            "backend",
            "unavailable",
            "storage",
            "overload",
            "busy",
            "timed out",
            "timeout",
            "maintenance",
            "at present",
        ];
        if let Some(reply) = evidence.smtp() {
            // RFC 5321 §3.8: 421 at any stage is the server closing.
            let by_code =
                reply.code == 421 || (reply.is_transient() && evidence.stage != Stage::Rcpt);
            let by_words = evidence.stage == Stage::Auth && evidence.mentions(&passing);
            return match (by_code, by_words) {
                (_, true) => Some(Claim::Worded),
                (true, false) => Some(Claim::Usual),
                (false, false) => None,
            };
        }
        if let Some(reply) = evidence.imap() {
            // RFC 5530 §3; BYE is the server closing (RFC 9051 §7.1.5).
            return match (reply.code.as_deref(), reply.status) {
                (Some("UNAVAILABLE" | "INUSE" | "SERVERBUG"), _) => Some(Claim::Coded),
                _ if evidence.mentions(&passing) => Some(Claim::Worded),
                (_, ImapStatus::Bye) => Some(Claim::Usual),
                _ => None,
            };
        }
        // "Microsoft Entra authentication and authorization error codes": those that ask for another try.
        let numbers = [
            50_000, 50_033, 50_087, 70_012, 90_006, 90_012, 90_020, 90_024, 90_025, 90_033, 90_036,
            90_041, 90_090, 90_091,
        ];
        let reply = evidence.oauth()?;
        let named = matches!(
            reply.error.as_deref(),
            Some("temporarily_unavailable" | "server_error" | "internal_failure")
        );
        let status = reply.http_status.is_some_and(|status| status >= 500);
        (named || status || evidence.has_aadsts(&numbers)).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Auth, 454, "4.7.0 Temporary authentication failure"),
        smtp(Stage::Greeting, 421, "Service not available"),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("UNAVAILABLE"),
            "Temporary authentication failure",
        ),
        imap(Stage::Folder, ImapStatus::Bye, None, "Server shutting down"),
        oauth(Stage::Refresh, Some(503), "temporarily_unavailable"),
        status(Stage::Refresh, 502),
        imap(
            Stage::Auth,
            ImapStatus::No,
            None,
            "Temporarily out of order",
        ),
        said_by_oauth(Stage::Refresh, "invalid_grant", "AADSTS90033: in a moment"),
    ]
}
