//! The server, its port, its encryption or the way to sign in does not fit.

use super::concept::{
    ABLE, DOMAIN_PROOF, ENCRYPTION, MECHANISM, NOT_SIGNED_IN, RELAYING, REQUIRED, SEND_AS,
    SETTINGS, SIGN_IN, STOPPED, TO_CHECK,
};
use super::said::Refused;
use super::words::Concept;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::{Finding, IoFault, Said, Stage};
use crate::reply::ImapStatus;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Inbox,
        persistence: Persistence::Permanent,
        acts: Acts::Person,
        title: "{inbox} has settings that do not fit",
        explanation: "Nothing answers at the server's name and port, what answers does not take mail this way, or the server is not the provider's: name, port, encryption or way to sign in must be another one. Whoever runs the relay corrects them: unpause inbox update.",
        remedy: Remedy::CorrectServers,
    },
    claim: |evidence| {
        if let Some(finding) = evidence.finding() {
            return matches!(
                finding,
                Finding::NoSignInOffered { .. }
                    | Finding::UnnamedServer { .. }
                    | Finding::OtherService { .. }
            )
            .then_some(Claim::Coded);
        }
        if let Said::Io { fault, .. } = &evidence.said {
            return (*fault == IoFault::ImpossibleName).then_some(Claim::Coded);
        }
        let encryption = evidence.relates(ENCRYPTION, REQUIRED)
            || evidence.is_off(ENCRYPTION)
            || evidence.relates(ENCRYPTION, STOPPED);
        let unknown: Concept = &[
            "not",
            "unsupported",
            "unknown",
            "unrecognized",
            "invalid",
            "weak",
            "no",
        ];
        let mechanism = evidence.relates(MECHANISM, unknown);
        let none_here = evidence.relates_negated(
            SIGN_IN,
            &[
                "advertised",
                "offered",
                "enabled",
                "available",
                "supported",
                "implemented",
            ],
        );
        if let Some(reply) = evidence.imap() {
            // RFC 5530 §3: PRIVACYREQUIRED; RFC 9051 §7.1.3: BAD is a command that the server does not know.
            return match (evidence.stage, reply.status) {
                (Stage::Auth, _) if evidence.has_imap_code(&["PRIVACYREQUIRED"]) => {
                    Some(Claim::Coded)
                }
                // RFC 2221 §4.1: the mailbox is on another server.
                _ if evidence.has_imap_code(&["REFERRAL"])
                    || evidence.relates(
                        &["mailbox", "account"],
                        &["another server", "other server", "different server"],
                    ) =>
                {
                    Some(Claim::Worded)
                }
                (Stage::Auth, ImapStatus::No) if encryption || mechanism => Some(Claim::Worded),
                (Stage::Auth, ImapStatus::Bad) => Some(Claim::Usual),
                _ => None,
            };
        }
        let reply = evidence.smtp()?;
        let permanent = reply.is_permanent();
        match evidence.stage {
            // RFC 5321 §3.1: 554 in place of a greeting is a host without this service.
            Stage::Greeting if permanent => Some(Claim::Usual),
            // RFC 4954 §6: 538 wants encryption, as 523 does (RFC 5248 §2.4); §4: 504 does not know the mechanism,
            // 500, 502 and 503 no sign-in here.
            Stage::Auth
                if matches!(reply.code, 504 | 523 | 538)
                    || evidence.has_enhanced(&[(7, 10), (7, 11)]) =>
            {
                Some(Claim::Coded)
            }
            Stage::Auth if reply.code == 530 && encryption => Some(Claim::Coded),
            Stage::Auth
                if matches!(reply.code, 500 | 502 | 503)
                    || permanent && (mechanism || none_here) =>
            {
                Some(Claim::Worded)
            }
            // RFC 3207 §4: some ask for STARTTLS with a code of their own.
            Stage::Mail if encryption => Some(Claim::Named),
            // Whoever may not pass mail on may not do it later either, whatever the first digit says.
            // Postfix's code for what it does not pass on, where it defers in place of refusing (postconf(5),
            // `relay_domains_reject_code`, `defer_unauth_destination`): no other matter of RCPT has both numbers.
            Stage::Rcpt if reply.code == 454 && evidence.has_enhanced(&[(7, 1)]) => {
                Some(Claim::Hinted)
            }
            Stage::Mail | Stage::Rcpt if !permanent => {
                (evidence.relates(RELAYING, STOPPED) && evidence.is_final()).then_some(Claim::Named)
            }
            Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body => {
                // A relay that signed in and is taken for a stranger: the server or its port is another one.
                let stranger = evidence.says(NOT_SIGNED_IN)
                    && !evidence.says(DOMAIN_PROOF)
                    && !evidence.has_enhanced(&[(7, 12), (7, 133)])
                    && !evidence.says(&["resolver"]);
                let relays = evidence.relates(RELAYING, STOPPED)
                    || evidence.relates_negated(RELAYING, ABLE)
                    || evidence.relates_negated(RELAYING, RELAYING);
                let named = evidence.names_refused() == Some(Refused::Client);
                if evidence.says(SEND_AS) {
                    return None;
                }
                if evidence.relates(SETTINGS, TO_CHECK) {
                    return Some(Claim::Named);
                }
                if stranger
                    || relays
                    || evidence.says(&[
                        "we do not relay",
                        "unable to relay",
                        "not a relay",
                        "rcpthosts",
                    ])
                {
                    return Some(Claim::Named);
                }
                // RFC 4954 §6: 530 is a server that wants the sign-in which it had, or has none here; Exchange says
                // it by x.7.57 and x.7.64.
                let coded = matches!(reply.code, 530 | 538)
                    || evidence.has_enhanced(&[(7, 57), (7, 64)])
                    || evidence.has_enhanced(&[(7, 0)]) && evidence.is_coded_for_sign_in();
                if named {
                    Some(Claim::Worded)
                } else {
                    coded.then_some(Claim::Hinted)
                }
            }
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
        smtp(Stage::Rcpt, 454, "4.7.1"),
        smtp(
            Stage::Body,
            554,
            "Nothing was taken: review the configuration of your program and try again",
        ),
        io(Party::Smtp, Stage::Connect, IoFault::ImpossibleName),
        imap(
            Stage::Auth,
            ImapStatus::No,
            Some("PRIVACYREQUIRED"),
            "Not in the clear",
        ),
        imap(Stage::Auth, ImapStatus::Bad, None, "Unknown command"),
        found(
            Stage::Auth,
            Finding::NoSignInOffered {
                needed: "AUTH XOAUTH2".to_owned(),
                offered: "no AUTH at all".to_owned(),
            },
        ),
        found(
            Stage::Connect,
            Finding::UnnamedServer {
                words: "expected smtp.acme.example:465, which the configuration names for openid, found smtp.other.example:465".to_owned(),
            },
        ),
        found(
            Stage::Greeting,
            Finding::OtherService {
                words: "expected an IMAP server, found an SMTP server".to_owned(),
            },
        ),
    ]
}
