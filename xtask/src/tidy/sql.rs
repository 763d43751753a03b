//! SQL stands under `relay/src/store/` and nowhere else in the product, and what changes a stored state stands beside
//! the transition that it follows. Tests may look into a database; they are not read.

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

/// The column that holds a state, by its table, and the only files that write it.
const STATES: &[(&str, &str, &[&str])] = &[
    (
        "deliveries",
        "state",
        &[
            "relay/src/store/delivery.rs",
            // Named there, and held equal to the transition by a property.
            "relay/src/store/delivery/many.rs",
        ],
    ),
    ("campaigns", "state", &["relay/src/store/campaign.rs"]),
    ("leads", "state", &["relay/src/store/lead.rs"]),
    ("reconnects", "status", &["relay/src/store/reconnect.rs"]),
    ("inboxes", "connection", &["relay/src/store/inbox.rs"]),
    ("tellings", "state", &["relay/src/store/alert.rs"]),
];

/// Finds statements that go round a transition.
pub(super) fn check_states(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let is_test = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
        if !file.path.starts_with("relay/src/store") || is_test {
            continue;
        }
        for literal in &file.source().literals {
            if let Some(writers) = writers_of(&literal.text)
                && !writers.contains(&file.path.as_str())
            {
                let rule = format!(
                    "move this by an event of `protocol`, in {}",
                    writers.join(" or ")
                );
                findings.push(Finding::line(&file.path, literal.line, &rule));
            }
        }
    }
    findings
}

/// The files that may hold a statement that writes a state; `None` where it writes none.
fn writers_of(text: &str) -> Option<&'static [&'static str]> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["UPDATE", table, "SET", rest @ ..] = words.as_slice() else {
        return None;
    };
    let end = rest.iter().position(|word| *word == "WHERE");
    let set = rest.get(..end.unwrap_or(rest.len()))?;
    let (_, _, writers) = STATES
        .iter()
        .find(|(of, column, _)| of == table && set.windows(2).any(|pair| pair == [*column, "="]))?;
    Some(writers)
}

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
    use super::{check, check_states};

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
    fn a_statement_that_goes_round_a_transition_is_found() {
        let text = "//! a\nlet a = \"UPDATE deliveries SET rank = 1, state = 'planned' WHERE id = $1\";\n\
                    let b = \"UPDATE deliveries SET rank = 1 WHERE state = 'planned'\";\n\
                    let c = \"UPDATE campaigns SET state = $1\";\n";
        let many = "relay/src/store/delivery.rs or relay/src/store/delivery/many.rs";
        let campaign = "relay/src/store/campaign.rs";
        let rule = "move this by an event of `protocol`, in";
        assert_eq!(
            found(
                check_states,
                &[
                    ("relay/src/store/delivery/many.rs", text),
                    ("relay/src/store/campaign.rs", text),
                    ("relay/src/store/campaign/tests.rs", text),
                ]
            ),
            [
                format!("relay/src/store/delivery/many.rs:4: {rule} {campaign}"),
                format!("relay/src/store/campaign.rs:2: {rule} {many}"),
            ]
        );
    }

    #[test]
    fn words_of_mail_are_not_sql() {
        let text = "//! a\nf(\"a1 SELECT INBOX\", \"SELECT INBOX\", \"Delete from the list\", \"UPDATE\");\n";
        assert!(found(check, &[("relay/src/imap/conversation.rs", text)]).is_empty());
    }
}
