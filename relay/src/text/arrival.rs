//! What a message that arrived in INBOX is to us: a reply to one of our messages, a bounce of one, or
//! nothing. Whether the ids it names are ours is the store's to say.

use std::collections::HashSet;

use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders as _, PartType};
use protocol::id::DeliveryId;

/// Ids of one message that are looked up. Threads have some dozens; each look-up costs a query, and anybody may
/// send a message that names thousands.
const IDS_MAX: usize = 100;

/// The longest id: a line (RFC 5322 §2.1.1).
const ID_BYTES_MAX: usize = 998;

/// Parts of a report that are read. It has two or three (RFC 6522 §3).
const PARTS_MAX: usize = 20;

/// What an arrived message says of the messages that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Somebody answered.
    Reply {
        /// The message ids it refers to, without angle brackets.
        to: Vec<String>,
    },
    /// A DSN (RFC 3464) says that it could not be delivered for good.
    Bounce {
        /// The ids of the message that came back.
        of: Vec<String>,
    },
    /// It speaks of none.
    Other,
}

/// A message of the sent folder, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// Its `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// What the server keeps of an id that it replaced.
    pub original_ids: Vec<String>,
    /// Our own header.
    pub delivery: Option<String>,
}

/// Headers in which servers keep an id that they replaced: Exchange Online and Gmail.
pub const ORIGINAL_ID_HEADERS: [&str; 2] = [
    "X-Microsoft-Original-Message-ID",
    "X-Google-Original-Message-ID",
];

impl Copy {
    /// Whether it bears one of our marks, so that it may be of a message of ours.
    pub fn is_ours(&self, message_ids: &HashSet<&str>) -> bool {
        let known = |id: &String| message_ids.contains(id.as_str());
        self.delivery.is_some()
            || self.message_id.as_ref().is_some_and(known)
            || self.original_ids.iter().any(known)
    }

    /// Whether it is the copy of this delivery, whose message we gave this id.
    pub fn is_of(&self, id: &DeliveryId, message_id: &str) -> bool {
        self.message_id.as_deref() == Some(message_id)
            || self.original_ids.iter().any(|kept| kept == message_id)
            || self.delivery.as_deref() == Some(id.as_str())
    }
}

/// Whether a message's headers make it worth reading whole: it may be a DSN.
pub fn may_be_bounce(headers: &[u8]) -> bool {
    MessageParser::default()
        .parse_headers(headers)
        .is_some_and(|message| is_report(&message))
}

/// What a whole message, or its headers alone, says.
pub fn parse(bytes: &[u8]) -> Arrival {
    let Some(message) = MessageParser::default().parse_headers(bytes) else {
        return Arrival::Other;
    };
    if is_report(&message) {
        return parse_report(&message, bytes);
    }
    let mut named = ids(message.in_reply_to());
    named.extend(ids(message.references()));
    let to = choose(named);
    if to.is_empty() || is_automatic(&message) {
        Arrival::Other
    } else {
        Arrival::Reply { to }
    }
}

/// Those that can be ids of ours, each once. Where there are too many, the first and the last: a thread begins
/// with our message, and its parent stands last (RFC 5322 §3.6.4).
fn choose(named: Vec<String>) -> Vec<String> {
    let mut chosen: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for id in named {
        if !id.is_empty() && id.len() <= ID_BYTES_MAX && seen.insert(id.clone()) {
            chosen.push(id);
        }
    }
    if chosen.len() > IDS_MAX {
        chosen.drain(IDS_MAX / 2..chosen.len() - IDS_MAX / 2);
    }
    chosen
}

/// RFC 6522 §3: `multipart/report` with `report-type=delivery-status`.
fn is_report(message: &Message<'_>) -> bool {
    message.content_type().is_some_and(|content_type| {
        content_type.ctype().eq_ignore_ascii_case("multipart")
            && content_type
                .subtype()
                .is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"))
            && content_type
                .attribute("report-type")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("delivery-status"))
    })
}

/// RFC 3834 §5: an automatic answer is no person's; it stops nobody. Out-of-office handling comes later.
fn is_automatic(message: &Message<'_>) -> bool {
    message
        .header("Auto-Submitted")
        .and_then(HeaderValue::as_text)
        .is_some_and(|kind| !kind.trim().eq_ignore_ascii_case("no"))
}

