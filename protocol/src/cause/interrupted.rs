//! The relay was restarted between a provider's answer and its own record of it.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "The sign-in was interrupted",
        explanation: "The permission was lost on its way: the answer did not arrive, or the relay was restarted at that moment. Nothing was changed; one more sign-in is needed.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| matches!(evidence.finding()?, Finding::Interrupted).then_some(Claim::Coded),
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![found(Stage::Exchange, Finding::Interrupted)]
}
