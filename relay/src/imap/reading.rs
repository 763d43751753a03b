//! What one response of the server says (RFC 9051 §7), as far as the relay asks. It reads more than
//! the grammar allows where the meaning is plain (bytes that are not ASCII, a missing text, unknown
//! items), because a refusal or a message must not be lost over its spelling. Where a response ends
//! is decided in `framing`, and how values are written is in `value`; there is no IO here.

use protocol::shown;

use super::framing::Piece;
use super::value::{Value, parse_open_values, parse_values};

/// The longest text of a status that is kept, in characters. Ours: people read it on a card.
const TEXT_CHARS_MAX: usize = 1000;

/// How much of an unreadable line is shown.
const SHOWN_BYTES_MAX: usize = 80;

/// One response.
#[derive(Debug, PartialEq, Eq)]
pub enum Response {
    /// `+`: the server waits for more of the command; what stands after it.
    Continue(String),
    /// The end of a command.
    Tagged(String, Status),
    /// A status that ends no command; at the start, the greeting.
    Untagged(Status),
    /// Anything else the server tells.
    Data(Data),
}

/// `OK`, `NO`, `BAD`, `PREAUTH` or `BYE` with what follows (RFC 9051 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which of the five.
    pub kind: StatusKind,
    /// What stands in brackets.
    pub code: Option<Code>,
    /// The text after it; bytes that are not UTF-8 stand as U+FFFD.
    pub text: String,
}

/// The first word of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKind {
    /// Done, or told in passing.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
    /// A greeting to somebody who is signed in already.
    PreAuth,
    /// The connection ends.
    Bye,
}

/// A response code (RFC 9051 §7.1, RFC 5530).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The first word, in capitals.
    pub name: String,
    /// What follows it within the brackets; empty where nothing does.
    pub arguments: String,
}

impl Code {
    /// The arguments as numbers, where this is the code `name` and they are numbers.
    pub fn numbers(&self, name: &str) -> Option<Vec<u32>> {
        (self.name == name)
            .then(|| {
                self.arguments
                    .split_whitespace()
                    .map(|word| word.parse().ok())
                    .collect()
            })
            .flatten()
    }
}

/// A data response: `* LIST …`, `* 3 FETCH …`.
#[derive(Debug, PartialEq, Eq)]
pub struct Data {
    /// The number in front, as in `* 3 EXISTS`.
    pub number: Option<u32>,
    /// What it is about, in capitals.
    pub kind: String,
    pieces: Vec<Piece>,
}

impl Data {
    /// What follows the kind, as a list of values.
    pub fn values(&self) -> Result<Vec<Value>, Unreadable> {
        parse_values(&self.pieces)
    }

    /// The same, where a list may lack its end.
    pub fn open_values(&self) -> Result<Vec<Value>, Unreadable> {
        parse_open_values(&self.pieces)
    }

