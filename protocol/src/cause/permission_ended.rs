//! The stored permission has ended: revoked, password changed, unused too long.

use super::aadsts::Asks;
use super::concept::{ENDED, TOKEN};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is disconnected",
        explanation: "{provider} ended the permission: it was revoked, the password changed, or it was not used for too long. Google also ends it after 7 days while the relay's app is in \"Testing\" there; whoever runs the relay can publish the app.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        if evidence.stage != Stage::Exchange && evidence.asks() == Some(Asks::Permission) {
            return Some(Claim::Coded);
        }
        match evidence.stage {
            Stage::Refresh => {
                let reply = evidence.oauth()?;
                if evidence.relates(TOKEN, ENDED) {
                    return Some(Claim::Worded);
                }
                // RFC 6749 §5.2: at refresh, `invalid_grant` is the refresh token. What nobody knows means the same
                // there: it is refused with 400 or 401, and asking again with the same token changes nothing.
                let refused = matches!(reply.http_status, Some(400 | 401)) && reply.error.is_some();
                (evidence.has_error(&["invalid_grant"]) || refused).then_some(Claim::Usual)
            }
            Stage::Identity => (evidence.oauth()?.http_status == Some(401)).then_some(Claim::Coded),
            // The words with which a mail server refuses an access token.
            Stage::Auth if evidence.is_final() => {
                let told = evidence.relates(TOKEN, ENDED) || evidence.says(&["schemes bearer"]);
                told.then_some(Claim::Worded)
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
