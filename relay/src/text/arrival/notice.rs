//! A notice in words: what a mail server writes to people where it sends no report, with the head of the returned
//! message quoted below. Whether the words say a failure is `wording`'s to judge.

use protocol::reply::EnhancedCode;

use super::bounce::{Diagnostic, Failure, find_reply};
use super::head::Head;
use super::{ADDRESSES_MAX, address, status};

/// Fields that tell the head of a message from a table of other things (RFC 5322 §3.6).
const KNOWN_FIELDS: &[&str] = &[
    "received",
    "return-path",
    "message-id",
    "date",
    "from",
    "to",
    "subject",
    "mime-version",
    "content-type",
    "dkim-signature",
    "delivered-to",
    "sender",
    "reply-to",
    "x-unpause-delivery",
];

/// Quoted heads that are read.
const QUOTED_MAX: usize = 3;

/// Words of a reason, at most: it is shown to people.
const REASON_BYTES_MAX: usize = 500;

/// The words of a notice in front of what it quotes, and the heads of messages that it quotes. What a person's mail
/// program quotes is not the writer's own word, so `unquoted` leaves it out of the words.
pub(super) fn split(text: &str, unquoted: bool) -> (String, Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let mut heads = Vec::new();
    let mut first = None;
    let mut at = 0;
    while at < lines.len() && heads.len() < QUOTED_MAX {
        let (head, n_lines) = head_at(lines.get(at..).unwrap_or_default());
        if let Some(head) = head {
            first = first.or(Some(at));
            heads.push(head);
        }
        at += n_lines.max(1);
    }
    let front = lines
        .get(..first.unwrap_or(lines.len()))
        .unwrap_or_default();
    // Some put the reason below the returned head.
    let is_empty = front.iter().all(|line| line.trim().is_empty());
    let own = if is_empty { &lines } else { front };
    let words: Vec<&str> = own
        .iter()
        .filter(|line| !(unquoted && is_quoted(line)))
        .copied()
        .collect();
    (words.join("\n"), heads)
}

/// Whether a text quotes as people's mail programs do: line by line, or below a head.
pub(super) fn is_quoted_by_a_person(text: &str, heads: &[String]) -> bool {
    !heads.is_empty() || text.lines().any(is_quoted)
}

/// Three marks are a server's: `>>> RCPT TO`.
fn is_quoted(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('>') && !line.starts_with(">>>")
}

/// The head of a message that these lines begin with, and how many lines were read for it. All its lines are quoted
/// or indented alike.
fn head_at(lines: &[&str]) -> (Option<String>, usize) {
    let Some(first) = lines.first() else {
        return (None, 0);
    };
    let bare = first.trim_start_matches([' ', '\t', '>', '|']);
    let Some(mark) = first.get(..first.len() - bare.len()) else {
        return (None, 1);
    };
    if !field_name(bare).is_some_and(|name| KNOWN_FIELDS.contains(&name.as_str())) {
        return (None, 1);
    }
    let mut head = String::new();
    let mut known: Vec<String> = Vec::new();
    let mut n_lines = 0;
    for line in lines {
        let Some(line) = line.strip_prefix(mark) else {
            break;
        };
        let is_folded = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        match field_name(line) {
            Some(name) => {
                if KNOWN_FIELDS.contains(&name.as_str()) && !known.contains(&name) {
                    known.push(name);
                }
            }
            None if is_folded && n_lines > 0 => {}
            None => break,
        }
        head.push_str(line);
        head.push_str("\r\n");
        n_lines += 1;
    }
    let names = |name: &str| known.iter().any(|known| known == name);
    let is_head = known.len() >= 2 && (names("message-id") || names("x-unpause-delivery"))
        || known.len() >= 3 && names("from") && (names("to") || names("subject"));
    head.push_str("\r\n");
    (is_head.then_some(head), n_lines)
}

fn field_name(line: &str) -> Option<String> {
    let (name, _) = line.split_once(':')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then(|| name.to_ascii_lowercase())
}

/// What a notice says of each address that it names, with the reason that stands behind the address; of one without
/// an address where it names none. The sender and the recipient of the notice itself are not among them.
pub(super) fn failures(head: &Head<'_>, words: &str) -> Vec<Failure> {
    let own: Vec<String> = [head.addresses("To"), head.addresses("From")].concat();
    let mut places: Vec<(usize, String)> = Vec::new();
    for (at, address) in address::places(words) {
        let is_known = places.iter().any(|(_, known)| *known == address);
        if !is_known && !own.contains(&address) && places.len() < ADDRESSES_MAX {
            places.push((at, address));
        }
    }
    let marked = head.addresses("X-Failed-Recipients");
    if !marked.is_empty() {
        places.retain(|(_, address)| marked.contains(address));
        for address in marked {
            if !places.iter().any(|(_, known)| *known == address) {
                places.push((words.len(), address));
            }
        }
    }
    if places.is_empty() {
        return vec![failure(None, words, words)];
    }
    let ends: Vec<usize> = places.iter().skip(1).map(|(at, _)| *at).collect();
    let ends = ends.into_iter().chain([words.len()]);
    places
        .iter()
        .zip(ends)
        .map(|((at, address), end)| {
            let reason = words.get(*at..end.max(*at)).unwrap_or_default();
            let reason = reason.get(address.len()..).unwrap_or_default();
            failure(Some(address.clone()), reason, words)
        })
        .collect()
}

