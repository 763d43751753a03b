//! Sending by SMTP is switched off for the mailbox or its organisation.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Admin,
        title: "{inbox} may not send by SMTP",
        explanation: "Sending by SMTP is switched off for this mailbox or its organisation. An administrator must switch on SMTP sign-in for it; then reconnect.",
        remedy: Remedy::AskAdmin,
    },
    claim: |evidence| {
        let smtp = [
            "smtp auth",
            "smtp_auth",
            "smtpauth",
            "smtp client",
            "smtpclient",
            "smtp access",
            "access to smtp",
            "smtp service",
            "smtp is",
            "smtp has",
            "smtp protocol",
            "smtp account",
            "smtp sign-in",
        ];
        let off = [
            "disabled",
            "switched off",
            "turned off",
            "not enabled",
            "not yet activated",
            "not activated",
            "not allowed",
            "denied",
            "deactivated",
            "not available",
        ];
        let reply = evidence.smtp()?;
        let before = matches!(evidence.stage, Stage::Auth | Stage::Mail) && reply.is_permanent();
        if before && evidence.mentions_both(&smtp, &off) {
            return Some(Claim::Coded);
        }
        // "Access rights" are what a service lacks that was never switched on.
        (evidence.refuses_sign_in()
            && evidence.mentions(&["access rights", "to this service", "has no permission"]))
        .then_some(Claim::Worded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    vec![
        smtp(
            Stage::Auth,
            535,
            "5.7.139 SMTP AUTH is switched off for this inbox",
        ),
        smtp(
            Stage::Mail,
            530,
            "5.7.57 SmtpClientAuthentication disabled for the tenant",
        ),
        smtp(Stage::Auth, 535, "5.7.8 The user has no access rights here"),
    ]
}
