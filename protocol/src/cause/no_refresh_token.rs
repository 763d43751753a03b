//! The provider gave no refresh token, so the permission would end within the hour.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{provider} gave no lasting permission",
        explanation: "The permission that came would end within the hour. Sign in once more and agree to offline access.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        matches!(evidence.finding()?, Finding::NoRefreshToken).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![found(Stage::Exchange, Finding::NoRefreshToken)]
}
