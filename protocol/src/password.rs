//! What is taken away from a password that was pasted, and nothing else. Asking for one, and handing it over, are the
//! shells'.

use crate::secret::Secret;

/// The most bytes of a password that anybody takes. Ours: no password is that long, and a file pasted by mistake is.
pub const AT_MOST_BYTES: usize = 4096;
/// Groups of an app password as providers show it, and letters of each. "Sign in with app passwords", Google's
/// documents, and Yahoo's page: sixteen letters in four groups, while their servers take the letters alone.
const APP_PASSWORD_GROUPS: usize = 4;

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPassword {
    /// Nothing is left of it.
    #[error("expected a password, found none")]
    Empty,
    /// It is longer than [`AT_MOST_BYTES`].
    #[error("expected at most {AT_MOST_BYTES} bytes, found more")]
    TooLong,
}

/// The password in a text that was pasted or typed.
///
/// - Line ends and what nobody can type are taken away at both ends. A space there stays: a password may begin or end
///   with one, and who typed it meant it.
/// - An app password in four groups of four letters loses what divides them, whatever kind of space that is. A
///   password of four words of four letters looks the same; it cannot be told apart, and is taken for one.
/// - Every other space stays.
pub fn clean(text: &str) -> Result<Secret, NotAPassword> {
    if text.len() > AT_MOST_BYTES {
        return Err(NotAPassword::TooLong);
    }
    let text = text.trim_matches(is_untypable);
    if text.is_empty() {
        return Err(NotAPassword::Empty);
    }
    let is_between = |letter: char| letter.is_whitespace() || is_untypable(letter);
    let groups = || text.split(is_between).filter(|group| !group.is_empty());
    let is_group = |group: &str| {
        group.len() == APP_PASSWORD_GROUPS
            && group.chars().all(|letter| letter.is_ascii_alphabetic())
    };
    Ok(
        if groups().count() == APP_PASSWORD_GROUPS && groups().all(is_group) {
            // In one piece from the start, so that no smaller copy is left behind when it grows.
            let mut letters = String::with_capacity(APP_PASSWORD_GROUPS * APP_PASSWORD_GROUPS);
            letters.extend(groups());
            Secret::new(letters)
        } else {
            Secret::new(text)
        },
    )
}

/// What no key makes and what is not seen: control characters, line and paragraph separators, marks without width.
fn is_untypable(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_pasting_adds_is_taken_away() {
        for (text, expected) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("\r\nhunter2\r\n", "hunter2"),
            ("\thunter2\t", "hunter2"),
            ("\u{feff}hunter2\u{200b}\n", "hunter2"),
            ("hunter2\u{2029}", "hunter2"),
            (" with spaces ", " with spaces "),
            (" with  spaces \n", " with  spaces "),
            ("\u{a0}hunter2", "\u{a0}hunter2"),
            ("in\tside", "in\tside"),
            ("pässwörd ", "pässwörd "),
            (" ", " "),
        ] {
            assert_eq!(clean(text), Ok(Secret::new(expected)), "{text:?}");
            assert_eq!(
                clean(text).map(|one| one.expose().to_owned()).as_deref(),
                Ok(expected),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_app_password_in_four_groups_loses_its_spaces() {
        let letters = "abcdefghijklmnop";
        for text in [
            "abcd efgh ijkl mnop",
            "abcd efgh ijkl mnop\n",
            "  abcd efgh  ijkl mnop  ",
            "abcd\u{a0}efgh\u{a0}ijkl\u{a0}mnop ",
            "abcd\u{202f}efgh\u{2009}ijkl\u{3000}mnop",
            "abcd\tefgh\nijkl\r\nmnop",
            "\u{feff}abcd \u{200b}efgh\u{200b} ijkl mnop\u{feff}",
            letters,
        ] {
            let cleaned = clean(text).unwrap();
            assert_eq!(cleaned.expose(), letters, "{text:?}");
        }
        let kept = clean("ABCD efgh IJKL mnop").unwrap();
        assert_eq!(
            kept.expose(),
            "ABCDefghIJKLmnop",
            "letters stay as they are"
        );
    }

    #[test]
    fn what_only_looks_like_one_keeps_its_spaces() {
        for text in [
            "abcd efgh ijkl mno1",
            "abcd efgh ijkl",
            "abcd efgh ijkl mnop qrst",
            "abcde fghi jklm nop",
            "abcd-efgh-ijkl-mnop",
            "äbcd efgh ijkl mnop",
            "mountain elephant",
        ] {
            assert_eq!(clean(text).unwrap().expose(), text, "{text:?}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_no_passwords() {
        for text in ["", "\n", "\r\n\t", "\u{feff}\u{200b}"] {
            assert_eq!(clean(text), Err(NotAPassword::Empty), "{text:?}");
        }
        assert!(clean(&"x".repeat(AT_MOST_BYTES)).is_ok());
        let long = "x".repeat(AT_MOST_BYTES + 1);
        assert_eq!(clean(&long), Err(NotAPassword::TooLong));
    }
}
