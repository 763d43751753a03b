//! What stands in the place of a value that is refused, in the words of the refusal; nothing of what may be a secret.

use std::borrow::Cow;

use toml::de::DeValue;

use super::setting::Kind;

/// As many letters of a value are shown.
const LETTERS_AT_MOST: usize = 80;

/// The text that a setting of that kind was given.
pub(super) fn describe_text(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Secret | Kind::Hidden if text.trim().is_empty() => "nothing".to_owned(),
        Kind::Secret | Kind::Hidden => "a text that is not shown here".to_owned(),
        Kind::Number | Kind::YesNo if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            text.to_owned()
        }
        _ => quote(text),
    }
}

/// A value of a file that is not of the setting's kind.
pub(super) fn describe_value(kind: Option<Kind>, value: &DeValue<'_>) -> String {
    let named = value.type_str();
    match value {
        _ if matches!(kind, Some(Kind::Secret | Kind::Hidden)) => named.to_owned(),
        DeValue::String(text) => format!("{named} {}", quote(text)),
        DeValue::Integer(number) => format!("{named} {}", number.as_str()),
        DeValue::Float(number) => format!("{named} {}", number.as_str()),
        DeValue::Boolean(truth) => format!("{named} {truth}"),
        DeValue::Array(items) if kind == Some(Kind::List) => items
            .iter()
            .map(toml::Spanned::get_ref)
            .find(|item| !matches!(item, DeValue::String(_)))
            .map_or_else(
                || named.to_owned(),
                |item| format!("one with {}", describe_value(None, item)),
            ),
        _ => named.to_owned(),
    }
}

/// In quotation marks, its begin alone where it is long, and without whoever signs in with an address.
fn quote(text: &str) -> String {
    let text = without_user(text);
    let mut letters = text.chars();
    let shown: String = letters.by_ref().take(LETTERS_AT_MOST).collect();
    let more = if letters.next().is_some() { "…" } else { "" };
    format!("{:?}", shown + more)
}

/// An address without its user and password (RFC 3986 §3.2.1).
fn without_user(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Cow::Borrowed(text);
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => Cow::Owned(format!("{scheme}://…{}", rest.split_at(user.len()).1)),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for (kind, text, expected) in [
            (Kind::Text, "gmial", "\"gmial\""),
            (Kind::Text, "", "\"\""),
            (Kind::Path, "~/mail\u{1b}", "\"~/mail\\u{1b}\""),
            (Kind::Number, "7", "7"),
            (Kind::Number, "-7", "\"-7\""),
            (Kind::Secret, "hunter2", "a text that is not shown here"),
            (Kind::Secret, " ", "nothing"),
            (
                Kind::Hidden,
                "hooks.example/hunter2",
                "a text that is not shown here",
            ),
            (
                Kind::Text,
                "https://jane:hunter2@acme.example/x",
                "\"https://…@acme.example/x\"",
            ),
            (
                Kind::Text,
                "https://jane:p@ss@acme.example",
                "\"https://…@acme.example\"",
            ),
            (
                Kind::Text,
                "https://acme.example/@jane",
                "\"https://acme.example/@jane\"",
            ),
        ] {
            assert_eq!(describe_text(kind, text), expected, "{kind:?} {text:?}");
        }
        let long = describe_text(Kind::Text, &"é".repeat(500));
        assert_eq!(long.chars().count(), LETTERS_AT_MOST + 3);
    }
}
