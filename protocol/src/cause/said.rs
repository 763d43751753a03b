//! Questions that several causes ask of evidence. No cause is chosen here.

use std::ops::Deref;

use super::aadsts::{self, Asks};
use super::concept::{
    self as of, ABLE, ACCOUNT, APP_PASSWORD, ASKED, AT_ONCE, CONNECTIONS, CREDENTIAL, DAY,
    DOMAIN_PROOF, ENCRYPTION, FAILED_ATTEMPT, FULL, HELLO, LATER, LIMIT, LOST, OFF, OUTGOING, OVER,
    RATE, READER, RECEIVES, RECIPIENTS_OWN, REPEATED, SENDER, SENDING, SERVERS, SHUT, SIGN_IN,
    SIZE, SLOWED, TEMPORARY, TO_ACTIVATE, TOO_MANY, TROUBLE, UNUSUAL, WRONG,
};
use super::words::{Concept, Text};
use crate::evidence::{Evidence, Finding, Said, Stage};
use crate::reply::{ImapReply, ImapStatus, OAuthReply, SmtpReply};

/// Evidence and the words in it, read once.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    evidence: &'a Evidence,
    text: Text,
}

impl Deref for Reading<'_> {
    type Target = Evidence;

    fn deref(&self) -> &Evidence {
        self.evidence
    }
}

/// Whom a server of Postfix's kind refuses, in its own words (`smtpd_check.c`: "Client host rejected").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The address that the relay comes from.
    Client,
    /// The name that the relay says hello with.
    Helo,
    /// The address of MAIL FROM.
    Sender,
    /// The name that the inbox signed in with.
    SaslLogin,
    /// The address of RCPT TO.
    Recipient,
}

/// RFC 6749 §4.1.2.1 and §5.2.
const REGISTERED: &[&str] = &[
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
];

