//! Too many commands, connections or messages for now.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};

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
        let too_many = ["too many", "rate limit", "ratelimit", "throttl", "connection limit", "maximum number of connections", "limit exceeded", "quota exceeded for", "slow down"];
        if evidence.oauth().is_some_and(|reply| reply.http_status == Some(429)) {
            return Some(Claim::Coded);
        }
        // RFC 5530 §3: LIMIT; many servers answer it to LOGIN when too many connections are open.
        if evidence.imap().is_some_and(|reply| reply.code.as_deref() == Some("LIMIT")) {
            return Some(Claim::Coded);
        }
        let transient = evidence.smtp().is_some_and(crate::reply::SmtpReply::is_transient) || evidence.imap().is_some();
        (transient && evidence.mentions(&too_many)).then_some(Claim::Worded)
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Stage;
    use crate::reply::ImapStatus;
    vec![
        smtp(Stage::Mail, 421, "4.7.0 Too many messages, slow down"),
        imap(Stage::Auth, ImapStatus::No, Some("LIMIT"), "Too many simultaneous connections"),
        imap(Stage::Auth, ImapStatus::No, None, "Maximum number of connections from user+IP exceeded"),
        status(Stage::Refresh, 429),
    ]
}
