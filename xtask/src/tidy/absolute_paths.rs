//! No file names a person's folder on one machine.

use super::Finding;
use super::tree::Tree;

/// Put together here, so that this file does not find itself.
const HOMES: &[&str] = &[concat!("/", "root/"), concat!("/", "home/")];

/// The person of our examples, who has no machine.
const JANE: &str = concat!("/", "home/jane");

/// Finds absolute paths into a home folder.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (at, line) in file.text.lines().enumerate() {
            let line = line.replace(JANE, "");
            if let Some(home) = HOMES.iter().find(|home| line.contains(**home)) {
                findings.push(Finding::line(
                    &file.path,
                    at + 1,
                    format!("`{home}…` exists on one machine only: take the path as an argument"),
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
    fn a_home_folder_is_found() {
        let text = concat!("data = \"/", "home/john/data\"\nhome = \"~/data\"\n");
        assert_eq!(found(check, &[("a.toml", text)]).len(), 1);
    }

    #[test]
    fn an_address_and_the_home_of_our_examples_are_not() {
        let text = concat!(
            "HOME=/",
            "home/jane\npage = \"https://example.org/homepage/\"\n"
        );
        assert!(found(check, &[("b.toml", text)]).is_empty());
    }
}
