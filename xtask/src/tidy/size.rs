//! A file over 400 lines is a question, over 800 an answer.
//!
//! What was over 800 when the rule came stands in the baseline, which may only shrink.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

const WARNS_OVER: usize = 400;
const FAILS_OVER: usize = 800;
const BASELINE: &str = "xtask/tidy-baseline.txt";
const CODE: &[&str] = &[".rs", ".js", ".mjs", ".css", ".html"];

/// Finds long files, and lines of the baseline that are no longer needed.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let baseline: BTreeSet<&str> = tree
        .text(BASELINE)
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut needed = BTreeSet::new();
    let mut findings = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| CODE.iter().any(|end| file.path.ends_with(end)))
    {
        let n_lines = file.text.lines().count();
        if n_lines > FAILS_OVER && baseline.contains(file.path.as_str()) {
            needed.insert(file.path.as_str());
        } else if n_lines > FAILS_OVER {
            findings.push(Finding::file(
                &file.path,
                format!("{n_lines} lines: split it by subject, {FAILS_OVER} is the end"),
            ));
        } else if n_lines > WARNS_OVER {
            findings.push(Finding::warning(
                &file.path,
                format!("{n_lines} lines: is it one subject?"),
            ));
        }
    }
    findings.extend(
        baseline.difference(&needed).map(|path| {
            Finding::file(BASELINE, format!("remove `{path}`: it is no longer needed"))
        }),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn long_files_warn_then_fail_unless_they_are_known() {
        let long = "a\n".repeat(401);
        let longer = "a\n".repeat(801);
        let baseline = "# why\nold.rs\nmended.rs\n";
        assert_eq!(
            found(
                check,
                &[
                    ("long.rs", &long),
                    ("longer.rs", &longer),
                    ("old.rs", &longer),
                    ("mended.rs", "a"),
                    ("text.md", &longer),
                    ("xtask/tidy-baseline.txt", baseline),
                ]
            ),
            [
                "warning: long.rs: 401 lines: is it one subject?",
                "longer.rs: 801 lines: split it by subject, 800 is the end",
                "xtask/tidy-baseline.txt: remove `mended.rs`: it is no longer needed",
            ]
        );
    }
}
