//! A passing fault at the provider.

use super::aadsts::Asks;
use super::concept::{LATER, RECIPIENTS_OWN, TEMPORARY};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

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
        let passing = evidence.is_passing();
        if let Some(reply) = evidence.smtp() {
            let invited = (evidence.says(LATER) || evidence.says(TEMPORARY))
                && !evidence.says(RECIPIENTS_OWN);
            return match evidence.stage {
                // What speaks of the server's own trouble is no verdict on a password, whatever its code.
                Stage::Auth | Stage::Greeting if passing => Some(Claim::Worded),
                _ if reply.is_permanent() && evidence.submits() && passing && invited => {
                    Some(Claim::Hinted)
                }
                // RFC 3463 §3.4 and §3.5: before RCPT the mail system and its network are the server's own.
                Stage::Mail
                    if reply.is_permanent()
                        && matches!(evidence.enhanced(), Some((3, 0..=3) | (4, _))) =>
                {
                    Some(Claim::Hinted)
                }
                // RFC 5321 §3.8: 421 at any stage is the server closing.
                _ => (reply.code == 421 || reply.is_transient() && evidence.stage != Stage::Rcpt)
                    .then_some(Claim::Usual),
            };
        }
        if evidence.imap().is_some() {
            // RFC 5530 §3; BYE is the server closing (RFC 9051 §7.1.5).
            return if evidence.has_imap_code(&["UNAVAILABLE", "INUSE", "SERVERBUG", "CORRUPTION"]) {
                Some(Claim::Coded)
            } else if passing {
                Some(Claim::Worded)
            } else {
                evidence.is_goodbye().then_some(Claim::Usual)
            };
        }
        let reply = evidence.oauth()?;
        let named = evidence.has_error(&[
            "temporarily_unavailable",
            "server_error",
            "internal_failure",
        ]);
        let status = reply.http_status.is_some_and(|status| status >= 500);
        if named || status || evidence.asks() == Some(Asks::Time) {
            return Some(Claim::Coded);
        }
        let invited = evidence.says(LATER) || evidence.says(TEMPORARY);
        (invited && !evidence.has_error(&["invalid_grant"])).then_some(Claim::Hinted)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::reply::ImapStatus;

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
