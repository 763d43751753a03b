//! Every RFC that the code cites has a row in `docs/standards.md`, and every file that a row names
//! exists.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

const TABLE: &str = "docs/standards.md";

/// Finds RFCs that are cited and have no row, each where it is cited first, and rows that name a file that is gone.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let table = tree.text(TABLE).unwrap_or_default();
    let rows: BTreeSet<&str> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|row| cited(row).next())
        .collect();

    let mut findings = Vec::new();
    let mut missing = BTreeSet::new();
    for file in tree.rust().filter(|file| !file.path.starts_with("xtask/")) {
        for (at, line) in file.text.lines().enumerate() {
            for number in cited(line) {
                if !rows.contains(number) && missing.insert(number) {
                    findings.push(Finding::line(
                        &file.path,
                        at + 1,
                        format!(
                            "add a row for RFC {number} to {TABLE}: what we implement, and where"
                        ),
                    ));
                }
            }
        }
    }
    for (at, row) in table
        .lines()
        .enumerate()
        .filter(|(_, row)| row.starts_with('|'))
    {
        for path in row
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| is_path(word))
        {
            let known = tree.files.iter().any(|file| file.path == path)
                || path.ends_with('/') && tree.files.iter().any(|file| file.path.starts_with(path));
            if !known {
                findings.push(Finding::line(
                    TABLE,
                    at + 1,
                    format!("`{path}` is not there: name where it is now"),
                ));
            }
        }
    }
    findings
}

/// The numbers of the RFCs that a line cites.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("RFC ").filter_map(|(at, word)| {
        let tail = line.get(at + word.len()..)?;
        let number = tail.split(|c: char| !c.is_ascii_digit()).next()?;
        (!number.is_empty()).then_some(number)
    })
}

fn is_path(word: &str) -> bool {
    word.contains('/') && !word.contains([' ', '*', ':']) && !word.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn a_citation_without_a_row_is_found_once() {
        let code = "//! a (RFC 5321 §4.2.1)\n// RFC 9999 §1\n// RFC 9999 §2, RFC nnnn\n";
        let table = "RFC 9999 in prose is no row\n| RFC 5321 | SMTP | all | `relay/src/smtp/` |\n";
        assert_eq!(
            found(
                check,
                &[
                    ("relay/src/smtp/reply.rs", code),
                    ("docs/standards.md", table)
                ]
            ),
            [
                "relay/src/smtp/reply.rs:2: add a row for RFC 9999 to docs/standards.md: what we implement, and where"
            ]
        );
    }

    #[test]
    fn a_row_that_names_a_lost_file_is_found() {
        let table = "| RFC 5321 | SMTP | `250 2.0.0`, text/csv | `relay/src/smtp.rs`, `relay/src/gone.rs` |\n";
        assert_eq!(
            found(
                check,
                &[
                    ("relay/src/smtp.rs", "//! RFC 5321"),
                    ("docs/standards.md", table)
                ]
            ),
            ["docs/standards.md:1: `relay/src/gone.rs` is not there: name where it is now"]
        );
    }
}
