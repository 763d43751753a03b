//! What a message that arrived in INBOX is to us: a person's answer to one of our messages, a bounce of one, a
//! complaint about one, or nothing. Whether the ids and addresses it names are ours is the store's to say, and whether
//! we wrote it ourselves is `own`'s.
//!
//! ```text
//! a report, a server, a program ─→ complaint │ bounce │ nothing (a delay, a receipt, a challenge)
//! the rest ─→ an automatic answer │ an answer
//! ```

mod address;
mod answer;
mod automatic;
pub mod away;
mod bounce;
mod challenge;
mod complaint;
mod head;
pub mod letter;
mod notice;
mod parts;
mod status;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::HashSet;

use mail_parser::{HeaderValue, MessageParser};
use protocol::id::DeliveryId;
use protocol::timestamp::Timestamp;

pub use answer::{Answer, is_about};
pub use bounce::{Bounce, Diagnostic, Failure, Hardness};
use bounce::{Form, Found};
use head::Head;
use parts::Body;

use super::way_out;
use crate::tag::{self, Tags};

/// Ids of one message that are looked up. Threads have some dozens; each look-up costs a query, and anybody may
/// send a message that names thousands.
const IDS_MAX: usize = 100;

/// Addresses of one report that are looked up, for the same reason.
const ADDRESSES_MAX: usize = 20;

/// What an arrived message says of the messages that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Somebody may have answered.
    Reply(Answer),
    /// A program answered for somebody: it stops nobody, and may say until when its person is away.
    Automatic(Answer),
    /// A message came back for good: a DSN (RFC 3464), or what servers write instead.
    Bounce(Box<Bounce>),
    /// A recipient called a message abuse (RFC 5965).
    Complaint(Named),
    /// It speaks of none.
    Other,
}

/// What a report shows of the message that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its ids, and those of its thread, without angle brackets.
    pub ids: Vec<String>,
    /// The delivery header of earlier versions.
    pub delivery: Option<String>,
    /// What may be a tag of ours.
    pub tag: Option<String>,
    /// The recipients that the report is about, in small letters.
    pub addresses: Vec<String>,
    /// Its subject; `None` where none is shown.
    pub subject: Option<String>,
}

impl Arrival {
    /// The ids and texts of messages of ours that it may name, and the addresses that it is from or about, in small letters.
    pub fn named(&self) -> (Vec<&String>, Vec<&String>) {
        match self {
            Self::Reply(answer) => (
                answer.to.iter().collect(),
                answer.from.iter().chain(&answer.reply_to).collect(),
            ),
            Self::Bounce(bounce) => bounce.of.named(),
            Self::Complaint(named) => named.named(),
            Self::Automatic(_) | Self::Other => (Vec::new(), Vec::new()),
        }
    }
}

impl Named {
    fn named(&self) -> (Vec<&String>, Vec<&String>) {
        (
            self.ids.iter().chain(&self.tag).collect(),
            self.addresses.iter().collect(),
        )
    }
}

/// A message of the sent folder, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// Its `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// What the server keeps of an id that it replaced.
    pub original_ids: Vec<String>,
    /// The header of earlier versions, with the delivery's id.
    pub delivery: Option<String>,
    /// The header that may bear a tag of ours.
    pub tag: Option<String>,
    /// The recipients, in small letters.
    pub to: Vec<String>,
    /// When it was written, by its sender's clock (RFC 5322 §3.6.1), in whole seconds; `None` where it does not tell.
    pub written_at: Option<Timestamp>,
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
            || self.tag.as_deref().is_some_and(tag::has_form)
            || self.message_id.as_ref().is_some_and(known)
            || self.original_ids.iter().any(known)
    }

    /// Whether it is the copy of this delivery, whose message we gave this id.
    pub fn is_of(&self, id: &DeliveryId, message_id: &str) -> bool {
        self.message_id.as_deref() == Some(message_id)
            || self.original_ids.iter().any(|kept| kept == message_id)
            || self.delivery.as_deref() == Some(id.as_str())
            || self.tag.as_ref().is_some_and(|tag| {
                let local = message_id.split_once('@').map(|(local, _)| local);
                tag::has_form(tag) && local.is_some_and(|local| local.eq_ignore_ascii_case(tag))
            })
    }

    /// The tag of ours that it bears, wherever it stands.
    pub fn find_tag(&self, tags: &Tags) -> Option<String> {
        let texts = self.tag.iter().chain(&self.message_id);
        texts
            .chain(&self.original_ids)
            .find_map(|text| tags.find(text))
    }
}

