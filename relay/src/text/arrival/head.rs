//! The head of a message, as what judges messages asks for it. It judges nothing itself.

use mail_parser::{Message, MessageParser, MimeHeaders as _};

use super::away::Written;

/// The longest id: a line (RFC 5322 §2.1.1).
const ID_BYTES_MAX: usize = 998;

/// The header fields of a message or of a part.
pub(super) struct Head<'a>(Message<'a>);

impl<'a> Head<'a> {
    /// Reads the fields in front of the first empty line; `None` where there is none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        MessageParser::default().parse_headers(bytes).map(Self)
    }

    /// The values of every field of this name as they stand, unfolded.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.fields()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| unfold(value))
            .collect()
    }

    /// The value of the first field of this name, unfolded and trimmed.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.fields()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| unfold(value))
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields()
            .any(|(found, _)| found.eq_ignore_ascii_case(name))
    }

    /// Every field with its name, as it stands.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.headers_raw()
    }

    /// `type/subtype`, in small letters; text where nothing is said (RFC 2045 §5.2).
    pub(super) fn kind(&self) -> String {
        self.0.content_type().map_or_else(
            || "text/plain".to_owned(),
            |found| {
                let subtype = found.subtype().unwrap_or_default();
                format!("{}/{subtype}", found.ctype()).to_ascii_lowercase()
            },
        )
    }

    /// An attribute of `Content-Type`, in small letters but for the boundary.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let found = self.0.content_type()?.attribute(name)?;
        Some(if name == "boundary" {
            found.to_owned()
        } else {
            found.to_ascii_lowercase()
        })
    }

    /// The decoded subject.
    pub(super) fn subject(&self) -> &str {
        self.0.subject().unwrap_or_default().trim()
    }

    /// The address of whoever wrote it, in small letters.
    pub(super) fn from(&self) -> Option<String> {
        let address = self.0.from()?.first()?.address()?;
        Some(address.trim().to_lowercase())
    }

    /// The name of whoever wrote it, in small letters.
    pub(super) fn sender_name(&self) -> String {
        let from = self.0.from().and_then(|from| from.first());
        from.and_then(|from| from.name())
            .unwrap_or_default()
            .to_lowercase()
    }

    /// The name of whoever wrote it, as it stands.
    pub(super) fn shown_name(&self) -> String {
        let from = self.0.from().and_then(|from| from.first());
        let name = from.and_then(|from| from.name()).unwrap_or_default();
        name.trim().to_owned()
    }

    /// When it was written, by the clocks of whoever wrote it (RFC 5322 §3.6.1); `None` where it does not tell.
    pub(super) fn written(&self) -> Option<Written> {
        let date = self.0.date()?;
        let year = i16::try_from(date.year).ok()?;
        let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
        let ahead = i32::from(date.tz_hour) * 3_600 + i32::from(date.tz_minute) * 60;
        Some(Written {
            day: jiff::civil::Date::new(year, month, day).ok()?,
            offset_seconds: if date.tz_before_gmt { -ahead } else { ahead },
        })
    }

    /// Every address in a field of addresses, in small letters.
    pub(super) fn addresses(&self, name: &str) -> Vec<String> {
        self.values(name)
            .iter()
            .flat_map(|value| super::address::find_all(value))
            .collect()
    }

    /// The message ids in the fields of this name.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        self.values(name)
            .iter()
            .flat_map(|value| ids_in(value))
            .collect()
    }
}

/// A folded value on one line, without what encodes it (RFC 2047).
fn unfold(value: &str) -> String {
    let value = value.trim();
    if value.contains("=?") {
        let field = format!("Subject: {value}\r\n\r\n");
        let decoded = MessageParser::default()
            .parse_headers(field.as_bytes())
            .and_then(|message| message.subject().map(str::to_owned));
        return decoded.unwrap_or_default();
    }
    value.replace(['\r', '\n'], " ")
}

/// The ids that a field names (RFC 5322 §3.6.4), without brackets: what stands in brackets, also where it was
/// folded within them; where nothing does, the words with an `@`. Old clients write a phrase beside them.
fn ids_in(value: &str) -> Vec<String> {
    let solid = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
    let bracketed: Vec<String> = value
        .split('<')
        .skip(1)
        .filter_map(|opened| opened.split_once('>').map(|(inside, _)| solid(inside)))
        .collect();
    let ids = if bracketed.is_empty() {
        value
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"'))
            .filter(|word| word.contains('@'))
            .map(str::to_owned)
            .collect()
    } else {
        bracketed
    };
    ids.into_iter()
        .filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_folded_encoded_bare_and_beside_a_phrase() {
        for (field, expected) in [
            ("<one@a.example>", vec!["one@a.example"]),
            (
                "<one\r\n @a.example> <two@a.example>",
                vec!["one@a.example", "two@a.example"],
            ),
            (
                "<one@a.example><two@a.example>",
                vec!["one@a.example", "two@a.example"],
            ),
            (
                "one@a.example, two@a.example",
                vec!["one@a.example", "two@a.example"],
            ),
            (
                "Your message of Monday <one@a.example>",
                vec!["one@a.example"],
            ),
            ("=?utf-8?q?=3Cone=40a.example=3E?=", vec!["one@a.example"]),
            ("Message of ann", vec![]),
            ("<>", vec![]),
        ] {
            let head = format!("In-Reply-To: {field}\r\n\r\n");
            let head = Head::parse(head.as_bytes()).unwrap();
            assert_eq!(head.ids("in-reply-to"), expected, "{field}");
        }
    }
}
