//! What a server answered, one type for each protocol, so that an HTTP status is never read as an
//! SMTP verdict. What an answer *means* is decided in [`crate::cause`], not here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shown;

/// The longest line that is kept: eight times the limit of RFC 5321 §4.5.3.1.5.
const LINE_CHARS_MAX: usize = 4_096;

/// A complete SMTP reply (RFC 5321 §4.2), multi-line replies joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SmtpReply {
    /// Three digits, the first of them 2 to 5.
    pub code: u16,
    /// The enhanced status code that opens the text (RFC 3463), where there is one.
    pub enhanced: Option<EnhancedCode>,
    /// The text after code and enhanced code; lines joined with `\n`; bytes that are not UTF-8 stand as U+FFFD, a tab as
    /// a space, and what acts where it is written by a sign or its number: people read it, also at a terminal.
    pub text: String,
}

impl SmtpReply {
    /// A reply from its code and its lines, each without the code in front.
    /// The enhanced code is taken from the first line that says anything, and removed from each line
    /// that repeats it.
    pub fn parse<'a>(code: u16, lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut enhanced = None;
        let mut text = String::new();
        for (line_idx, line) in lines.into_iter().enumerate() {
            let line = line.trim_end().replace('\t', " ");
            let line = shown::line(&line);
            let line = start_of(&line).trim_end();
            let (found, rest) = EnhancedCode::split(line);
            if enhanced.is_none() && text.trim().is_empty() {
                enhanced = found;
            }
            if line_idx > 0 {
                text.push('\n');
            }
            text.push_str(if found.is_some() && found == enhanced {
                rest
            } else {
                line
            });
        }
        Self {
            code,
            enhanced,
            text: text.trim().to_owned(),
        }
    }

    /// 2yz: done.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz: not done now, the same may succeed later.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz: not done, and the same will not succeed later.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

/// In one line, whatever the server says.
impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        write!(f, " {}", one_line(&self.text))
    }
}

/// What is kept of a line: of one that is shown by numbers alone, not more than of any other.
fn start_of(line: &str) -> &str {
    let end = line.char_indices().nth(LINE_CHARS_MAX);
    end.and_then(|(end, _)| line.get(..end)).unwrap_or(line)
}

/// The lines of a reply as one.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(shown::line).collect();
    lines.join(" ")
}

/// `class.subject.detail` (RFC 3463 §2), as in `5.7.8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnhancedCode {
    /// 2 success, 4 transient, 5 permanent.
    pub class: u16,
    /// What the code is about: 1 address, 2 mailbox, 3 mail system, 4 network, 5 protocol,
    /// 6 content, 7 security.
    pub subject: u16,
    /// Which case of the subject.
    pub detail: u16,
}

impl EnhancedCode {
    /// `5.7.8` as a value.
    pub const fn new(class: u16, subject: u16, detail: u16) -> Self {
        Self {
            class,
            subject,
            detail,
        }
    }

    /// The code that opens `line`, and what follows it; the whole line where none does.
    fn split(line: &str) -> (Option<Self>, &str) {
        let trimmed = line.trim_start();
        let (word, rest) = trimmed
            .split_once(char::is_whitespace)
            .unwrap_or((trimmed, ""));
        match Self::parse(word.trim_end_matches([':', ','])) {
            Some(code) => (Some(code), rest.trim_start()),
            None => (None, line),
        }
    }

    /// A code from its text; `None` where the text is anything else (RFC 3463 §2: class 2, 4 or 5,
    /// one to three digits each).
    pub fn parse(word: &str) -> Option<Self> {
        let mut numbers = word.split('.').map(|digits| {
            let plain =
                (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            if plain {
                digits.parse::<u16>().ok()
            } else {
                None
            }
        });
        let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
        if numbers.next().is_some() || !matches!(class, 2 | 4 | 5) {
            return None;
        }
        Some(Self {
            class,
            subject,
            detail,
        })
    }

    /// Subject and detail without the class: servers disagree on the class more than on these.
    pub fn is_about(self, subject: u16, detail: u16) -> bool {
        self.subject == subject && self.detail == detail
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The status of an IMAP response that refuses (RFC 9051 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ImapStatus {
    /// The command failed.
    No,
    /// The server did not understand the command.
    Bad,
    /// The server closes the connection.
    Bye,
}

/// An IMAP response that refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImapReply {
    /// `NO`, `BAD` or `BYE`.
    pub status: ImapStatus,
    /// The response code in capitals without brackets, as in `AUTHENTICATIONFAILED` (RFC 5530).
    pub code: Option<String>,
    /// The text that follows.
    pub text: String,
}

/// In one line, whatever the server says.
impl fmt::Display for ImapReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            ImapStatus::No => "NO",
            ImapStatus::Bad => "BAD",
            ImapStatus::Bye => "BYE",
        };
        let text = one_line(&self.text);
        match &self.code {
            Some(code) => write!(f, "{status} [{}] {text}", shown::line(code)),
            None => write!(f, "{status} {text}"),
        }
    }
}

