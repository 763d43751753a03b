//! Which service greets at a port: mail servers, and what else is found where a port was written down wrong, are
//! told apart by their first line. What follows from that is decided by whoever asked for another one.

use protocol::evidence::{Finding, Said};

/// How much of a greeting is shown.
const SHOWN_BYTES_MAX: usize = 80;

/// What a server is known by when it speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A reply code of three digits (RFC 5321 §4.2); FTP greets so too.
    Smtp,
    /// An untagged status (RFC 9051 §7.1).
    Imap,
    /// `+OK` or `-ERR` (RFC 1939 §3).
    Pop3,
    /// A status line (RFC 9112 §4).
    Http,
    /// An identification string (RFC 4253 §4.2).
    Ssh,
    /// A record of the handshake or an alert (RFC 8446 §5.1): TLS from the first byte on.
    Tls,
}

impl Service {
    /// The service that opens with these bytes; `None` where they are nobody's greeting.
    pub fn find(greeting: &[u8]) -> Option<Self> {
        let starts = |with: &[u8]| {
            greeting
                .get(..with.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(with))
        };
        let is_reply = greeting.get(..3).is_some_and(|code| {
            code.iter().all(u8::is_ascii_digit) && matches!(code.first(), Some(b'2'..=b'5'))
        }) && matches!(greeting.get(3), None | Some(b' ' | b'-' | b'\r'));
        if is_reply {
            Some(Self::Smtp)
        } else if ["* OK", "* PREAUTH", "* BYE", "* NO", "* BAD"]
            .iter()
            .any(|word| starts(word.as_bytes()))
        {
            Some(Self::Imap)
        } else if starts(b"+OK") || starts(b"-ERR") {
            Some(Self::Pop3)
        } else if starts(b"HTTP/") {
            Some(Self::Http)
        } else if starts(b"SSH-") {
            Some(Self::Ssh)
        } else if matches!(greeting, [0x15 | 0x16, 0x03, ..]) {
            Some(Self::Tls)
        } else {
            None
        }
    }

    /// It with its article, as it stands in a sentence.
    fn name(self) -> &'static str {
        match self {
            Self::Smtp => "an SMTP server",
            Self::Imap => "an IMAP server",
            Self::Pop3 => "a POP3 server",
            Self::Http => "a web server",
            Self::Ssh => "an SSH server",
            Self::Tls => "a server that speaks TLS from the start",
        }
    }

    /// The finding that another service greets with these bytes where this one was expected; `None` where they
    /// tell of no other.
    pub fn find_other(self, greeting: &[u8]) -> Option<Said> {
        let found = Self::find(greeting).filter(|found| *found != self)?;
        let shown = greeting.get(..SHOWN_BYTES_MAX).unwrap_or(greeting);
        Some(Said::Found(Finding::OtherService {
            words: format!(
                "expected {}, found {}: \"{}\"",
                self.name(),
                found.name(),
                shown.escape_ascii()
            ),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_told_apart_by_how_they_greet() {
        for (greeting, expected) in [
            (&b"220 mail.example ESMTP ready"[..], Some(Service::Smtp)),
            (b"220-mail.example", Some(Service::Smtp)),
            (b"554", Some(Service::Smtp)),
            (b"421 too many connections", Some(Service::Smtp)),
            (b"* OK ready", Some(Service::Imap)),
            (b"* ok [CAPABILITY IMAP4rev1] ready", Some(Service::Imap)),
            (b"* BYE too busy", Some(Service::Imap)),
            (b"+OK POP3 ready <1@mail.example>", Some(Service::Pop3)),
            (b"-ERR too busy", Some(Service::Pop3)),
            (b"HTTP/1.1 400 Bad Request", Some(Service::Http)),
            (b"SSH-2.0-OpenSSH_9.2", Some(Service::Ssh)),
            (b"\x15\x03\x01\0\x02\x02\x46", Some(Service::Tls)),
            (b"2200 bottles", None),
            (b"999 what", None),
            (b"hello", None),
            (b"", None),
        ] {
            assert_eq!(
                Service::find(greeting),
                expected,
                "{}",
                greeting.escape_ascii()
            );
        }
    }

    #[test]
    fn only_another_service_is_another_one() {
        assert_eq!(Service::Imap.find_other(b"* OK ready"), None);
        assert_eq!(Service::Imap.find_other(b"ready"), None);
        let said = Service::Imap.find_other(b"+OK ready\x1b[2J").unwrap();
        assert_eq!(
            said.to_string(),
            "expected an IMAP server, found a POP3 server: \"+OK ready\\x1b[2J\""
        );
    }
}
