//! The grant lacks what the inbox needs.

use super::aadsts::Asks;
use super::words::Concept;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::{Finding, Stage};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "Part of the permission was not given",
        explanation: "{inbox} needs the permission to send and to read mail. Sign in once more and leave everything ticked.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        if let Some(finding) = evidence.finding() {
            return matches!(finding, Finding::ScopeMissing { .. }).then_some(Claim::Coded);
        }
        if evidence.stage != Stage::Authorize && evidence.asks() == Some(Asks::Consent) {
            return Some(Claim::Coded);
        }
        evidence.oauth()?;
        // RFC 6750 §3.1; OpenID Connect Core §3.1.2.6.
        let lacking: Concept = &[
            "insufficient*",
            "missing",
            "lacks",
            "lacking",
            "not granted",
            "not have",
            "required",
        ];
        let grants: Concept = &["scope*", "permission*"];
        if evidence.stage == Stage::Identity && evidence.relates(grants, lacking)
            || evidence.says(&["insufficient scope*", "insufficient permission*"])
        {
            return Some(Claim::Worded);
        }
        evidence
            .has_error(&["consent_required"])
            .then_some(Claim::Usual)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![
        found(
            Stage::Identity,
            Finding::ScopeMissing {
                missing: vec!["mail.send".to_owned()],
            },
        ),
        oauth(Stage::Identity, Some(403), "insufficient_scope"),
        said_by_oauth(
            Stage::Refresh,
            "invalid_grant",
            "AADSTS65001: nobody agreed",
        ),
    ]
}
