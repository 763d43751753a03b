//! What stands in the bytes of a submission server: replies, the offer of its EHLO, the id it gave a
//! message. Pure; reading from a socket is [`super::wire`]'s work, judging is nobody's here.

use protocol::evidence::Said;
use protocol::reply::SmtpReply;

use crate::greeting::Service;

/// Longest line of a reply. RFC 5321 §4.5.3.1.5 allows 512 octets; servers in the field go beyond it.
const LINE_AT_MOST_BYTES: usize = 4 * 1024;

/// Longest reply. A hundred lines of the length the standard allows.
const REPLY_AT_MOST_BYTES: usize = 100 * 512;

/// Longest excerpt of bytes that are no reply.
const EXCERPT_AT_MOST_BYTES: usize = 80;

/// The shortest left side of an id that is known by its form alone; Amazon SES makes 60 bytes.
const LEFT_SIDE_AT_LEAST_BYTES: usize = 40;

/// The id that the server gave the message, where its final 2yz names one: in angle brackets, as Exchange does (`250
/// 2.0.0 OK <id@host> [Hostname=…]`), with the brackets; or the left side of one alone, as Amazon SES does (`250 Ok
/// 0100…-000000`), without. `None` where there is no such id, or more than one thing that could be it. Servers put the
/// recipient in brackets too: what stands there counts only where ids stand. Where the addresses are known, ask
/// [`find_wire_id_beside`].
pub fn find_wire_id(reply: &SmtpReply) -> Option<String> {
    if !reply.is_positive() {
        return None;
    }
    let mut pieces = reply.text.split('<');
    let mut before = pieces.next().unwrap_or_default();
    let mut ids = Vec::new();
    for opened in pieces {
        let Some((inside, behind)) = opened.split_once('>') else {
            before = opened;
            continue;
        };
        if is_message_id(inside) {
            ids.push((before, inside, behind));
        }
        before = behind;
    }
    match ids.as_slice() {
        [(before, id, behind)] if names_an_id(before, behind) => Some(format!("<{id}>")),
        [] => find_left_side(&reply.text).map(str::to_owned),
        _ => None,
    }
}

/// The same, where these addresses were the message's: none of them is its id, whatever stands around it.
pub fn find_wire_id_beside(reply: &SmtpReply, addresses: &[&str]) -> Option<String> {
    find_wire_id(reply).filter(|id| {
        let inside = id.trim_start_matches('<').trim_end_matches('>');
        !addresses
            .iter()
            .any(|address| address.eq_ignore_ascii_case(inside))
    })
}

/// Whether what stands in brackets between these words is an id: what describes it follows in square brackets, a word
/// for ids stands before it, or nothing stands there but that the message was taken, and behind it at most that it was
/// queued.
fn names_an_id(before: &str, behind: &str) -> bool {
    if behind.trim_start().starts_with('[') {
        return true;
    }
    let words = before.trim_end_matches([' ', ':', '=', ',']);
    let last = words
        .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match last.as_str() {
        "as" | "id" | "message-id" | "messageid" | "msgid" => true,
        "ok" => {
            let behind = behind.trim().to_ascii_lowercase();
            words.trim().len() == 2 && (behind.is_empty() || behind.starts_with("queued"))
        }
        _ => false,
    }
}

/// The left side of an id that the server made, where its whole answer is that and *Ok*: hexadecimal groups, far longer
/// than the numbers of a queue.
fn find_left_side(text: &str) -> Option<&str> {
    let mut words = text.split_whitespace();
    let (ok, id) = (words.next()?, words.next()?);
    let is_id = id.len() >= LEFT_SIDE_AT_LEAST_BYTES
        && id.contains('-')
        && id
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (words.next().is_none() && ok.eq_ignore_ascii_case("ok") && is_id).then_some(id)
}

/// `id-left@id-right` (RFC 5322 §3.6.4), without the brackets.
fn is_message_id(text: &str) -> bool {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    match text.split_once('@') {
        Some((left, right)) => {
            visible && !left.is_empty() && !right.is_empty() && !right.contains('@')
        }
        None => false,
    }
}