/// The parts of a report stand beside each other, so they are cut apart here and each is read alone: a parser of
/// whole messages also follows what stands within them, at the cost of stack and time that a stranger chooses.
fn parse_report(message: &Message<'_>, bytes: &[u8]) -> Arrival {
    let boundary = message
        .content_type()
        .and_then(|content_type| content_type.attribute("boundary"))
        .unwrap_or_default();
    let mut failed = false;
    let mut of = Vec::new();
    for part in split_parts(bytes, boundary) {
        let Some(kind) = kind_of(part) else {
            continue;
        };
        match kind.as_str() {
            "message/delivery-status" => {
                failed |= decode(part).is_some_and(|text| has_failed(&text));
            }
            // RFC 3464 §2: the returned message, or its headers. A message is never encoded (RFC 2046 §5.2.1).
            "message/rfc822" => of.extend(named_in(body_of(part))),
            "text/rfc822-headers" => {
                of.extend(decode(part).map_or_else(Vec::new, |text| named_in(text.as_bytes())));
            }
            _ => {}
        }
    }
    let of = choose(of);
    if failed && !of.is_empty() {
        Arrival::Bounce { of }
    } else {
        Arrival::Other
    }
}

/// The parts between lines of two dashes and the boundary (RFC 2046 §5.1.1), without what stands before them and
/// behind the closing line.
fn split_parts<'a>(bytes: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
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

/// `type/subtype` of a part, in small letters.
fn kind_of(part: &[u8]) -> Option<String> {
    let headers = MessageParser::default().parse_headers(part)?;
    let content_type = headers.content_type()?;
    let subtype = content_type.subtype().unwrap_or_default();
    Some(format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase())
}

/// The text of a part that holds no other parts.
fn decode(part: &[u8]) -> Option<String> {
    let part = MessageParser::default().parse(part)?;
    part.parts.first().and_then(|part| text_of(&part.body))
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

/// The ids that a returned message, or its headers alone, says it had.
fn named_in(returned: &[u8]) -> Vec<String> {
    MessageParser::default()
        .parse_headers(returned)
        .map_or_else(Vec::new, |headers| named_by(&headers))
}

/// RFC 3464 §2.3.3: `Action: failed`; a delayed or relayed message may still arrive.
fn has_failed(status: &str) -> bool {
    status.lines().any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("action")
                && value.trim().eq_ignore_ascii_case("failed")
        })
    })
}

fn named_by(returned: &Message<'_>) -> Vec<String> {
    let mut all: Vec<String> = returned
        .message_id()
        .map(|id| bare(id).to_owned())
        .into_iter()
        .collect();
    for name in ORIGINAL_ID_HEADERS {
        all.extend(
            returned
                .header(name)
                .and_then(HeaderValue::as_text)
                .map(|id| bare(id).to_owned()),
        );
    }
    all
}