impl<'a> Reading<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        // What the relay or its libraries say is nobody's words.
        let text = match &evidence.said {
            Said::Smtp(reply) => Text::parse(&reply.text),
            Said::Imap(reply) => Text::parse(&reply.text),
            Said::Oauth(reply) => {
                // A registered code is read as a code; a provider's own is a word like others.
                let own = reply
                    .error
                    .as_deref()
                    .filter(|error| !REGISTERED.contains(error));
                Text::parse(&format!(
                    "{}\n{}",
                    own.unwrap_or_default(),
                    reply.description
                ))
            }
            Said::Io { .. } | Said::Tls { .. } | Said::Garbage { .. } | Said::Found(_) => {
                Text::parse("")
            }
        };
        Self { evidence, text }
    }

    /// The SMTP reply, where there was one.
    pub(super) fn smtp(&self) -> Option<&SmtpReply> {
        match &self.evidence.said {
            Said::Smtp(reply) => Some(reply),
            _ => None,
        }
    }

    /// The IMAP response, where there was one.
    pub(super) fn imap(&self) -> Option<&ImapReply> {
        match &self.evidence.said {
            Said::Imap(reply) => Some(reply),
            _ => None,
        }
    }

    /// The authorization server's answer, where there was one.
    pub(super) fn oauth(&self) -> Option<&OAuthReply> {
        match &self.evidence.said {
            Said::Oauth(reply) => Some(reply),
            _ => None,
        }
    }

    /// What the relay found itself, where it did.
    pub(super) fn finding(&self) -> Option<&Finding> {
        match &self.evidence.said {
            Said::Found(finding) => Some(finding),
            _ => None,
        }
    }

    /// The `error` code of the authorization server is one of these.
    pub(super) fn has_error(&self, errors: &[&str]) -> bool {
        let error = self.oauth().and_then(|reply| reply.error.as_deref());
        error.is_some_and(|error| errors.iter().any(|known| error.eq_ignore_ascii_case(known)))
    }

    /// The response code of the IMAP server is one of these (RFC 5530 §3).
    pub(super) fn has_imap_code(&self, codes: &[&str]) -> bool {
        let code = self.imap().and_then(|reply| reply.code.as_deref());
        code.is_some_and(|code| codes.contains(&code))
    }

    /// What Microsoft's number asks for, where there is one.
    pub(super) fn asks(&self) -> Option<Asks> {
        aadsts::asks(self.oauth()?)
    }

    /// Whether a link in the words leads to one of these pages of Google's: the value of `p=` or the number of an
    /// answer, which its support site keeps ("SMTP errors and codes", Google Workspace).
    pub(super) fn has_google_page(&self, pages: &[&str]) -> bool {
        let words = self.evidence.words();
        words.split(|c: char| c.is_whitespace()).any(|link| {
            let page = link
                .split_once("?p=")
                .or_else(|| link.split_once("/answer/"))
                .filter(|_| link.contains("google.com/"))
                .map(|(_, page)| page.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()));
            page.is_some_and(|page| pages.contains(&page))
        })
    }

    /// Whether an SMTP reply bears one of these enhanced codes, given as subject and detail.
    pub(super) fn has_enhanced(&self, codes: &[(u16, u16)]) -> bool {
        let enhanced = self.smtp().and_then(|reply| reply.enhanced);
        enhanced.is_some_and(|code| codes.contains(&(code.subject, code.detail)))
    }

    /// Subject and detail of the enhanced code.
    pub(super) fn enhanced(&self) -> Option<(u16, u16)> {
        let code = self.smtp()?.enhanced?;
        Some((code.subject, code.detail))
    }

    /// Whether the concept stands anywhere in the words.
    pub(super) fn says(&self, concept: Concept) -> bool {
        self.text.says(concept)
    }

    /// Whether two concepts stand close to each other.
    pub(super) fn relates(&self, one: Concept, other: Concept) -> bool {
        self.text.relates(one, other)
    }

    /// Whether a concept stands close to the negation of another.
    pub(super) fn relates_negated(&self, one: Concept, negated: Concept) -> bool {
        self.text.relates_negated(one, negated)
    }

    /// Whether this is said to be switched off, or not to be let.
    pub(super) fn is_off(&self, what: Concept) -> bool {
        self.relates(what, OFF) || self.relates_negated(what, ABLE)
    }

    /// Whether the step is one of those that submit a message.
    pub(super) fn submits(&self) -> bool {
        matches!(
            self.stage,
            Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body
        )
    }

    /// Whether the reply speaks of the sign-in by its code, at whatever stage it came (RFC 4954 §6: 530, 534, 535,
    /// 538; RFC 3463 §3.8 and RFC 4954 §6: x.7.8; Exchange's x.7.30 and x.7.57). x.7.0 says as much only where
    /// words of a sign-in stand behind it: it is the code of every other matter of security too.
    pub(super) fn is_coded_for_sign_in(&self) -> bool {
        let Some(reply) = self.smtp().filter(|reply| reply.is_permanent()) else {
            return false;
        };
        if self.says(DOMAIN_PROOF) || self.says(ENCRYPTION) && reply.code != 535 {
            return false;
        }
        matches!(reply.code, 530 | 534 | 535 | 538)
            || self.has_enhanced(&[(7, 8), (7, 30), (7, 57)])
            || self.has_enhanced(&[(7, 0)]) && self.says(SIGN_IN)
    }

    /// Whether SMTP or IMAP refused the sign-in itself, and not only for now.
    pub(super) fn refuses_sign_in(&self) -> bool {
        let at_sign_in = self.stage == Stage::Auth
            && (self.imap().is_some() || self.smtp().is_some_and(SmtpReply::is_permanent));
        at_sign_in || self.submits() && self.is_coded_for_sign_in()
    }

    /// Whether an authorization server refuses while nobody but the relay or the person asks.
    pub(super) fn refuses_grant(&self) -> bool {
        self.oauth().is_some()
            && matches!(
                self.stage,
                Stage::Refresh | Stage::Exchange | Stage::Authorize
            )
    }

    /// Whether the reply is one that is final, though its code lets another try: it says what somebody must do, and no
    /// word of passing by itself.
    pub(super) fn is_final(&self) -> bool {
        match self.smtp() {
            Some(reply) if reply.is_transient() => {
                self.says(ASKED)
                    || !self.says(TEMPORARY) && !self.says(LATER) && !self.says(TROUBLE)
            }
            _ => true,
        }
    }

    /// Whether a name or a password is said to be wrong.
    pub(super) fn is_password_wrong(&self) -> bool {
        const OVER: Concept = &[
            "expired",
            "must be changed",
            "must change",
            "change your",
            "reset your",
        ];
        self.relates(CREDENTIAL, WRONG)
            || self.relates(CREDENTIAL, OVER)
            || self.relates_negated(CREDENTIAL, ABLE)
    }

    /// Whether the words are of a fault of the server's own, or one that passes. Where a word of a name or password
    /// stands beside them they are one guess among others.
    pub(super) fn is_passing(&self) -> bool {
        let passes = self.says(TEMPORARY)
            || self.says(LATER)
            || self.says(TROUBLE)
            || self.relates(SERVERS, LOST) && self.relates(SERVERS, &["connect*"]);
        passes && !self.says(CREDENTIAL) && !self.says(APP_PASSWORD)
    }

    /// Whether the account, or what leaves it, is said to be shut.
    pub(super) fn is_account_shut(&self) -> bool {
        self.relates(ACCOUNT, SHUT)
            || self.relates_negated(ACCOUNT, &["active", "activated", "aktiv"])
    }

    /// Whether what leaves the account is said to be shut, or the account that it belongs to is named as the reader's.
    pub(super) fn is_sending_shut(&self) -> bool {
        const YOURS: Concept = &[
            "your account | your mailbox | your smtp account | your user | your domain | your email",
            "your subscription | your service | your smtp | sending account | sender account",
            "ihr konto | votre compte | su cuenta | sua conta",
        ];
        const THIS: Concept = &["this account | the account | account"];
        // After RCPT an account, and who may send to it, may be the recipient's.
        let of_recipient = self.stage == Stage::Rcpt && self.says(RECIPIENTS_OWN);
        let limited = self.is_allowance_used_up() || self.is_too_fast();
        let let_send = self.relates_negated(OUTGOING, ABLE) && self.says(READER);
        let sends = self.relates(OUTGOING, SHUT)
            || self.relates(
                OUTGOING,
                &["unusual | suspicious | abnormal | suspension | ban"],
            )
            || let_send && !limited && !self.says(SENDER);
        sends && !of_recipient
            || self.relates(YOURS, SHUT)
            || self.relates(YOURS, UNUSUAL)
            || self.stage != Stage::Rcpt && self.relates(THIS, SHUT)
            || self.says(TO_ACTIVATE)
    }

    /// Whether many sign-ins are said to have failed.
    pub(super) fn counts_failures(&self) -> bool {
        matches!(self.stage, Stage::Greeting | Stage::Auth | Stage::Folder)
            && self.relates(REPEATED, FAILED_ATTEMPT)
            && !self.relates(REPEATED, AT_ONCE)
    }

    /// Whether the words are of how much somebody else may receive.
    pub(super) fn is_of_receiving(&self) -> bool {
        self.says(RECEIVES)
    }

    /// Whether the day's messages, or another allowance of messages, are said to be used up.
    pub(super) fn is_allowance_used_up(&self) -> bool {
        if self.is_of_receiving() || self.says(SLOWED) || self.says(SIZE) {
            return false;
        }
        let over_time = self.relates(DAY, LIMIT)
            || self.relates(DAY, OVER)
            || self.relates(DAY, TOO_MANY)
            || self.relates(DAY, &["message*", "mail*", "email*", "recipient*"]);
        let is_used_up = self.relates(LIMIT, OVER)
            || self.relates(LIMIT, &["refuse*", "denied"])
            || self.says(&[
                "message limit",
                "sending limit*",
                "sending quota",
                "versandlimit",
            ]);
        let of_messages = self.says(&["versandlimit* | submissionquota"])
            || self.relates(LIMIT, SENDING) && !self.relates(LIMIT, CONNECTIONS);
        // What is said to have been used up by the reader is the reader's own; room is another matter.
        let of_reader = self.relates(LIMIT, &["you | your | youve"])
            && !self.relates(LIMIT, CONNECTIONS)
            && !self.says(&["mailbox* | storage | disk | space"]);
        over_time || is_used_up && (of_messages || of_reader || self.says(&["credit*"]))
    }

    /// Whether something is said to come too fast, or to be more than is taken at once.
    pub(super) fn is_too_fast(&self) -> bool {
        if self.is_of_receiving() || self.says(SIZE) || self.imap().is_some() && self.says(FULL) {
            return false;
        }
        self.says(SLOWED)
            || self.relates(LIMIT, OVER)
            || self.relates(RATE, OVER)
            || self.relates(RATE, LIMIT)
            || self.relates(TOO_MANY, CONNECTIONS)
            || self.relates(TOO_MANY, SENDING)
    }

    /// Whom a server of Postfix's kind names as refused.
    pub(super) fn names_refused(&self) -> Option<Refused> {
        const REJECTED: Concept = &["rejected", "access denied"];
        const BAD: Concept = &["invalid", "bad", "rejected", "denied", "required", "need"];
        if self.relates(HELLO, BAD) {
            return Some(Refused::Helo);
        }
        [
            (Refused::Client, of::CLIENT_HOST),
            (Refused::SaslLogin, of::SASL_LOGIN),
            (Refused::Sender, of::SENDER_ADDRESS),
            (Refused::Recipient, of::RECIPIENT_ADDRESS),
        ]
        .into_iter()
        .find(|(_, concept)| self.relates(concept, REJECTED))
        .map(|(refused, _)| refused)
    }

    /// Whether a server that speaks IMAP says goodbye.
    pub(super) fn is_goodbye(&self) -> bool {
        self.imap()
            .is_some_and(|reply| reply.status == ImapStatus::Bye)
    }
}

