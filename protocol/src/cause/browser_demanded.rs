//! The provider wants the person in a browser: a second step, terms, a session that is too old.

use super::aadsts::Asks;
use super::concept::{BROWSER, SECOND_FACTOR, TERMS};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{provider} wants you to sign in again",
        explanation: "{provider} asks for a step that only you can do in a browser, such as a second proof. Sign in once more. Where this inbox signs in by a password, do that step on the provider's own page first; Gmail takes an app password after it.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        if evidence.asks() == Some(Asks::Browser) {
            return Some(Claim::Coded);
        }
        if evidence.oauth().is_some() {
            // OpenID Connect Core §3.1.2.6; `invalid_rapt` is Google's word for a session that is too old.
            let named = [
                "interaction_required",
                "login_required",
                "account_selection_required",
                "rapt_required",
            ];
            let told =
                evidence.says(&["rapt*", "reauth*", "interaction required", "login required"]);
            let worded = evidence.has_error(&named) || told || evidence.says(SECOND_FACTOR);
            return worded.then_some(Claim::Worded);
        }
        if !evidence.refuses_sign_in() {
            return None;
        }
        // Gmail answers WEBALERT with the page to open; the others are pages of its support site.
        if evidence.has_imap_code(&["WEBALERT"])
            || evidence.has_google_page(&["WebLoginRequired", "78754"])
        {
            return Some(Claim::Coded);
        }
        let terms = evidence.relates(TERMS, &["accept*", "agree*", "new", "read", "updated"]);
        (evidence.says(BROWSER) || terms).then_some(Claim::Worded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    use crate::reply::ImapStatus;
    vec![
        said_by_oauth(
            Stage::Refresh,
            "invalid_grant",
            "AADSTS50076: a second step is due",
        ),
        said_by_oauth(Stage::Refresh, "invalid_grant", "invalid_rapt"),
        oauth(Stage::Authorize, None, "login_required"),
        smtp(Stage::Auth, 534, "5.7.14 Open your browser first"),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("WEBALERT"),
            "Sign in there",
        ),
    ]
}
