//! The parts of a message, cut apart here: a parser of whole messages also follows what stands within them, at
//! the cost of stack and time that a stranger chooses.

use mail_parser::decoders::html::html_to_text;
use mail_parser::{MessageParser, PartType};

use super::head::Head;

/// Parts that are read. A report has two or three (RFC 6522 §3); some wrap it once or twice.
const PARTS_MAX: usize = 20;

/// How many wrappings are followed, returned messages among them.
const DEPTH_MAX: usize = 4;

/// What a message holds, in the order in which it stands there.
#[derive(Default)]
pub(super) struct Body {
    /// The words for people, decoded, HTML as plain text; not those of returned messages.
    pub(super) words: Vec<String>,
    /// What became of each recipient (RFC 3464 §2.1, RFC 6533 §4).
    pub(super) statuses: Vec<String>,
    /// `message/feedback-report` (RFC 5965 §3).
    pub(super) feedback: Vec<String>,
    /// Heads of returned messages, as they stand.
    pub(super) returned: Vec<Vec<u8>>,
    /// Whether there is a notice of what somebody did with a message (RFC 8098 §3).
    pub(super) has_disposition: bool,
    /// Whether it is an answer from a calendar (RFC 6047 §2.4).
    pub(super) answers_by_calendar: bool,
    n_parts: usize,
}

impl Body {
    /// Reads the parts of a whole message.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut body = Self::default();
        body.add(bytes, 0, false);
        body
    }

    fn add(&mut self, bytes: &[u8], depth: usize, is_returned: bool) {
        let Some(head) = Head::parse(bytes) else {
            return;
        };
        let kind = head.kind();
        if let Some(boundary) = head
            .attribute("boundary")
            .filter(|_| kind.starts_with("multipart/"))
        {
            if depth < DEPTH_MAX {
                for part in split_parts(bytes, &boundary) {
                    self.add(part, depth + 1, is_returned);
                }
            }
            return;
        }
        self.n_parts += 1;
        if self.n_parts > PARTS_MAX {
            return;
        }
        match kind.as_str() {
            "message/delivery-status" | "message/global-delivery-status" => {
                self.statuses.extend(decode(bytes));
            }
            "message/feedback-report" => self.feedback.extend(decode(bytes)),
            "message/disposition-notification" | "message/global-disposition-notification" => {
                self.has_disposition = true;
            }
            // RFC 3464 §2, RFC 6533 §4: the returned message. It is never encoded (RFC 2046 §5.2.1).
            "message/rfc822" | "message/global" => {
                let message = body_of(bytes);
                self.returned.push(message.to_vec());
                let wraps =
                    Head::parse(message).is_some_and(|head| head.kind().starts_with("multipart/"));
                if wraps && depth < DEPTH_MAX {
                    self.add(message, depth + 1, true);
                }
            }
            // The same, or its head alone, as text. Observed as `text/rfc822` with Zoho.
            "text/rfc822-headers"
            | "message/rfc822-headers"
            | "message/global-headers"
            | "text/rfc822" => {
                self.returned.extend(decode(bytes).map(String::into_bytes));
            }
            "text/calendar" => {
                let method = head.attribute("method");
                self.answers_by_calendar |= !is_returned
                    && (method.as_deref() == Some("reply")
                        || method.is_none() && decode(bytes).is_some_and(|text| is_reply(&text)));
            }
            _ if kind.starts_with("text/") && !is_returned => self.words.extend(decode(bytes)),
            _ => {}
        }
    }
}

fn is_reply(calendar: &str) -> bool {
    calendar
        .lines()
        .any(|line| line.trim().eq_ignore_ascii_case("METHOD:REPLY"))
}

/// The parts between lines of two dashes and the boundary (RFC 2046 §5.1.1), without what stands before them and
/// behind the closing line.
pub(super) fn split_parts<'a>(bytes: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut part_at = None;
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = line
            .trim_ascii_end()
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary.as_bytes()));
        if let (false, Some(end @ (b"" | b"--"))) = (boundary.is_empty(), end) {
            parts.extend(part_at.and_then(|from| bytes.get(from..at)));
            part_at = end.is_empty().then_some(at + line.len());
            if part_at.is_none() || parts.len() == PARTS_MAX {
                return parts;
            }
        }
        at += line.len();
    }
    // Cut off: what came of the last part counts.
    parts.extend(part_at.and_then(|from| bytes.get(from..)));
    parts
}

/// The text of a part that holds no other parts.
fn decode(part: &[u8]) -> Option<String> {
    let part = MessageParser::default().parse(part)?;
    part.parts.first().and_then(|part| match &part.body {
        PartType::Text(text) => Some(text.to_string()),
        PartType::Html(html) => Some(html_to_text(html)),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            Some(String::from_utf8_lossy(bytes.as_ref()).into_owned())
        }
        _ => None,
    })
}

/// What stands behind the first empty line.
fn body_of(part: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in part.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.trim_ascii_end().is_empty() {
            break;
        }
    }
    part.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_at_its_own_boundary() {
        let body = |text: &'static str| split_parts(text.as_bytes(), "b");
        for (text, expected) in [
            ("before\n--b\nA\n--b  \r\nB\n--b--\nC", vec!["A\n", "B\n"]),
            (
                "--b\nA\n--bb\nA\n --b\n--b-\nA",
                vec!["A\n--bb\nA\n --b\n--b-\nA"],
            ),
            ("--b--\n--b\nA", vec![]),
            ("", vec![]),
        ] {
            let expected: Vec<&[u8]> = expected.into_iter().map(str::as_bytes).collect();
            assert_eq!(body(text), expected, "{text:?}");
        }
        assert!(split_parts(b"--\nA\n--\n", "").is_empty());
    }
}
