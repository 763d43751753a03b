//! A command as the bytes of its turns. When each turn goes out is decided in `wire`; there is no IO
//! here.

use zeroize::Zeroizing;

use super::framing::RESPONSE_BYTES_MAX;

/// What all responses to a command may hold together, where it does not ask for more: the ids of more than
/// a million messages, or tens of thousands of folders. A server that does not stop must not fill the memory
/// of every other inbox's relay.
const ANSWER_BYTES_MAX: usize = 48 * 1024 * 1024;

/// A command without its tag. It is sent in turns: after each but the last, the server says `+`
/// (RFC 9051 §4.3 for literals, §6.2.2 for `AUTHENTICATE`). Literals are always synchronizing: that
/// works with every server, and no command of ours is so frequent that the pause counts.
///
/// There is no `Debug`: the turns may hold a password or a token.
pub(super) struct Command {
    /// The turns; none is empty, and the last one ends with CRLF.
    pub(super) turns: Vec<Zeroizing<Vec<u8>>>,
    /// Whether a `+` after the last turn brings an error that an empty line answers, as XOAUTH2 has
    /// it.
    pub(super) takes_challenge: bool,
    /// What one response to it may hold.
    pub(super) response_bytes_max: usize,
    /// What all responses to it may hold together.
    pub(super) answer_bytes_max: usize,
}

impl Command {
    /// A command that is these words.
    pub(super) fn new(words: &str) -> Self {
        Self {
            turns: vec![Zeroizing::new(words.as_bytes().to_vec())],
            takes_challenge: false,
            response_bytes_max: RESPONSE_BYTES_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
        .and("\r\n")
    }

    /// Adds words to the line.
    pub(super) fn word(mut self, words: &str) -> Self {
        self.open_line();
        self.and(" ").and(words).and("\r\n")
    }

    /// Adds a string in quotes, or as a literal where quotes cannot hold it (RFC 9051 §4.3).
    pub(super) fn string(mut self, bytes: &[u8]) -> Self {
        if bytes.iter().any(|byte| !(b' '..=b'~').contains(byte)) {
            return self.literal(bytes);
        }
        self.open_line();
        let mut quoted = Zeroizing::new(b" \"".to_vec());
        for &byte in bytes {
            if matches!(byte, b'"' | b'\\') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        }
        quoted.extend_from_slice(b"\"\r\n");
        self.extend(&quoted);
        self
    }

    /// Adds a literal.
    pub(super) fn literal(mut self, bytes: &[u8]) -> Self {
        self.open_line();
        self = self.and(&format!(" {{{}}}\r\n", bytes.len()));
        self.turns
            .push(Zeroizing::new(Vec::with_capacity(bytes.len() + 2)));
        self.extend(bytes);
        self.and("\r\n")
    }

    /// Adds a line that is sent when the server says `+`.
    pub(super) fn turn(mut self, line: &str) -> Self {
        self.turns
            .push(Zeroizing::new(Vec::with_capacity(line.len() + 2)));
        self.and(line).and("\r\n")
    }

    fn and(mut self, text: &str) -> Self {
        self.extend(text.as_bytes());
        self
    }

    fn extend(&mut self, bytes: &[u8]) {
        if let Some(turn) = self.turns.last_mut() {
            turn.extend_from_slice(bytes);
        }
    }

    /// Takes the CRLF off again, so that the line can go on.
    fn open_line(&mut self) {
        if let Some(turn) = self.turns.last_mut() {
            let end = turn.len().saturating_sub(2);
            turn.truncate(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_or_become_literals() {
        for (command, expected) in [
            (Command::new("NOOP"), vec!["NOOP\r\n"]),
            (
                Command::new("LIST").string(b"").string(b"*"),
                vec!["LIST \"\" \"*\"\r\n"],
            ),
            (
                Command::new("LOGIN").string(b"jane").string(br#"a"b\c"#),
                vec!["LOGIN \"jane\" \"a\\\"b\\\\c\"\r\n"],
            ),
            (
                Command::new("LOGIN")
                    .string(b"jane")
                    .string("pässword".as_bytes()),
                vec!["LOGIN \"jane\" {9}\r\n", "pässword\r\n"],
            ),
            (
                Command::new("LOGIN")
                    .string(b"x\r\nU9 DELETE INBOX")
                    .string(b"p"),
                vec!["LOGIN {18}\r\n", "x\r\nU9 DELETE INBOX \"p\"\r\n"],
            ),
            (
                Command::new("APPEND")
                    .string(b"Sent")
                    .word("(\\Seen)")
                    .literal(b"Hi\r\n"),
                vec!["APPEND \"Sent\" (\\Seen) {4}\r\n", "Hi\r\n\r\n"],
            ),
            (
                Command::new("AUTHENTICATE XOAUTH2").turn("dXNlcj0="),
                vec!["AUTHENTICATE XOAUTH2\r\n", "dXNlcj0=\r\n"],
            ),
        ] {
            let turns: Vec<_> = command
                .turns
                .iter()
                .map(|turn| String::from_utf8_lossy(turn))
                .collect();
            assert_eq!(turns, expected);
        }
    }
}
