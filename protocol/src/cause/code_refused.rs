//! The provider does not take the authorization code: used already, too old, or of another client.

use super::aadsts::Asks;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "The sign-in was not accepted",
        explanation: "{provider} did not take what the sign-in brought: it was used already or is too old. Nothing was changed; sign in once more.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        if evidence.stage != Stage::Exchange {
            return None;
        }
        if evidence.asks() == Some(Asks::Code) {
            return Some(Claim::Coded);
        }
        // RFC 6749 §5.2: at exchange, `invalid_grant` is the code or its verifier.
        evidence
            .has_error(&["invalid_grant"])
            .then_some(Claim::Usual)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::oauth;
    vec![oauth(Stage::Exchange, Some(400), "invalid_grant")]
}
