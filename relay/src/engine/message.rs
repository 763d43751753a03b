//! The message of one delivery, from its lead, its step and its ids. Sending it is the SMTP adapter's.

use std::collections::BTreeMap;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use protocol::campaign::Step;
use protocol::id::DeliveryId;
use protocol::inbox::Address;
use protocol::timestamp::Timestamp;

use super::template::{self, TemplateError};

/// The header by which a delivery is recognised wherever its message turns up. Its value is the
/// delivery's id, which is random.
pub const DELIVERY_HEADER: &str = "X-Unpause-Delivery";

/// Everything that a message is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The inbox.
    pub from: &'a Address,
    /// The lead.
    pub to: &'a Address,
    /// The lead's fields.
    pub fields: &'a BTreeMap<String, String>,
    /// The campaign's steps.
    pub steps: &'a [Step],
    /// Which of them, from 0.
    pub step_idx: usize,
    /// The delivery.
    pub delivery: &'a DeliveryId,
    /// Its message id, without angle brackets.
    pub message_id: &'a str,
    /// The ids of the steps before, oldest first.
    pub thread: &'a [String],
    /// When it is written.
    pub date: Timestamp,
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The template does not fit the lead.
    #[error(transparent)]
    Template(#[from] TemplateError),
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
    /// The builder refused.
    #[error("the message cannot be written: {detail}")]
    Builder {
        /// Its words.
        detail: String,
    },
}

/// The bytes of the message (RFC 5322), 7-bit, with CRLF line ends.
pub fn compose(parts: &Parts<'_>) -> Result<Vec<u8>, MessageError> {
    let number = parts.step_idx + 1;
    let step = parts
        .steps
        .get(parts.step_idx)
        .ok_or(MessageError::NoStep { number })?;
    let body = template::render(&step.body, parts.fields)?;
    let date = std::time::UNIX_EPOCH
        + std::time::Duration::from_millis(u64::try_from(parts.date.as_ms()).unwrap_or(0));
    let mut builder = MessageBuilder::new()
        .from(mailbox(parts.from)?)
        .to(mailbox(parts.to)?)
        .subject(subject(parts)?)
        .date(date)
        .message_id(Some(format!("<{}>", parts.message_id)))
        .header(Delivery(parts.delivery.to_string()));
    if let Some(parent) = parts.thread.last() {
        // RFC 5322 §3.6.4; the server's own name for a message stands last, where readers look first.
        let all: Vec<String> = parts.thread.iter().map(|id| format!("<{id}>")).collect();
        builder = builder
            .in_reply_to(format!("<{parent}>"))
            .references(all.join(" "));
    }
    let message = builder
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|error| MessageError::Builder {
            detail: error.to_string(),
        })?;
    Ok(message.formatted())
}

/// The step's own subject, or that of the first step as an answer in its thread.
fn subject(parts: &Parts<'_>) -> Result<String, MessageError> {
    let own = parts
        .steps
        .get(parts.step_idx)
        .map(|step| step.subject.as_str())
        .filter(|subject| !subject.is_empty());
    match (own, parts.steps.first()) {
        (Some(own), _) => Ok(template::render(own, parts.fields)?),
        (None, Some(first)) if parts.step_idx > 0 => Ok(format!(
            "Re: {}",
            template::render(&first.subject, parts.fields)?
        )),
        _ => Ok(String::new()),
    }
}

fn mailbox(address: &Address) -> Result<Mailbox, MessageError> {
    let parsed = address
        .as_str()
        .parse()
        .map_err(|_| MessageError::Address {
            address: address.to_string(),
        })?;
    Ok(Mailbox::new(None, parsed))
}

/// [`DELIVERY_HEADER`] as the builder wants it.
#[derive(Clone)]
struct Delivery(String);

impl Header for Delivery {
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
        };
        vec![
            step("Hello {{name}}", "Grüße, {{name}}"),
            step("", "Again, {{name}}"),
        ]
    }

    fn composed(step_idx: usize, thread: &[String]) -> String {
        let fields = BTreeMap::from([("name".to_owned(), "Ann".to_owned())]);
        let bytes = compose(&Parts {
            from: &"jane@acme.example".parse().unwrap(),
            to: &"ann@a.example".parse().unwrap(),
            fields: &fields,
            steps: &steps(),
            step_idx,
            delivery: &DeliveryId::new("dlv_1"),
            message_id: "one@acme.example",
            thread,
            date: Timestamp::from_ms(1_795_417_920_007),
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
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
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
}
