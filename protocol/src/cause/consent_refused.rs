//! The person said no on the consent page.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Reconnect,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "The permission was not given",
        explanation: "You chose not to give the permission. Nothing was changed; {inbox} still waits.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        // RFC 6749 §4.1.2.1. Codes and words that say more are surer.
        let visit = matches!(evidence.stage, Stage::Authorize | Stage::Exchange);
        (visit && evidence.has_error(&["access_denied"])).then_some(Claim::Usual)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    vec![oauth(Stage::Authorize, None, "access_denied")]
}
