//! Which field of a refused request is at fault, as a path like `steps[1].body`, and serde's words without a long
//! text of the caller's.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// What serde says against some fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where it stopped; `None` for the object as a whole.
    pub(super) field: Option<String>,
    /// Its words.
    pub(super) words: String,
}

/// Reads a value from an object of fields.
pub(super) fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Fault> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let words = error.inner().to_string();
        let mut field = render(error.path());
        // A field that is missing has no place in the input: serde stops at the object that lacks it.
        if let Some(missing) = find_missing(&words) {
            push_name(&mut field, missing);
        }
        Fault {
            field: (!field.is_empty()).then_some(field),
            words,
        }
    })
}

/// The path in the form of the API: `imap.port`, `steps[1].wait_ms`.
fn render(path: &Path) -> String {
    let mut field = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                // Writing into a text cannot fail.
                let _ = write!(field, "[{index}]");
            }
            Segment::Map { key } => push_name(&mut field, key),
            // The variant stands in the tag, which is a field beside it.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    field
}

fn push_name(field: &mut String, name: &str) {
    if !field.is_empty() {
        field.push('.');
    }
    field.push_str(name);
}

/// The name in ``missing field `name` ``, as [`serde::de::Error::missing_field`] says it for every format; ours say more
/// behind it.
fn find_missing(words: &str) -> Option<&str> {
    let (name, _) = words.strip_prefix("missing field `")?.split_once('`')?;
    Some(name)
}

/// The longest text of a caller that is told back: what is longer may be a token in the wrong field.
const TOLD_AT_MOST: usize = 12;

/// serde's `words` in those of people, without a long text of the caller's: `expected a whole number, 0 or more, found
/// the text "soon"`.
pub(super) fn tell(words: &str) -> String {
    let words = hush(words);
    let wrong = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|start| words.strip_prefix(start));
    let Some((found, expected)) = wrong.and_then(|rest| rest.rsplit_once(", expected ")) else {
        return words;
    };
    // Where in the text it stands says nothing once the field is named.
    let expected = expected.split(" at line ").next().unwrap_or(expected);
    format!(
        "expected {}, found {}",
        name_type(expected),
        name_found(found)
    )
}

/// What serde expects, by the names that its types have in Rust.
fn name_type(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" | "a character" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "nothing",
        other if other.starts_with("struct ") => "an object",
        other if other.starts_with("enum ") || other.contains(" enum ") => "one of its words",
        other => other,
    }
    .to_owned()
}

/// What serde found, by the names that it has for values.
fn name_found(found: &str) -> String {
    for (start, name) in [
        ("integer `", "the number "),
        ("floating point `", "the number "),
        ("boolean `", ""),
    ] {
        if let Some(value) = found.strip_prefix(start) {
            return format!("{name}{}", value.trim_end_matches('`'));
        }
    }
    match found {
        "null" | "unit value" => "nothing".to_owned(),
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        found => match found.strip_prefix("string \"") {
            Some(text) => format!("the text \"{text}"),
            None => found.to_owned(),
        },
    }
}

fn hush(words: &str) -> String {
    let without = |open: &str, close: &str, kind: &str| -> Option<String> {
        let (before, rest) = words.split_once(open)?;
        let (text, behind) = rest.rsplit_once(close)?;
        let n_letters = text.chars().count();
        (n_letters > TOLD_AT_MOST)
            .then(|| format!("{before}{kind} of {n_letters} characters, expected {behind}"))
    };
    without("string \"", "\", expected ", "a string")
        .or_else(|| without("unknown variant `", "`, expected ", "an unknown variant"))
        .unwrap_or_else(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use protocol::request::campaign::CreateCampaign;
    use protocol::request::inbox::CreateInbox;
    use serde_json::json;

    use super::*;

    fn field_at_fault<T: DeserializeOwned>(body: Value) -> Option<String> {
        let Value::Object(fields) = body else {
            panic!("{body}")
        };
        match read::<T>(fields) {
            Ok(_) => panic!("nothing is at fault"),
            Err(fault) => fault.field,
        }
    }

    #[test]
    fn a_long_text_is_not_told_back() {
        for (words, expected) in [
            (
                "invalid type: string \"soon\", expected u64",
                "expected a whole number, 0 or more, found the text \"soon\"",
            ),
            (
                "invalid value: integer `-5`, expected u64 at line 1 column 9",
                "expected a whole number, 0 or more, found the number -5",
            ),
            (
                "invalid type: null, expected a string",
                "expected a text, found nothing",
            ),
            (
                "invalid type: map, expected a sequence",
                "expected a list, found an object",
            ),
            (
                "invalid type: boolean `true`, expected f64",
                "expected a number, found true",
            ),
            (
                "invalid type: string \"ya29.a0AfB_by\\\", expected\", expected struct Sealed at line 1 column 9",
                "expected an object, found a string of 25 characters",
            ),
            (
                "unknown variant `ya29.a0AfB_byC`, expected one of `leave`, `cancel`",
                "an unknown variant of 14 characters, expected one of `leave`, `cancel`",
            ),
            (
                "unknown variant `send`, expected one of `leave`, `cancel`",
                "unknown variant `send`, expected one of `leave`, `cancel`",
            ),
            ("missing field `steps`", "missing field `steps`"),
        ] {
            assert_eq!(tell(words), expected);
        }
    }

    #[test]
    fn the_field_at_fault_is_named_however_deep() {
        let inbox = |field: &str, value: Value| {
            let mut body = json!({ "address": "jane@acme.example", "provider": "sandbox" });
            body[field] = value;
            field_at_fault::<CreateInbox>(body)
        };
        for (field, value, expected) in [
            ("colour", json!("red"), "colour"),
            ("address", json!("jane"), "address"),
            ("provider", json!(5), "provider"),
            ("smtp", json!("h"), "smtp"),
            ("smtp", json!({ "host": "h" }), "smtp.port"),
            (
                "imap",
                json!({ "host": "h", "port": 1, "address": "x" }),
                "imap.address",
            ),
            ("imap", json!({ "host": "h", "port": "x" }), "imap.port"),
            (
                "imap",
                json!({ "host": "h", "port": 1, "tls": "none" }),
                "imap.tls",
            ),
        ] {
            assert_eq!(
                inbox(field, value.clone()).as_deref(),
                Some(expected),
                "{field} {value}"
            );
        }
        for (body, expected) in [
            (json!({ "provider": "sandbox" }), "address"),
            (json!({ "address": "jane@acme.example" }), "provider"),
        ] {
            assert_eq!(
                field_at_fault::<CreateInbox>(body).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn the_step_at_fault_is_named_among_several() {
        let good = json!({ "subject": "x", "body": "x" });
        for (step, expected) in [
            (json!({ "body": 3 }), "steps[1].body"),
            (
                json!({ "body": "x", "wait_ms": "soon" }),
                "steps[1].wait_ms",
            ),
            (json!({ "body": "x", "wait": 3 }), "steps[1].wait"),
            (json!({ "body": "x" }), "steps[1].wait_ms"),
            (json!("x"), "steps[1]"),
        ] {
            let steps = json!([good, step, { "subject": "x" }]);
            let body = json!({ "name": "x", "inboxes": [], "steps": steps });
            assert_eq!(
                field_at_fault::<CreateCampaign>(body).as_deref(),
                Some(expected),
                "{step}"
            );
        }
        let body = json!({ "name": "x", "inboxes": ["inb_1", 2], "steps": [] });
        let field = field_at_fault::<CreateCampaign>(body);
        assert_eq!(field.as_deref(), Some("inboxes[1]"));
    }
}
