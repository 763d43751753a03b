//! The account that signed in may not open this mailbox.

use super::words::Concept;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is not open to this account",
        explanation: "The sign-in works, and the account that is signed in may not open {inbox}. Sign in with the account that may.",
        remedy: Remedy::ReconnectAsInbox,
    },
    claim: |evidence| {
        evidence.imap()?;
        // RFC 5530 §3: AUTHORIZATIONFAILED is a right proof of somebody who may not act as this user.
        if evidence.has_imap_code(&["AUTHORIZATIONFAILED"]) {
            return Some(Claim::Coded);
        }
        // Exchange says that somebody is authenticated and not connected.
        let foreign: Concept = &[
            "rights",
            "no access",
            "access denied",
            "not authori*",
            "no permission*",
            "access to",
        ];
        let mailbox: Concept = &["mailbox*", "shared mailbox", "folder*"];
        if evidence.says(&["but not connected", "authorization failed"])
            || evidence.relates(mailbox, foreign)
        {
            return Some(Claim::Named);
        }
        evidence.has_imap_code(&["NOPERM"]).then_some(Claim::Hinted)
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
            Some("AUTHORIZATIONFAILED"),
            "Not as this user",
        ),
        imap(
            Stage::Folder,
            ImapStatus::Bad,
            None,
            "Signed in but not connected",
        ),
    ]
}