/// One complete reply as it came, its lines without the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawReply {
    code: u16,
    lines: Vec<String>,
    is_contradictory: bool,
}

impl RawReply {
    /// The reply as a value. Bytes that are not UTF-8 stand as U+FFFD.
    pub fn to_reply(&self) -> SmtpReply {
        SmtpReply::parse(self.code, self.lines.iter().map(String::as_str))
    }

    /// Whether one of its lines said that all was done (2yz), and another that it was not. Its last word counts where
    /// nothing can be lost by it, and is no verdict on a message that was handed over.
    pub fn is_contradictory(&self) -> bool {
        self.is_contradictory
    }

    /// A reply of the same class for lettre, which needs to know when a reply is complete and knows no
    /// codes such as 571. Every word is read from [`Self::to_reply`].
    pub fn render_class(&self) -> Vec<u8> {
        format!("{}50 reply\r\n", self.code / 100).into_bytes()
    }
}

/// The bytes are not an SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct NotAReply {
    /// What was expected and what came, shortened and escaped.
    pub detail: String,
    /// The finding that another service greets; `None` where it does not, or not any more.
    pub other: Option<Box<Said>>,
}

impl NotAReply {
    /// It as evidence.
    pub fn into_said(self) -> Said {
        let Self { detail, other } = self;
        other.map_or(Said::Garbage { detail }, |other| *other)
    }
}

/// Bytes received and not yet taken as replies. Each byte is looked at once, however few come at a time.
#[derive(Debug, Default)]
pub struct ReplyBuffer {
    bytes: Vec<u8>,
    /// How far `bytes` was searched for the end of a line.
    searched: usize,
    /// The lines so far of a reply that goes on.
    lines: Vec<String>,
    /// The code of those lines.
    code: Option<u16>,
    /// Bytes in those lines.
    taken_bytes: usize,
    /// Whether a line of a reply was read.
    has_spoken: bool,
    /// Whether the lines so far of a reply contradict each other.
    is_contradictory: bool,
}

impl ReplyBuffer {
    /// Adds what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.code.is_none()
    }

    /// What is waiting opens with 421, which may come at any time (RFC 5321 §3.8).
    pub fn is_farewell(&self) -> bool {
        if let Some(code) = self.code {
            return code == 421;
        }
        let n_known = self.bytes.len().min(3);
        b"421".get(..n_known) == self.bytes.get(..n_known)
    }

    /// Takes the first complete reply out; `None` where more bytes are needed (RFC 5321 §4.2).
    /// A line may end with a bare LF, and a code may stand alone (§4.2: clients should take that).
    pub fn take_reply(&mut self) -> Result<Option<RawReply>, NotAReply> {
        loop {
            let unseen = self.bytes.get(self.searched..).unwrap_or_default();
            let Some(at) = unseen.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                within_limits(self.bytes.len(), self.taken_bytes + self.bytes.len())?;
                return Ok(None);
            };
            let line: Vec<u8> = self.bytes.drain(..=self.searched + at).collect();
            self.searched = 0;
            self.taken_bytes += line.len();
            within_limits(line.len(), self.taken_bytes)?;
            let line = line.trim_ascii_end();
            let (code, is_last, text) = split_line(line).map_err(|error| NotAReply {
                other: self.other_service(line),
                ..error
            })?;
            self.has_spoken = true;
            // RFC 5321 §4.2.1 has one code in all lines. Where a server comes to another one on the way, its last word
            // counts: the lines before it say something else.
            if let Some(before) = self.code.filter(|before| *before != code) {
                self.lines.clear();
                self.is_contradictory |= (before / 100 == 2) != (code / 100 == 2);
            }
            self.code = Some(code);
            self.lines.push(String::from_utf8_lossy(text).into_owned());
            if is_last {
                self.code = None;
                self.taken_bytes = 0;
                let lines = std::mem::take(&mut self.lines);
                let is_contradictory = std::mem::take(&mut self.is_contradictory);
                return Ok(Some(RawReply {
                    code,
                    lines,
                    is_contradictory,
                }));
            }
        }
    }
}

