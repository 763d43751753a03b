//! Bodies and queries of the API: each is given to every endpoint that the relay mounts, so that a new one is
//! among them by itself.

use std::sync::LazyLock;

use protocol::problem::Problem;
use protocol::request::{Encoded, Request, encode};
use relay::http::decoding::{parse_fields, parse_query, parse_request};
use relay::http::{Mount, Serve, mount_endpoints};
use serde_json::{Map, Value};

use crate::cost;

/// A field that no request has.
const UNKNOWN: &str = "no_such_field";

/// A text as short as this may stand in a complaint, also by chance.
const TOLD_BELOW: usize = 40;

static CHECKS: LazyLock<Checks> = LazyLock::new(|| mount_endpoints(Checks(Vec::new())));

/// A check for each endpoint.
struct Checks(Vec<fn(&Map<String, Value>)>);

impl Mount for Checks {
    fn mount<R: Serve>(mut self) -> Self {
        self.0.push(check::<R>);
        self
    }
}

pub(super) fn run(bytes: &[u8]) {
    let body = cost::bounded(bytes, 16 * 1024, 256, || {
        parse_fields("application/json", bytes)
    });
    match &body {
        Ok(fields) => check_all(fields),
        Err(problem) => check_problem(problem),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let fields = cost::bounded(bytes, 16 * 1024, 256, || parse_query(text));
        assert!(fields.values().all(Value::is_string));
        check_all(&fields);
    }
}

fn check_all(fields: &Map<String, Value>) {
    for check in &CHECKS.0 {
        check(fields);
    }
}

fn check<R: Request>(fields: &Map<String, Value>) {
    // The path says the same as the body where the body says it, else anything.
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("x");
    let parameters: Vec<(&str, &str)> = R::PATH
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| (name, text(name)))
        .collect();
    let input = vec![
        0;
        fields
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum()
    ];
    // A refusal asks again, with one field changed, as often as the request has fields.
    match cost::bounded(&input, 64 * 1024, 1024, || {
        parse_request::<R>(&parameters, fields)
    }) {
        Ok(request) => {
            check_written_again(&request);
            check_unknown::<R>(&parameters, fields);
        }
        Err(problem) => {
            check_problem(&problem);
            check_names_its_field(&problem);
            // The name of an unknown field is told, and may read like another's text.
            if !problem.detail.starts_with("unknown field ") {
                for value in fields.values() {
                    check_not_told(value, &problem.detail);
                }
            }
        }
    }
}

/// Roughly the bytes of a value's JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(values) => values.iter().map(size).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields
                .iter()
                .map(|(name, value)| name.len() + size(value))
                .sum::<usize>()
                + 2
        }
        _ => 4,
    }
}

/// A request taken apart for the wire and put together again is the same request.
fn check_written_again<R: Request>(request: &R) {
    let before = serde_json::to_value(request).unwrap_or_default();
    let Ok(Encoded { path, fields }) = encode(request) else {
        unreachable!("{} cannot be written: {before}", R::NAME)
    };
    let segments: Vec<&str> = path.split('/').collect();
    let named: Vec<&str> = R::PATH.split('/').collect();
    assert_eq!(segments.len(), named.len(), "{path}");
    let mut values = Vec::new();
    for (segment, name) in segments.iter().zip(&named) {
        match name
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => values.push((name, decode_segment(segment))),
            None => assert_eq!(segment, name),
        }
    }
    let parameters: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    match parse_request::<R>(&parameters, &fields) {
        Ok(again) => assert_eq!(
            serde_json::to_value(&again).unwrap_or_default(),
            before,
            "{}",
            R::NAME
        ),
        Err(problem) => unreachable!("{} is refused when it is read again: {problem}", R::NAME),
    }
}

/// A segment of a path as a server reads it (RFC 3986 §2.1): a plus sign is a plus sign.
fn decode_segment(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits: Vec<u8> = rest.by_ref().take(2).collect();
        let digits = String::from_utf8(digits).unwrap_or_default();
        bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A field more, at the top or within, is refused by its name.
fn check_unknown<R: Request>(parameters: &[(&str, &str)], fields: &Map<String, Value>) {
    let mut top = fields.clone();
    top.insert(UNKNOWN.to_owned(), Value::from(1));
    expect_named::<R>(parameters, &top, UNKNOWN);
    for (name, value) in fields {
        let mut within = value.clone();
        let place = match &mut within {
            Value::Object(inner) => Some((format!("{name}.{UNKNOWN}"), inner)),
            Value::Array(inner) => inner.iter_mut().enumerate().find_map(|(idx, value)| {
                Some((format!("{name}[{idx}].{UNKNOWN}"), value.as_object_mut()?))
            }),
            _ => None,
        };
        let Some((expected, place)) = place else {
            continue;
        };
        place.insert(UNKNOWN.to_owned(), Value::from(1));
        let mut changed = fields.clone();
        changed.insert(name.clone(), within);
        expect_named::<R>(parameters, &changed, &expected);
    }
}

fn expect_named<R: Request>(
    parameters: &[(&str, &str)],
    fields: &Map<String, Value>,
    expected: &str,
) {
    let problem = parse_request::<R>(parameters, fields).err();
    assert_eq!(
        problem.and_then(|problem| problem.field).as_deref(),
        Some(expected),
        "{} with a field more",
        R::NAME
    );
}

fn check_problem(problem: &Problem) {
    assert_eq!(problem.status, 422);
    assert!(!problem.detail.is_empty());
}

/// A long text of the caller's may be a token in the wrong field, so it is not told back.
fn check_not_told(value: &Value, detail: &str) {
    match value {
        Value::String(text) => assert!(
            text.chars().count() < TOLD_BELOW || !detail.contains(text),
            "told back: {detail}"
        ),
        Value::Array(values) => values
            .iter()
            .for_each(|value| check_not_told(value, detail)),
        Value::Object(fields) => fields
            .values()
            .for_each(|value| check_not_told(value, detail)),
        _ => {}
    }
}

/// A complaint about a field that is missing or unknown names it.
fn check_names_its_field(problem: &Problem) {
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|words| problem.detail.strip_prefix(words));
    if let Some(named) = named {
        let field = problem.field.as_deref().unwrap_or_default();
        // A name of the caller's may hold backticks and points.
        let is_named = |part: &str| {
            named
                .strip_prefix(part)
                .is_some_and(|rest| rest.starts_with('`'))
        };
        let mut parts = field.split_inclusive('.').scan(field, |rest, part| {
            *rest = rest.get(part.len()..)?;
            Some(*rest)
        });
        assert!(
            is_named(field) || parts.any(is_named),
            "{field:?} is told, and the words are: {}",
            problem.detail
        );
    }
}
