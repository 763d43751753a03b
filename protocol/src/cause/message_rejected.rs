//! This message is refused; the inbox is fine.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Message,
        persistence: Persistence::Permanent,
        acts: Acts::Nobody,
        title: "A message was refused",
        explanation: "The server refused this message. It was set aside; the campaign goes on.",
        remedy: Remedy::Nothing,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        if evidence.stage == Stage::Rcpt
            && reply.code == 421
            && evidence.mentions(&["rcpt domain", "recipient domain", "recipient's domain"])
        {
            // The recipient's servers, not ours, lack what the sender's rules demand.
            return Some(Claim::Coded);
        }
        if !reply.is_permanent() {
            return None;
        }
        let judged = [
            "spam",
            "blacklist",
            "blocklist",
            "black list",
            "block list",
            "rbl",
            "dnsbl",
            "listed",
            "dmarc",
            "spf",
            "dkim",
            "reputation",
            "banned",
            "content",
            "virus",
            "policy reasons",
            "blocked using",
        ];
        match evidence.stage {
            // RFC 3463 §3.4: 5.3.4 is a message too big for the system.
            _ if reply.enhanced.is_some_and(|code| code.is_about(3, 4)) => Some(Claim::Coded),
            // RFC 1870 §6.1: 552 to MAIL FROM is the size.
            Stage::Mail if reply.code == 552 => Some(Claim::Worded),
            Stage::Data | Stage::Body => Some(Claim::Usual),
            // Servers that know the recipient judge the sender at this stage already.
            Stage::Rcpt if evidence.mentions(&judged) => Some(Claim::Worded),
            _ => None,
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Body, 554, "5.6.0 Message looks malformed"),
        smtp(Stage::Mail, 552, "5.3.4 Message size exceeds fixed limit"),
        smtp(Stage::Data, 554, "no valid recipients"),
        smtp(Stage::Mail, 552, "Message size limit exceeded"),
        smtp(Stage::Body, 552, "Message size limit exceeded"),
        smtp(Stage::Rcpt, 550, "5.7.1 Fails DMARC"),
        smtp(Stage::Rcpt, 554, "5.7.1 Listed at an RBL"),
        smtp(Stage::Rcpt, 421, "4.7.0 No TLS for this recipient's domain"),
    ]
}
