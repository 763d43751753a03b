//! Too many commands, connections or messages for now.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;
use crate::reply::SmtpReply;

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
        if evidence
            .oauth()
            .is_some_and(|reply| reply.http_status == Some(429))
            || evidence.has_aadsts(&[50_196, 90_055])
        {
            return Some(Claim::Coded);
        }
        // RFC 5530 §3: LIMIT; many servers answer it to LOGIN when too many connections are open. A quota of
        // traffic is none of storage.
        if let Some(reply) = evidence.imap() {
            let coded = matches!(reply.code.as_deref(), Some("LIMIT" | "THROTTLED"));
            if coded || evidence.mentions(&["bandwidth"]) {
                return Some(Claim::Coded);
            }
        }
        // "Email non-delivery reports and SMTP errors in Exchange Online": an address of origin that is slowed down.
        let slowed = evidence
            .smtp()
            .and_then(|reply| reply.enhanced)
            .is_some_and(|code| {
                code.class == 4 && code.subject == 7 && matches!(code.detail, 500..=699 | 850..=899)
            });
        if slowed {
            return Some(Claim::Coded);
        }
        let fast = [
            "rate limit",
            "rate-limit",
            "unusual rate",
            "ratelimit",
            "rate_limit",
            "rate exceeded",
            "sending rate",
            "throttl",
            "slow down",
            "slow_down",
            "too quickly",
            "too fast",
            "too frequent",
            "concurren",
            "simultaneous",
            "per hour",
            "this hour",
            "hourly",
            "per minute",
            "per-minute",
        ];
        let many = [
            "too many",
            "too much mail",
            "volume",
            "connection limit",
            "maximum number of connections",
            "limit exceeded",
            "quota exceeded for",
            "bandwidth",
        ];
        let full = || evidence.mentions_both(&["limit"], &["reached", "exceeded", "over the"]);
        let said = if evidence.smtp().is_some_and(SmtpReply::is_permanent) {
            let early = matches!(evidence.stage, Stage::Greeting | Stage::Auth | Stage::Mail);
            let recipients_own = evidence.mentions(&["recipient's", "receiv"]);
            (evidence.mentions(&fast)
                || early && evidence.mentions(&["too many", "connection limit"])
                || evidence.mentions_both(&["too many"], &["try again later"]))
                && !recipients_own
        } else if evidence.smtp().is_some_and(SmtpReply::is_transient) {
            let recipients_own = evidence.mentions(&["recipient's", "receiving mail"]);
            (evidence.mentions(&fast) || evidence.mentions(&many) || full()) && !recipients_own
        } else if evidence.imap().is_some() {
            evidence.mentions(&fast) || evidence.mentions(&many) || full()
        } else {
            evidence.oauth().is_some() && evidence.mentions(&fast)
        };
        if !said {
            None
        } else if evidence.mentions(&["per hour", "this hour", "hourly"]) {
            Some(Claim::Coded)
        } else {
            Some(Claim::Worded)
        }
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
