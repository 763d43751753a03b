//! What somebody wrote, as it is kept and shown: who, when, what about, and the words, with what they quote apart.

use std::collections::HashMap;
use std::fmt::Write as _;

use mail_parser::decoders::html::html_to_text;
use mail_parser::{MessageParser, PartType};
use sha2::{Digest as _, Sha256};

use super::away::Written;
use super::head::Head;
use super::parts::split_parts;
use crate::text::plain;

/// The most that is kept of a text, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The longest subject or name that is kept, in characters.
const FIELD_CHARS_MAX: usize = 300;
/// Parts that are looked at, and how deep they may lie.
const PARTS_MAX: usize = 20;
const DEPTH_MAX: usize = 4;
/// Elements that may be open at once where HTML is laid out; what is nested deeper is read by its words alone.
const NESTING_MAX: usize = 100;

/// A message that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The same however often and from wherever the message is read: a digest of its id, its date, who wrote it and its
    /// subject, as they stand.
    pub key: String,
    /// The address of who wrote it, in small letters; empty where nobody is named.
    pub from: String,
    /// The name beside it.
    pub from_name: String,
    /// The subject.
    pub subject: String,
    /// When it was written, by its own words.
    pub written: Option<Written>,
    /// The words above what they quote.
    pub text: String,
    /// What they quote, and whatever stands below that.
    pub quoted: String,
    /// Whether it is longer than what is kept.
    pub is_cut: bool,
}

/// Reads a message, or the part of it that was fetched: `is_whole` says which.
pub fn read(bytes: &[u8], is_whole: bool) -> Letter {
    let Some(head) = Head::parse(bytes) else {
        return Letter::default();
    };
    let mut found = Texts::default();
    found.add(bytes, 0);
    let written_in_plain = found.plain.iter().any(|text| !text.trim().is_empty());
    let words = if written_in_plain {
        found.plain.join("\n")
    } else {
        let html = found.html.iter().map(|html| from_html(html));
        html.collect::<Vec<_>>().join("\n")
    };
    let (words, is_too_long) = bound(&tidy(&words));
    let (text, quoted) = split_quoted(&words);
    Letter {
        key: key_of(&head),
        from: head.from().unwrap_or_default(),
        from_name: short(&head.shown_name()),
        subject: short(head.subject()),
        written: head.written(),
        text: text.trim_matches('\n').trim_end().to_owned(),
        quoted: quoted.trim_matches('\n').trim_end().to_owned(),
        is_cut: is_too_long || !is_whole,
    }
}

/// What tells a message from every other one, and does not change where it is moved or read again.
fn key_of(head: &Head<'_>) -> String {
    let mut digest = Sha256::new();
    for name in ["Message-ID", "Date", "From", "Subject"] {
        let value = head.value(name).unwrap_or_default();
        let value: Vec<&str> = value.split_whitespace().collect();
        digest.update(value.join(" ").as_bytes());
        digest.update(b"\n");
    }
    let mut key = String::new();
    for byte in digest.finalize().iter().take(16) {
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// The texts of a message, but for those that are attached.
#[derive(Default)]
struct Texts {
    plain: Vec<String>,
    html: Vec<String>,
    n_parts: usize,
}

impl Texts {
    fn add(&mut self, bytes: &[u8], depth: usize) {
        let Some(head) = Head::parse(bytes) else {
            return;
        };
        let kind = head.kind();
        if let Some(boundary) = head
            .attribute("boundary")
            .filter(|_| kind.starts_with("multipart/"))
        {
            if depth < DEPTH_MAX {
                for part in split_parts(bytes, &boundary) {
                    self.add(part, depth + 1);
                }
            }
            return;
        }
        self.n_parts += 1;
        let is_attached = head
            .value("Content-Disposition")
            .is_some_and(|disposition| disposition.to_ascii_lowercase().starts_with("attachment"));
        if self.n_parts > PARTS_MAX || is_attached || !kind.starts_with("text/") {
            return;
        }
        let Some(message) = MessageParser::default().parse(bytes) else {
            return;
        };
        match message.parts.first().map(|part| &part.body) {
            Some(PartType::Text(text))
                if matches!(
                    kind.as_str(),
                    "text/plain" | "text/enriched" | "text/markdown"
                ) =>
            {
                self.plain.push(text.to_string());
            }
            Some(PartType::Html(html)) => self.html.push(html.to_string()),
            _ => {}
        }
    }
}

/// HTML as text. What is nested so deep that laying it out would cost a stranger's choice of stack and time is read by
/// its words.
fn from_html(html: &str) -> String {
    if nesting(html) > NESTING_MAX {
        html_to_text(html)
    } else {
        plain::from_html(html)
    }
}

/// No fewer elements than are ever open at once, but for those that end themselves and paragraphs and items, which do
/// not stand in one another.
fn nesting(html: &str) -> usize {
    const COUNTED_NOT: [&str; 10] = [
        "br", "img", "hr", "meta", "link", "input", "col", "wbr", "p", "li",
    ];
    let mut open: HashMap<String, usize> = HashMap::new();
    let (mut n_open, mut most) = (0_usize, 0_usize);
    for tag in html.split('<').skip(1) {
        let is_end = tag.starts_with('/');
        let name = tag.trim_start_matches('/').chars();
        let name: String = name
            .take_while(char::is_ascii_alphanumeric)
            .take(16)
            .collect();
        let name = name.to_ascii_lowercase();
        if name.is_empty() || COUNTED_NOT.contains(&name.as_str()) {
            continue;
        }
        let of_that_name = open.entry(name).or_default();
        if !is_end {
            *of_that_name += 1;
            n_open += 1;
            most = most.max(n_open);
        } else if *of_that_name > 0 {
            *of_that_name -= 1;
            n_open -= 1;
        }
    }
    most
}

/// Lines end in one way, and nothing acts where the text is shown.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect()
}

fn bound(text: &str) -> (String, bool) {
    if text.len() <= TEXT_BYTES_MAX {
        return (text.to_owned(), false);
    }
    let mut end = TEXT_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text.get(..end).unwrap_or_default().to_owned(), true)
}