fn failure(recipient: Option<String>, reason: &str, words: &str) -> Failure {
    // The code may stand in front of the address that it is about.
    let has_code = find_reply(reason).is_some() || status::find_enhanced(reason).is_some();
    let told = if has_code { reason } else { words };
    let end = paragraph_end(told);
    let reply = find_reply(told.get(..end).unwrap_or(told)).or_else(|| find_reply(told));
    let status = match &reply {
        Some(reply) if reply.enhanced.is_some() => reply.enhanced,
        _ => status::find_enhanced(told),
    };
    Failure {
        recipient,
        original_recipient: None,
        status: status.filter(|code: &EnhancedCode| code.class != 2),
        diagnostic: reply
            .map(|mut reply| {
                reply.text = shorten(&reply.text);
                Diagnostic::Reply(reply)
            })
            .or_else(|| {
                let words = shorten(reason);
                (!words.is_empty()).then_some(Diagnostic::Words(words))
            }),
        remote_mta: host(told),
    }
}

/// Where the first paragraph with a code ends.
fn paragraph_end(text: &str) -> usize {
    let at = status::find_code(text).unwrap_or(0);
    let rest = text.get(at..).unwrap_or_default();
    at + rest.find("\n\n").unwrap_or(rest.len())
}

/// The first words of a reason, on one line.
fn shorten(reason: &str) -> String {
    let reason = reason.trim_start_matches(['>', ':', '"', '\'', ')', ' ', '\n', '\r']);
    let paragraph = reason.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.floor_char_boundary(REASON_BYTES_MAX.min(line.len()));
    line.get(..end).unwrap_or_default().to_owned()
}

/// The server that a notice names: the name behind the word `host`.
fn host(words: &str) -> Option<String> {
    let mut all = words
        .split(|c: char| c.is_whitespace() || matches!(c, '[' | '(' | ',' | ':' | '=' | '<' | '>'))
        .filter(|word| !word.is_empty());
    while let Some(word) = all.next() {
        if !word.eq_ignore_ascii_case("host") {
            continue;
        }
        let name = all.next()?;
        let is_host = name.contains('.') && name.chars().any(char::is_alphabetic);
        if is_host
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        {
            return Some(name.to_lowercase());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_notice_quotes_is_told_from_what_it_says() {
        let text = "It failed.\n\n--- Below is the head\n\n> Return-Path: <jane@acme.example>\n\
            > Message-ID:\n>  <one@acme.example>\n> Subject: Hello\n>\n> Hi\n";
        let (words, heads) = split(text, false);
        assert!(
            words.starts_with("It failed.") && !words.contains("Hello"),
            "{words}"
        );
        let [head] = heads.as_slice() else {
            panic!("{heads:?}")
        };
        let head = Head::parse(head.as_bytes()).unwrap();
        assert_eq!(head.ids("Message-ID"), ["one@acme.example"]);
        let (words, heads) = split("Date: Monday\nI come.\n> 550 gone\n>>> RCPT TO\n", true);
        assert!(heads.is_empty());
        assert_eq!(words, "Date: Monday\nI come.\n>>> RCPT TO");
    }

    #[test]
    fn each_address_has_the_reason_behind_it() {
        let head = Head::parse(b"To: jane@acme.example\r\n\r\n").unwrap();
        let words = "Sent by jane@acme.example.\n\n<ann@a.example>:\nhost mx.a.example[203.0.113.5] said:\n\
            550 5.1.1 no such mailbox\n\n<bob@b.example>: mailbox is full (#5.2.2)\n";
        let found = failures(&head, words);
        let told: Vec<_> = found
            .iter()
            .map(|failure| (failure.recipient.as_deref().unwrap(), failure.words()))
            .collect();
        assert_eq!(
            told[0],
            ("ann@a.example", "550 5.1.1 no such mailbox".to_owned())
        );
        assert_eq!(found[0].remote_mta.as_deref(), Some("mx.a.example"));
        assert_eq!(found[1].recipient.as_deref(), Some("bob@b.example"));
        assert_eq!(found[1].code(), Some(EnhancedCode::new(5, 2, 2)));
        assert_eq!(found.len(), 2);
    }
}
