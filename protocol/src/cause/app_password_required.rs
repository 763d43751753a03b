//! Passwords are taken here, and this one is the account's own where an app password is needed.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} needs an app password",
        explanation: "{provider} takes no ordinary password from programs. Make an app password in the account there, then enter it here.",
        remedy: Remedy::NewAppPassword,
    },
    claim: |evidence| {
        // 163 and QQ call the same thing an authorization code, Mail.ru a password for an application.
        let app_password = [
            "application-specific",
            "app-specific",
            "app password",
            "application password",
            "password for app",
            "device password",
            "authorization code",
            "parol prilozheniya",
        ];
        (evidence.refuses_sign_in() && evidence.mentions(&app_password)).then_some(Claim::Coded)
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
            534,
            "5.7.9 This needs an application-specific password",
        ),
        smtp(
            Stage::Auth,
            535,
            "Enter the authorization code that the settings show",
        ),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("ALERT"),
            "Use an app password",
        ),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("AUTHENTICATIONFAILED"),
            "Sign in with an app-specific password",
        ),
    ]
}
