//! Reading by IMAP is switched off for the mailbox or its organisation.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} cannot be read by IMAP",
        explanation: "IMAP is switched off for this mailbox. Switch it on in its settings at {provider}, or ask your administrator to; then reconnect.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        let imap = [
            "imap access",
            "access to imap",
            "imap is",
            "imap has",
            "for imap",
            "imap support",
            "imap service",
            "imap protocol",
            "imap/pop",
            "pop/imap",
            "pop3/imap",
            "imap disabled",
            "imap not",
            "via imap",
        ];
        let off = [
            "disabled",
            "switched off",
            "turned off",
            "not enabled",
            "not allowed",
            "denied",
            "deactivated",
            "not available",
            "not activated",
            "not permitted",
            "no permission",
        ];
        evidence.imap()?;
        // Some say that it is the one or the other; then nothing is known.
        if evidence.mentions_both(&imap, &off) && !evidence.mentions(&[" or imap"]) {
            return Some(Claim::Coded);
        }
        // "Access rights" are what a service lacks that was never switched on.
        (evidence.refuses_sign_in()
            && evidence.mentions(&["access rights", "to this service", "has no permission"]))
        .then_some(Claim::Worded)
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
