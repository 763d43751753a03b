//! The letters of a lead list from its bytes: a byte order mark, the pattern of zero bytes, UTF-8, and else what
//! the bytes look like. What cannot be right is not taken: a wrong letter would stand in somebody's name.

use std::borrow::Cow;

use encoding_rs::{Encoding, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use fitting::Chosen;

mod alphabets;
mod fitting;

/// How much of a file is looked at for zero bytes.
const SAMPLE_BYTES: usize = 4096;

/// Of so many words beyond ASCII one may look wrong: abbreviations and marks that nobody foresees.
const WRONG_ONE_IN: usize = 20;

/// A list as text.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    /// The text, without a byte order mark.
    pub(super) text: Cow<'a, str>,
    /// The encoding's name (WHATWG Encoding).
    pub(super) encoding: &'static str,
    /// Whether its letters can be right.
    pub(super) fits: bool,
    /// The other readings of the same bytes that fit as well, where nothing decides between them.
    pub(super) others: Vec<Self>,
}

/// The text of these bytes.
pub(super) fn decode(bytes: &[u8]) -> Decoded<'_> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return decode_as(encoding, bytes.get(mark..).unwrap_or_default());
    }
    if let Some(encoding) = find_utf16(bytes) {
        return decode_as(encoding, bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Decoded {
            text: Cow::Borrowed(text),
            encoding: UTF_8.name(),
            fits: true,
            others: Vec::new(),
        };
    }
    if is_mostly_utf8(bytes) {
        return decode_as(UTF_8, bytes);
    }
    match fitting::choose(bytes) {
        Chosen::One(encoding) => decode_as(encoding, bytes),
        Chosen::Several(encodings) => {
            let mut readings = encodings.into_iter().map(|encoding| Decoded {
                fits: true,
                ..decode_as(encoding, bytes)
            });
            let first = readings.next();
            let others = readings.collect();
            first.map_or_else(
                || decode_as(WINDOWS_1252, bytes),
                |first| Decoded { others, ..first },
            )
        }
        // The encoding of old Macs, and one of languages that are not listed.
        Chosen::None(guess) => {
            let found = [guess, MACINTOSH]
                .into_iter()
                .filter(|encoding| !fitting::is_listed(encoding))
                .map(|encoding| decode_as(encoding, bytes))
                .find(|decoded| {
                    decoded.fits && (decoded.encoding != MACINTOSH.name() || may_be_mac(bytes))
                });
            found.unwrap_or_else(|| Decoded {
                fits: false,
                ..decode_as(WINDOWS_1252, bytes)
            })
        }
    }
}

/// The encoding of this name, as a person or a program writes it (WHATWG Encoding §4.2).
pub fn find_encoding(label: &str) -> Option<&'static Encoding> {
    let label: String = label.split_whitespace().collect();
    let label = label.to_lowercase();
    // "Windows 1251" and "cp-1251" are written for what has one label.
    [
        label.clone(),
        label.replace('_', "-"),
        label.replace("windows1", "windows-1"),
        label.replace("cp-", "cp"),
    ]
    .iter()
    .find_map(|label| Encoding::for_label_no_replacement(label.as_bytes()))
}

/// The text of these bytes in the encoding that a person told.
pub(super) fn decode_told<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Decoded<'a> {
    let bytes = match Encoding::for_bom(bytes) {
        Some((found, mark)) if found == encoding => bytes.get(mark..).unwrap_or_default(),
        _ => bytes,
    };
    decode_as(encoding, bytes)
}

fn decode_as<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Decoded<'a> {
    let is_utf16 = encoding == UTF_16LE || encoding == UTF_16BE;
    // Half a letter at the end is what a program left that appends a line end of its own.
    let whole = bytes.len() - usize::from(is_utf16) * (bytes.len() % 2);
    let bytes = bytes.get(..whole).unwrap_or(bytes);
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
    let is_unicode = is_utf16 || encoding == UTF_8;
    let fits = !had_errors && (is_unicode || letters_fit(&text));
    Decoded {
        text,
        encoding: encoding.name(),
        fits,
        others: Vec::new(),
    }
}

/// UTF-16 without a mark: addresses and delimiters are ASCII, so every other byte of much of it is zero.
fn find_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = bytes.get(..SAMPLE_BYTES).unwrap_or(bytes);
    let zeros = |odd: usize| {
        let places = sample.iter().skip(odd).step_by(2);
        places.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let enough = sample.len() / 16;
    if odd > enough && odd > 8 * even {
        Some(UTF_16LE)
    } else if even > enough && even > 8 * odd {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether most of what goes beyond ASCII is UTF-8: then the rest was pasted in from elsewhere, or damaged.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut n_letters, mut n_wrong) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        n_letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        n_wrong += chunk.invalid().len();
    }
    n_letters > 3 * n_wrong
}

