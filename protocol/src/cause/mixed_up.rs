//! The answer of a sign-in came from another provider, or belongs to another sign-in.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "The answer belongs to another sign-in",
        explanation: "What came back was not the answer to this sign-in, so nothing of it was used. Nothing was changed; sign in once more.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| matches!(evidence.finding()?, Finding::MixedUp).then_some(Claim::Coded),
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![found(Stage::Authorize, Finding::MixedUp)]
}
