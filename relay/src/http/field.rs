//! Which field of a refused request is at fault. serde says what is wrong, and where only sometimes; the
//! rest is found by asking again with one field changed. What stood there is told only where it is short.

use serde_json::{Map, Value};

/// The path of the field that `words`, serde's complaint about `fields`, is about. `complain` gives serde's
/// complaint about other fields.
pub(super) fn find_field(
    words: &str,
    fields: &Map<String, Value>,
    complain: &dyn Fn(Map<String, Value>) -> Option<String>,
) -> Option<String> {
    let named = read_name(words);
    if let Some(named) = named
        && is_at_top(named, words, fields, complain)
    {
        return Some(named.to_owned());
    }
    let is_at_fault = |name: &&String| differs_without(name, words, fields, complain);
    let within = fields.keys().find(is_at_fault)?;
    Some(named.map_or_else(|| within.clone(), |named| format!("{within}.{named}")))
}

/// The longest text of a caller that is told back: what is longer may be a token in the wrong field.
const TOLD_AT_MOST: usize = 12;

/// serde's `words` without a long text of the caller's, as in `invalid type: string "…", expected a map` and
/// ``unknown variant `…`, expected one of``.
pub(super) fn tell(words: &str) -> String {
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

/// The name in "missing field `name`" or "unknown field `nam`, expected …".
fn read_name(words: &str) -> Option<&str> {
    let rest = words
        .strip_prefix("missing field `")
        .or_else(|| words.strip_prefix("unknown field `"))?;
    rest.split_once('`').map(|(name, _)| name)
}

/// Whether the named field belongs to the request itself and not to something within it. One that is
/// missing there is no longer missing once it is null.
fn is_at_top(
    named: &str,
    words: &str,
    fields: &Map<String, Value>,
    complain: &dyn Fn(Map<String, Value>) -> Option<String>,
) -> bool {
    if words.starts_with("unknown") {
        return fields.contains_key(named) && differs_without(named, words, fields, complain);
    }
    let mut with = fields.clone();
    with.insert(named.to_owned(), Value::Null);
    complain(with).is_none_or(|words| read_name(&words) != Some(named))
}

/// Whether there is another complaint, or none, without this field.
fn differs_without(
    name: &str,
    words: &str,
    fields: &Map<String, Value>,
    complain: &dyn Fn(Map<String, Value>) -> Option<String>,
) -> bool {
    let mut without = fields.clone();
    without.remove(name);
    complain(without).as_deref() != Some(words)
}

#[cfg(test)]
mod tests {
    use protocol::request::Request;
    use protocol::request::campaign::CreateCampaign;
    use protocol::request::decode;
    use protocol::request::inbox::CreateInbox;
    use serde_json::json;

    use super::*;

    fn fault_of<R: Request>(body: Value) -> Option<String> {
        let Value::Object(fields) = body else {
            panic!("{body}")
        };
        let complain = |fields| decode::<R>([], fields).err().map(|error| error.to_string());
        let words = complain(fields.clone()).expect("the request is well formed");
        find_field(&words, &fields, &complain)
    }

    #[test]
    fn a_long_text_is_not_told_back() {
        for (words, expected) in [
            (
                "invalid type: string \"soon\", expected u64",
                "invalid type: string \"soon\", expected u64",
            ),
            (
                "invalid type: string \"ya29.a0AfB_by\\\", expected\", expected struct Sealed at line 1 column 9",
                "invalid type: a string of 25 characters, expected struct Sealed at line 1 column 9",
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
    fn the_field_at_fault_is_found_however_deep() {
        let inbox = |field: &str, value: Value| {
            let mut body = json!({ "address": "jane@acme.example", "provider": "sandbox" });
            body[field] = value;
            fault_of::<CreateInbox>(body)
        };
        for (field, value, expected) in [
            ("colour", json!("red"), "colour"),
            ("address", json!("jane"), "address"),
            ("provider", json!(5), "provider"),
            ("smtp", json!({ "host": "h" }), "smtp.port"),
            (
                "imap",
                json!({ "host": "h", "port": 1, "address": "x" }),
                "imap.address",
            ),
            ("imap", json!({ "host": "h", "port": "x" }), "imap"),
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
            assert_eq!(fault_of::<CreateInbox>(body).as_deref(), Some(expected));
        }
        for (body, expected) in [
            (json!({ "name": "x", "inboxes": [] }), "steps"),
            (
                json!({ "name": "x", "inboxes": [], "steps": [{ "subject": "x" }] }),
                "steps.body",
            ),
        ] {
            assert_eq!(fault_of::<CreateCampaign>(body).as_deref(), Some(expected));
        }
    }
}