#[cfg(test)]
pub(super) mod example {
    //! Evidence in one line, for the causes' examples.

    use crate::evidence::{Evidence, Finding, IoFault, Party, Said, Stage};
    use crate::provider::ProviderId;
    use crate::reply::{ImapReply, ImapStatus, OAuthReply, SmtpReply};
    use crate::timestamp::Timestamp;

    fn evidence(party: Party, stage: Stage, said: Said) -> Evidence {
        Evidence {
            party,
            stage,
            said,
            provider: ProviderId::new("openid"),
            seen_at: Timestamp::from_ms(0),
        }
    }

    pub(in crate::cause) fn smtp(stage: Stage, code: u16, text: &str) -> Evidence {
        evidence(
            Party::Smtp,
            stage,
            Said::Smtp(SmtpReply::parse(code, text.lines())),
        )
    }

    pub(in crate::cause) fn imap(
        stage: Stage,
        status: ImapStatus,
        code: Option<&str>,
        text: &str,
    ) -> Evidence {
        let reply = ImapReply {
            status,
            code: code.map(str::to_owned),
            text: text.to_owned(),
        };
        evidence(Party::Imap, stage, Said::Imap(reply))
    }

    pub(in crate::cause) fn said_by_oauth(
        stage: Stage,
        error: &str,
        description: &str,
    ) -> Evidence {
        let reply = OAuthReply {
            http_status: (stage != Stage::Authorize).then_some(400),
            error: Some(error.to_owned()),
            description: description.to_owned(),
        };
        evidence(Party::Oauth, stage, Said::Oauth(reply))
    }

    pub(in crate::cause) fn oauth(stage: Stage, http_status: Option<u16>, error: &str) -> Evidence {
        let reply = OAuthReply {
            http_status,
            error: Some(error.to_owned()),
            description: String::new(),
        };
        evidence(Party::Oauth, stage, Said::Oauth(reply))
    }

    pub(in crate::cause) fn status(stage: Stage, http_status: u16) -> Evidence {
        let reply = OAuthReply {
            http_status: Some(http_status),
            error: None,
            description: String::new(),
        };
        evidence(Party::Oauth, stage, Said::Oauth(reply))
    }

    pub(in crate::cause) fn io(party: Party, stage: Stage, fault: IoFault) -> Evidence {
        evidence(
            party,
            stage,
            Said::Io {
                fault,
                detail: "it failed".to_owned(),
            },
        )
    }

    pub(in crate::cause) fn tls(party: Party) -> Evidence {
        evidence(
            party,
            Stage::Tls,
            Said::Tls {
                detail: "certificate has expired".to_owned(),
            },
        )
    }

    pub(in crate::cause) fn found(stage: Stage, finding: Finding) -> Evidence {
        evidence(Party::Relay, stage, Said::Found(finding))
    }
}
