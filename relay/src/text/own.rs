//! Whether a message is the inbox's own. In folders that show more than what came, what was sent stands beside it, and
//! names the messages that it follows like an answer does.

use mail_parser::MessageParser;
use protocol::inbox::Address;

use super::arrival::parse_copy;

/// Whether these headers are of a message that the inbox itself wrote: a copy of one of ours, or one from its address.
pub fn is_own(header: &[u8], address: &Address) -> bool {
    if parse_copy(header).delivery.is_some() {
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
    use super::*;

    #[test]
    fn what_the_inbox_wrote_is_told_from_what_came() {
        let jane: Address = "jane@acme.example".parse().unwrap();
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
            ("Subject: Hello\r\n\r\n", false),
            ("", false),
        ] {
            assert_eq!(is_own(header.as_bytes(), &jane), expected, "{header}");
        }
    }
}
