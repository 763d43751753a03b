//! What a submission server says: replies in any portions, the id and the offer in them, and the cause that is
//! found in them.

use protocol::cause::classify;
use protocol::evidence::{Evidence, Party, Said, Stage};
use protocol::provider::ProviderId;
use protocol::reply::SmtpReply;
use protocol::timestamp::Timestamp;
use relay::smtp::reading::{Offer, ReplyBuffer, find_wire_id};

use crate::{chunks, cost};

/// What the relay takes from a socket at once.
const PORTION_BYTES: usize = 4 * 1024;

/// The longest line of a reply (`relay/src/smtp/reading.rs`).
const LINE_AT_MOST_BYTES: usize = 4 * 1024;

/// The stages at which a reply is judged.
const STAGES: [Stage; 6] = [
    Stage::Greeting,
    Stage::Auth,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Body,
];

pub(super) fn run(bytes: &[u8]) {
    let mut ways = chunks::ways(bytes, PORTION_BYTES).into_iter();
    let usual = ways.next().unwrap_or_default();
    // A line costs its bytes, its text, and a place in a list that doubles.
    let heard = cost::bounded(bytes, 64 * 1024, 64, || read(&usual));
    for portions in ways {
        let again = read(&portions);
        assert_eq!(
            again, heard,
            "the same bytes in other portions are other replies"
        );
    }
    for reply in &heard.replies {
        check(reply);
    }
}

/// What was read before the end, or before what is no reply.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    replies: Vec<SmtpReply>,
    is_broken: bool,
}

fn read(portions: &[&[u8]]) -> Heard {
    let mut heard = Heard {
        replies: Vec::new(),
        is_broken: false,
    };
    let mut buffer = ReplyBuffer::default();
    for portion in portions {
        buffer.push(portion);
        loop {
            match buffer.take_reply() {
                Ok(None) => break,
                Ok(Some(raw)) => {
                    let reply = raw.to_reply();
                    check_class(&raw.render_class(), &reply);
                    heard.replies.push(reply);
                }
                Err(broken) => {
                    let detail = broken.detail;
                    let says_both = detail.starts_with("expected ") && detail.contains(", found ");
                    assert!(says_both && detail.len() <= 500, "{detail}");
                    assert!(!detail.contains(char::is_control), "{detail:?}");
                    heard.is_broken = true;
                    return heard;
                }
            }
        }
    }
    heard
}

/// What lettre is given instead of a reply is one itself, of the same class.
fn check_class(bytes: &[u8], reply: &SmtpReply) {
    let mut buffer = ReplyBuffer::default();
    buffer.push(bytes);
    let class = buffer.take_reply().ok().flatten().map(|raw| raw.to_reply());
    assert_eq!(
        class.map(|class| class.code / 100),
        Some(reply.code / 100),
        "{reply:?}"
    );
    assert!(buffer.is_empty());
}

fn check(reply: &SmtpReply) {
    assert!((200..600).contains(&reply.code), "{reply:?}");
    // People read it on a card and at a terminal.
    assert!(
        !reply.text.chars().any(|c| c.is_control() && c != '\n'),
        "{reply:?}"
    );
    let rendered = render(reply);
    // A byte that is no UTF-8 is three bytes when it is written again, which may be more than is taken.
    if rendered.len() <= LINE_AT_MOST_BYTES {
        assert_eq!(parse(&rendered).as_ref(), Some(reply));
    }
    if let Some(id) = find_wire_id(reply) {
        assert!(
            reply.code / 100 == 2 && reply.text.contains(&id),
            "{id} {reply:?}"
        );
        let inside = id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        let is_left_side = inside.is_none()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let inside = inside.unwrap_or_default();
        let is_whole = inside.bytes().all(|byte| byte.is_ascii_graphic())
            && !inside.contains(['<', '>'])
            && inside.split('@').filter(|part| !part.is_empty()).count() == 2;
        let is_id = is_left_side || is_whole;
        assert!(is_id, "{id}");
    }
    let offer = Offer::parse(reply);
    assert!(offer.size_at_most.is_none_or(|size| size > 0));
    for mechanism in &offer.auth {
        assert!(
            offer.has("AUTH") && offer.has_auth(mechanism),
            "{mechanism}"
        );
    }
    for stage in STAGES {
        let evidence = Evidence {
            party: Party::Smtp,
            stage,
            said: Said::Smtp(reply.clone()),
            provider: ProviderId::new("openid"),
            seen_at: Timestamp::from_ms(0),
        };
        assert_eq!(classify(&evidence), classify(&evidence));
    }
}

/// A reply as a server would write it.
fn render(reply: &SmtpReply) -> Vec<u8> {
    let lines: Vec<&str> = reply.text.split('\n').collect();
    let mut bytes = Vec::new();
    for (idx, line) in lines.iter().enumerate() {
        let dash = if idx + 1 < lines.len() { '-' } else { ' ' };
        // A line that itself begins with the code has it once more in front, or it would be taken for it.
        let alone = SmtpReply::parse(reply.code, [*line]).enhanced;
        let front = match reply.enhanced {
            Some(enhanced) if idx == 0 || alone == Some(enhanced) => format!("{enhanced} "),
            _ => String::new(),
        };
        bytes.extend(format!("{}{dash}{front}{line}\r\n", reply.code).into_bytes());
    }
    bytes
}

fn parse(bytes: &[u8]) -> Option<SmtpReply> {
    let mut buffer = ReplyBuffer::default();
    buffer.push(bytes);
    buffer.take_reply().ok().flatten().map(|raw| raw.to_reply())
}
