//! The grant lacks what the inbox needs.

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
        // "Microsoft Entra authentication and authorization error codes": 65001 is consent that is missing.
        if evidence.stage != Stage::Authorize && evidence.has_aadsts(&[65_001]) {
            return Some(Claim::Coded);
        }
        let reply = evidence.oauth()?;
        // RFC 6750 §3.1; OpenID Connect Core §3.1.2.6.
        let words = [
            "insufficient permission",
            "insufficientpermission",
            "insufficient authentication scope",
            "insufficient scope",
            "insufficient_scope",
        ];
        if evidence.mentions(&words) {
            Some(Claim::Worded)
        } else {
            (reply.error.as_deref() == Some("consent_required")).then_some(Claim::Usual)
        }
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
