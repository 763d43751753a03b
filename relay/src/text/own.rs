//! Whether a message is the inbox's own. In folders that show more than what came, what was sent stands beside it, and
//! names the messages that it follows like an answer does.

use mail_parser::MessageParser;
use protocol::inbox::Address;

use super::arrival::parse_copy;
use crate::tag::Tags;

/// Whether these headers are of a message that a relay with our key wrote.
pub fn is_tagged(header: &[u8], tags: &Tags) -> bool {
    let copy = parse_copy(header);
    copy.delivery.is_some() || copy.find_tag(tags).is_some()
}

/// Whether these headers are of a message that the inbox itself wrote: a copy of one of ours, or one from its address.
pub fn is_own(header: &[u8], address: &Address, tags: &Tags) -> bool {
    if is_tagged(header, tags) {
        return true;
    }
    let Some(message) = MessageParser::default().parse_headers(header) else {
        return false;
    };
    message
        .from()
        .and_then(|from| from.first())
        .and_then(|from| from.address())
        .is_some_and(|from| from.eq_ignore_ascii_case(address.as_str()))
}

#[cfg(test)]
mod tests {
    use protocol::id::{CampaignId, LeadId};

    use super::*;
    use crate::tag::Named;

    #[test]
    fn what_the_inbox_wrote_is_told_from_what_came() {
        let jane: Address = "jane@acme.example".parse().unwrap();
        let (tags, others) = (Tags::new([1; 32]), Tags::new([2; 32]));
        let [ours, theirs] = [&tags, &others].map(|tags| {
            let (campaign, lead) = (CampaignId::new("cmp_1"), LeadId::new("led_1"));
            let named = Named {
                campaign: &campaign,
                lead: &lead,
                step: 1,
                resends: 0,
            };
            format!(
                "From: Ann <ann@a.example>\r\nX-Correlation-ID: {}\r\n\r\n",
                tags.make(&named)
            )
        });
        for (header, expected) in [
            (
                "From: Jane <Jane@acme.example>\r\nIn-Reply-To: <1@a.example>\r\n\r\n",
                true,
            ),
            ("From: jane@acme.example\r\n\r\n", true),
            (
                "From: Ann <ann@a.example>\r\nX-Unpause-Delivery: d1\r\n\r\n",
                true,
            ),
            (
                "From: Ann <ann@a.example>\r\nTo: jane@acme.example\r\n\r\n",
                false,
            ),
            ("From: \"jane@acme.example\" <ann@a.example>\r\n\r\n", false),
            (&ours, true),
            // A header that others write too: of another relay, of a ticket system.
            (&theirs, false),
            (
                "From: Ann <ann@a.example>\r\nX-Correlation-ID: 7\r\n\r\n",
                false,
            ),
            ("Subject: Hello\r\n\r\n", false),
            ("", false),
        ] {
            assert_eq!(
                is_own(header.as_bytes(), &jane, &tags),
                expected,
                "{header}"
            );
        }
    }
}