impl ReplyBuffer {
    /// The finding that another service answers, where this is the first line.
    fn other_service(&self, line: &[u8]) -> Option<Box<Said>> {
        if self.has_spoken {
            return None;
        }
        Service::Smtp.find_other(line).map(Box::new)
    }
}

/// Code, whether it is the last line, text.
fn split_line(line: &[u8]) -> Result<(u16, bool, &[u8]), NotAReply> {
    let error = || not_a_reply("an SMTP reply", line);
    let (digits, rest) = line.split_at_checked(3).ok_or_else(error)?;
    let code: u16 = std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(error)?;
    if !digits.iter().all(u8::is_ascii_digit) || !(200..600).contains(&code) {
        return Err(error());
    }
    match rest.split_first() {
        None => Ok((code, true, rest)),
        Some((b' ', text)) => Ok((code, true, text)),
        Some((b'-', text)) => Ok((code, false, text)),
        Some(_) => Err(error()),
    }
}

fn within_limits(line_bytes: usize, reply_bytes: usize) -> Result<(), NotAReply> {
    let too_long = |what: &str, at_most: usize| NotAReply {
        detail: format!("expected an SMTP reply, found a {what} of more than {at_most} bytes"),
        other: None,
    };
    if line_bytes > LINE_AT_MOST_BYTES {
        return Err(too_long("line", LINE_AT_MOST_BYTES));
    }
    if reply_bytes > REPLY_AT_MOST_BYTES {
        return Err(too_long("reply", REPLY_AT_MOST_BYTES));
    }
    Ok(())
}

fn not_a_reply(expected: &str, found: &[u8]) -> NotAReply {
    let excerpt = found.get(..EXCERPT_AT_MOST_BYTES).unwrap_or(found);
    NotAReply {
        detail: format!("expected {expected}, found \"{}\"", excerpt.escape_ascii()),
        other: None,
    }
}

/// What a server offers in its EHLO (RFC 5321 §4.1.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Keywords of the extensions, in capitals.
    extensions: Vec<String>,
    /// Mechanisms of AUTH (RFC 4954), in capitals, in the server's order.
    pub auth: Vec<String>,
    /// The largest message it takes (RFC 1870 §4); `None` where it names no limit.
    pub size_at_most: Option<usize>,
}

impl Offer {
    /// The offer in the reply to EHLO. Its first line names the server and is read like the others:
    /// no server is called `STARTTLS`.
    pub fn parse(reply: &SmtpReply) -> Self {
        let mut offer = Self::default();
        for line in reply.text.lines() {
            // `AUTH=LOGIN PLAIN` is how servers offered AUTH before RFC 2554.
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next().map(str::to_ascii_uppercase) else {
                continue;
            };
            match keyword.as_str() {
                "AUTH" => offer.auth.extend(words.map(str::to_ascii_uppercase)),
                // RFC 1870 §4: 0 is no limit.
                "SIZE" => {
                    let size = words.next().and_then(|number| number.parse().ok());
                    offer.size_at_most = size.filter(|size| *size > 0);
                }
                _ => {}
            }
            offer.extensions.push(keyword);
        }
        offer
    }

    /// The extension is offered.
    pub fn has(&self, keyword: &str) -> bool {
        self.extensions.iter().any(|offered| offered == keyword)
    }

    /// The mechanism is offered.
    pub fn has_auth(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|offered| offered == mechanism)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<String>, NotAReply> {
        let mut buffer = ReplyBuffer::default();
        buffer.push(bytes);
        let mut replies = Vec::new();
        while let Some(reply) = buffer.take_reply()? {
            replies.push(reply.to_reply().to_string());
        }
        Ok(replies)
    }

