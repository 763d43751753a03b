//! Somebody else signed in.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "You signed in with another account",
        explanation: "This inbox is {inbox}. Nothing was changed.",
        remedy: Remedy::ReconnectAsInbox,
    },
    claim: |evidence| {
        matches!(evidence.finding()?, Finding::OtherIdentity { .. }).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![
        found(Stage::Identity, Finding::OtherIdentity { signed_in_as: Some("john@acme.example".to_owned()) }),
    ]
}