fn text_of(body: &PartType<'_>) -> Option<String> {
    match body {
        PartType::Text(text) | PartType::Html(text) => Some(text.to_string()),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            Some(String::from_utf8_lossy(bytes.as_ref()).into_owned())
        }
        _ => None,
    }
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(text) => vec![bare(text).to_owned()],
        HeaderValue::TextList(list) => list.iter().map(|text| bare(text).to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// A message id without angle brackets and space.
pub fn bare(id: &str) -> &str {
    id.trim()
        .trim_start_matches('<')
        .trim_end_matches('>')
        .trim()
}

/// What the headers of a message in the sent folder say of it.
pub fn parse_copy(headers: &[u8]) -> Copy {
    let Some(message) = MessageParser::default().parse_headers(headers) else {
        return Copy::default();
    };
    let text = |name: &str| {
        message
            .header(name)
            .and_then(HeaderValue::as_text)
            .map(|value| bare(value).to_owned())
    };
    Copy {
        message_id: message.message_id().map(|id| bare(id).to_owned()),
        original_ids: ORIGINAL_ID_HEADERS
            .iter()
            .filter_map(|name| text(name))
            .collect(),
        delivery: text(super::message::DELIVERY_HEADER),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    const BOUNCE: &str = "From: MAILER-DAEMON@mail.example\r\nTo: jane@acme.example\r\nSubject: Undelivered\r\n\
        Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\nMIME-Version: 1.0\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
        --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n\
        Final-Recipient: rfc822; ann@a.example\r\nAction: ACTION\r\nStatus: 5.1.1\r\n\r\n\
        --b\r\nContent-Type: KIND\r\n\r\nMessage-ID: <one@acme.example>\r\nSubject: Hello\r\n\r\n--b--\r\n";

    #[test]
    fn a_permanent_dsn_names_what_came_back() {
        for kind in ["text/rfc822-headers", "message/rfc822"] {
            let failed = BOUNCE.replace("ACTION", "failed").replace("KIND", kind);
            assert!(may_be_bounce(failed.as_bytes()));
            assert_eq!(
                parse(failed.as_bytes()),
                Arrival::Bounce {
                    of: vec!["one@acme.example".to_owned()]
                },
                "{kind}"
            );
            let delayed = BOUNCE.replace("ACTION", "delayed").replace("KIND", kind);
            assert_eq!(parse(delayed.as_bytes()), Arrival::Other, "{kind}");
        }
    }

    #[test]
    fn an_answer_names_its_thread_and_an_automatic_one_stops_nobody() {
        let reply = "From: ann@a.example\r\nIn-Reply-To: <two@acme.example>\r\n\
            References: <one@acme.example> <two@acme.example>\r\n\r\nYes.\r\n";
        let Arrival::Reply { to } = parse(reply.as_bytes()) else {
            panic!("no reply")
        };
        assert!(
            to.contains(&"one@acme.example".to_owned())
                && to.contains(&"two@acme.example".to_owned())
        );
        let automatic = format!("Auto-Submitted: auto-replied\r\n{reply}");
        assert_eq!(parse(automatic.as_bytes()), Arrival::Other);
        assert_eq!(
            parse(b"From: ann@a.example\r\nSubject: Hi\r\n\r\nHi.\r\n"),
            Arrival::Other
        );
        assert_eq!(parse(b""), Arrival::Other);
    }

    #[test]
    fn a_message_that_names_without_end_costs_what_a_long_thread_costs() {
        let all: Vec<String> = (0..5_000).map(|n| format!("<{n}@acme.example>")).collect();
        let reply = format!(
            "From: ann@a.example\r\nIn-Reply-To: <4999@acme.example>\r\nReferences: <> {}\r\n\r\nYes.\r\n",
            all.join("\r\n ")
        );
        let Arrival::Reply { to } = parse(reply.as_bytes()) else {
            panic!("no reply")
        };
        assert_eq!(to.len(), IDS_MAX);
        for id in ["4999@acme.example", "0@acme.example", "4998@acme.example"] {
            assert!(to.contains(&id.to_owned()), "{id}");
        }
    }

    #[test]
    fn messages_within_messages_are_not_followed() {
        let failed = BOUNCE
            .replace("ACTION", "failed")
            .replace("KIND", "message/rfc822");
        let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(8_000);
        let returned = "Message-ID: <one@acme.example>\r\n";
        let deep = failed.replace(returned, &format!("{returned}{nested}"));
        assert_eq!(
            parse(deep.as_bytes()),
            Arrival::Bounce {
                of: vec!["one@acme.example".to_owned()]
            }
        );
        let encoded = base64::engine::general_purpose::STANDARD.encode(nested);
        let hidden = failed.replace(
            &format!("message/rfc822\r\n\r\n{returned}"),
            &format!("message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n"),
        );
        assert!(hidden.contains(&encoded));
        assert_eq!(parse(hidden.as_bytes()), Arrival::Other);
    }

    #[test]
    fn a_report_is_cut_at_its_own_boundary() {
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

    #[test]
    fn a_copy_shows_both_its_ids() {
        let headers = "Message-ID: <theirs@mail.example>\r\nX-Google-Original-Message-ID: <one@acme.example>\r\n\
            X-Unpause-Delivery: dlv_1\r\n\r\n";
        let copy = parse_copy(headers.as_bytes());
        assert_eq!(copy.message_id.as_deref(), Some("theirs@mail.example"));
        assert_eq!(copy.original_ids, ["one@acme.example"]);
        assert_eq!(copy.delivery.as_deref(), Some("dlv_1"));
    }
}
