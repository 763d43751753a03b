//! The connected mailbox itself is full: it can neither keep copies nor take answers.

use super::concept::{FULL, OUTGOING};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} is full",
        explanation: "{provider} takes no more mail for {inbox}. Make room there, then reconnect; everything waits until then.",
        remedy: Remedy::Reconnect,
    },
    claim: |evidence| {
        if evidence.imap().is_some() {
            // RFC 5530 §3: OVERQUOTA speaks of the mailbox that is signed in to; some mean its traffic, and say so.
            return if evidence.says(FULL) {
                Some(Claim::Named)
            } else {
                evidence
                    .has_imap_code(&["OVERQUOTA"])
                    .then_some(Claim::Worded)
            };
        }
        // Exchange's word for room is quota; what may be sent it calls a limit, and other providers a quota too.
        if evidence.oauth().is_some() {
            let room = evidence.says(FULL) && evidence.provider.as_str() == "microsoft";
            return room.then_some(Claim::Worded);
        }
        // RFC 3463 §3.3: x.2.2 mailbox full. Before RCPT it can only be the sender's own.
        let own = matches!(evidence.stage, Stage::Auth | Stage::Mail);
        (own && evidence.has_enhanced(&[(2, 2)])
            && (evidence.says(FULL) || !evidence.says(OUTGOING)))
        .then_some(Claim::Coded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::{imap, smtp};
    use crate::reply::ImapStatus;
    vec![
        imap(
            Stage::Folder,
            ImapStatus::No,
            Some("OVERQUOTA"),
            "Quota exceeded",
        ),
        smtp(Stage::Mail, 552, "5.2.2 Mailbox full"),
        smtp(
            Stage::Mail,
            452,
            "4.2.2 The mailbox is full, nothing can be sent",
        ),
    ]
}
