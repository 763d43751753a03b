//! The message of one delivery, from its lead, its step and its ids. Sending it is the SMTP adapter's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, MessageBuilder, MultiPart, MultiPartBuilder, SinglePart};
use protocol::campaign::{Attachment, Step};
use protocol::id::{DeliveryId, FileId, LeadId};
use protocol::inbox::Address;
use protocol::sender::Sender;
use protocol::timestamp::Timestamp;
use sha2::{Digest as _, Sha256};

use super::attached;
use super::sequence::{self, Filled, Recipient};
use super::template::TemplateError;
use super::way_out::WayOut;
use crate::tag;

/// The header by which a message is recognised where its id was replaced. Its value is the message's tag. Many mailers
/// write a header of this name, so that a value is ours only where the tag says so.
pub const TAG_HEADER: &str = "X-Correlation-ID";

/// The header that earlier versions wrote, with the delivery's id; messages whose ids are of those versions bear it
/// still.
pub const DELIVERY_HEADER: &str = "X-Unpause-Delivery";

/// The longest subject. A line is at most 998 bytes (RFC 5322 §2.1.1), and a subject without a space cannot be
/// folded; this leaves room for the header's name and for `Re: `.
pub const SUBJECT_BYTES_MAX: usize = 900;

/// The contents of files.
pub type Files = BTreeMap<FileId, Arc<Vec<u8>>>;

/// Everything that a message is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The inbox.
    pub from: &'a Address,
    /// How it presents itself in this campaign.
    pub sender: &'a Sender,
    /// The lead's address.
    pub to: &'a Address,
    /// The lead.
    pub lead: &'a LeadId,
    /// The lead's fields.
    pub fields: &'a Arc<BTreeMap<String, String>>,
    /// The campaign's steps.
    pub steps: &'a [Step],
    /// Which of them, from 0.
    pub step_idx: usize,
    /// The delivery.
    pub delivery: &'a DeliveryId,
    /// Its message id, without angle brackets.
    pub message_id: &'a str,
    /// The contents of its files.
    pub files: &'a Files,
    /// The ids of the steps before, oldest first.
    pub thread: &'a [String],
    /// When it is written.
    pub date: Timestamp,
    /// How it says to be written to no more; `None` where it does not.
    pub way_out: Option<&'a WayOut>,
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The template does not fit the lead.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What programs decode.
    #[error(
        "expected a subject without =?, which programs take for the beginning of an encoded word, found it"
    )]
    Encoded,
    /// The subject has a character that nobody sees, or a line end.
    #[error("expected a subject of characters that are seen, on one line, found {}", .found.escape_unicode())]
    Hidden {
        /// The character.
        found: char,
    },
    /// The subject does not fit into a line.
    #[error("expected a subject of at most {SUBJECT_BYTES_MAX} bytes, found {found}")]
    Subject {
        /// Its bytes.
        found: usize,
    },
    /// The campaign has no such step.
    #[error("the campaign has no step {number}")]
    NoStep {
        /// From 1.
        number: usize,
    },
    /// An address does not fit a header.
    #[error("{address} cannot stand in a message header")]
    Address {
        /// The address.
        address: String,
    },
    /// A file of it is not kept.
    #[error("there is no file {file} any more")]
    NoFile {
        /// The file.
        file: FileId,
    },
    /// The builder refused.
    #[error("the message cannot be written: {detail}")]
    Builder {
        /// Its words.
        detail: String,
    },
}

/// The bytes of the message (RFC 5322), with CRLF line ends; 7-bit but for an address whose local part goes
/// beyond ASCII (RFC 6532). The same parts make the same bytes.
pub fn compose(parts: &Parts<'_>) -> Result<Vec<u8>, MessageError> {
    let to = Recipient {
        id: parts.lead,
        fields: parts.fields,
    };
    let filled = sequence::fill(parts.steps, parts.step_idx, to, parts.sender)?;
    write(parts, filled)
}

