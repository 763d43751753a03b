//! The permission is one that only an administrator of the organisation may give.

use super::aadsts::Asks;
use super::words::Concept;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Admin,
        title: "Your administrator must agree first",
        explanation: "Your organisation lets only an administrator allow this app for {inbox}. Ask for it; after that, sign in once more.",
        remedy: Remedy::AskConsent,
    },
    claim: |evidence| {
        // 65004 is how somebody comes back who met the page that says so; 65001 is consent that is missing, which
        // after a visit that asked means that this person could not give it.
        let here = evidence.stage == Stage::Authorize
            && matches!(evidence.asks(), Some(Asks::Consent | Asks::Declined));
        if here || evidence.asks() == Some(Asks::AdminConsent) {
            return Some(Claim::Coded);
        }
        let agreement: Concept = &["approv*", "consent*", "review*"];
        let admins: Concept = &["admin*"];
        let worded = evidence.relates(admins, agreement)
            || evidence.says(&["needs approval", "needs to review"]);
        (evidence.refuses_grant() && worded).then_some(Claim::Worded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    vec![
        said_by_oauth(Stage::Authorize, "access_denied", "AADSTS65004: declined"),
        said_by_oauth(
            Stage::Refresh,
            "invalid_grant",
            "AADSTS90094: an administrator decides",
        ),
        said_by_oauth(
            Stage::Authorize,
            "consent_required",
            "admin consent is needed",
        ),
    ]
}
