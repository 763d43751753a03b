//! Whether a message is the inbox's own. In folders that show more than what came, what was sent stands beside it, and
//! names the messages that it follows like an answer does.

use mail_parser::MessageParser;
use protocol::inbox::Address;

use super::arrival::parse_copy;
use crate::tag::Tags;

/// What a message's headers say of who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// A relay with our key: its id is one of ours, or it bears our mark and is from the inbox.
    Ours,
    /// Whoever has the inbox's address, by the relay or not.
    OfItsAddress,
    /// It bears our mark. Mail programs and ticket systems repeat fields of what they answer, so the mark makes it ours
    /// only where one of our inboxes wrote it, or its id is on record.
    Marked {
        /// Who wrote it, in small letters; `None` where nobody is named.
        from: Option<String>,
        /// Its id, without angle brackets.
        message_id: Option<String>,
    },
    /// Somebody else.
    Others,
}

/// Reads from these headers who wrote a message; `address` is that of the inbox in which it stands.
pub fn judge(header: &[u8], address: &Address, tags: &Tags) -> Own {
    let copy = parse_copy(header);
    let mut ids = copy.message_id.iter().chain(&copy.original_ids);
    if ids.any(|id| tags.find(id).is_some()) {
        return Own::Ours;
    }
    let from = MessageParser::default()
        .parse_headers(header)
        .and_then(|message| Some(message.from()?.first()?.address()?.trim().to_lowercase()));
    let is_inboxes = from
        .as_ref()
        .is_some_and(|from| from.eq_ignore_ascii_case(address.as_str()));
    let is_marked = copy.delivery.is_some() || copy.find_tag(tags).is_some();
    match (is_marked, is_inboxes) {
        (true, true) => Own::Ours,
        (false, true) => Own::OfItsAddress,
        (true, false) => Own::Marked {
            from,
            message_id: copy.message_id,
        },
        (false, false) => Own::Others,
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::{CampaignId, LeadId};

    use super::*;
    use crate::tag::Named;

    #[test]
    fn what_we_wrote_is_told_from_what_repeats_our_mark() {
        let jane: Address = "jane@acme.example".parse().unwrap();
        let (tags, others) = (Tags::new([1; 32]), Tags::new([2; 32]));
        let [ours, theirs] = [&tags, &others].map(|tags| {
            let (campaign, lead) = (CampaignId::new("cmp_1"), LeadId::new("led_1"));
            tags.make(&Named {
                campaign: &campaign,
                lead: &lead,
                step: 1,
                resends: 0,
            })
        });
        let marked = |message_id: Option<&str>| Own::Marked {
            from: Some("ann@a.example".to_owned()),
            message_id: message_id.map(str::to_owned),
        };
        for (header, expected) in [
            (
                "From: Jane <Jane@acme.example>\r\nIn-Reply-To: <1@a.example>".to_owned(),
                Own::OfItsAddress,
            ),
            (
                format!("From: jane@acme.example\r\nX-Correlation-ID: {ours}"),
                Own::Ours,
            ),
            (
                "From: jane@acme.example\r\nX-Unpause-Delivery: d1".to_owned(),
                Own::Ours,
            ),
            // A server that puts another of the account's addresses there, or a list that hands it out.
            (
                format!("From: Ann <ann@a.example>\r\nMessage-ID: <{ours}@acme.example>"),
                Own::Ours,
            ),
            (
                format!(
                    "From: ann@a.example\r\nMessage-ID: <x@a.example>\r\n\
                     X-Google-Original-Message-ID: <{ours}@acme.example>"
                ),
                Own::Ours,
            ),
            // An answer names our id, and does not have it.
            (
                format!(
                    "From: ann@a.example\r\nMessage-ID: <x@a.example>\r\nIn-Reply-To: <{ours}@acme.example>"
                ),
                Own::Others,
            ),
            // What answers ours and repeats its fields.
            (
                format!(
                    "From: Ann <Ann@a.example>\r\nMessage-ID: <x@a.example>\r\nX-Correlation-ID: {ours}"
                ),
                marked(Some("x@a.example")),
            ),
            (
                "From: Ann <ann@a.example>\r\nX-Unpause-Delivery: d1".to_owned(),
                marked(None),
            ),
            // A header that others write too: of another relay, of a ticket system.
            (
                format!("From: Ann <ann@a.example>\r\nX-Correlation-ID: {theirs}"),
                Own::Others,
            ),
            (
                "From: Ann <ann@a.example>\r\nX-Correlation-ID: 7".to_owned(),
                Own::Others,
            ),
            (
                "From: Ann <ann@a.example>\r\nTo: jane@acme.example".to_owned(),
                Own::Others,
            ),
            (
                "From: \"jane@acme.example\" <ann@a.example>".to_owned(),
                Own::Others,
            ),
            ("Subject: Hello".to_owned(), Own::Others),
            (String::new(), Own::Others),
        ] {
            let header = format!("{header}\r\n\r\n");
            assert_eq!(judge(header.as_bytes(), &jane, &tags), expected, "{header}");
        }
    }
}
