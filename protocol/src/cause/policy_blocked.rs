//! The organisation forbids this app, or this sign-in.

use super::aadsts::Asks;
use super::concept::{NAMED_RULE, RULE, STOPPED};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Admin,
        title: "Your organisation does not allow this",
        explanation: "A rule of your organisation stops this app, or this sign-in, for {inbox}. Ask your administrator to allow it; then reconnect.",
        remedy: Remedy::AskAdmin,
    },
    claim: |evidence| {
        // "Using OAuth 2.0 for Web Server Applications", authorization errors.
        if evidence.asks() == Some(Asks::Rule)
            || evidence.has_error(&["admin_policy_enforced", "policy_enforced"])
        {
            return Some(Claim::Coded);
        }
        // Amazon's words for what its user was not given.
        if evidence.smtp().is_some() && evidence.says(&["not authorized to perform"]) {
            return Some(Claim::Named);
        }
        if evidence.oauth().is_none()
            && !(evidence.stage == Stage::Auth && evidence.refuses_sign_in())
        {
            return None;
        }
        if evidence.says(NAMED_RULE) {
            Some(Claim::Named)
        } else {
            let stopped =
                evidence.relates(RULE, STOPPED) || evidence.says(&["admin policy", "by policies"]);
            stopped.then_some(Claim::Worded)
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![
        said_by_oauth(
            Stage::Refresh,
            "invalid_grant",
            "AADSTS53003: a rule says no",
        ),
        said_by_oauth(Stage::Authorize, "admin_policy_enforced", ""),
        smtp(Stage::Auth, 535, "5.7.139 Stopped by conditional access"),
    ]
}
