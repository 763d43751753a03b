//! Words that never stand in code: loosened lints, skipped tests, unfinished functions, sleeping.

use super::Finding;
use super::tree::Tree;

/// Each with what to do instead.
const WORDS: &[(&str, &str)] = &[
    ("#[allow(", "write #[expect(…, reason = \"…\")]"),
    ("#![allow(", "write #![expect(…, reason = \"…\")]"),
    ("#[ignore", "mend the test or remove it"),
    ("todo!", "write it now or leave it out"),
    ("unimplemented!", "write it now or leave it out"),
    (SLEEP, "wait for a condition, by `wait_for`"),
];

const SLEEP: &str = "thread::sleep";

/// The loop that all others wait by.
const WAIT_FOR: &str = "tests/src/wait.rs";

/// Finds these words outside comments and literals.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = &file.source().code;
        for (at, line) in code.lines().enumerate() {
            for (word, instead) in WORDS.iter().filter(|(word, _)| line.contains(word)) {
                if *word == SLEEP && file.path == WAIT_FOR {
                    continue;
                }
                findings.push(Finding::line(
                    &file.path,
                    at + 1,
                    format!("`{word}`: {instead}"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn only_the_waiting_loop_may_sleep() {
        let text = "//! a\nstd::thread::sleep(step);\n";
        assert_eq!(
            found(
                check,
                &[("tests/src/wait.rs", text), ("tests/src/child.rs", text)]
            ),
            ["tests/src/child.rs:2: `thread::sleep`: wait for a condition, by `wait_for`"]
        );
    }

    #[test]
    fn the_words_are_found_in_code_only() {
        let text = "//! a\n#[ignore]\nfn f() { todo!() } // thread::sleep\nlet a = \"#[allow(\";\n";
        assert_eq!(
            found(check, &[("a.rs", text)]),
            [
                "a.rs:2: `#[ignore`: mend the test or remove it",
                "a.rs:3: `todo!`: write it now or leave it out",
            ]
        );
    }
}
