//! The sealed hand-over could not be opened: another relay's key, another reconnect, or damage.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "The hand-over could not be opened",
        explanation: "It was sealed for another relay or another sign-in. Nothing was changed; sign in once more.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| matches!(evidence.finding()?, Finding::Unsealable).then_some(Claim::Coded),
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![found(Stage::Exchange, Finding::Unsealable)]
}
