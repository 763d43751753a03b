//! What a message that arrived in INBOX is to us: a reply to one of our messages, a bounce of one, or
//! nothing. Whether the ids it names are ours is the store's to say.

use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders as _, PartType};

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

/// Whether a message's headers make it worth reading whole: it may be a DSN.
pub fn may_be_bounce(headers: &[u8]) -> bool {
    MessageParser::default()
        .parse_headers(headers)
        .is_some_and(|message| is_report(&message))
}

/// What a whole message, or its headers alone, says.
pub fn parse(bytes: &[u8]) -> Arrival {
    let Some(message) = MessageParser::default().parse(bytes) else {
        return Arrival::Other;
    };
    if is_report(&message) {
        return parse_report(&message);
    }
    let mut to = ids(message.in_reply_to());
    to.extend(ids(message.references()));
    to.dedup();
    if to.is_empty() || is_automatic(&message) {
        Arrival::Other
    } else {
        Arrival::Reply { to }
    }
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

fn parse_report(message: &Message<'_>) -> Arrival {
    let mut failed = false;
    let mut of = Vec::new();
    for part in &message.parts {
        let kind = part.content_type().map(|content_type| {
            let subtype = content_type.subtype().unwrap_or_default();
            format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase()
        });
        match (kind.as_deref(), &part.body) {
            (Some("message/delivery-status"), body) => {
                failed |= text_of(body).is_some_and(|text| has_failed(&text));
            }
            // RFC 3464 §2: the returned message, or its headers.
            (_, PartType::Message(returned)) => of.extend(named_by(returned)),
            (Some("text/rfc822-headers"), body) => {
                if let Some(returned) = text_of(body).as_deref().and_then(|text| {
                    MessageParser::default()
                        .parse_headers(text.as_bytes())
                        .map(|parsed| named_by(&parsed))
                }) {
                    of.extend(returned);
                }
            }
            _ => {}
        }
    }
    if failed && !of.is_empty() {
        Arrival::Bounce { of }
    } else {
        Arrival::Other
    }
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
        .map(str::to_owned)
        .into_iter()
        .collect();
    for name in super::doubt::ORIGINAL_ID_HEADERS {
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
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

/// What the headers of a message in the sent folder say of it.
pub fn parse_copy(headers: &[u8]) -> super::doubt::Copy {
    let Some(message) = MessageParser::default().parse_headers(headers) else {
        return super::doubt::Copy::default();
    };
    let text = |name: &str| {
        message
            .header(name)
            .and_then(HeaderValue::as_text)
            .map(|value| bare(value).to_owned())
    };
    super::doubt::Copy {
        message_id: message.message_id().map(|id| bare(id).to_owned()),
        original_ids: super::doubt::ORIGINAL_ID_HEADERS
            .iter()
            .filter_map(|name| text(name))
            .collect(),
        delivery: text(super::message::DELIVERY_HEADER),
    }
}

#[cfg(test)]
mod tests {
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
    fn a_copy_shows_both_its_ids() {
        let headers = "Message-ID: <theirs@mail.example>\r\nX-Google-Original-Message-ID: <one@acme.example>\r\n\
            X-Unpause-Delivery: dlv_1\r\n\r\n";
        let copy = parse_copy(headers.as_bytes());
        assert_eq!(copy.message_id.as_deref(), Some("theirs@mail.example"));
        assert_eq!(copy.original_ids, ["one@acme.example"]);
        assert_eq!(copy.delivery.as_deref(), Some("dlv_1"));
    }
}
