//! Reading by IMAP is switched off for the mailbox or its organisation.

use super::concept::{ACCESS_RIGHTS, IMAP};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} cannot be read by IMAP",
        explanation: "IMAP is switched off for this mailbox. In an account of your own, switch it on in its settings at {provider}; in an organisation, its administrator can. Then reconnect.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        evidence.imap()?;
        // Some say that it is the one or the other; then nothing is known.
        if evidence.is_off(IMAP) && !evidence.says(&["or imap"]) {
            return Some(Claim::Named);
        }
        // "Access rights" are what a service lacks that was never switched on.
        (evidence.refuses_sign_in() && evidence.says(ACCESS_RIGHTS)).then_some(Claim::Worded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    use crate::reply::ImapStatus;
    vec![
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("ALERT"),
            "IMAP access is switched off in the settings",
        ),
        imap(
            Stage::Auth,
            ImapStatus::No,
            None,
            "You have no access rights here",
        ),
    ]
}