/// The person whom the subject of a message lets out of every campaign: it bears a way out of ours, whoever sent it.
pub fn find_way_out(headers: &[u8], tags: &Tags) -> Option<String> {
    Head::parse(headers).and_then(|head| way_out::find_in_subject(head.subject(), tags))
}

/// Whether a whole answer is nothing but the wish to be written to no more, above what it quotes.
pub fn asks_for_way_out(message: &[u8]) -> bool {
    let words = Body::read(message).words;
    let first = words.iter().find(|words| !words.trim().is_empty());
    first.is_some_and(|words| way_out::asks(words))
}

/// Whether a message's headers make it worth reading whole: it may be a bounce, or something else that only its
/// parts and words tell.
pub fn may_be_bounce(headers: &[u8]) -> bool {
    Head::parse(headers).is_some_and(|head| is_read_whole(&head))
}

fn is_read_whole(head: &Head<'_>) -> bool {
    let kind = head.kind();
    let from_calendar = kind == "text/calendar"
        || head
            .fields()
            .any(|(_, value)| value.to_ascii_lowercase().contains("calendar"));
    kind == "multipart/report"
        || from_calendar
        || bounce::form(head) != Form::Ordinary
        || complaint::may_be(head)
        || challenge::may_be(head)
}

/// What a whole message, or its headers alone, says.
pub fn parse(bytes: &[u8]) -> Arrival {
    let Some(head) = Head::parse(bytes) else {
        return Arrival::Other;
    };
    let mut answers_by_calendar = false;
    if is_read_whole(&head) {
        let body = Body::read(bytes);
        if let Some(of) = complaint::find(&head, &body) {
            return Arrival::Complaint(of);
        }
        // RFC 5965 §2 of something else, RFC 8098 §3: neither is anybody's answer.
        if !body.feedback.is_empty() || body.has_disposition || is_other_report(&head) {
            return Arrival::Other;
        }
        match bounce::find(&head, &body, bounce::form(&head)) {
            Found::Bounce(bounce) => return Arrival::Bounce(Box::new(bounce)),
            Found::NoFailure => return Arrival::Other,
            Found::Nothing => {}
        }
        if challenge::is_one(&head, &body.words) {
            return Arrival::Other;
        }
        answers_by_calendar = body.answers_by_calendar;
    }
    if bounce::form(&head) == Form::Server {
        return Arrival::Other;
    }
    let is_automatic = automatic::is_automatic(&head);
    match answer::find(&head, answers_by_calendar) {
        Some(answer) if is_automatic => Arrival::Automatic(answer),
        Some(answer) => Arrival::Reply(answer),
        None => Arrival::Other,
    }
}

/// RFC 6522 §3: a report of something else than deliveries.
fn is_other_report(head: &Head<'_>) -> bool {
    head.kind() == "multipart/report" && bounce::form(head) == Form::Ordinary
        || head.kind() == "message/disposition-notification"
}

/// Those that can be ids of ours, each once. Where there are too many, the first and the last: a thread begins
/// with our message, and its parent stands last (RFC 5322 §3.6.4).
fn choose(named: Vec<String>) -> Vec<String> {
    let mut chosen: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for id in named {
        if seen.insert(id.clone()) {
            chosen.push(id);
        }
    }
    if chosen.len() > IDS_MAX {
        chosen.drain(IDS_MAX / 2..chosen.len() - IDS_MAX / 2);
    }
    chosen
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
        tag: text(super::message::TAG_HEADER),
        to: Head::parse(headers).map_or_else(Vec::new, |head| head.addresses("To")),
        written_at: message
            .date()
            .map(|date| Timestamp::from_ms(date.to_timestamp().saturating_mul(1_000))),
    }
}
