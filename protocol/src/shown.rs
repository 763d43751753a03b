//! Foreign words, fit to be shown. What a server, a message, a list, a header or a path brings is text that somebody
//! else chose. A line break in it begins a line of its own in a log, an escape sequence moves a terminal, and signs that
//! turn the direction of writing show one thing and mean another. Such characters are shown by a sign or by their
//! number and never written, so that nothing is lost and nothing acts.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character acts where it is written instead of being seen: the controls of C0 and C1 and DEL, the
/// separators of lines and paragraphs, and what turns the direction of writing (Unicode UAX 9 §2).
pub fn is_acting(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

/// Foreign words as a part of a line.
pub fn line(words: &str) -> Cow<'_, str> {
    show(words, |_| false, spell)
}

/// Text of ours that may quote foreign words; its line breaks are its own.
pub fn lines(text: &str) -> Cow<'_, str> {
    show(text, |letter| letter == '\n', spell)
}

/// JSON that may hold foreign words, in one line: such characters stand only in its strings, where they may be escaped
/// (RFC 8259 §7).
pub fn json(text: &str) -> Cow<'_, str> {
    show(
        text,
        |_| false,
        |letter, shown| {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        },
    )
}

/// The control pictures of Unicode for C0 and DEL: signs without letters, so that they are no words to whoever reads for
/// words; numbers for all others.
fn spell(letter: char, shown: &mut String) {
    let code = u32::from(letter);
    let picture = match code {
        ..0x20 => char::from_u32(0x2400 + code),
        0x7F => Some('\u{2421}'),
        _ => None,
    };
    match picture {
        Some(picture) => shown.push(picture),
        None => shown.extend(letter.escape_unicode()),
    }
}

fn show(
    text: &str,
    is_kept: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    let acts = |letter| is_acting(letter) && !is_kept(letter);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if acts(letter) {
            escape(letter, &mut shown);
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_by_its_number_and_everything_else_stays() {
        for (words, expected) in [
            ("plain, with a\\backslash and \"quotes\"", None),
            ("Zoë 東京 👩‍💻 e\u{301}", None),
            ("two\r\nlines", Some("two␍␊lines")),
            ("\u{1b}[2Jgone\u{7f}\0", Some("␛[2Jgone␡␀")),
            ("a\u{85}b\u{9b}31m", Some("a\\u{85}b\\u{9b}31m")),
            ("a\u{2028}b\u{2029}c", Some("a\\u{2028}b\\u{2029}c")),
            (
                "user\u{202e}gpj.exe\u{2066}\u{200f}",
                Some("user\\u{202e}gpj.exe\\u{2066}\\u{200f}"),
            ),
        ] {
            assert_eq!(line(words), expected.unwrap_or(words));
        }
    }

    #[test]
    fn text_of_ours_keeps_its_lines() {
        assert_eq!(lines("one\ntwo\r\t\u{1b}"), "one\ntwo␍␉␛");
    }

    #[test]
    fn json_means_the_same_as_before() {
        let words = "a\u{7f}b\u{9b}c\u{202e}d\u{2028}e \u{1f469} \n\u{1b}";
        let text = serde_json::to_string(words).unwrap();
        let shown = json(&text);
        assert!(!shown.contains(is_acting), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), words);
    }

    #[test]
    fn of_all_characters_none_is_left_that_acts() {
        let all: String = (char::MIN..=char::MAX).collect();
        assert!(!line(&all).contains(is_acting));
        assert!(!json(&all).contains(is_acting));
        assert!(!lines(&all).contains(|letter| is_acting(letter) && letter != '\n'));
    }
}