fn short(field: &str) -> String {
    field
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(FIELD_CHARS_MAX)
        .collect()
}

/// A text, and what it quotes below: from the first line on behind which all is quoted, that draws a line with words in
/// it, or that begins a quoted head. Where somebody wrote between or below what they quote, nothing is taken apart.
fn split_quoted(text: &str) -> (&str, &str) {
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        lines.push((at, line.trim()));
        at += line.len();
    }
    let begins = |idx: usize| begins_below(&lines, idx);
    let Some(idx) = (0..lines.len()).find(|idx| begins(*idx)) else {
        return (text, "");
    };
    let at = lines.get(idx).map_or(text.len(), |(at, _)| *at);
    let (own, quoted) = text.split_at(at);
    // Somebody who writes nothing above writes somewhere within.
    if own.trim().is_empty() {
        (text, "")
    } else {
        (own, quoted)
    }
}

fn begins_below(lines: &[(usize, &str)], idx: usize) -> bool {
    let line = |idx: usize| lines.get(idx).map_or("", |(_, line)| *line);
    let rest = || {
        lines
            .iter()
            .skip(idx)
            .map(|(_, line)| *line)
            .filter(|line| !line.is_empty())
    };
    let this = line(idx);
    if this.is_empty() {
        return false;
    }
    let all_quoted = |mut lines: Box<dyn Iterator<Item = &str> + '_>| {
        let mut n_lines = 0;
        lines.all(|line| {
            n_lines += 1;
            line.starts_with('>')
        }) && n_lines > 0
    };
    if this.starts_with('>') {
        return all_quoted(Box::new(rest()));
    }
    // Who wrote what is quoted, in up to three lines of which the last ends with a colon.
    let introduces = (0..3).any(|n| {
        let lines_before_end =
            (0..n).all(|n| !line(idx + n).is_empty() && !line(idx + n).ends_with([':', '：']));
        lines_before_end
            && line(idx + n).ends_with([':', '：'])
            && names_a_time_or_address(
                &(0..=n).map(|n| line(idx + n)).collect::<Vec<_>>().join(" "),
            )
            && all_quoted(Box::new(rest().skip(n + 1)))
    });
    if introduces {
        return true;
    }
    // "-----Original Message-----", in whatever language.
    let bare = this.trim_matches(['-', '_', '–', '—']).trim();
    let n_dashes = this.chars().count()
        - this
            .trim_start_matches(['-', '_', '–', '—'])
            .chars()
            .count();
    if n_dashes >= 3 && !bare.is_empty() && this.ends_with(['-', '_', '–', '—']) {
        return true;
    }
    // Outlook's line of underscores, or nothing, and then the head of what is quoted.
    let from = idx + usize::from(n_dashes >= 10 && bare.is_empty());
    let head: Vec<&str> = (from..from + 4).map(line).collect();
    let n_fields = head.iter().filter(|line| is_field(line)).count();
    n_fields >= 3
        && head.first().is_some_and(|line| is_field(line))
        && head.iter().any(|line| line.contains('@'))
}

/// Who introduces what they quote names an address or a time.
fn names_a_time_or_address(line: &str) -> bool {
    line.contains('@') || line.chars().any(|c| c.is_ascii_digit())
}

