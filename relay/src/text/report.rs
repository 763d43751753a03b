//! What a DSN (RFC 3464) says of why a message came back: read from the lines of its status part. It is evidence like a
//! reply after the body; whose it is, is not decided here.

use protocol::evidence::{Evidence, Party, Said, Stage};
use protocol::provider::ProviderId;
use protocol::reply::{EnhancedCode, SmtpReply};
use protocol::standing::Remote;
use protocol::timestamp::Timestamp;

/// What the first recipient that failed is said to have met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// `Status` (RFC 3464 §2.3.4).
    pub status: Option<EnhancedCode>,
    /// `Diagnostic-Code` without its type (RFC 3464 §2.3.6).
    pub diagnostic: Option<String>,
    /// `Remote-MTA` without its type, in lower case (RFC 3464 §2.3.5).
    pub remote: Option<String>,
}

impl Returned {
    /// Reads a whole message.
    pub fn read(message: &[u8]) -> Self {
        let text = String::from_utf8_lossy(message);
        let mut returned = Self::default();
        let mut is_status = false;
        for line in unfold(&text) {
            let Some((name, value)) = line.split_once(':') else {
                // A part ends at its boundary.
                is_status &= !line.starts_with("--");
                continue;
            };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            let untyped = || value.split_once(';').map_or(value, |(_, rest)| rest).trim();
            match name.as_str() {
                "content-type" => {
                    is_status = value
                        .to_ascii_lowercase()
                        .starts_with("message/delivery-status");
                }
                "status" if is_status && returned.status.is_none() => {
                    // A comment may follow (RFC 5322 §3.2.2).
                    let code = value.split_whitespace().next().unwrap_or_default();
                    returned.status = EnhancedCode::parse(code);
                }
                "diagnostic-code" if is_status && returned.diagnostic.is_none() => {
                    returned.diagnostic = Some(untyped().to_owned());
                }
                "remote-mta" if is_status && returned.remote.is_none() => {
                    returned.remote = Some(untyped().to_ascii_lowercase());
                }
                _ => {}
            }
        }
        returned
    }

    /// It as evidence: the diagnostic where it is a reply, else the status.
    pub fn evidence(&self, provider: ProviderId, seen_at: Timestamp) -> Evidence {
        let diagnostic = self.diagnostic.clone().unwrap_or_default();
        let (code, rest) = match diagnostic.split_once([' ', '-']) {
            Some((code, rest)) => (code.parse().ok(), rest),
            None => (None, diagnostic.as_str()),
        };
        let code = code.filter(|code| (400..600).contains(code));
        let words = if code.is_some() {
            rest
        } else {
            diagnostic.as_str()
        };
        let mut reply = SmtpReply::parse(code.unwrap_or(550), [words]);
        reply.enhanced = reply.enhanced.or(self.status);
        Evidence {
            party: Party::Smtp,
            stage: Stage::Body,
            said: Said::Smtp(reply),
            provider,
            seen_at,
        }
    }

    /// Who said it: `own` are the names of the provider's servers and the inbox's domain.
    pub fn said_by(&self, own: &[&str]) -> Remote {
        let Some(remote) = self.remote.as_deref().filter(|remote| !remote.is_empty()) else {
            return Remote::Own;
        };
        let domain = organisation(remote);
        if own.iter().any(|own| organisation(own) == domain) {
            Remote::Own
        } else {
            Remote::Other(domain)
        }
    }
}

/// Second labels below which countries register.
const REGISTRIES: [&str; 8] = ["ac", "co", "com", "edu", "gov", "ne", "net", "org"];

/// The last two labels of a host name, three where a country registers below the second.
fn organisation(host: &str) -> String {
    let host = host.split_whitespace().next().unwrap_or_default();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').filter(|label| !label.is_empty()).collect();
    let second = labels.len().checked_sub(2).and_then(|idx| labels.get(idx));
    let is_country = labels.last().is_some_and(|label| label.len() == 2);
    let is_registry = second.is_some_and(|label| REGISTRIES.contains(label));
    let n = if is_country && is_registry { 3 } else { 2 };
    let from = labels.len().saturating_sub(n);
    labels.get(from..).unwrap_or_default().join(".")
}

/// The lines, those that go on joined (RFC 5322 §2.2.3).
fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) && !last.is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const DSN: &str = "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
        Status: 2.0.0\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n\
        Final-Recipient: rfc822; ann@a.example\r\nAction: failed\r\nStatus: 5.7.705 (why)\r\n\
        Remote-MTA: dns; MX1.a.example\r\nDiagnostic-Code: smtp; 550 5.7.705 Access denied,\r\n tenant has exceeded\r\n\
        \r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <one@acme.example>\r\nStatus: RO\r\n--b--\r\n";

    #[test]
    fn a_report_says_what_was_met_and_by_whom() {
        let returned = Returned::read(DSN.as_bytes());
        let expected = Returned {
            status: Some(EnhancedCode::new(5, 7, 705)),
            diagnostic: Some("550 5.7.705 Access denied, tenant has exceeded".to_owned()),
            remote: Some("mx1.a.example".to_owned()),
        };
        assert_eq!(returned, expected);
        let evidence = returned.evidence(ProviderId::new("imap"), Timestamp::from_ms(0));
        assert_eq!(
            evidence.words(),
            "550 5.7.705 Access denied, tenant has exceeded"
        );
        let other = Remote::Other("a.example".to_owned());
        assert_eq!(returned.said_by(&["smtp.acme.example"]), other);
        assert_eq!(returned.said_by(&["smtp.a.example"]), Remote::Own);
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        let returned = Returned::read(b"Status: 5.1.1\r\nRemote-MTA: dns; a.example\r\n");
        assert_eq!(returned, Returned::default());
        assert_eq!(returned.said_by(&["acme.example"]), Remote::Own);
        let status = Returned {
            status: Some(EnhancedCode::new(5, 1, 8)),
            ..Returned::default()
        };
        let evidence = status.evidence(ProviderId::new("imap"), Timestamp::from_ms(0));
        assert_eq!(evidence.words(), "550 5.1.8 ");
    }

    #[test]
    fn hosts_of_one_organisation_are_one() {
        for (host, expected) in [
            ("mx1.mail.a.example", "a.example"),
            ("a.example.", "a.example"),
            ("mx.a.co.uk", "a.co.uk"),
            ("mx.uk", "mx.uk"),
            ("localhost (10.0.0.1)", "localhost"),
            ("", ""),
        ] {
            assert_eq!(organisation(host), expected, "{host}");
        }
    }
}
