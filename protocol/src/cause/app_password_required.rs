//! Passwords are taken here, and this one is the account's own where an app password is needed.

use super::concept::{APP_PASSWORD, SECOND_FACTOR};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} needs an app password",
        explanation: "{provider} takes no ordinary password from programs. Make an app password in the account's security settings there, then enter it here. Google shows the page for it once two-step verification is on; NetEase and QQ call it an authorization code.",
        remedy: Remedy::NewAppPassword,
    },
    claim: |evidence| {
        if !evidence.refuses_sign_in() {
            return None;
        }
        // Google's pages on app passwords.
        if evidence.says(APP_PASSWORD)
            || evidence.has_google_page(&["InvalidSecondFactor", "185833"])
        {
            return Some(Claim::Coded);
        }
        // A program cannot give a second proof: where one is asked for with a password, an app password takes its place.
        evidence.says(SECOND_FACTOR).then_some(Claim::Named)
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
