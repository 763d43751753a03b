//! Mozilla's linter on the built extension: no error, and exactly the warnings that stand with their
//! reasons in `tests/lint/warnings.json`.

use std::fs;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::npm;
use crate::shell::{self, Workspace};
use crate::web::{self, Shrink};

/// A list of objects: `code`, `file`, `message`, and `reason`, why it stays.
const KNOWN: &str = "tests/lint/warnings.json";

/// Builds the extension and lints it.
pub(super) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    web::build(workspace, Shrink::Always)?;
    let mut command = workspace.program(
        &npm::program(workspace, "addons-linter")?,
        &["--output", "json"],
    );
    command.arg(web::extension_folder(workspace));
    eprintln!("$ {}", shell::show(&command));
    // Its exit status says only whether there are errors.
    let output = command.output().context("the linter cannot be started")?;
    let said: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "the linter printed no JSON: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })?;
    let known = fs::read_to_string(workspace.root.join(KNOWN))
        .with_context(|| format!("{KNOWN} cannot be read"))?;
    let known: Value =
        serde_json::from_str(&known).with_context(|| format!("{KNOWN} is not JSON"))?;
    let findings = compare(&said, &known)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("the linter: {} to mend", findings.len());
    }
    eprintln!(
        "the linter: no error, {} known warnings",
        list(&known)?.len()
    );
    Ok(())
}

/// What is wrong: errors, warnings that are not known, and known ones that are gone.
fn compare(said: &Value, known: &Value) -> anyhow::Result<Vec<String>> {
    let part = |name: &str| list(said.get(name).unwrap_or(&Value::Null));
    let mut findings: Vec<String> = part("errors")?
        .iter()
        .map(|error| format!("error: {}", shown(error)))
        .collect();
    let mut left: Vec<&Value> = list(known)?.iter().collect();
    for warning in part("warnings")? {
        match left.iter().position(|one| is_same(one, warning)) {
            Some(at) => {
                left.remove(at);
            }
            None => findings.push(format!("warning: {}", shown(warning))),
        }
    }
    findings.extend(
        left.iter()
            .map(|gone| format!("remove from {KNOWN}, it is gone: {}", shown(gone))),
    );
    let without_reason = list(known)?
        .iter()
        .filter(|one| word(one, "reason").is_empty());
    findings
        .extend(without_reason.map(|one| format!("say in {KNOWN} why it stays: {}", shown(one))));
    Ok(findings)
}

/// The line may move, the rest may not.
fn is_same(known: &Value, warning: &Value) -> bool {
    ["code", "file", "message"]
        .iter()
        .all(|key| word(known, key) == word(warning, key))
}

fn shown(one: &Value) -> String {
    let [code, file, message] = ["code", "file", "message"].map(|key| word(one, key));
    let line = one.get("line").and_then(Value::as_u64).unwrap_or_default();
    format!("{code} {file}:{line}: {message}")
}

fn word<'a>(one: &'a Value, key: &str) -> &'a str {
    one.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value.as_array().context("a list was expected")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn warning(code: &str) -> Value {
        json!({ "code": code, "file": "pages.js", "line": 12, "message": "m" })
    }

    #[test]
    fn errors_new_warnings_and_lost_ones_are_found() {
        let known = json!([
            { "code": "A", "file": "pages.js", "message": "m", "reason": "Yew" },
            { "code": "B", "file": "pages.js", "message": "m", "reason": "" },
        ]);
        let said = json!({
            "errors": [warning("E")],
            "warnings": [warning("A"), warning("A")],
        });
        assert_eq!(
            compare(&said, &known).unwrap(),
            [
                "error: E pages.js:12: m",
                "warning: A pages.js:12: m",
                "remove from tests/lint/warnings.json, it is gone: B pages.js:0: m",
                "say in tests/lint/warnings.json why it stays: B pages.js:0: m",
            ]
        );
    }

    #[test]
    fn what_is_known_passes_and_a_strange_answer_does_not() {
        let known = json!([{ "code": "A", "file": "pages.js", "message": "m", "reason": "Yew" }]);
        let said = json!({ "errors": [], "warnings": [warning("A")] });
        assert!(compare(&said, &known).unwrap().is_empty());
        assert!(compare(&json!({}), &known).is_err());
    }
}
