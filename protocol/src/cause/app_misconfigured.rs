//! Our own registration with the provider is at fault: no reconnect can help.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Relay,
        persistence: Persistence::Permanent,
        acts: Acts::Operator,
        title: "The relay's registration with {provider} is refused",
        explanation: "{provider} does not accept what the relay sends: its client id, secret, redirect address or the form of its request. Whoever runs the relay must correct it; signing in again would not help.",
        remedy: Remedy::TellOperator,
    },
    claim: |evidence| {
        // "Microsoft Entra authentication and authorization error codes": application not found, its secret,
        // redirect addresses, scopes, kind of client, form of the request.
        let numbers = [
            50_011, 50_012, 50_027, 50_059, 50_128, 50_194, 65_002, 65_005, 65_006, 70_001, 70_002,
            70_003, 70_005, 70_007, 70_011, 70_016, 75_001, 90_002, 90_013, 90_014, 90_015, 90_016,
            90_019, 90_023, 90_043, 500_011, 500_113, 650_053, 650_056, 650_057, 700_005, 700_016,
            700_020, 700_021, 700_022, 700_023, 700_024, 700_025, 700_027, 700_030, 700_051,
            700_054, 900_144, 900_384, 900_971, 7_000_011, 7_000_012, 7_000_110, 7_000_215,
            7_000_216, 7_000_218, 7_000_222, 9_002_313, 9_002_325, 9_002_326, 9_002_327,
        ];
        if evidence.has_aadsts(&numbers) {
            return Some(Claim::Coded);
        }
        // RFC 4954 §4: 501 to a sign-in is one that the server cannot even read.
        if let Some(reply) = evidence.smtp() {
            let unreadable = match evidence.stage {
                // RFC 5321 §4.1.1.1: the name that the relay says hello with.
                Stage::Greeting | Stage::Auth => reply.code == 501,
                // RFC 5321 §4.2.4 and §4.1.1.11: commands, their order and their parameters are the relay's.
                Stage::Mail | Stage::Rcpt => matches!(reply.code, 500 | 502 | 503 | 555),
                _ => false,
            };
            return unreadable.then_some(Claim::Worded);
        }
        let reply = evidence.oauth()?;
        // RFC 6749 §4.1.2.1 and §5.2; the others are Google's ("Using OAuth 2.0 for Web Server Applications",
        // authorization errors).
        let ours = [
            "invalid_client",
            "unauthorized_client",
            "unsupported_grant_type",
            "invalid_scope",
            "unsupported_response_type",
            "redirect_uri_mismatch",
            "deleted_client",
            "disabled_client",
            "org_internal",
            "disallowed_useragent",
            "invalid_resource",
            "invalid_tenant",
        ];
        let named = reply
            .error
            .as_deref()
            .is_some_and(|error| ours.contains(&error));
        let words = [
            "verification process",
            "oauth client was",
            "client authentication failed",
            "unknown client",
            "jwt",
            "comply with",
        ];
        if named || evidence.mentions(&words) {
            Some(Claim::Worded)
        } else {
            // What the relay asks is of its own making.
            (reply.error.as_deref() == Some("invalid_request")).then_some(Claim::Usual)
        }
    },
};

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
