//! The values within a data response: words, strings, lists (RFC 9051 §4). What they mean is read by
//! those who asked for them; there is no IO here.

use super::framing::Piece;
use super::reading::Unreadable;

/// A value within a data response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A bare word; `NIL` is one too.
    Atom(Vec<u8>),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    /// What stands in parentheses.
    List(Vec<Value>),
}

impl Value {
    /// Whether it says that there is no value.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Atom(word) if word.eq_ignore_ascii_case(b"NIL"))
    }

    /// Its bytes, whichever way they were written; `None` for a list.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(bytes) | Self::Text(bytes) => Some(bytes),
            Self::List(_) => None,
        }
    }

    /// Its text, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// Its value as a number.
    pub fn number<N: std::str::FromStr>(&self) -> Option<N> {
        self.text()?.parse().ok()
    }
}

/// Reads all values of a response whose lists may lack their end, or have one too many: what stands in them is told
/// all the same.
pub fn parse_open_values(pieces: &[Piece]) -> Result<Vec<Value>, Unreadable> {
    let mut scanner = Scanner::new(pieces);
    scanner.may_stay_open = true;
    scanner.values()
}

/// Reads all values of a response's pieces.
pub fn parse_values(pieces: &[Piece]) -> Result<Vec<Value>, Unreadable> {
    let mut scanner = Scanner::new(pieces);
    let values = scanner.values()?;
    if scanner.is_at_end() {
        Ok(values)
    } else {
        Err(Unreadable(
            "a closing parenthesis without its list".to_owned(),
        ))
    }
}

/// How deep parentheses may stand within each other. What the relay asks for needs 3.
const DEPTH_MAX: usize = 16;

/// Reads values off the pieces of a response.
struct Scanner<'a> {
    pieces: std::slice::Iter<'a, Piece>,
    line: &'a [u8],
    literal: Option<&'a [u8]>,
    depth: usize,
    /// The end of the response closes what is open.
    may_stay_open: bool,
}

impl<'a> Scanner<'a> {
    fn new(pieces: &'a [Piece]) -> Self {
        let mut scanner = Self {
            pieces: pieces.iter(),
            line: &[],
            literal: None,
            depth: 0,
            may_stay_open: false,
        };
        scanner.advance();
        scanner
    }

    /// Goes on to the next piece; `false` where none is left.
    fn advance(&mut self) -> bool {
        match self.pieces.next() {
            Some(Piece::Line(line)) => self.line = line,
            Some(Piece::Literal(literal)) => self.literal = Some(literal),
            None => return false,
        }
        true
    }

    fn is_at_end(&self) -> bool {
        self.line.is_empty() && self.literal.is_none() && self.pieces.len() == 0
    }

    /// Values up to the end or to a closing parenthesis, which stays.
    fn values(&mut self) -> Result<Vec<Value>, Unreadable> {
        let mut values = Vec::new();
        loop {
            if let Some(literal) = self.literal.take() {
                values.push(Value::Text(literal.to_vec()));
            }
            match self.line.split_first() {
                None => {
                    if !self.advance() {
                        return Ok(values);
                    }
                }
                Some((b')', _)) => return Ok(values),
                Some((b' ', rest)) => self.line = rest,
                Some((b'(', rest)) => {
                    self.line = rest;
                    values.push(self.list()?);
                }
                Some((b'"', rest)) => {
                    self.line = rest;
                    values.push(self.quoted()?);
                }
                Some(_) => values.push(self.atom()),
            }
        }
    }

    fn list(&mut self) -> Result<Value, Unreadable> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Unreadable(
                "parentheses within parentheses without end".to_owned(),
            ));
        }
        let values = self.values()?;
        self.depth -= 1;
        if self.may_stay_open && self.is_at_end() {
            return Ok(Value::List(values));
        }
        self.line = self
            .line
            .strip_prefix(b")")
            .ok_or_else(|| Unreadable("a list without its closing parenthesis".to_owned()))?;
        Ok(Value::List(values))
    }

    /// RFC 9051 §4.3: a backslash takes the next byte as it is. Bytes beyond ASCII are taken too.
    fn quoted(&mut self) -> Result<Value, Unreadable> {
        let mut text = Vec::new();
        let mut bytes = self.line.iter();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'"' => {
                    self.line = bytes.as_slice();
                    return Ok(Value::Text(text));
                }
                b'\\' => text.extend(bytes.next()),
                byte => text.push(byte),
            }
        }
        Err(Unreadable("a quoted string without its end".to_owned()))
    }

    /// A word up to a space or a parenthesis; the brackets of `BODY[HEADER.FIELDS (A B)]<0>`
    /// (RFC 9051 §7.5.2) belong to it with all they hold.
    fn atom(&mut self) -> Value {
        let has_section = self
            .line
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"BODY["));
        let section_end = has_section
            .then(|| self.line.iter().position(|&byte| byte == b']'))
            .flatten()
            .unwrap_or_default();
        let tail = self.line.get(section_end..).unwrap_or_default();
        let end = tail
            .iter()
            .position(|byte| b" ()".contains(byte))
            .map_or(self.line.len(), |at| section_end + at);
        let (word, rest) = self.line.split_at_checked(end).unwrap_or((self.line, &[]));
        self.line = rest;
        Value::Atom(word.to_vec())
    }
}