/// The bytes of the message whose texts are filled already.
pub fn write(parts: &Parts<'_>, filled: Filled) -> Result<Vec<u8>, MessageError> {
    let date = std::time::UNIX_EPOCH
        + std::time::Duration::from_millis(u64::try_from(parts.date.as_ms()).unwrap_or(0));
    let mut builder = MessageBuilder::new()
        .from(mailbox(parts.sender.name.clone(), parts.from)?)
        .to(mailbox(None, parts.to)?)
        .subject(filled.subject.clone())
        .date(date)
        .message_id(Some(format!("<{}>", parts.message_id)))
        // RFC 2045 §4: without it the type and the encoding below mean nothing.
        .header(MIME_VERSION_1_0);
    if let Some(reply_to) = &parts.sender.reply_to {
        builder = builder.reply_to(mailbox(parts.sender.name.clone(), reply_to)?);
    }
    // The same message bears the same marks at every attempt, also where an earlier version made the first one.
    builder = match tag_of(parts.message_id) {
        Some(tag) => builder.header(TagHeader(tag.to_owned())),
        None => builder.header(DeliveryHeader(parts.delivery.to_string())),
    };
    // Of some ids only the left side is known, which no header can bear.
    let thread = parts.thread.iter().filter(|id| id.contains('@'));
    if let Some(parent) = thread.clone().next_back() {
        // RFC 5322 §3.6.4; the server's own name for a message stands last, where readers look first.
        let all: Vec<String> = thread.map(|id| format!("<{id}>")).collect();
        builder = builder
            .in_reply_to(format!("<{parent}>"))
            .references(all.join(" "));
    }
    if let Some(way_out) = parts.way_out {
        builder = way_out.add_to(builder);
    }
    let files = parts.steps.get(parts.step_idx);
    let files = files.map_or(&[][..], |step| step.files.as_slice());
    let built = if filled.html.is_none() && files.is_empty() {
        builder.header(ContentType::TEXT_PLAIN).body(filled.text)
    } else {
        builder.multipart(write_parts(parts, filled, files)?)
    };
    let message = built.map_err(|error| MessageError::Builder {
        detail: error.to_string(),
    })?;
    Ok(message.formatted())
}

/// Text and HTML, the plainest first (RFC 2046 §5.1.4); beside the HTML what it shows (RFC 2387), and around all of it
/// what is attached.
fn write_parts(
    parts: &Parts<'_>,
    filled: Filled,
    files: &[Attachment],
) -> Result<MultiPart, MessageError> {
    let write_file = |file: &Attachment| {
        let content = parts.files.get(&file.file_id);
        let written = content.and_then(|content| attached::write_part(file, content));
        written.ok_or_else(|| MessageError::NoFile {
            file: file.file_id.clone(),
        })
    };
    let (shown, attached): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.cid.is_some());
    let begin = |kind: MultiPartBuilder, level| kind.boundary(boundary(parts.message_id, level));
    let plain = SinglePart::plain(filled.text);
    let texts = match filled.html {
        None => None,
        Some(html) => {
            let alternative = begin(MultiPart::alternative(), 1).singlepart(plain.clone());
            let html = SinglePart::html(html);
            Some(if shown.is_empty() {
                alternative.singlepart(html)
            } else {
                let mut related = begin(MultiPart::related(), 2).singlepart(html);
                for file in shown {
                    related = related.singlepart(write_file(file)?);
                }
                alternative.multipart(related)
            })
        }
    };
    let mut mixed = match (texts, attached.is_empty()) {
        (Some(texts), true) => return Ok(texts),
        (Some(texts), false) => begin(MultiPart::mixed(), 3).multipart(texts),
        (None, _) => begin(MultiPart::mixed(), 3).singlepart(plain),
    };
    for file in attached {
        mixed = mixed.singlepart(write_file(file)?);
    }
    Ok(mixed)
}

/// No fewer bytes than the message of these texts will have with everything encoded: every byte may need three
/// (RFC 2045 §6.7), a line of 76 three more, and a word of a header line its frame (RFC 2047 §2).
pub fn write_size_at_most(filled: &Filled, sender: &Sender, files: &Files) -> u64 {
    /// Header fields, and what stands around parts.
    const FRAME_BYTES: usize = 4 * 1024;
    let texts = filled.text.len() + filled.html.as_ref().map_or(0, String::len);
    let lines = [Some(&filled.text), filled.html.as_ref()];
    let n_breaks: usize = lines
        .into_iter()
        .flatten()
        .map(|text| text.matches('\n').count())
        .sum();
    let names = filled.subject.len() + 2 * sender.name.as_ref().map_or(0, String::len);
    let encoded = texts * 3 + texts * 3 / 24 + n_breaks * 2 + names * 6;
    let attached: u64 = files
        .values()
        .map(|content| attached::size_at_most(content))
        .sum();
    (encoded + FRAME_BYTES) as u64 + attached
}

