//! Where one response of the server ends: lines and the literals within them (RFC 9051 §4.3). What
//! a response says is read in `reading`; there is no IO here.

/// The size of a response that no command asked to be larger. A line of `CAPABILITY` or `LIST` is
/// below a kilobyte; this leaves room and still bounds what a server can make us hold.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// A part of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A line without its end, and without the `{n}` where a literal follows.
    Line(Vec<u8>),
    /// A literal: any bytes.
    Literal(Vec<u8>),
}

/// The response is larger than was allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// What was allowed.
    pub bytes_max: usize,
}

/// Cuts the bytes of a connection into responses.
#[derive(Debug)]
pub struct Framer {
    /// What the next response may hold in all.
    pub bytes_max: usize,
    waiting: Vec<u8>,
    /// How much of `waiting` was cut off already. It is given up when more is read, not line by line: that
    /// would move what is behind it once for every line.
    cut: usize,
    pieces: Vec<Piece>,
    /// Bytes in `pieces`.
    taken_bytes: usize,
    /// The size of the literal that comes next, between the line that announces it and its end.
    literal_bytes: Option<usize>,
    /// How far `waiting` was searched for the end of a line, from `cut` on.
    searched: usize,
}

impl Default for Framer {
    /// Before the first byte.
    fn default() -> Self {
        Self {
            bytes_max: RESPONSE_BYTES_MAX,
            waiting: Vec::new(),
            cut: 0,
            pieces: Vec::new(),
            taken_bytes: 0,
            literal_bytes: None,
            searched: 0,
        }
    }
}

impl Framer {
    /// Where bytes go that were read, behind those that are there.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.waiting.drain(..self.cut);
        self.cut = 0;
        &mut self.waiting
    }

    /// What was read and is not cut off.
    fn rest(&self) -> &[u8] {
        self.waiting.get(self.cut..).unwrap_or_default()
    }

    /// Cuts off so many of its first bytes.
    fn cut(&mut self, n_bytes: usize) -> Vec<u8> {
        let bytes = self.rest().get(..n_bytes).unwrap_or_default().to_vec();
        self.cut += bytes.len();
        self.searched = 0;
        bytes
    }

    /// Whether nothing is left of what was read.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty() && self.pieces.is_empty()
    }

    /// The next whole response; `None` until more bytes come.
    pub fn take_response(&mut self) -> Result<Option<Vec<Piece>>, TooLarge> {
        loop {
            if let Some(length) = self.literal_bytes {
                if self.rest().len() < length {
                    return Ok(None);
                }
                let literal = self.cut(length);
                self.pieces.push(Piece::Literal(literal));
                self.literal_bytes = None;
                continue;
            }
            let unseen = self.rest().get(self.searched..).unwrap_or_default();
            let Some(at) = unseen.iter().position(|&byte| byte == b'\n') else {
                self.searched = self.rest().len();
                self.check_size(self.searched)?;
                return Ok(None);
            };
            // RFC 9051 §2.2 ends a line with CRLF; a bare LF can mean nothing else.
            let mut line = self.cut(self.searched + at + 1);
            self.check_size(line.len())?;
            self.taken_bytes += line.len();
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if let Some((text_end, length)) = self.find_announcement(&line) {
                self.check_size(length)?;
                self.taken_bytes += length;
                self.literal_bytes = Some(length);
                line.truncate(text_end);
                self.pieces.push(Piece::Line(line));
            } else {
                self.pieces.push(Piece::Line(line));
                self.taken_bytes = 0;
                return Ok(Some(std::mem::take(&mut self.pieces)));
            }
        }
    }

    fn check_size(&self, more: usize) -> Result<(), TooLarge> {
        match self.taken_bytes.checked_add(more) {
            Some(total) if total <= self.bytes_max => Ok(()),
            _ => Err(TooLarge {
                bytes_max: self.bytes_max,
            }),
        }
    }

    /// Where the line ends and how long the literal is that it announces: `{n}`, `{n+}` (RFC 7888)
    /// or `~{n}` (RFC 3516). The free text of a status never announces one, whatever it ends with.
    fn find_announcement(&self, line: &[u8]) -> Option<(usize, usize)> {
        if self.pieces.is_empty() && !is_data(line) && !is_rest(line) {
            return None;
        }
        let inner = line.strip_suffix(b"}")?;
        let open = inner.iter().rposition(|&byte| byte == b'{')?;
        let number = inner.get(open + 1..)?;
        let number = number.strip_suffix(b"+").unwrap_or(number);
        if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
            return None;
        }
        // A number beyond `usize` is beyond every limit as well.
        let length = std::str::from_utf8(number)
            .ok()?
            .parse()
            .unwrap_or(usize::MAX);
        let text_end = if open > 0 && line.get(open - 1) == Some(&b'~') {
            open - 1
        } else {
            open
        };
        Some((text_end, length))
    }
}