/// What an OAuth or OpenID endpoint answered when it refused (RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OAuthReply {
    /// The HTTP status; `None` for an error that came with the redirect (RFC 6749 §4.1.2.1).
    pub http_status: Option<u16>,
    /// The `error` code, as in `invalid_grant`; `None` where the body was no OAuth error.
    pub error: Option<String>,
    /// The provider's `error_description`, or the start of a body that was no OAuth error.
    pub description: String,
}

/// In one line, whatever the server says.
impl fmt::Display for OAuthReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = one_line(&self.description);
        let error = self.error.as_deref().map(shown::line);
        match (self.http_status, error) {
            (Some(status), Some(error)) => write!(f, "{status} {error}: {description}"),
            (Some(status), None) => write!(f, "{status} {description}"),
            (None, Some(error)) => write!(f, "{error}: {description}"),
            (None, None) => f.write_str(&description),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_code_is_read_from_the_text_and_never_guessed() {
        for (line, enhanced, text) in [
            (
                "5.7.8 Username and Password not accepted",
                Some((5, 7, 8)),
                "Username and Password not accepted",
            ),
            ("2.0.0 Ok: queued", Some((2, 0, 0)), "Ok: queued"),
            (
                "5.7.139 Authentication unsuccessful",
                Some((5, 7, 139)),
                "Authentication unsuccessful",
            ),
            ("10.0.0.1 is not allowed", None, "10.0.0.1 is not allowed"),
            ("5.7 too short", None, "5.7 too short"),
            ("Ok", None, "Ok"),
            ("", None, ""),
        ] {
            let reply = SmtpReply::parse(550, [line]);
            let expected =
                enhanced.map(|(class, subject, detail)| EnhancedCode::new(class, subject, detail));
            assert_eq!(
                (reply.enhanced, reply.text.as_str()),
                (expected, text),
                "{line}"
            );
        }
    }

    #[test]
    fn a_repeated_enhanced_code_is_dropped_from_later_lines() {
        let reply = SmtpReply::parse(535, ["5.7.8 first", "5.7.8 second", "5.7.9 third"]);
        assert_eq!(reply.text, "first\nsecond\n5.7.9 third");
        assert_eq!(reply.to_string(), "535 5.7.8 first second 5.7.9 third");
    }

    #[test]
    fn an_empty_first_line_hides_no_code() {
        let reply = SmtpReply::parse(550, ["", "5.7.1 no", "5.7.1 never"]);
        assert_eq!(reply.to_string(), "550 5.7.1 no never");
    }

    #[test]
    fn what_steers_a_terminal_is_shown_and_does_not_act() {
        let reply = SmtpReply::parse(
            550,
            ["5.7.1\tno \u{1b}[2J\u{7f}", "a\rb\u{85}\r", "x\u{202e}y"],
        );
        assert_eq!(reply.enhanced, Some(EnhancedCode::new(5, 7, 1)));
        assert_eq!(reply.text, "no ␛[2J␡\na␍b\nx\\u{202e}y");
        assert_eq!(reply.to_string(), "550 5.7.1 no ␛[2J␡ a␍b x\\u{202e}y");
    }

    #[test]
    fn whatever_is_on_record_is_one_line() {
        let text = "a\nb\r\u{2028}c".to_owned();
        let imap = ImapReply {
            status: ImapStatus::No,
            code: Some("X\u{9b}".to_owned()),
            text: text.clone(),
        };
        assert_eq!(imap.to_string(), "NO [X\\u{9b}] a b␍\\u{2028}c");
        let oauth = OAuthReply {
            http_status: Some(400),
            error: Some("no\n".to_owned()),
            description: text,
        };
        assert_eq!(oauth.to_string(), "400 no␊: a b␍\\u{2028}c");
    }
}
