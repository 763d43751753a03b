//! The organisation forbids this app, or this sign-in.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

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
        // "Microsoft Entra authentication and authorization error codes": conditional access, device rules, users
        // that are not assigned, applications and services that the organisation has switched off.
        let numbers = [
            50_105, 50_131, 53_000, 53_001, 53_002, 53_003, 53_009, 53_010, 53_011, 500_014,
            530_032, 530_033, 530_034, 530_035, 650_051, 650_052, 7_000_112,
        ];
        if evidence.has_aadsts(&numbers) {
            return Some(Claim::Coded);
        }
        if let Some(reply) = evidence.oauth() {
            // "Using OAuth 2.0 for Web Server Applications", authorization errors.
            let google = [
                "admin_policy_enforced",
                "restricted_client",
                "access_not_configured",
            ];
            return if reply
                .error
                .as_deref()
                .is_some_and(|error| google.contains(&error))
            {
                Some(Claim::Coded)
            } else {
                let words = [
                    "admin_policy",
                    "conditional access",
                    "by policies",
                    "organization's policy",
                    "blocked by your admin",
                ];
                evidence.mentions(&words).then_some(Claim::Worded)
            };
        }
        let rules = [
            "conditional access",
            "security policy",
            "organization policy",
            "administrator has",
            "admin has",
            "ip restriction",
            "domain policy",
            "tenant policy",
        ];
        (evidence.refuses_sign_in() && evidence.mentions(&rules)).then_some(Claim::Worded)
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