/// Whether a line can only be the rest of a response that ended too early: no response opens with a space (RFC 9051
/// §9). The literals in it are somebody's message, and no lines of the server.
fn is_rest(line: &[u8]) -> bool {
    line.first() == Some(&b' ')
}

/// Whether a first line opens a data response and not a status or a continuation (RFC 9051 §7).
fn is_data(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"* ") else {
        return false;
    };
    let word = rest.split(|&byte| byte == b' ').next().unwrap_or_default();
    [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"]
        .iter()
        .all(|status| !word.eq_ignore_ascii_case(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> Vec<Vec<Piece>> {
        let mut framer = Framer::default();
        framer.room().extend_from_slice(bytes);
        let mut responses = Vec::new();
        while let Some(response) = framer.take_response().unwrap() {
            responses.push(response);
        }
        responses
    }

    fn line(text: &str) -> Piece {
        Piece::Line(text.as_bytes().to_vec())
    }

    fn literal(bytes: &[u8]) -> Piece {
        Piece::Literal(bytes.to_vec())
    }

    #[test]
    fn a_response_ends_after_its_literals() {
        assert_eq!(
            frame(b"* 1 FETCH (BODY[] {4}\r\na\r\nb UID 7)\r\n* 2 EXISTS\r\n"),
            [
                vec![
                    line("* 1 FETCH (BODY[] "),
                    literal(b"a\r\nb"),
                    line(" UID 7)")
                ],
                vec![line("* 2 EXISTS")],
            ]
        );
        assert_eq!(
            frame(b"* 1 FETCH (A ~{1}\r\n\0 B {0+}\r\n)\r\n"),
            [vec![
                line("* 1 FETCH (A "),
                literal(b"\0"),
                line(" B "),
                literal(b""),
                line(")")
            ]]
        );
    }

    #[test]
    fn the_text_of_a_status_announces_no_literal() {
        for text in ["* OK use {5}", "A1 NO use {5}", "+ use {5}", "* bye {9}"] {
            let bytes = format!("{text}\r\n* 1 EXISTS\r\n");
            assert_eq!(
                frame(bytes.as_bytes()),
                [vec![line(text)], vec![line("* 1 EXISTS")]]
            );
        }
    }

    #[test]
    fn what_stands_in_the_rest_of_a_response_is_no_line_of_the_server() {
        assert_eq!(
            frame(b"* 1 FETCH (UID 7)\r\n BODY[] {10}\r\nU4 OK ok\r\n)\r\nU4 NO no\r\n"),
            [
                vec![line("* 1 FETCH (UID 7)")],
                vec![line(" BODY[] "), literal(b"U4 OK ok\r\n"), line(")")],
                vec![line("U4 NO no")],
            ]
        );
    }

    #[test]
    fn bytes_may_come_in_any_portions() {
        let bytes = b"* LIST () \"/\" {3}\r\na\r\n\r\nA1 OK done\r\n";
        let mut framer = Framer::default();
        let mut responses = Vec::new();
        for byte in bytes {
            framer.room().push(*byte);
            responses.extend(framer.take_response().unwrap());
        }
        assert_eq!(responses, frame(bytes));
        assert_eq!(responses.len(), 2);
        assert!(framer.is_empty());
    }

    #[test]
    fn a_response_beyond_the_limit_is_refused_before_it_is_held() {
        for start in [
            "* 1 FETCH (BODY[] {1048577}\r\n".to_owned(),
            "* 1 FETCH (BODY[] {99999999999999999999999999}\r\n".to_owned(),
            "x".repeat(RESPONSE_BYTES_MAX + 1),
        ] {
            let mut framer = Framer::default();
            framer.room().extend_from_slice(start.as_bytes());
            assert_eq!(
                framer.take_response(),
                Err(TooLarge {
                    bytes_max: RESPONSE_BYTES_MAX
                })
            );
        }
    }
}
