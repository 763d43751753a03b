//! Our own registration with the provider is at fault: no reconnect can help.

use super::aadsts::Asks;
use super::concept::{ACCOUNT, RULE};
use super::said::Refused;
use super::words::Concept;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Relay,
        persistence: Persistence::Permanent,
        acts: Acts::Operator,
        title: "{provider} refuses what the relay sends",
        explanation: "{provider} does not accept what the relay sends: its client id, secret, redirect address, host name or the form of its request. Whoever runs the relay must correct it; signing in again would not help.",
        remedy: Remedy::TellOperator,
    },
    claim: |evidence| {
        if evidence.asks() == Some(Asks::Registration) {
            return Some(Claim::Coded);
        }
        if let Some(reply) = evidence.smtp() {
            // The name that the relay says hello with is its own.
            if evidence.names_refused() == Some(Refused::Helo) {
                return Some(Claim::Named);
            }
            let unreadable = match evidence.stage {
                // RFC 5321 §4.1.1.1: the name that the relay says hello with. RFC 4954 §4: 501 to a sign-in is one
                // that the server cannot even read.
                Stage::Greeting | Stage::Auth => reply.code == 501,
                // RFC 5321 §4.2.4 and §4.1.1.11: commands, their order and their parameters are the relay's.
                Stage::Mail | Stage::Rcpt => matches!(reply.code, 500 | 502 | 503 | 555),
                _ => false,
            };
            return unreadable.then_some(Claim::Hinted);
        }
        // RFC 5530 §3: the server thinks that the client is at fault.
        if evidence.has_imap_code(&["CLIENTBUG"]) {
            return Some(Claim::Coded);
        }
        evidence.oauth()?;
        if evidence.has_error(OURS) {
            return Some(Claim::Coded);
        }
        let clients = evidence.relates(CLIENT, FAULTY) || evidence.relates_negated(CLIENT, KNOWN);
        let form: Concept = &[
            "verification process",
            "comply with",
            "jwt",
            "redirect uri",
            "testers",
            "has not been used in project",
        ];
        if (clients || evidence.says(form)) && !evidence.says(RULE) && !evidence.says(ACCOUNT) {
            return Some(Claim::Worded);
        }
        // RFC 6749 §4.1.2.1 and §5.2: the request lacks something, or has it twice.
        evidence
            .has_error(&["invalid_request"])
            .then_some(Claim::Hinted)
    },
};

/// RFC 6749 §4.1.2.1 and §5.2; the others are Google's ("Using OAuth 2.0 for Web Server Applications",
/// authorization errors; the APIs that a project has switched on).
const OURS: &[&str] = &[
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "invalid_scope",
    "invalid_target",
    "invalid_resource",
    "invalid_tenant",
    "redirect_uri_mismatch",
    "deleted_client",
    "disabled_client",
    "restricted_client",
    "access_not_configured",
    "accessNotConfigured",
    "org_internal",
    "disallowed_useragent",
];
/// What the relay is to an authorization server.
const CLIENT: Concept = &[
    "client",
    "oauth client",
    "application",
    "service account",
    "robot",
    "api",
];
/// Not as it must be.
const FAULTY: Concept = &[
    "deleted",
    "disabled",
    "unknown",
    "authentication failed",
    "not found",
    "unauthorized",
    "misconfigured",
    "does not exist",
];
/// What a client must be.
const KNOWN: Concept = &[
    "registered",
    "found",
    "recognized",
    "authorized",
    "configured",
    "approved",
];

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![
        oauth(Stage::Exchange, Some(401), "invalid_client"),
        oauth(Stage::Authorize, None, "unauthorized_client"),
        said_by_oauth(
            Stage::Refresh,
            "invalid_client",
            "AADSTS7000222: the secret is over",
        ),
        oauth(Stage::Authorize, None, "invalid_request"),
        smtp(Stage::Auth, 501, "5.5.2 Cannot read that"),
    ]
}
