//! Somebody else signed in.

use super::aadsts::Asks;
use super::concept::NOT_THERE;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::{Finding, Stage};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "You signed in with another account",
        explanation: "This inbox is {inbox}. Nothing was changed.",
        remedy: Remedy::ReconnectAsInbox,
    },
    claim: |evidence| {
        if let Some(finding) = evidence.finding() {
            return matches!(finding, Finding::OtherIdentity { .. }).then_some(Claim::Coded);
        }
        // Accounts that the organisation does not know. A visit that meets them was somebody else's.
        let visit = matches!(evidence.stage, Stage::Authorize | Stage::Exchange)
            && evidence.oauth().is_some();
        if visit && evidence.asks() == Some(Asks::OtherAccount) {
            return Some(Claim::Coded);
        }
        (visit && evidence.relates(&["account*", "user"], NOT_THERE)).then_some(Claim::Worded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    vec![
        said_by_oauth(
            Stage::Authorize,
            "invalid_request",
            "AADSTS50020: from elsewhere",
        ),
        found(
            Stage::Identity,
            Finding::OtherIdentity {
                signed_in_as: Some("john@acme.example".to_owned()),
            },
        ),
    ]
}
