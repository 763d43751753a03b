//! Login or password refused, and no more was said.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;
use crate::reply::ImapStatus;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is disconnected",
        explanation: "{provider} refused the sign-in. The password or the permission is no longer valid.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        if let Some(reply) = evidence.smtp() {
            // RFC 4954 §6: 535 credentials invalid, 534 mechanism too weak, 530 sign-in demanded.
            return match evidence.stage {
                Stage::Auth if reply.is_permanent() => Some(Claim::Usual),
                Stage::Mail | Stage::Rcpt if reply.code == 530 => Some(Claim::Coded),
                _ => None,
            };
        }
        let reply = evidence.imap()?;
        if evidence.stage != Stage::Auth || reply.status != ImapStatus::No {
            return None;
        }
        // RFC 5530 §3.
        match reply.code.as_deref() {
            Some("AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED") => Some(Claim::Coded),
            Some("UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG") => None,
            _ => Some(Claim::Usual),
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Auth, 535, "5.7.8 Error: authentication failed"),
        smtp(Stage::Auth, 534, "5.7.9 refused"),
        smtp(Stage::Mail, 530, "5.7.0 Authentication required"),
        imap(Stage::Auth, ImapStatus::No, Some("AUTHENTICATIONFAILED"), "Authentication failed."),
        imap(Stage::Auth, ImapStatus::No, None, "LOGIN failed."),
    ]
}