/// `From: Ann <ann@a.example>`, in whatever language.
fn is_field(line: &str) -> bool {
    line.trim_start_matches('*')
        .split_once([':', '：'])
        .is_some_and(|(name, value)| {
            let n_words = name.split_whitespace().count();
            (1..=2).contains(&n_words)
                && name.chars().count() <= 20
                && !value.trim_matches('*').trim().is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(message: &str) -> (String, String) {
        let letter = read(message.replace('\n', "\r\n").as_bytes(), true);
        (letter.text, letter.quoted)
    }

    #[test]
    fn the_plain_words_are_read_in_their_charset_and_what_they_quote_apart() {
        for (message, text, quoted) in [
            ("Subject: Re: Hi\n\nYes, gladly.\n", "Yes, gladly.", ""),
            (
                "Subject: x\n\nGern.\n\nAm 3.12.2026 um 10:00 schrieb Jane:\n> Hallo\n>\n> Jane\n",
                "Gern.",
                "Am 3.12.2026 um 10:00 schrieb Jane:\n> Hallo\n>\n> Jane",
            ),
            (
                "Subject: x\n\nOui.\n\nLe mar. 1 déc. 2026 à 10:00, Jane Doe\n<jane@acme.example> a écrit :\n\n> Bonjour\n",
                "Oui.",
                "Le mar. 1 déc. 2026 à 10:00, Jane Doe\n<jane@acme.example> a écrit :\n\n> Bonjour",
            ),
            (
                "Subject: x\n\nOk\n\n-----Ursprüngliche Nachricht-----\nVon: Jane <jane@acme.example>\n",
                "Ok",
                "-----Ursprüngliche Nachricht-----\nVon: Jane <jane@acme.example>",
            ),
            (
                "Subject: x\n\nOk\n\n________________________________\nFrom: Jane <jane@acme.example>\nSent: Monday\nTo: Ann\nSubject: Hi\n\nHello\n",
                "Ok",
                "________________________________\nFrom: Jane <jane@acme.example>\nSent: Monday\nTo: Ann\nSubject: Hi\n\nHello",
            ),
            // Written between or below what is quoted.
            (
                "Subject: x\n\n> Shall we?\nYes\n> When?\nNow\n",
                "> Shall we?\nYes\n> When?\nNow",
                "",
            ),
            (
                "Subject: x\n\nTwo things:\n- one\n- two\n",
                "Two things:\n- one\n- two",
                "",
            ),
            ("Subject: x\n\n> Hello\n", "> Hello", ""),
            (
                "Subject: x\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n",
                "Grüße",
                "",
            ),
            (
                "Subject: x\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n5MEK\n",
                "Да",
                "",
            ),
            (
                "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nPlain\n--b\nContent-Type: text/html\n\n<p>Rich</p>\n--b--\n",
                "Plain",
                "",
            ),
            (
                "Subject: x\nContent-Type: text/html\n\n<html><body><p>Yes &amp; no</p><blockquote>Hello</blockquote></body></html>\n",
                "Yes & no",
                "> Hello",
            ),
            (
                "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nHere\n--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nNot this\n--b--\n",
                "Here",
                "",
            ),
            ("Subject: x\n\n", "", ""),
        ] {
            assert_eq!(
                text_of(message),
                (text.to_owned(), quoted.to_owned()),
                "{message}"
            );
        }
    }

    #[test]
    fn a_message_is_the_same_wherever_it_stands_and_no_other_one() {
        let key = |head: &str| read(format!("{head}\r\n\r\nHi").as_bytes(), true).key;
        let one = "Message-ID: <1@a.example>\r\nDate: Tue, 1 Dec 2026 10:00:00 +0100\r\nFrom: ann@a.example\r\nSubject: Hi";
        assert_eq!(
            key(one),
            key(&format!(
                "Received: by mx.example\r\nX-Folder: All\r\n{one}"
            ))
        );
        assert_eq!(
            key(one),
            key(&one.replace("Subject: Hi", "Subject:\r\n Hi"))
        );
        for other in [
            one.replace("<1@", "<2@"),
            one.replace("10:00", "10:01"),
            one.replace("ann@", "bob@"),
            one.replace("Subject: Hi", "Subject: Ho"),
        ] {
            assert_ne!(key(one), key(&other), "{other}");
        }
    }

    #[test]
    fn who_wrote_it_and_when_stand_as_they_were_said() {
        let letter = read(
            b"From: =?utf-8?q?J=C3=BCrg_M=C3=BCller?= <Juerg@A.example>\r\nDate: Wed, 2 Dec 2026 00:30:00 +0300\r\n\
              Subject: =?utf-8?q?R=C3=BCck?=\r\n frage\r\n\r\nHi",
            false,
        );
        assert_eq!(letter.from, "juerg@a.example");
        assert_eq!(letter.from_name, "Jürg Müller");
        assert_eq!(letter.subject, "Rück frage");
        let written = letter.written.unwrap();
        assert_eq!(
            (written.day.to_string().as_str(), written.offset_seconds),
            ("2026-12-02", 10_800)
        );
        assert!(letter.is_cut);
    }

    #[test]
    fn a_text_is_bounded_and_no_nesting_is_too_deep() {
        let long = format!("Subject: x\r\n\r\n{}", "é".repeat(TEXT_BYTES_MAX));
        let letter = read(long.as_bytes(), true);
        assert!(letter.is_cut);
        assert!(letter.text.len() <= TEXT_BYTES_MAX && letter.text.len() > TEXT_BYTES_MAX - 4);
        for element in ["div", "table><tr><td", "blockquote", "ul><li", "b", "p"] {
            let html = format!("<{element}>").repeat(20_000);
            let message = format!("Content-Type: text/html\r\n\r\n{html}deep");
            assert!(
                read(message.as_bytes(), true).text.contains("deep"),
                "{element}"
            );
        }
    }
}
