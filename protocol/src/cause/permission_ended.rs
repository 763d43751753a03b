//! The stored permission has ended: revoked, password changed, unused too long.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is disconnected",
        explanation: "{provider} ended the permission: it was revoked, the password changed, or it was not used for too long.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        // "Microsoft Entra authentication and authorization error codes": expired, unused too long, revoked, the
        // password changed.
        let numbers = [
            50_089, 50_132, 50_133, 50_173, 70_008, 700_081, 700_082, 700_083, 700_084, 700_003,
        ];
        if evidence.stage != Stage::Exchange && evidence.has_aadsts(&numbers) {
            return Some(Claim::Coded);
        }
        let words = [
            "expired or revoked",
            "or revoked",
            "grant is invalid",
            "token expired",
            "token has expired",
            "token is expired",
            "token revoked",
            "token has been revoked",
            "invalid_token",
            "schemes bearer",
            "status invalid_token",
        ];
        // RFC 6749 §5.2: at refresh, `invalid_grant` is the refresh token; at exchange it is the code.
        match evidence.stage {
            Stage::Refresh if evidence.oauth().is_some() && evidence.mentions(&words) => {
                Some(Claim::Worded)
            }
            Stage::Refresh => (evidence.oauth_error()? == "invalid_grant").then_some(Claim::Usual),
            Stage::Identity => (evidence.oauth()?.http_status == Some(401)).then_some(Claim::Coded),
            // The words with which a mail server refuses an access token.
            Stage::Auth if evidence.refuses_sign_in() && evidence.mentions(&words) => {
                Some(Claim::Worded)
            }
            _ => None,
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        oauth(Stage::Refresh, Some(400), "invalid_grant"),
        status(Stage::Identity, 401),
        said_by_oauth(
            Stage::Refresh,
            "invalid_grant",
            "AADSTS700082: not used for long",
        ),
        smtp(
            Stage::Auth,
            535,
            "5.7.8 Token not accepted\nstatus 401, schemes bearer, scope mail",
        ),
        smtp(Stage::Auth, 535, "5.7.8 The access token has expired"),
    ]
}
