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
        // RFC 6749 §5.2: at refresh, `invalid_grant` is the refresh token; at exchange it is the code.
        let ended = match evidence.stage {
            Stage::Refresh => evidence.oauth_error()? == "invalid_grant",
            Stage::Identity => evidence.oauth()?.http_status == Some(401),
            _ => false,
        };
        ended.then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        oauth(Stage::Refresh, Some(400), "invalid_grant"),
        status(Stage::Identity, 401),
    ]
}
