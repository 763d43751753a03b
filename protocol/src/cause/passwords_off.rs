//! No password is taken here any more: the OAuth sign-in is the way.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{provider} takes no passwords any more",
        explanation: "{provider} has switched passwords off for programs. Sign in on its own page instead; nothing is lost.",
        remedy: Remedy::SignInInstead,
    },
    claim: |evidence| {
        let password = [
            "basic auth",
            "basicauth",
            "legacy auth",
            "password auth",
            "plain auth",
            "passwords are",
            "password login",
            "password sign-in",
            "login with password",
        ];
        let off = [
            "disabled",
            "blocked",
            "not allowed",
            "not supported",
            "not accepted",
            "no longer",
            "switched off",
            "turned off",
            "not permitted",
            "deprecated",
            "retired",
        ];
        let instead = [
            "use oauth",
            "oauth is required",
            "oauth required",
            "requires oauth",
            "use xoauth2",
            "use modern auth",
            "oauth2 required",
            "security defaults",
        ];
        let said = evidence.mentions_both(&password, &off) || evidence.mentions(&instead);
        (evidence.refuses_sign_in() && said).then_some(Claim::Coded)
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