/// Whether a list may come from an old Mac, where a few letters would fit by chance: by its line ends, or where so many
/// words fit that chance is none.
fn may_be_mac(bytes: &[u8]) -> bool {
    let (text, _) = MACINTOSH.decode_without_bom_handling(bytes);
    let words = words_of(&text).filter(|word| !word.is_ascii());
    !bytes.contains(&b'\n') || words.clone().count() > 2 && !words.clone().any(is_wrong)
}

fn words_of(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split(|c: char| c.is_whitespace() || ",;|\"".contains(c))
}

fn letters_fit(text: &str) -> bool {
    let (mut n_words, mut n_wrong) = (0_usize, 0_usize);
    for word in words_of(text) {
        if !word.is_ascii() {
            n_words += 1;
            n_wrong += usize::from(is_wrong(word));
        }
    }
    n_wrong * WRONG_ONE_IN <= n_words
}

/// The first word in which letters stand wrong, as they do where a text was read in another encoding than it was
/// written in.
pub(super) fn find_wrong(text: &str) -> Option<&str> {
    if text.is_ascii() {
        return None;
    }
    text.split_whitespace().find(|word| is_wrong(word))
}

/// The first word of a text in Unicode that was read wrongly before it came here: with a mark in the place of a
/// letter that was lost, or UTF-8 that was taken for Windows-1252 (`JÃ¶rg`).
pub fn find_garbled(text: &str) -> Option<&str> {
    if text.is_ascii() {
        return None;
    }
    text.split_whitespace().find(|word| {
        word.contains(|c: char| c == char::REPLACEMENT_CHARACTER || is_c1(c)) || is_doubled(word)
    })
}

/// Whether a part of a word is UTF-8 that was read as Windows-1252.
fn is_doubled(word: &str) -> bool {
    let is_lead = |c: char| matches!(c, '\u{C2}'..='\u{F4}');
    word.char_indices()
        .filter(|(_, c)| is_lead(*c))
        .any(|(at, lead)| {
            let n_bytes = match lead {
                '\u{F0}'.. => 4,
                '\u{E0}'.. => 3,
                _ => 2,
            };
            let rest = word.get(at..).unwrap_or_default();
            let end = rest
                .char_indices()
                .nth(n_bytes)
                .map_or(rest.len(), |(end, _)| end);
            let (bytes, _, is_unmappable) =
                WINDOWS_1252.encode(rest.get(..end).unwrap_or_default());
            !is_unmappable && bytes.len() == n_bytes && std::str::from_utf8(&bytes).is_ok()
        })
}

fn is_c1(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9F}')
}

fn is_wrong(word: &str) -> bool {
    let mut before: Option<char> = None;
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        let after = rest.clone().next();
        if stands_wrong(before, c, after) {
            return true;
        }
        before = Some(c);
    }
    false
}

fn stands_wrong(before: Option<char>, c: char, after: Option<char>) -> bool {
    if c.is_ascii() {
        return false;
    }
    if c == char::REPLACEMENT_CHARACTER || is_c1(c) || matches!(c, '\u{E000}'..='\u{F8FF}') {
        return true;
    }
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    if !c.is_alphanumeric() {
        // Letters with a sign between them: `J”rg`. Apostrophes, dashes and the middle dot do stand there.
        let is_sign = matches!(c, '\u{A1}'..='\u{BF}' | '\u{D7}' | '\u{F7}' | '\u{2C6}' | '\u{2DC}' | '\u{2010}'..='\u{2122}');
        let may_stand = "’‘´·•–—‐‑…\u{AD}&".contains(c);
        return is_sign && !may_stand && is_letter(before) && is_letter(after);
    }
    // `MŸller`, `AndrŽ`: a large letter behind a small one, and none behind it.
    let is_small = |c: Option<char>| c.is_some_and(char::is_lowercase);
    if c.is_uppercase() && is_small(before) && !after.is_some_and(char::is_uppercase) {
        return true;
    }
    // `Jцrg`: letters of two scripts that no word mixes.
    let here = script(c);
    [before, after]
        .into_iter()
        .flatten()
        .filter(|other| other.is_alphabetic())
        .any(|other| match (here, script(other)) {
            (Some(here), Some(other)) => here != other,
            _ => false,
        })
}

/// The script of a letter, of those that are written apart; `None` for others, which stand beside any.
fn script(c: char) -> Option<u8> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' => Some(0),
        '\u{370}'..='\u{3FF}' => Some(1),
        '\u{400}'..='\u{52F}' => Some(2),
        '\u{590}'..='\u{5FF}' => Some(3),
        '\u{600}'..='\u{6FF}' => Some(4),
        '\u{E00}'..='\u{E7F}' => Some(5),
        _ => None,
    }
}
