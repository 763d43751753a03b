//! A failure as an adapter met it, before anybody knows whose inbox it was. It becomes evidence with
//! [`Failure::at`]; judging it is [`protocol::cause::classify`]'s work.

use protocol::evidence::{Evidence, Party, Said, Stage};
use protocol::hush::Hush;
use protocol::provider::ProviderId;
use protocol::timestamp::Timestamp;

/// What an adapter reports when it did not get what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{party:?} failed at {stage:?}")]
pub struct Failure {
    /// Whom it talked to.
    pub party: Party,
    /// What it was doing.
    pub stage: Stage,
    /// What it was told or met.
    pub said: Said,
}

impl Failure {
    /// A failure of these three.
    pub fn new(party: Party, stage: Stage, said: Said) -> Self {
        Self { party, stage, said }
    }

    /// The failure without any of the secrets that `hush` knows.
    #[must_use]
    pub fn hushed(self, hush: &Hush) -> Self {
        Self {
            said: hush.said(self.said),
            ..self
        }
    }

    /// The failure as evidence against a provider's servers, seen at `seen_at`.
    pub fn at(self, provider: ProviderId, seen_at: Timestamp) -> Evidence {
        Evidence {
            party: self.party,
            stage: self.stage,
            said: self.said,
            provider,
            seen_at,
        }
    }
}
