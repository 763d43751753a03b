//! SQL stands under `relay/src/store/` and nowhere else in the product.
//! Tests may look into a database; they are not read.

use super::Finding;
use super::tree::Tree;

/// Where the product's code is. `xtask` speaks about SQL in this file only.
const PRODUCT: &[&str] = &[
    "protocol/src/",
    "relay/src/",
    "sandbox/src/",
    "web/src/",
    "dashboard/src/",
    "extension/src/",
];

/// Words that, all of them in one string and the first at its start, make it SQL.
/// `SELECT` alone is an IMAP command too (RFC 9051 §6.3.2).
const STATEMENTS: &[&[&str]] = &[
    &["SELECT", "FROM"],
    &["INSERT", "INTO"],
    &["UPDATE", "SET"],
    &["DELETE", "FROM"],
    &["CREATE", "TABLE"],
    &["CREATE", "INDEX"],
    &["ALTER", "TABLE"],
    &["DROP", "TABLE"],
    &["PRAGMA"],
];

/// Finds SQL outside the store.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let is_product = PRODUCT.iter().any(|folder| file.path.starts_with(folder));
        let is_store =
            file.path == "relay/src/store.rs" || file.path.starts_with("relay/src/store/");
        if !is_product || is_store {
            continue;
        }
        for literal in &file.source().literals {
            if is_sql(&literal.text) {
                findings.push(Finding::line(
                    &file.path,
                    literal.line,
                    "move this SQL under relay/src/store/ and call it by a name",
                ));
            }
        }
    }
    findings
}

fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    STATEMENTS.iter().any(|statement| {
        words.first() == statement.first()
            && statement.iter().all(|keyword| words.contains(keyword))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn sql_outside_the_store_is_found() {
        let text = "//! a\nlet a = \"\n  SELECT id FROM leads\";\n";
        let rule = "move this SQL under relay/src/store/ and call it by a name";
        assert_eq!(
            found(
                check,
                &[
                    ("relay/src/worker.rs", text),
                    ("relay/src/store/leads.rs", text),
                    ("relay/tests/it/main.rs", text),
                ]
            ),
            [format!("relay/src/worker.rs:2: {rule}")]
        );
    }

    #[test]
    fn words_of_mail_are_not_sql() {
        let text = "//! a\nf(\"a1 SELECT INBOX\", \"SELECT INBOX\", \"Delete from the list\", \"UPDATE\");\n";
        assert!(found(check, &[("relay/src/imap/conversation.rs", text)]).is_empty());
    }
}
