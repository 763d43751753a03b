//! What a `FETCH` response tells about a message. Which messages are asked for is decided in `imap`.

use jiff::fmt::strtime;
use protocol::timestamp::Timestamp;

use super::reading::{Data, Unreadable};
use super::value::Value;

/// The head of a message in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its unique id in the folder (RFC 9051 §2.3.1.1).
    pub uid: u32,
    /// Size of the whole message; `None` where the server tells no number.
    pub size_bytes: Option<u64>,
    /// When the server took it (RFC 9051 §2.3.3); `None` where it tells no date.
    pub internal_date: Option<Timestamp>,
    /// The header as it stands, any bytes, with the empty line where it is not cut off.
    pub bytes: Vec<u8>,
}

/// What one `FETCH` response holds of the items that the relay asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The unique id.
    pub uid: Option<u32>,
    /// `RFC822.SIZE`; `None` also where it is no number.
    pub size_bytes: Option<u64>,
    /// `INTERNALDATE`; `None` also where it is no date.
    pub internal_date: Option<Timestamp>,
    /// The only `BODY[…]` item; `None` where there is none or it is `NIL`.
    pub body: Option<Vec<u8>>,
}

impl Fetched {
    /// Reads a `FETCH` response (RFC 9051 §7.5.2). Items that were not asked for are passed over: the server may send
    /// flags whenever it likes (§5.2). So is what can mean one thing only: items in parentheses of their own, an item
    /// without a value before the next one, a list without its end.
    pub fn parse(data: &Data) -> Result<Self, Unreadable> {
        let values = data.open_values()?;
        let Some(Value::List(items)) = values.first() else {
            return Err(data.unreadable());
        };
        let mut fetched = Self::default();
        fetched.read_items(items).ok_or_else(|| data.unreadable())?;
        Ok(fetched)
    }

    /// Reads items and their values; `None` where they mean nothing.
    fn read_items(&mut self, items: &[Value]) -> Option<()> {
        let mut items = items.iter().peekable();
        while let Some(item) = items.next() {
            if let Value::List(own) = item {
                self.read_items(own)?;
                continue;
            }
            let item = item.text()?.to_ascii_uppercase();
            let value = items.next_if(|value| !is_item(value));
            match (item.as_str(), value) {
                ("UID", value) => {
                    self.uid = Some(value?.number().filter(|uid| *uid > 0)?);
                }
                ("RFC822.SIZE", Some(value)) => self.size_bytes = value.number(),
                ("INTERNALDATE", Some(value)) => {
                    self.internal_date = value.text().and_then(parse_date);
                }
                (item, Some(value)) if item.starts_with("BODY[") && !value.is_nil() => {
                    self.body = Some(value.bytes()?.to_vec());
                }
                _ => {}
            }
        }
        Some(())
    }

    /// A header, where this response brings one.
    pub fn into_header(self) -> Option<Header> {
        let Self {
            uid,
            size_bytes,
            internal_date,
            body,
        } = self;
        Some(Header {
            uid: uid?,
            size_bytes,
            internal_date,
            bytes: body?,
        })
    }
}

/// Whether a value is the name of the next item: a word, and one that is asked for. No such word is the value of any.
fn is_item(value: &Value) -> bool {
    let Value::Atom(word) = value else {
        return false;
    };
    let opens = word
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"BODY["));
    opens
        || [&b"UID"[..], b"RFC822.SIZE", b"INTERNALDATE", b"FLAGS"]
            .iter()
            .any(|item| word.eq_ignore_ascii_case(item))
}

/// `date-time` (RFC 9051 §9), as in `17-Jul-1996 02:44:25 -0700`; a day below 10 has a space in
/// front.
fn parse_date(text: &str) -> Option<Timestamp> {
    let parsed = strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    Some(Timestamp::from_ms(
        parsed.to_timestamp().ok()?.as_millisecond(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::framing::Piece;
    use crate::imap::reading::{Response, parse_response};

    fn parse(line: &str) -> Result<Fetched, Unreadable> {
        match parse_response(vec![Piece::Line(line.into())]) {
            Ok(Response::Data(data)) => Fetched::parse(&data),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_asked_is_read_and_the_rest_passed_over() {
        let line = "* 3 FETCH (MODSEQ (5) uid 9 RFC822.SIZE 120 FLAGS (\\Seen) EMAILID (M1) \
                    INTERNALDATE \" 7-Jul-1996 02:44:25 -0700\" BODY[HEADER]<0> \"To: x\")";
        assert_eq!(
            parse(line),
            Ok(Fetched {
                uid: Some(9),
                size_bytes: Some(120),
                // 1996-07-07T09:44:25Z
                internal_date: Some(Timestamp::from_ms(836_732_665_000)),
                body: Some(b"To: x".to_vec()),
            })
        );
    }

    #[test]
    fn an_odd_size_or_date_costs_no_message() {
        let line = "* 3 FETCH (UID 9 RFC822.SIZE -1 INTERNALDATE \"00-Jan-0000 00:00:00 +0000\" \
                    BODY[HEADER] \"\")";
        let header = parse(line).unwrap().into_header().unwrap();
        assert_eq!(
            (header.uid, header.size_bytes, header.internal_date),
            (9, None, None)
        );
    }

    #[test]
    fn a_response_without_a_body_is_no_header() {
        for line in [
            "* 3 FETCH (UID 9 FLAGS (\\Seen))",
            "* 3 FETCH (UID 9 BODY[HEADER] NIL)",
        ] {
            assert_eq!(parse(line).unwrap().into_header(), None, "{line}");
        }
    }

    #[test]
    fn what_can_mean_one_thing_only_is_read() {
        for line in [
            "* 3 FETCH (UID 9 (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 120) BODY[HEADER]<0> \"To: x\")",
            "* 3 FETCH ((UID 9 BODY[HEADER]<0> \"To: x\"))",
            "* 3 FETCH (UID 9 RFC822.SIZE INTERNALDATE BODY[HEADER]<0> \"To: x\")",
            "* 3 FETCH (UID 9 FLAGS BODY[HEADER]<0> \"To: x\")",
            "* 3 FETCH (UID 9 BODY[HEADER]<0> \"To: x\"",
            "* 3 FETCH (UID 9 BODY[HEADER]<0> \"To: x\"))",
        ] {
            let header = parse(line).unwrap().into_header().unwrap();
            assert_eq!((header.uid, header.bytes), (9, b"To: x".to_vec()), "{line}");
        }
        for line in [
            "* 3 FETCH (UID 9 BODY[HEADER])",
            "* 3 FETCH (UID 9 BODY[HEADER]<0> RFC822.SIZE 20)",
            "* 3 FETCH (BODY[HEADER]<0> UID 9",
        ] {
            let fetched = parse(line).unwrap();
            assert_eq!((fetched.uid, fetched.body), (Some(9), None), "{line}");
        }
    }

    #[test]
    fn a_broken_response_is_an_error_and_no_missing_message() {
        for line in [
            "* 3 FETCH",
            "* 3 FETCH (UID)",
            "* 3 FETCH (UID 0)",
            "* 3 FETCH (UID x BODY[HEADER] \"\")",
            "* 3 FETCH (UID 9 BODY[HEADER] (a))",
            "* 3 FETCH ((UID) 9)",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
