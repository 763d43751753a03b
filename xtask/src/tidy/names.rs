//! Modules are named by their subject.

use super::Finding;
use super::tree::Tree;

/// Words that say nothing about what is inside.
const EMPTY_WORDS: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "manager", "managers", "service", "services",
    "misc",
];

/// Finds `mod.rs` and modules whose name says nothing.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if file.path.ends_with("/mod.rs") {
            findings.push(Finding::file(
                &file.path,
                "write foo.rs beside foo/, not foo/mod.rs",
            ));
        }
        let words = file.path.trim_end_matches(".rs").split('/');
        if let Some(word) = words.into_iter().find(|word| EMPTY_WORDS.contains(word)) {
            findings.push(Finding::file(
                &file.path,
                format!("`{word}` says nothing: name the module by its subject"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn empty_names_and_mod_files_are_found() {
        assert_eq!(
            found(
                check,
                &[
                    ("relay/src/util.rs", ""),
                    ("relay/src/common/lead.rs", ""),
                    ("relay/src/smtp/mod.rs", ""),
                    ("relay/src/utility_bill.rs", ""),
                ]
            ),
            [
                "relay/src/util.rs: `util` says nothing: name the module by its subject",
                "relay/src/common/lead.rs: `common` says nothing: name the module by its subject",
                "relay/src/smtp/mod.rs: write foo.rs beside foo/, not foo/mod.rs",
            ]
        );
    }
}
