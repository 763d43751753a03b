//! A field's name, as a message and a list write it: the same in any case, and however its words are separated.

use std::collections::BTreeMap;

/// The name without what people write differently: case, and what stands between words.
pub fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '.' | '\u{2010}'..='\u{2015}'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The field of that name: exactly so, else in any case, else with its words separated in any way.
pub fn find<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> Option<(&'a str, &'a str)> {
    let found = fields.get_key_value(name).or_else(|| {
        let small = name.to_lowercase();
        let folded = fold(name);
        fields
            .iter()
            .find(|(known, _)| known.to_lowercase() == small)
            .or_else(|| {
                fields
                    .iter()
                    .find(|(known, _)| fold(known) == folded && !folded.is_empty())
            })
    });
    found.map(|(known, value)| (known.as_str(), value.as_str()))
}

/// Whether a cell says nothing: it is empty, or holds what a program writes where it has no value. Spreadsheets begin
/// the names of their errors with `#` and write them large (`#N/A`, `#NAME?`, `#DIV/0!`; ECMA-376 part 1 §18.17.3),
/// `LibreOffice` numbers them (`Err:508`), languages and databases have a word in one spelling. People are called Null,
/// Nan and Nil: only what no name is written like counts.
pub fn is_void(cell: &str) -> bool {
    let cell = cell.trim();
    let is_error = cell.strip_prefix('#').is_some_and(|name| {
        let is_large = name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "/_!?".contains(c));
        is_large
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && (name.ends_with(['!', '?']) || matches!(name, "N/A" | "NV" | "GETTING_DATA"))
    });
    let is_numbered = cell.strip_prefix("Err:").is_some_and(|number| {
        number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    // People write these, in any case; nobody is called so.
    let small = cell.to_lowercase();
    let is_said = matches!(
        small.trim_end_matches('.'),
        "none"
            | "n/a"
            | "n.a"
            | "n. a"
            | "n/d"
            | "n.d"
            | "k.a"
            | "k. a"
            | "k/a"
            | "(none)"
            | "(empty)"
            | "(blank)"
    );
    let is_word = matches!(
        cell,
        "NULL"
            | "null"
            | "(null)"
            | "[null]"
            | "<null>"
            | "\\N"
            | "nan"
            | "NaN"
            | "undefined"
            | "<NA>"
            | "[object Object]"
    );
    let is_dash = cell.chars().all(|c| {
        matches!(
            c,
            '-' | '\u{2010}'..='\u{2015}' | '?' | '.' | '…' | '_' | '/' | '*'
        )
    });
    is_error || is_numbered || is_word || is_said || is_dash
}

/// The first character that nobody sees and that changes what is seen: a control (but for line ends and tabs), or one
/// that turns the direction of what follows (Unicode Bidirectional Algorithm §2.1 to 2.4), so that a name or an address
/// shows as another one.
pub fn find_hidden(text: &str) -> Option<char> {
    text.chars().find(|c| {
        c.is_control() && !matches!(c, '\n' | '\r' | '\t')
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    })
}

/// Whether nobody sees a character that has no place in a name: a break that is no control, a space without width
/// (Unicode §23.2). Cells of lists have them, where they do no harm.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200B}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_exactly_then_in_any_case_then_with_any_separator() {
        let names = [
            "first name",
            "first_name",
            "First",
            "größe in m²",
            "last-name",
        ];
        let fields = names
            .iter()
            .map(|name| ((*name).to_owned(), (*name).to_owned()))
            .collect();
        for (name, expected) in [
            ("first_name", Some("first_name")),
            ("First Name", Some("first name")),
            ("FIRST_NAME", Some("first_name")),
            ("first", Some("First")),
            ("firstName", Some("first name")),
            ("Last Name", Some("last-name")),
            ("lastname", Some("last-name")),
            ("GRÖSSE IN M²", None),
            ("Größe in m²", Some("größe in m²")),
            ("name", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(
                find(&fields, name).map(|(known, _)| known),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn what_nobody_sees_and_turns_what_is_seen_is_found() {
        for (text, hidden) in [
            ("Ann", None),
            ("Ann\tSmith\r\nUlm", None),
            ("אבג", None),
            ("zero\u{200D}joined\u{200E}", None),
            ("A\u{0}nn", Some('\u{0}')),
            ("A\u{7F}nn", Some('\u{7F}')),
            ("A\u{1B}[31m", Some('\u{1B}')),
            ("A\u{9B}m", Some('\u{9B}')),
            ("moc.\u{202E}example", Some('\u{202E}')),
            ("\u{202A}a", Some('\u{202A}')),
            ("\u{2066}a\u{2069}", Some('\u{2066}')),
        ] {
            assert_eq!(find_hidden(text), hidden, "{text:?}");
        }
    }

    #[test]
    fn what_a_program_writes_for_no_value_is_none_and_names_of_people_are() {
        for void in [
            "",
            " ",
            "#N/A",
            "#REF!",
            "#VALUE!",
            "#NAME?",
            "#DIV/0!",
            "#NUM!",
            "#NULL!",
            "#SPILL!",
            "#ERROR!",
            "#GETTING_DATA",
            "#NV",
            "#NOMBRE?",
            " #N/A ",
            "Err:508",
            "NULL",
            "null",
            "nan",
            "NaN",
            "None",
            "undefined",
            "\\N",
            "<NA>",
            "N/A",
            "n/a",
            "-",
            "--",
            "—",
            "?",
            "??",
            ".",
            "none",
            "NONE",
            "N.A.",
            "n.a.",
            "n. a.",
            "k.A.",
            "N/a",
        ] {
            assert!(is_void(void), "{void:?}");
        }
        for value in [
            "Null",
            "Nan",
            "Nil",
            "NA",
            "Na",
            "none of them",
            "#1",
            "#growth",
            "#",
            "#MadeInBerlin!",
            "# 5!",
            "Err: we",
            "0",
            "No",
            "-5",
            "A-",
            "Why?",
            "Noné",
            "N. Andersen",
            "Undefined Ltd",
            "NULL & Co",
        ] {
            assert!(!is_void(value), "{value:?}");
        }
    }
}
