//! The file with the steps of a campaign: TOML tables `[[steps]]`, or JSON.

use std::path::{Path, PathBuf};

use protocol::campaign::{self, Step};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why there are no steps.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepsError {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The file is something else.
    #[error(
        "{path}, line {line}: {found}; expected a list of steps, each with subject, body and wait_ms"
    )]
    NotSteps {
        path: PathBuf,
        line: usize,
        found: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepsFile {
    #[serde(deserialize_with = "campaign::steps")]
    steps: Vec<Step>,
}

/// The steps of a file.
pub(super) fn load(path: &Path) -> Result<Vec<Step>, StepsError> {
    let text = std::fs::read_to_string(path).map_err(|source| StepsError::Io {
        path: path.to_owned(),
        source,
    })?;
    let text = text.trim_start_matches('\u{FEFF}');
    let parsed = if is_json(text) {
        parse_json(text)
    } else {
        parse_toml(text)
    };
    parsed.map_err(|(line, found)| StepsError::NotSteps {
        path: path.to_owned(),
        line,
        found,
    })
}

/// Whether it is JSON, whatever the file is called: a list or an object, where TOML begins with a table's name or a key.
fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    match text.strip_prefix('[') {
        Some(rest) => rest.trim_start().starts_with(['{', ']']) || rest.trim().is_empty(),
        None => text.starts_with('{'),
    }
}

fn parse_toml(text: &str) -> Result<Vec<Step>, (usize, String)> {
    toml::from_str::<StepsFile>(text)
        .map(|file| file.steps)
        .map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            // What a step lacks stands nowhere: its line is that of the step.
            let lacks_wait = error.message().starts_with("missing field `wait_ms`");
            let lacking = find_step_without_wait(text).filter(|_| lacks_wait);
            let at = lacking.unwrap_or(at);
            let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            (line, error.message().to_owned())
        })
}

/// Where the first step behind the first one begins that has no wait.
fn find_step_without_wait(text: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let DeValue::Array(steps) = table.get_ref().get("steps")?.get_ref() else {
        return None;
    };
    let lacks = |step: &&Spanned<DeValue<'_>>| {
        let table = step.get_ref().as_table();
        table.is_some_and(|table| !table.contains_key("wait_ms"))
    };
    Some(steps.iter().skip(1).find(lacks)?.span().start)
}

/// The list itself, or an object with the list as its `steps`.
fn parse_json(text: &str) -> Result<Vec<Step>, (usize, String)> {
    let parsed = if text.trim_start().starts_with('[') {
        let mut list = serde_json::Deserializer::from_str(text);
        campaign::steps(&mut list).and_then(|steps| list.end().map(|()| steps))
    } else {
        serde_json::from_str::<StepsFile>(text).map(|file| file.steps)
    };
    parsed.map_err(|error| (error.line(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_toml_and_json_alike() {
        let toml =
            "[[steps]]\nsubject = \"Hi\"\nbody = \"x\"\n\n[[steps]]\nbody = \"y\"\nwait_ms = 5\n";
        let list = r#"[{"subject":"Hi","body":"x"},{"body":"y","wait_ms":5}]"#;
        let steps = parse_toml(toml).unwrap();
        assert_eq!((steps.len(), steps[1].wait_ms), (2, 5));
        assert_eq!(parse_json(list).unwrap(), steps);
        assert_eq!(parse_json(&format!("{{\"steps\":{list}}}")).unwrap(), steps);
    }

    #[test]
    fn json_is_known_by_what_stands_in_it() {
        for json in ["[{\"body\":\"x\"}]", " [\n  {}]", "[]", "{\"steps\":[]}"] {
            assert!(is_json(json), "{json}");
        }
        for toml in [
            "[[steps]]\nbody = \"x\"",
            "# mine\n[[steps]]",
            "steps = []",
            "[steps]",
            "",
        ] {
            assert!(!is_json(toml), "{toml}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let (line, found) = parse_toml("[[steps]]\nbody = \"x\"\ncolour = 1\n").unwrap_err();
        assert!(line >= 1 && found.contains("colour"), "{line} {found}");
        let (line, found) = parse_json("[{\"body\":\"x\"},\n{\"body\":\"y\"}]").unwrap_err();
        let without_wait = "missing field `wait_ms` of step 2";
        assert!(
            line == 2 && found.starts_with(without_wait),
            "{line} {found}"
        );
        let text = "[[steps]]\nbody = \"x\"\n\n[[steps]]\nbody = \"y\"\n";
        let (line, found) = parse_toml(text).unwrap_err();
        assert!(
            line == 4 && found.starts_with(without_wait),
            "{line} {found}"
        );
        assert!(parse_json("[{\"body\":\"x\"}] [").is_err());
        let (line, found) = parse_json("[\n{\"body\":5}]").unwrap_err();
        assert!(line == 2 && found.contains("a string"), "{line} {found}");
    }
}
