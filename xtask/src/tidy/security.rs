//! Every test and every file that `SECURITY.md` and the pages of `docs/security/` name is there: a threat or a
//! requirement whose test is gone has no answer.

use super::Finding;
use super::tree::Tree;

const PAGE: &str = "SECURITY.md";

/// Where the standards stand that are gone through point by point.
const FOLDER: &str = "docs/security/";

/// Finds names of tests and files on these pages that stand nowhere else.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pages = tree
        .files
        .iter()
        .filter(|file| file.path == PAGE || file.path.starts_with(FOLDER));
    let mut findings = Vec::new();
    for page in pages {
        for (at, line) in page.text.lines().enumerate() {
            for word in line.split('`').skip(1).step_by(2) {
                let is_there = if is_test(word) {
                    tree.rust().any(|file| has_word(&file.text, word))
                } else if is_file(word) {
                    tree.files.iter().any(|file| file.path == word)
                } else {
                    true
                };
                if !is_there {
                    findings.push(Finding::line(
                        &page.path,
                        at + 1,
                        format!("`{word}` is not there: name what answers this threat now"),
                    ));
                }
            }
        }
    }
    findings
}

/// A test's name says a behaviour, which takes words.
fn is_test(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && word.matches('_').count() >= 3
}

fn is_file(word: &str) -> bool {
    word.contains('/') && word.strip_suffix(".rs").is_some()
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        let after = text.as_bytes().get(at + word.len());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn a_test_or_a_file_that_is_gone_is_found() {
        let page = "| a | b | `a_code_works_once`, `nobody_gets_in_twice` in `relay/tests/it/http.rs` |\n\
                    | `storage.local`, `/oauth/start` | `relay/tests/it/gone.rs` | `a_code_works` |\n";
        let code = "//! x\nfn a_code_works_once() {}\nfn nobody_gets_in_twice_again() {}\n";
        for path in ["SECURITY.md", "docs/security/asvs.md"] {
            let files = [(path, page), ("relay/tests/it/http.rs", code)];
            let findings = found(check, &files);
            assert_eq!(findings.len(), 2, "{findings:?}");
        }
        let elsewhere = [("docs/other.md", page), ("relay/tests/it/http.rs", code)];
        assert!(found(check, &elsewhere).is_empty());
    }
}
