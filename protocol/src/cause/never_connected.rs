//! The inbox was added and nobody has signed in yet.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is not connected yet",
        explanation: "Nobody has signed in for it. Sign in once and the relay can send and read.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| matches!(evidence.finding()?, Finding::NoCredentials).then_some(Claim::Coded),
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::found;
    use crate::evidence::Stage;
    vec![found(Stage::Auth, Finding::NoCredentials)]
}