    #[test]
    fn replies_are_read_whole_whatever_their_bytes() {
        for (bytes, expected) in [
            (&b"250 2.0.0 Ok\r\n"[..], vec!["250 2.0.0 Ok"]),
            (
                b"535-5.7.8 Username\r\n535 5.7.8 see help\r\n",
                vec!["535 5.7.8 Username see help"],
            ),
            (b"250-one\r\n250", vec![]),
            (b"250-one\r\n250\r\n", vec!["250 one"]),
            (b"571 no\n", vec!["571 no"]),
            (b"554 zur\xfcck\r\n", vec!["554 zur\u{fffd}ck"]),
            (
                b"354 go\r\n250 too early\r\n",
                vec!["354 go", "250 too early"],
            ),
            (
                b"220-mail.example ESMTP\r\n521-5.7.1 Service unavailable;\r\n521 5.7.1 blocked\r\n",
                vec!["521 5.7.1 Service unavailable; blocked"],
            ),
            (b"550-no\r\n250 ok\r\n", vec!["250 ok"]),
            (b"250-one\r\n550-two\r\n421 three\r\n", vec!["421 three"]),
            (b"", vec![]),
        ] {
            assert_eq!(read(bytes).unwrap(), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_reply_in_pieces_is_the_same_reply() {
        let mut buffer = ReplyBuffer::default();
        for byte in b"250-first\r\n250 second\r" {
            buffer.push(&[*byte]);
            assert_eq!(buffer.take_reply().unwrap(), None);
        }
        buffer.push(b"\n421");
        assert_eq!(
            buffer.take_reply().unwrap().unwrap().to_reply().text,
            "first\nsecond"
        );
        assert!(buffer.is_farewell());
    }

    #[test]
    fn what_is_no_reply_is_named_and_escaped() {
        for (bytes, expected) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\n"[..],
                "expected an SMTP reply, found \"HTTP/1.1 400 Bad Request\"",
            ),
            (b"199 no\r\n", "expected an SMTP reply, found \"199 no\""),
            (b"600 no\r\n", "expected an SMTP reply, found \"600 no\""),
            (b"+50 no\r\n", "expected an SMTP reply, found \"+50 no\""),
            (b"250_ok\r\n", "expected an SMTP reply, found \"250_ok\""),
            (
                b"\x16\x03\x01\n",
                "expected an SMTP reply, found \"\\x16\\x03\\x01\"",
            ),
            (b"\r\n", "expected an SMTP reply, found \"\""),
        ] {
            assert_eq!(read(bytes).unwrap_err().detail, expected);
        }
    }

    #[test]
    fn endless_lines_and_endless_replies_end() {
        assert!(
            read(&[b'2'; LINE_AT_MOST_BYTES + 1])
                .unwrap_err()
                .detail
                .contains("line of more than")
        );
        assert!(
            read(&b"250-more\r\n".repeat(REPLY_AT_MOST_BYTES))
                .unwrap_err()
                .detail
                .contains("reply of more than")
        );
    }

    #[test]
    fn a_wire_id_is_read_only_where_it_is_one() {
        for (code, text, expected) in [
            (
                250,
                "2.0.0 OK <AM9PR01MB1234@AM9PR01MB1234.eurprd01.prod.exchangelabs.com> [Hostname=AM9PR01MB1234]",
                Some("<AM9PR01MB1234@AM9PR01MB1234.eurprd01.prod.exchangelabs.com>"),
            ),
            (
                250,
                "2.6.0 <a@b.example> [InternalId=1, Hostname=x] 1 bytes in 0.1, 8 KB/sec Queued mail for delivery",
                Some("<a@b.example>"),
            ),
            (250, "2.0.0 Ok: queued as 4F1B2", None),
            (
                250,
                "2.0.0 OK  1732400000 a640c23a62f3a-aa50f1 - gsmtp",
                None,
            ),
            (250, "OK <> id", None),
            (250, "OK <@b> and <a@>", None),
            (250, "OK <a b@c.example>", None),
            (250, "OK <a@b@c.example>", None),
            (250, "OK <a@b.example> for <jane@acme.example>", None),
            (250, "OK <a@b.example", None),
            (550, "<a@b.example> refused", None),
            (250, "OK <a@b.example>", Some("<a@b.example>")),
            (
                250,
                "2.0.0 Ok <a@b.example> queued as 4F1B2",
                Some("<a@b.example>"),
            ),
            (
                250,
                "2.0.0 OK: queued as <202611231000.123@relay.example>",
                Some("<202611231000.123@relay.example>"),
            ),
            (
                250,
                "2.0.0 Ok, Message-ID=<1@b.example>",
                Some("<1@b.example>"),
            ),
            // LMTP behind the submission service: Dovecot, Cyrus, and their kin.
            (250, "2.0.0 <ann@a.example> v0Q2B5bZ2XcUAAA Saved", None),
            (250, "2.1.5 <ann@a.example> Ok", None),
            (250, "2.1.5 Ok SESSIONID=<mail-1-2@a.example>", None),
            (250, "2.0.0 Ok <ann@a.example> delivered to store", None),
            (250, "Message accepted for <ann@a.example>", None),
            (250, "<ann@a.example>", None),
            (
                250,
                "Ok 0100018c1a2b3c4d-5e6f7a8b-0000-4c4d-8e8f-a1b2c3d4e5f6-000000",
                Some("0100018c1a2b3c4d-5e6f7a8b-0000-4c4d-8e8f-a1b2c3d4e5f6-000000"),
            ),
            (250, "Ok 4F1B2C3D4E", None),
            (
                250,
                "Ok queued 0100018c1a2b3c4d-5e6f7a8b-0000-4c4d-8e8f-a1b2c3d4e5f6-000000",
                None,
            ),
            (
                550,
                "Ok 0100018c1a2b3c4d-5e6f7a8b-0000-4c4d-8e8f-a1b2c3d4e5f6-000000",
                None,
            ),
        ] {
            let reply = SmtpReply::parse(code, [text]);
            assert_eq!(find_wire_id(&reply).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_address_of_the_message_is_never_its_id() {
        let reply = SmtpReply::parse(250, ["2.0.0 OK: queued as <Ann@a.example>"]);
        let addresses = ["jane@acme.example", "ann@a.example"];
        assert_eq!(find_wire_id_beside(&reply, &addresses), None);
        assert_eq!(
            find_wire_id_beside(&reply, &addresses[..1]).as_deref(),
            Some("<Ann@a.example>")
        );
    }

    #[test]
    fn another_service_is_named_by_its_greeting_and_only_by_that() {
        for (bytes, expected) in [
            (&b"* OK IMAP4rev1 ready\r\n"[..], Some("an IMAP server")),
            (b"+OK POP3 ready\r\n", Some("a POP3 server")),
            (b"HTTP/1.1 400 Bad Request\r\n", Some("a web server")),
            (
                b"\x15\x03\x01\x00\x02\x02\n",
                Some("a server that speaks TLS"),
            ),
            (b"hello\r\n", None),
            (b"220 mail.example\r\n+OK what\r\n", None),
        ] {
            let said = read(bytes).unwrap_err().into_said();
            let other = matches!(said, Said::Found(_)).then(|| said.to_string());
            assert_eq!(other.is_some(), expected.is_some(), "{said:?}");
            assert!(
                other
                    .unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
        }
    }

    #[test]
    fn an_offer_is_read_in_any_letters_and_in_the_old_form() {
        for (lines, extensions, auth) in [
            (
                &[
                    "smtp.acme.example",
                    "SIZE 35882577",
                    "STARTTLS",
                    "AUTH LOGIN XOAUTH2",
                ][..],
                &["SIZE", "STARTTLS", "AUTH"][..],
                &["LOGIN", "XOAUTH2"][..],
            ),
            (
                &["acme", "auth=plain", "starttls"],
                &["AUTH", "STARTTLS"],
                &["PLAIN"],
            ),
            (&["acme says AUTH and STARTTLS", "HELP"], &["HELP"], &[]),
            (&["", "HELP"], &["HELP"], &[]),
            (&["acme", "SIZE"], &["SIZE"], &[]),
            (&["acme", "size 0"], &["SIZE"], &[]),
        ] {
            let offer = Offer::parse(&SmtpReply::parse(250, lines.iter().copied()));
            assert_eq!(offer.auth, auth, "{lines:?}");
            let at_most = lines.contains(&"SIZE 35882577").then_some(35_882_577);
            assert_eq!(offer.size_at_most, at_most, "{lines:?}");
            for keyword in ["SIZE", "STARTTLS", "AUTH", "HELP", "SMTPUTF8"] {
                assert_eq!(
                    offer.has(keyword),
                    extensions.contains(&keyword),
                    "{lines:?} {keyword}"
                );
            }
        }
    }
}