/// What stands between the parts of a message: the same at every attempt, and nothing that stands in one, since no
/// encoding writes `=_` (RFC 2045 §6.7) and nobody who fills a cell knows the id.
fn boundary(message_id: &str, level: u8) -> String {
    let digest = Sha256::digest(format!("boundary\n{level}\n{message_id}"));
    let mut text = "=_".to_owned();
    for byte in digest.iter().take(16) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether a message can have this subject, which is filled already.
pub fn check_subject(subject: &str) -> Result<(), MessageError> {
    let found = subject.len();
    if found > SUBJECT_BYTES_MAX {
        return Err(MessageError::Subject { found });
    }
    let breaks = subject.chars().find(|c| matches!(c, '\n' | '\r'));
    match breaks.or_else(|| super::field::find_hidden(subject)) {
        Some(found) => Err(MessageError::Hidden { found }),
        // An encoded word (RFC 2047 §2) would be shown as what it stands for, which nobody has looked at.
        None if subject.contains("=?") => Err(MessageError::Encoded),
        None => Ok(()),
    }
}

/// The address as servers are told it: where the domain alone goes beyond ASCII, its A-label (RFC 5890 §2.3.2.1)
/// stands in its place, which servers without SMTPUTF8 take too. A local part beyond ASCII has no such form, and a
/// domain that is no name of the DNS stays as it is.
pub fn to_wire(address: &Address) -> Address {
    address
        .as_str()
        .rsplit_once('@')
        .filter(|(local, domain)| local.is_ascii() && !domain.is_ascii())
        .and_then(|(local, domain)| {
            let ascii = idna::domain_to_ascii(domain).ok()?;
            format!("{local}@{ascii}").parse().ok()
        })
        .unwrap_or_else(|| address.clone())
}

/// An address or a domain as the list of those who are not written to has it: small letters, the domain as an A-label.
pub fn to_listed(whom: &str) -> String {
    let (local, domain) = match whom.rsplit_once('@') {
        Some((local, domain)) => (format!("{}@", local.to_lowercase()), domain),
        None => (String::new(), whom),
    };
    let domain = domain.trim_end_matches('.');
    let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
    format!("{local}{ascii}")
}

fn mailbox(name: Option<String>, address: &Address) -> Result<Mailbox, MessageError> {
    let parsed = to_wire(address)
        .as_str()
        .parse()
        .map_err(|_| MessageError::Address {
            address: address.to_string(),
        })?;
    Ok(Mailbox::new(name, parsed))
}

/// The tag in a message id that has one.
fn tag_of(message_id: &str) -> Option<&str> {
    let (local, _) = message_id.split_once('@')?;
    tag::has_form(local).then_some(local)
}

/// [`TAG_HEADER`] as the builder wants it.
#[derive(Clone)]
struct TagHeader(String);

impl Header for TagHeader {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str(TAG_HEADER)
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// [`DELIVERY_HEADER`] as the builder wants it.
#[derive(Clone)]
struct DeliveryHeader(String);

impl Header for DeliveryHeader {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str(DELIVERY_HEADER)
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Step> {
        let step = |subject: &str, body: &str| Step {
            subject: subject.into(),
            body: body.into(),
            wait_ms: 0,
            ..Step::default()
        };
        vec![
            step("Hello {{name}}", "Grüße, {{name}}"),
            step("", "Again, {{name}}"),
        ]
    }

    fn composed(step_idx: usize, thread: &[String]) -> String {
        let fields = Arc::new(BTreeMap::from([("name".to_owned(), "Ann".to_owned())]));
        let bytes = compose(&Parts {
            sender: &Sender::default(),
            lead: &LeadId::new("lea_1"),
            from: &"jane@acme.example".parse().unwrap(),
            to: &"ann@a.example".parse().unwrap(),
            fields: &fields,
            steps: &steps(),
            step_idx,
            delivery: &DeliveryId::new("dlv_1"),
            message_id: "one@acme.example",
            thread,
            files: &Files::new(),
            date: Timestamp::from_ms(1_795_417_920_007),
            way_out: None,
        });
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    #[test]
    fn a_message_carries_both_its_ids_and_is_seven_bit() {
        let text = composed(0, &[]);
        assert!(text.is_ascii());
        for line in [
            "From: jane@acme.example\r\n",
            "To: ann@a.example\r\n",
            "Subject: Hello Ann\r\n",
            "Message-ID: <one@acme.example>\r\n",
            "X-Unpause-Delivery: dlv_1\r\n",
            "Date: Mon, 23 Nov 2026 07:12:00 +0000\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }

    #[test]
    fn a_domain_beyond_ascii_is_written_as_its_a_label() {
        // The A-labels are those that the registries show.
        for (address, expected) in [
            ("info@müller.example", "info@xn--mller-kva.example"),
            ("info@MÜLLER.example", "info@xn--mller-kva.example"),
            (
                "a@bücher.straße.example",
                "a@xn--bcher-kva.xn--strae-oqa.example",
            ),
            ("ann@a.example", "ann@a.example"),
            ("jörg@müller.example", "jörg@müller.example"),
        ] {
            let address: Address = address.parse().unwrap();
            assert_eq!(to_wire(&address).as_str(), expected);
        }
        let bytes = compose(&Parts {
            sender: &Sender::default(),
            lead: &LeadId::new("lea_1"),
            from: &"jane@bücher.example".parse().unwrap(),
            to: &"info@müller.example".parse().unwrap(),
            fields: &Arc::new(BTreeMap::from([("name".to_owned(), "Ann".to_owned())])),
            steps: &steps(),
            step_idx: 0,
            delivery: &DeliveryId::new("dlv_1"),
            message_id: "one@acme.example",
            thread: &[],
            files: &Files::new(),
            date: Timestamp::from_ms(0),
            way_out: None,
        });
        let text = String::from_utf8(bytes.unwrap()).unwrap();
        assert!(text.is_ascii(), "{text}");
        assert!(
            text.contains("From: jane@xn--bcher-kva.example\r\n"),
            "{text}"
        );
        assert!(
            text.contains("To: info@xn--mller-kva.example\r\n"),
            "{text}"
        );
    }

    #[test]
    fn what_a_cell_holds_ends_no_line_but_its_own() {
        let cell = "A\r\nB\rBcc: c\nD\0\u{1b}\tE".to_owned();
        let fields = Arc::new(BTreeMap::from([("name".to_owned(), cell)]));
        let bytes = compose(&Parts {
            sender: &Sender::default(),
            lead: &LeadId::new("lea_1"),
            from: &"jane@acme.example".parse().unwrap(),
            to: &"ann@a.example".parse().unwrap(),
            fields: &fields,
            steps: &steps(),
            step_idx: 0,
            delivery: &DeliveryId::new("dlv_1"),
            message_id: "one@acme.example",
            thread: &[],
            files: &Files::new(),
            date: Timestamp::from_ms(0),
            way_out: None,
        });
        let text = String::from_utf8(bytes.unwrap()).unwrap();
        assert!(
            text.contains("\r\nSubject: Hello A B Bcc: c D  \tE\r\n"),
            "{text}"
        );
        let bare = text.replace("\r\n", "");
        assert!(!bare.contains(['\r', '\n', '\0', '\u{1b}']), "{text}");
    }

    #[test]
    fn a_subject_that_fits_into_no_line_is_refused() {
        assert_eq!(check_subject(&"x".repeat(SUBJECT_BYTES_MAX)), Ok(()));
        let found = SUBJECT_BYTES_MAX + 1;
        assert_eq!(
            check_subject(&"x".repeat(found)),
            Err(MessageError::Subject { found })
        );
    }

    #[test]
    fn a_follow_up_names_its_thread_with_the_servers_id_last() {
        let text = composed(
            1,
            &[
                "ours@acme.example".to_owned(),
                "theirs@mail.example".to_owned(),
            ],
        );
        assert!(text.contains("Subject: Re: Hello Ann\r\n"), "{text}");
        assert!(
            text.contains("In-Reply-To: <theirs@mail.example>\r\n"),
            "{text}"
        );
        assert!(
            text.contains("References: <ours@acme.example> <theirs@mail.example>\r\n"),
            "{text}"
        );
    }

    #[test]
    fn an_id_of_which_only_one_side_is_known_is_named_nowhere() {
        let thread = ["ours@acme.example".to_owned(), "0100018c-0000".to_owned()];
        let text = composed(1, &thread);
        assert!(
            text.contains("In-Reply-To: <ours@acme.example>\r\n"),
            "{text}"
        );
        assert!(!text.contains("0100018c-0000"), "{text}");
    }
}
