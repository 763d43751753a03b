//! What an IMAP server answers: where responses end, what they say, and the folders, messages and numbers in them.

use relay::imap::fetching::Fetched;
use relay::imap::folder::{Folder, find_sent_folder};
use relay::imap::framing::{Framer, Piece, RESPONSE_BYTES_MAX};
use relay::imap::reading::{Data, Response, Status, Unreadable, parse_response};
use relay::imap::value::{Value, parse_values};

use crate::{chunks, cost};

/// What the relay takes from a socket at once.
const PORTION_BYTES: usize = 16 * 1024;

/// A limit small enough to be met.
const SMALL_BYTES: usize = 512;

pub(super) fn run(bytes: &[u8]) {
    for bytes_max in [RESPONSE_BYTES_MAX, SMALL_BYTES] {
        let mut ways = chunks::ways(bytes, PORTION_BYTES).into_iter();
        let usual = ways.next().unwrap_or_default();
        let heard = cost::bounded(bytes, 64 * 1024, 128, || frame(&usual, bytes_max));
        for portions in ways {
            assert_eq!(
                frame(&portions, bytes_max),
                heard,
                "the same bytes in other portions are other responses"
            );
        }
        for pieces in &heard.responses {
            assert!(size(pieces) <= bytes_max, "a response beyond its limit");
        }
        if bytes_max == RESPONSE_BYTES_MAX {
            check(&heard.responses);
        }
    }
}

/// What was cut before the end, or before what is too large.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    responses: Vec<Vec<Piece>>,
    is_too_large: bool,
}

fn frame(portions: &[&[u8]], bytes_max: usize) -> Heard {
    let mut heard = Heard {
        responses: Vec::new(),
        is_too_large: false,
    };
    let mut framer = Framer::default();
    framer.bytes_max = bytes_max;
    for portion in portions {
        framer.room().extend_from_slice(portion);
        loop {
            match framer.take_response() {
                Ok(None) => break,
                Ok(Some(pieces)) => heard.responses.push(pieces),
                Err(too_large) => {
                    assert_eq!(too_large.bytes_max, bytes_max);
                    heard.is_too_large = true;
                    return heard;
                }
            }
        }
    }
    heard
}

fn size(pieces: &[Piece]) -> usize {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Line(bytes) | Piece::Literal(bytes) => bytes.len(),
        })
        .sum()
}

fn check(responses: &[Vec<Piece>]) {
    let mut folders = Vec::new();
    for pieces in responses {
        let n_bytes = size(pieces);
        match parse_response(pieces.clone()) {
            Ok(Response::Continue(text)) => check_text(&text),
            Ok(Response::Tagged(tag, status)) => {
                assert!(tag != "*" && !tag.contains(' '), "{tag:?}");
                check_status(&status);
            }
            Ok(Response::Untagged(status)) => check_status(&status),
            Ok(Response::Data(data)) => folders.extend(check_data(&data, n_bytes)),
            Err(unreadable) => check_refusal(&unreadable),
        }
    }
    if let Some(sent) = find_sent_folder(&folders) {
        assert!(sent.selectable, "{sent:?}");
    }
}

/// It says what came, to people, and no more of it than they read.
fn check_refusal(Unreadable(words): &Unreadable) {
    assert!(!words.is_empty() && words.len() < 500, "{words}");
    assert!(!words.contains(char::is_control), "{words:?}");
}

fn check_status(status: &Status) {
    check_text(&status.text);
    if let Some(code) = &status.code {
        check_text(&code.name);
        assert_eq!(code.name, code.name.to_ascii_uppercase());
        assert_eq!(code.numbers("NO SUCH CODE"), None);
    }
}

/// People read it on a card and at a terminal.
fn check_text(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.chars().count() <= 1000, "{} bytes", text.len());
}

/// The folder that it tells of, where it does.
fn check_data(data: &Data, n_bytes: usize) -> Option<Folder> {
    let input = vec![0; n_bytes];
    let values = cost::bounded(&input, 4 * 1024, 256, || data.values());
    if let Ok(values) = &values {
        let again = parse_values(&render(values));
        assert_eq!(
            again.as_ref(),
            Ok(values),
            "values written again are others"
        );
    }
    if let Ok(fetched) = Fetched::parse(data) {
        assert!(fetched.uid.is_none_or(|uid| uid > 0));
        let body_bytes = fetched.body.as_ref().map_or(0, Vec::len);
        assert!(body_bytes <= n_bytes);
        let told = fetched.uid.filter(|_| fetched.body.is_some());
        assert_eq!(fetched.into_header().map(|header| header.uid), told);
    }
    Folder::parse(data).ok()
}

/// Values as a server would write them, every text as a literal.
fn render(values: &[Value]) -> Vec<Piece> {
    let mut pieces = vec![Piece::Line(Vec::new())];
    write(values, &mut pieces);
    pieces
}

fn write(values: &[Value], pieces: &mut Vec<Piece>) {
    for value in values {
        match value {
            Value::Atom(word) => {
                line(pieces).extend(word);
                line(pieces).push(b' ');
            }
            Value::Text(text) => {
                pieces.push(Piece::Literal(text.clone()));
                pieces.push(Piece::Line(b" ".to_vec()));
            }
            Value::List(inner) => {
                line(pieces).push(b'(');
                write(inner, pieces);
                line(pieces).extend(b") ");
            }
        }
    }
}

/// The line at the end.
fn line(pieces: &mut Vec<Piece>) -> &mut Vec<u8> {
    if !matches!(pieces.last(), Some(Piece::Line(_))) {
        pieces.push(Piece::Line(Vec::new()));
    }
    match pieces.last_mut() {
        Some(Piece::Line(line)) => line,
        _ => unreachable!("a line was just put there"),
    }
}
