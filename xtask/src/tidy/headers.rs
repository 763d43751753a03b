//! Every Rust file says in its first line what lives in it.

use super::Finding;
use super::tree::Tree;

/// Finds the Rust files without `//!` in their first line.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| {
            Finding::line(
                &file.path,
                1,
                "open the file with `//!`: what lives here, and what not",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn a_file_that_says_nothing_is_found() {
        assert_eq!(
            found(
                check,
                &[
                    ("a/src/b.rs", "use c;\n//! d"),
                    ("a/src/e.rs", "//! f"),
                    ("g.md", "")
                ]
            ),
            ["a/src/b.rs:1: open the file with `//!`: what lives here, and what not"]
        );
    }
}
