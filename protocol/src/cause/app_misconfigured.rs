//! Our own registration with the provider is at fault: no reconnect can help.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Relay,
        persistence: Persistence::Permanent,
        acts: Acts::Operator,
        title: "The relay's registration with {provider} is refused",
        explanation: "{provider} does not accept the relay's client id, secret or redirect address. Whoever runs the relay must correct it; signing in again would not help.",
        remedy: Remedy::TellOperator,
    },
    claim: |evidence| {
        // RFC 6749 §4.1.2.1 and §5.2; `redirect_uri_mismatch` is what Google answers.
        let error = evidence.oauth_error()?;
        let ours = ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "redirect_uri_mismatch"];
        ours.contains(&error).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![
        oauth(Stage::Exchange, Some(401), "invalid_client"),
        oauth(Stage::Authorize, None, "unauthorized_client"),
    ]
}
