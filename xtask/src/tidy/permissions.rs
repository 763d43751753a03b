//! Every permission of the extension has a reason in `docs/permissions.md`, and every reason there
//! belongs to a permission that is asked for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Finding;
use super::tree::Tree;

const MANIFEST: &str = "manifest.json";
const REASONS: &str = "docs/permissions.md";

/// The keys of the manifest that ask for something.
const KEYS: &[&str] = &[
    "permissions",
    "optional_permissions",
    "host_permissions",
    "optional_host_permissions",
];

/// Finds permissions without a reason, and reasons without a permission.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(MANIFEST) else {
        return Vec::new();
    };
    let Ok(manifest) = serde_json::from_str::<Value>(text) else {
        return vec![Finding::file(MANIFEST, "mend it: it is not JSON")];
    };
    let asked: Vec<&str> = KEYS
        .iter()
        .filter_map(|key| manifest.get(key).and_then(Value::as_array))
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let reasons = reasons(tree.text(REASONS).unwrap_or_default());

    let without = asked
        .iter()
        .filter(|name| !reasons.contains_key(**name))
        .map(|name| {
            Finding::file(
                MANIFEST,
                format!("say in {REASONS} why `{name}` is asked for"),
            )
        });
    let unasked = reasons
        .iter()
        .filter(|(name, _)| !asked.contains(name))
        .map(|(name, line)| {
            Finding::line(
                REASONS,
                *line,
                format!("remove `{name}`: {MANIFEST} does not ask for it"),
            )
        });
    without.chain(unasked).collect()
}

/// The rows of the table, name and reason, with their lines; a row without a reason does not count.
fn reasons(text: &str) -> BTreeMap<&str, usize> {
    text.lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            let reason = cells.next()?;
            (!reason.is_empty()).then_some((name, at + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn permissions_and_reasons_are_held_together() {
        let manifest = r#"{"permissions": ["storage", "alarms"], "optional_host_permissions": ["https://*/*"]}"#;
        let reasons = "| permission | why |\n| --- | --- |\n| `storage` | keeps the pairing |\n\
                       | `https://*/*` | |\n| `tabs` | once |\n";
        assert_eq!(
            found(
                check,
                &[
                    ("manifest.json", manifest),
                    ("docs/permissions.md", reasons)
                ]
            ),
            [
                "manifest.json: say in docs/permissions.md why `alarms` is asked for",
                "manifest.json: say in docs/permissions.md why `https://*/*` is asked for",
                "docs/permissions.md:5: remove `tabs`: manifest.json does not ask for it",
            ]
        );
    }
}
