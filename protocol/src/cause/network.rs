//! The way to the server failed.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::{IoFault, Said};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Server,
        persistence: Persistence::Transient,
        acts: Acts::Nobody,
        title: "{inbox} cannot reach its server",
        explanation: "The connection did not open or broke. The relay tries again by itself; nothing is lost.",
        remedy: Remedy::Wait,
    },
    claim: |evidence| match &evidence.said {
        Said::Io { fault, .. } => (*fault != IoFault::ImpossibleName).then_some(Claim::Coded),
        _ => None,
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::{Party, Stage};
    vec![
        io(Party::Smtp, Stage::Connect, IoFault::Refused),
        io(Party::Imap, Stage::Folder, IoFault::Closed),
        io(Party::Oauth, Stage::Refresh, IoFault::TimedOut),
    ]
}