    /// The words after the kind.
    pub fn words(&self) -> impl Iterator<Item = String> {
        let line = match self.pieces.first() {
            Some(Piece::Line(line)) => String::from_utf8_lossy(line).into_owned(),
            _ => String::new(),
        };
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// This response as something that cannot be read.
    pub fn unreadable(&self) -> Unreadable {
        let rest = match self.pieces.first() {
            Some(Piece::Line(line)) => shorten(line),
            _ => String::new(),
        };
        Unreadable(format!("cannot read this {} response: {rest}", self.kind))
    }
}

/// The server sent what is no IMAP response; what came, shortened and escaped.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// Reads one response.
pub fn parse_response(pieces: Vec<Piece>) -> Result<Response, Unreadable> {
    let mut pieces = pieces.into_iter();
    let Some(Piece::Line(line)) = pieces.next() else {
        return Err(Unreadable("an empty response".to_owned()));
    };
    let unreadable = || {
        Unreadable(format!(
            "expected an IMAP response, got: {}",
            shorten(&line)
        ))
    };
    if let Some(rest) = line.strip_prefix(b"+") {
        return Ok(Response::Continue(legible(rest)));
    }
    let (tag, rest) = split_word(&line);
    if let Some(status) = parse_status(rest) {
        let tag = std::str::from_utf8(tag).map_err(|_| unreadable())?;
        return Ok(match tag {
            "*" => Response::Untagged(status),
            tag => Response::Tagged(tag.to_owned(), status),
        });
    }
    if tag != b"*" {
        return Err(unreadable());
    }
    let (first, mut rest) = split_word(rest);
    let number = std::str::from_utf8(first)
        .ok()
        .and_then(|word| word.parse().ok());
    let mut kind = first;
    if number.is_some() {
        (kind, rest) = split_word(rest);
    }
    if kind.is_empty() || !kind.iter().all(u8::is_ascii_graphic) {
        return Err(unreadable());
    }
    let kind = String::from_utf8_lossy(kind).to_ascii_uppercase();
    let rest = Piece::Line(rest.to_vec());
    Ok(Response::Data(Data {
        number,
        kind,
        pieces: std::iter::once(rest).chain(pieces).collect(),
    }))
}

/// The start of `bytes`, fit to be shown.
pub fn shorten(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES_MAX) {
        Some(start) if bytes.len() > SHOWN_BYTES_MAX => format!("{}…", start.escape_ascii()),
        _ => bytes.escape_ascii().to_string(),
    }
}

/// `bytes` as text that people may read: nothing in it acts where it is written, and it is not without end.
pub fn legible(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let start: String = text.trim().chars().take(TEXT_CHARS_MAX).collect();
    let line = start.trim_end().replace('\t', " ");
    shown::line(&line).chars().take(TEXT_CHARS_MAX).collect()
}

/// `resp-cond-state` and its kin (RFC 9051 §9); the text may be missing.
fn parse_status(bytes: &[u8]) -> Option<Status> {
    let (word, rest) = split_word(bytes);
    let kind = match word.to_ascii_uppercase().as_slice() {
        b"OK" => StatusKind::Ok,
        b"NO" => StatusKind::No,
        b"BAD" => StatusKind::Bad,
        b"PREAUTH" => StatusKind::PreAuth,
        b"BYE" => StatusKind::Bye,
        _ => return None,
    };
    let (code, text) = match split_code(rest) {
        Some((code, text)) => (Some(code), text),
        None => (None, rest),
    };
    Some(Status {
        kind,
        code,
        text: legible(text),
    })
}

/// `[CODE arguments] text` taken apart.
fn split_code(bytes: &[u8]) -> Option<(Code, &[u8])> {
    let inner = bytes.strip_prefix(b"[")?;
    let end = inner.iter().position(|&byte| byte == b']')?;
    let (name, arguments) = split_word(inner.get(..end)?);
    let name = legible(name).to_ascii_uppercase();
    let code = Code {
        name,
        arguments: String::from_utf8_lossy(arguments).trim().to_owned(),
    };
    Some((code, inner.get(end + 1..)?))
}

