//! Nobody finished the reconnect in time.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "The sign-in was not finished in time",
        explanation: "Nothing was changed; {inbox} still waits for its reconnect.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| matches!(evidence.finding()?, Finding::Expired).then_some(Claim::Coded),
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![found(Stage::Authorize, Finding::Expired)]
}
