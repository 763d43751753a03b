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
}
