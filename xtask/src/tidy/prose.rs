//! No cause is chosen by words of our own. What a server says is searched; what the relay or one of its libraries
//! says is a value, because its prose changes, and holds what a stranger wrote.
//!
//! That prose is the `detail` of a failure that no server put into words. A `detail` behind a dot is another one: the
//! number of an enhanced status code.

use super::Finding;
use super::rust_source::{first_word, is_word, item, line_at, test_items};
use super::tree::Tree;

/// Where causes are chosen.
const CAUSES: &[&str] = &["protocol/src/cause.rs", "protocol/src/cause/"];

/// The variants of `protocol::evidence::Said` whose `detail` is prose of ours or of a library.
const PROSE: &[&str] = &["Io", "Tls", "Garbage"];

const FIELD: &str = "detail";

/// Methods that look for something in a text.
const SEARCHES: &[&str] = &[
    "contains",
    "ends_with",
    "eq",
    "eq_ignore_ascii_case",
    "find",
    "matches",
    "rfind",
    "split",
    "split_once",
    "starts_with",
    "strip_prefix",
    "strip_suffix",
    "to_ascii_lowercase",
    "to_lowercase",
];

/// Finds causes that look into such prose, by whatever name they take it. Examples may write it.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let is_cause = CAUSES.iter().any(|path| file.path.starts_with(path));
        if !is_cause || file.path.ends_with("/tests.rs") {
            continue;
        }
        let code = &file.source().code;
        let tests: Vec<(usize, &str)> = test_items(code).collect();
        for at in looks(code) {
            let is_test = tests
                .iter()
                .any(|(from, item)| (*from..from + item.len()).contains(&at));
            if !is_test {
                findings.push(Finding::line(
                    &file.path,
                    line_at(code, at),
                    "let the relay say it as a value (`Said::Found`): a cause does not look into prose of our own",
                ));
            }
        }
    }
    findings
}

/// Where prose is taken out of a failure, or searched.
fn looks(code: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut variant = None;
    for (at, _) in code.match_indices(|c: char| is_word(c)) {
        let (before, tail) = code.split_at_checked(at).unwrap_or((code, ""));
        if before.ends_with(is_word) {
            continue;
        }
        let word = first_word(tail);
        let rest = tail.get(word.len()..).unwrap_or_default();
        if PROSE.contains(&word) && rest.trim_start().starts_with('{') {
            variant = Some(at + word.len() + item(rest).len());
        }
        if word != FIELD || before.trim_end().ends_with('.') {
            continue;
        }
        let is_taken = variant.is_some_and(|end| at < end);
        let method = rest.trim_start().strip_prefix('.').map(str::trim_start);
        let is_searched = method.is_some_and(|method| SEARCHES.contains(&first_word(method)))
            || rest.trim_start().starts_with("==");
        if is_taken || is_searched {
            found.push(at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    fn lines(path: &str, code: &str) -> Vec<String> {
        found(check, &[(path, &format!("//! a\n{code}\n"))])
            .iter()
            .filter_map(|finding| finding.split(':').nth(1).map(str::to_owned))
            .collect()
    }

    #[test]
    fn a_cause_that_looks_into_our_prose_is_found() {
        let path = "protocol/src/cause/settings_wrong.rs";
        for code in [
            "if let Said::Garbage { detail } = &evidence.said {}",
            "if let Said::Garbage { detail: words } = &evidence.said {}",
            "matches!(said, Said::Io { fault: IoFault::Closed, detail } if f(detail))",
            "let Said::Tls { ref detail } = said else { return None };",
            "use crate::evidence::Said::Garbage; f(|Garbage { detail }| 1)",
            "fn f(detail: &str) -> bool { detail.contains(\"offer\") }",
            "fn f(detail: &str) -> bool { detail\n.to_lowercase() .starts_with(\"expected\") }",
            "fn f(detail: &str) -> bool { detail == \"expected\" }",
        ] {
            assert_eq!(lines(path, code), ["2"], "{code}");
            assert_eq!(lines("protocol/src/cause.rs", code), ["2"], "{code}");
            assert!(lines("relay/src/imap.rs", code).is_empty(), "{code}");
        }
    }

    #[test]
    fn what_servers_say_numbers_and_examples_are_no_prose_of_ours() {
        let path = "protocol/src/cause/said.rs";
        for code in [
            "codes.contains(&(code.subject, code.detail))",
            "code.detail == 7 && reply.text.contains(\"offer\")",
            "matches!(evidence.said, Said::Garbage { .. }) && self.detail.is_some()",
            "match said { Said::Io { fault, .. } => fault, _ => code.detail }",
            "let Code { subject, detail } = code; f(subject, detail)",
            "// Said::Garbage { detail }",
            "#[cfg(test)]\nmod example {\n    fn f() -> Said { Said::Garbage { detail } }\n}",
        ] {
            assert!(lines(path, code).is_empty(), "{code}");
        }
    }
}
