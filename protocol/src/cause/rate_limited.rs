//! Too many commands, connections or messages for now.

use super::aadsts::Asks;
use super::concept::{AT_ONCE, CONNECTIONS, LATER, LIMIT, OVER, RATE, SENDING, SLOWED, TOO_MANY};
use super::said::Refused;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Transient,
        acts: Acts::Nobody,
        title: "{inbox} is asked to slow down",
        explanation: "{provider} takes fewer messages or connections for a while. The relay waits and goes on by itself.",
        remedy: Remedy::Wait,
    },
    claim: |evidence| {
        let asked_often = evidence
            .oauth()
            .is_some_and(|reply| reply.http_status == Some(429));
        if asked_often || evidence.asks() == Some(Asks::Slower) {
            return Some(Claim::Coded);
        }
        // RFC 5530 §3: LIMIT; many servers answer it to LOGIN when too many connections are open. A quota of
        // traffic is none of storage.
        let coded = evidence.has_imap_code(&["LIMIT", "THROTTLED"]);
        let open = evidence.relates(LIMIT, OVER) && evidence.relates(LIMIT, AT_ONCE)
            || evidence.relates(TOO_MANY, AT_ONCE);
        let traffic = evidence.imap().is_some() && (open || evidence.says(&["bandwidth"]));
        if coded || traffic {
            return Some(Claim::Coded);
        }
        let Some(reply) = evidence.smtp() else {
            let heard = evidence.imap().is_some() || evidence.oauth().is_some();
            return (heard && evidence.is_too_fast() && !evidence.counts_failures())
                .then_some(Claim::Worded);
        };
        let enhanced = evidence.enhanced();
        // "Email non-delivery reports and SMTP errors in Exchange Online": an address of origin that is slowed down.
        // x.7.28: a flood of mail (the registry of RFC 5248).
        let slowed = reply.is_transient() && matches!(enhanced, Some((7, 500..=699 | 850..=899)));
        if slowed || enhanced == Some((7, 28)) {
            return Some(Claim::Coded);
        }
        if reply.is_transient() {
            // RFC 3463 §3.5: x.4.5 congestion; §3.6: x.5.3 too many recipients.
            let hinted = matches!(enhanced, Some((4, 5) | (5, 3)));
            return if evidence.is_too_fast() {
                Some(Claim::Worded)
            } else {
                hinted.then_some(Claim::Hinted)
            };
        }
        let early = matches!(evidence.stage, Stage::Greeting | Stage::Auth | Stage::Mail);
        let many = evidence.relates(TOO_MANY, CONNECTIONS)
            || evidence.relates(LIMIT, CONNECTIONS) && evidence.relates(LIMIT, OVER);
        let by_name = evidence.names_refused() == Some(Refused::SaslLogin)
            && (evidence.says(LIMIT) || evidence.says(RATE));
        let fast = evidence.says(SLOWED)
            || early && many
            || evidence.says(TOO_MANY)
                && (evidence.says(LATER) || evidence.relates(TOO_MANY, SENDING));
        (reply.is_permanent()
            && (by_name || fast && !evidence.is_of_receiving() && !evidence.counts_failures()))
        .then_some(Claim::Worded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::reply::ImapStatus;
    vec![
        smtp(Stage::Mail, 421, "4.7.0 Too many messages, slow down"),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("LIMIT"),
            "Too many simultaneous connections",
        ),
        imap(
            Stage::Auth,
            ImapStatus::No,
            None,
            "Maximum number of connections from user+IP exceeded",
        ),
        status(Stage::Refresh, 429),
        imap(
            Stage::Folder,
            ImapStatus::No,
            Some("OVERQUOTA"),
            "This account used up its bandwidth",
        ),
        smtp(
            Stage::Rcpt,
            550,
            "5.1.1 That is more than you may send per hour",
        ),
        oauth(Stage::Authorize, None, "rate_limit_exceeded"),
    ]
}
