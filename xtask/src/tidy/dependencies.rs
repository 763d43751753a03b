//! Every version stands once, in the root `Cargo.toml`, below a comment that says what it is for.

use super::Finding;
use super::tree::Tree;

/// Finds dependencies without a reason, and versions outside the root.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(text) = tree.text("Cargo.toml") {
        findings.extend(without_reason(text));
    }
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
    {
        let Ok(manifest) = file.text.parse::<toml::Table>() else {
            continue;
        };
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let used = manifest.get(section).and_then(toml::Value::as_table);
            for (name, how) in used.into_iter().flatten() {
                let from_root = how
                    .get("workspace")
                    .and_then(toml::Value::as_bool)
                    .unwrap_or_default();
                if !from_root {
                    findings.push(Finding::file(
                        &file.path,
                        format!(
                            "write `{name}.workspace = true`; versions stand in the root Cargo.toml"
                        ),
                    ));
                }
            }
        }
    }
    findings
}

/// The lines of `[workspace.dependencies]` that have no comment above; our own crates need none,
/// and a heading (`# ---`) is no reason.
fn without_reason(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    let mut above = "";
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if let (true, Some((name, how))) = (inside, line.split_once(" = ")) {
            let has_reason = above.starts_with("# ") && !above.starts_with("# ---");
            if !has_reason && !how.starts_with("{ path") && !line.starts_with('#') {
                findings.push(Finding::line(
                    "Cargo.toml",
                    at + 1,
                    format!("say in a comment above `{name}` what it is for and why this one"),
                ));
            }
        }
        above = line;
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn a_dependency_without_its_own_comment_is_found() {
        let root = "[workspace.dependencies]\nprotocol = { path = \"protocol\" }\n# --- text\na = \"1\"\n# For b.\nb = \"2\"\nc = \"3\"\n\n[profile.dev]\nd = 1\n";
        assert_eq!(
            found(check, &[("Cargo.toml", root)]),
            [
                "Cargo.toml:4: say in a comment above `a` what it is for and why this one",
                "Cargo.toml:7: say in a comment above `c` what it is for and why this one",
            ]
        );
    }

    #[test]
    fn a_version_outside_the_root_is_found() {
        let member = "[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"c\"] }\nd = \"1\"\n";
        assert_eq!(
            found(check, &[("relay/Cargo.toml", member)]),
            ["relay/Cargo.toml: write `d.workspace = true`; versions stand in the root Cargo.toml"]
        );
    }
}
