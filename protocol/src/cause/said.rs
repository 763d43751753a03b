//! Questions that several causes ask of evidence. No cause is chosen here.

use crate::evidence::{Evidence, Finding, Said, Stage};
use crate::reply::{ImapReply, OAuthReply, SmtpReply};

impl Evidence {
    /// The SMTP reply, where there was one.
    pub(super) fn smtp(&self) -> Option<&SmtpReply> {
        match &self.said {
            Said::Smtp(reply) => Some(reply),
            _ => None,
        }
    }

    /// The IMAP response, where there was one.
    pub(super) fn imap(&self) -> Option<&ImapReply> {
        match &self.said {
            Said::Imap(reply) => Some(reply),
            _ => None,
        }
    }

    /// The authorization server's answer, where there was one.
    pub(super) fn oauth(&self) -> Option<&OAuthReply> {
        match &self.said {
            Said::Oauth(reply) => Some(reply),
            _ => None,
        }
    }

    /// What the relay found itself, where it did.
    pub(super) fn finding(&self) -> Option<&Finding> {
        match &self.said {
            Said::Found(finding) => Some(finding),
            _ => None,
        }
    }

    /// The `error` code of the authorization server.
    pub(super) fn oauth_error(&self) -> Option<&str> {
        self.oauth()?.error.as_deref()
    }

    /// Whether the words hold one of these, in any case.
    pub(super) fn mentions(&self, needles: &[&str]) -> bool {
        let words = self.words().to_lowercase();
        needles.iter().any(|needle| words.contains(needle))
    }

    /// Whether the words hold one of each, in any case.
    pub(super) fn mentions_both(&self, some: &[&str], others: &[&str]) -> bool {
        self.mentions(some) && self.mentions(others)
    }

    /// Whether Microsoft's answer bears one of these numbers, as in `AADSTS700082` ("Microsoft Entra
    /// authentication and authorization error codes").
    pub(super) fn has_aadsts(&self, numbers: &[u32]) -> bool {
        let Some(reply) = self.oauth() else {
            return false;
        };
        reply.description.split("AADSTS").skip(1).any(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let digits = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
            digits
                .parse()
                .is_ok_and(|number: u32| numbers.contains(&number))
        })
    }

    /// Whether SMTP or IMAP refused the sign-in itself, and not only for now.
    pub(super) fn refuses_sign_in(&self) -> bool {
        self.stage == Stage::Auth
            && (self.imap().is_some() || self.smtp().is_some_and(SmtpReply::is_permanent))
    }

    /// The SMTP reply to one of the steps that submit a message, where it refuses for good.
    pub(super) fn refused_submission(&self) -> Option<&SmtpReply> {
        let submits = matches!(
            self.stage,
            Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body
        );
        self.smtp().filter(|reply| submits && reply.is_permanent())
    }

    /// Whether an SMTP reply bears one of these enhanced codes, given as subject and detail.
    pub(super) fn has_enhanced(&self, codes: &[(u16, u16)]) -> bool {
        let enhanced = self.smtp().and_then(|reply| reply.enhanced);
        enhanced.is_some_and(|code| codes.contains(&(code.subject, code.detail)))
    }
}

#[cfg(test)]
mod tests {
    use super::example::said_by_oauth;
    use crate::evidence::Stage;

    #[test]
    fn a_number_of_microsofts_is_read_whole() {
        for (description, expected) in [
            ("AADSTS50076: more is needed", true),
            ("AADSTS500761: another", false),
            ("first AADSTS90002, then AADSTS50076", true),
            ("AADSTS50076", true),
            ("50076", false),
            ("AADSTS", false),
        ] {
            let evidence = said_by_oauth(Stage::Refresh, "invalid_grant", description);
            assert_eq!(evidence.has_aadsts(&[50076]), expected, "{description}");
        }
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

    pub(in crate::cause) fn garbage(party: Party, stage: Stage, detail: &str) -> Evidence {
        let detail = detail.to_owned();
        evidence(party, stage, Said::Garbage { detail })
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
