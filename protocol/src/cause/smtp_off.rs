//! Sending by SMTP is switched off for the mailbox or its organisation.

use super::concept::{ACCESS_RIGHTS, SMTP};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Admin,
        title: "{inbox} may not send by SMTP",
        explanation: "Sending by SMTP is switched off for this mailbox. In an account of your own, switch it on in its settings at {provider}; in an organisation, its administrator can. Then reconnect.",
        remedy: Remedy::AskAdmin,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        let before =
            matches!(evidence.stage, Stage::Auth | Stage::Mail) || evidence.is_coded_for_sign_in();
        if before && reply.is_permanent() && evidence.is_off(SMTP) {
            return Some(Claim::Named);
        }
        // "Access rights" are what a service lacks that was never switched on.
        (evidence.refuses_sign_in() && evidence.says(ACCESS_RIGHTS)).then_some(Claim::Worded)
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
