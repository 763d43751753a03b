//! The grant lacks what the inbox needs.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Finding;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "Part of the permission was not given",
        explanation: "{inbox} needs the permission to send and to read mail. Sign in once more and leave both ticked.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        matches!(evidence.finding()?, Finding::ScopeMissing { .. }).then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![
        found(Stage::Identity, Finding::ScopeMissing { missing: vec!["mail.send".to_owned()] }),
    ]
}
