//! Questions that several causes ask of evidence. No cause is chosen here.

use crate::evidence::{Evidence, Finding, Said};
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
