//! No password is taken here any more: the OAuth sign-in is the way.

use super::concept::{BASIC, DOMAIN_PROOF, ENDED, OAUTH, REQUIRED, TOKEN};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::reply::SmtpReply;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{provider} takes no passwords any more",
        explanation: "{provider} takes no passwords from programs here. Where it has a sign-in page of its own, that page is the way on. Where this inbox can sign in by a password only, no password helps: an administrator can switch that way of signing in on again, if {provider} still lets him.",
        remedy: Remedy::SignInInstead,
    },
    claim: |evidence| {
        // Exchange: 5.7.30 "Basic authentication is not supported", at whatever stage it comes. Of others it is a
        // proof that the message lacks.
        let permanent = evidence.smtp().is_some_and(SmtpReply::is_permanent);
        if permanent && evidence.has_enhanced(&[(7, 30)]) && !evidence.says(DOMAIN_PROOF) {
            return Some(Claim::Coded);
        }
        let instead = evidence.relates(OAUTH, REQUIRED) && !evidence.relates(TOKEN, ENDED);
        let said = evidence.is_off(BASIC) || instead || evidence.says(&["security defaults"]);
        (evidence.refuses_sign_in() && said).then_some(Claim::Named)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    use crate::reply::ImapStatus;
    vec![
        smtp(
            Stage::Auth,
            535,
            "5.7.139 Sign-in failed, basic auth is switched off here",
        ),
        smtp(
            Stage::Auth,
            535,
            "5.7.8 Passwords are not accepted here, use OAuth",
        ),
        imap(
            Stage::Auth,
            ImapStatus::No,
            None,
            "Legacy authentication is no longer possible",
        ),
    ]
}