/// What stands before the first space, and after it.
fn split_word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = bytes.splitn(2, |&byte| byte == b' ');
    (
        halves.next().unwrap_or_default(),
        halves.next().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Result<Response, Unreadable> {
        parse_response(vec![Piece::Line(line.to_vec())])
    }

    fn status(kind: StatusKind, code: Option<(&str, &str)>, text: &str) -> Status {
        let code = code.map(|(name, arguments)| Code {
            name: name.into(),
            arguments: arguments.into(),
        });
        Status {
            kind,
            code,
            text: text.into(),
        }
    }

    fn atom(word: &str) -> Value {
        Value::Atom(word.into())
    }

    fn text(words: &str) -> Value {
        Value::Text(words.into())
    }

    #[test]
    fn a_status_is_read_however_it_is_spelled() {
        for (line, expected) in [
            (
                &b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] Ready"[..],
                status(
                    StatusKind::Ok,
                    Some(("CAPABILITY", "IMAP4rev1 AUTH=XOAUTH2")),
                    "Ready",
                ),
            ),
            (b"* bye", status(StatusKind::Bye, None, "")),
            (
                b"* PREAUTH hello",
                status(StatusKind::PreAuth, None, "hello"),
            ),
            (
                "* NO [authenticationfailed] Пароль неверен".as_bytes(),
                status(
                    StatusKind::No,
                    Some(("AUTHENTICATIONFAILED", "")),
                    "Пароль неверен",
                ),
            ),
            (
                b"* NO [ALERT]",
                status(StatusKind::No, Some(("ALERT", "")), ""),
            ),
            (
                b"* NO Ung\xfcltig",
                status(StatusKind::No, None, "Ung\u{fffd}ltig"),
            ),
            (
                b"* NO [unclosed text",
                status(StatusKind::No, None, "[unclosed text"),
            ),
            (b"* NO a\x1b[0mb", status(StatusKind::No, None, "a␛[0mb")),
        ] {
            assert_eq!(
                parse(line),
                Ok(Response::Untagged(expected)),
                "{}",
                line.escape_ascii()
            );
        }
        let tagged = Response::Tagged("U7".into(), status(StatusKind::Bad, None, "what?"));
        assert_eq!(parse(b"U7 BAD what?"), Ok(tagged));
    }

    #[test]
    fn what_is_no_imap_is_named_as_such() {
        for line in [
            "HTTP/1.1 400 Bad Request",
            "220 mail.acme.example ESMTP",
            "",
            "*",
            "* \u{1}",
        ] {
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(
                error.0.starts_with("expected an IMAP response"),
                "{line}: {error:?}"
            );
        }
        let long = parse(&[b'x'; 4000]).unwrap_err();
        assert!(long.0.len() < 200, "{long:?}");
    }

    #[test]
    fn values_are_read_whichever_way_they_are_written() {
        let pieces = vec![
            Piece::Line(
                br#"* 12 fetch (UID 7 FLAGS (\Seen $a]b) BODY[HEADER.FIELDS (TO "x y")]<0> "#
                    .to_vec(),
            ),
            Piece::Literal(b"To: \0\xff\r\n".to_vec()),
            Piece::Line(br#" X-NEW NIL "a\"\\b" [Gmail]/Sent )"#.to_vec()),
        ];
        let Ok(Response::Data(data)) = parse_response(pieces) else {
            panic!("no data")
        };
        assert_eq!((data.number, data.kind.as_str()), (Some(12), "FETCH"));
        let expected = Value::List(vec![
            atom("UID"),
            atom("7"),
            atom("FLAGS"),
            Value::List(vec![atom("\\Seen"), atom("$a]b")]),
            atom("BODY[HEADER.FIELDS (TO \"x y\")]<0>"),
            Value::Text(b"To: \0\xff\r\n".to_vec()),
            atom("X-NEW"),
            atom("NIL"),
            text("a\"\\b"),
            atom("[Gmail]/Sent"),
        ]);
        assert_eq!(data.values(), Ok(vec![expected]));
    }

    #[test]
    fn unbalanced_data_is_unreadable_and_never_a_panic() {
        let deep = format!("* 1 FETCH {}", "(".repeat(100_000));
        for line in [
            "* 1 FETCH (UID 7",
            "* 1 FETCH )",
            "* LIST () \"/\" \"Sent",
            &deep,
        ] {
            let Ok(Response::Data(data)) = parse(line.as_bytes()) else {
                panic!("{line}")
            };
            assert!(data.values().is_err(), "{line}");
        }
    }

    #[test]
    fn a_code_gives_its_numbers_only_under_its_own_name() {
        let code = Code {
            name: "APPENDUID".into(),
            arguments: "38505 3955".into(),
        };
        assert_eq!(code.numbers("APPENDUID"), Some(vec![38505, 3955]));
        assert_eq!(code.numbers("UIDNEXT"), None);
        let odd = Code {
            name: "UIDNEXT".into(),
            arguments: "soon".into(),
        };
        assert_eq!(odd.numbers("UIDNEXT"), None);
    }
}
