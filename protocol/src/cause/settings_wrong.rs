//! The server, its port, its encryption or the way to sign in does not fit.

use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::{Finding, Said, Stage};
use crate::reply::ImapStatus;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} has settings that do not fit",
        explanation: "The server answers, and does not take mail this way: its name, port, encryption or sign-in must be another one.",
        remedy: Remedy::CorrectServers,
    },
    claim: |evidence| {
        let sign_in_first = [
            "not authenticated",
            "unauthenticated",
            "not logged in",
            "authentication required",
            "authentication is required",
            "auth required",
            "must authenticate",
            "authenticate first",
            "authorization required",
            "login first",
            "log in first",
            "must be authenticated",
            "need to authenticate",
            "turn on smtp auth",
            "enable smtp auth",
        ];
        let relaying = [
            "relay access denied",
            "relay denied",
            "relaying denied",
            "relay not permitted",
            "unable to relay",
            "not permitted to relay",
            "relay not allowed",
            "relaying not allowed",
            "we do not relay",
            "not a relay",
        ];
        let encryption = ["starttls", "tls", "ssl", "encrypt", "secure connection"];
        if matches!(evidence.said, Said::Found(Finding::OtherService { .. })) {
            return Some(Claim::Coded);
        }
        // What the relay says where a server offers no way to sign in that it knows.
        if let Said::Garbage { detail } = &evidence.said {
            let offers = evidence.stage == Stage::Auth && detail.contains("offer");
            return offers.then_some(Claim::Coded);
        }
        if let Some(reply) = evidence.imap() {
            // RFC 5530 §3: PRIVACYREQUIRED; RFC 9051 §7.1.3: BAD is a command that the server does not know.
            let code = reply.code.as_deref() == Some("PRIVACYREQUIRED");
            return match (evidence.stage, reply.status) {
                (Stage::Auth, _) if code => Some(Claim::Coded),
                (Stage::Auth, ImapStatus::No)
                    if evidence.mentions(&[
                        "starttls",
                        "plaintext",
                        "cleartext",
                        "tls required",
                        "mechanism",
                    ]) =>
                {
                    Some(Claim::Worded)
                }
                (Stage::Auth, ImapStatus::Bad) => Some(Claim::Usual),
                _ => None,
            };
        }
        let reply = evidence.smtp()?;
        let permanent = reply.is_permanent();
        match evidence.stage {
            // RFC 5321 §3.1: 554 in place of a greeting is a host without this service.
            Stage::Greeting if permanent => Some(Claim::Usual),
            // RFC 4954 §6: 538 wants encryption, as 523 does (RFC 5248 §2.4); §4: 504 does not know the mechanism, 503 and 502 no sign-in here.
            Stage::Auth
                if matches!(reply.code, 504 | 523 | 538)
                    || evidence.has_enhanced(&[(7, 10), (7, 11)]) =>
            {
                Some(Claim::Coded)
            }
            Stage::Auth
                if matches!(reply.code, 502 | 503)
                    || permanent
                        && evidence.mentions(&["mechanism", "not advertised", "not offered"]) =>
            {
                Some(Claim::Worded)
            }
            Stage::Auth if reply.code == 530 && evidence.mentions(&encryption) => {
                Some(Claim::Coded)
            }
            // RFC 3207 §4: some ask for STARTTLS with a code of their own.
            Stage::Mail
                if evidence.mentions_both(
                    &["starttls", "tls is", "tls required"],
                    &["required", "must", "first"],
                ) =>
            {
                Some(Claim::Coded)
            }
            // RFC 4954 §6: 530 is a server that wants the sign-in which it had, or has none here.
            Stage::Mail | Stage::Rcpt if reply.code == 530 => Some(Claim::Worded),
            Stage::Mail if permanent && evidence.mentions(&sign_in_first) => Some(Claim::Coded),
            Stage::Rcpt
                if permanent
                    && evidence.mentions(&sign_in_first)
                    && !evidence.has_enhanced(&[(7, 12), (7, 133)])
                    && !evidence.mentions(&[
                        "resolver.",
                        "dmarc",
                        "spf",
                        "dkim",
                        "unauthenticated email",
                    ]) =>
            {
                Some(Claim::Coded)
            }
            Stage::Mail | Stage::Rcpt if evidence.mentions(&relaying) => Some(Claim::Coded),
            _ => None,
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;
    use crate::evidence::Party;
    vec![
        smtp(Stage::Greeting, 554, "No mail service here"),
        smtp(Stage::Auth, 504, "5.7.4 That mechanism is not known"),
        smtp(Stage::Auth, 538, "5.7.11 Encryption needed"),
        smtp(Stage::Mail, 530, "5.7.0 Authentication required"),
        smtp(Stage::Rcpt, 550, "5.7.1 Relaying denied"),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("PRIVACYREQUIRED"),
            "Not in the clear",
        ),
        imap(Stage::Auth, ImapStatus::Bad, None, "Unknown command"),
        garbage(
            Party::Smtp,
            Stage::Auth,
            "expected an offer of AUTH XOAUTH2, found no AUTH at all",
        ),
        found(
            Stage::Greeting,
            Finding::OtherService {
                words: "expected an IMAP server, found an SMTP server".to_owned(),
            },
        ),
    ]
}
