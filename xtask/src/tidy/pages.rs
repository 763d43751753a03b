//! Our pages hold no script and no style of their own, and take nothing from elsewhere: their
//! content security policy would drop it without a word.

use std::path::Path;

use super::Finding;
use super::tree::Tree;

/// Where our pages are.
const FOLDERS: &[&str] = &["extension/page/", "dashboard/page/"];

/// What a policy of `'self'` drops, each with what to do instead.
const DROPPED: &[(&str, &str)] = &[
    ("<style", "move it to a file of its own and link it"),
    (
        " style=",
        "give it a class and write the rule in a style file",
    ),
    ("src=\"http", "copy it into the checkout"),
    ("href=\"http", "copy it into the checkout"),
    ("src=\"//", "copy it into the checkout"),
];

/// Finds inline scripts and styles, inline handlers, and files of other servers.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let pages = tree.files.iter().filter(|file| {
        is_page(&file.path) && FOLDERS.iter().any(|folder| file.path.starts_with(folder))
    });
    for file in pages {
        for (at, line) in file.text.lines().enumerate() {
            let mut says: Vec<String> = DROPPED
                .iter()
                .filter(|(word, _)| line.contains(word))
                .map(|(word, instead)| format!("`{}`: {instead}", word.trim()))
                .collect();
            if line.contains("<script") && !line.contains(" src=") {
                says.push("move this script to a file of its own".to_owned());
            }
            if let Some(handler) = handler(line) {
                says.push(format!("`{handler}`: listen to it in a script"));
            }
            findings.extend(
                says.into_iter()
                    .map(|says| Finding::line(&file.path, at + 1, says)),
            );
        }
    }
    findings
}

fn is_page(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|ending| ending == "html")
}

/// The first attribute like `onclick=`.
fn handler(line: &str) -> Option<&str> {
    line.split([' ', '\t']).find_map(|word| {
        let (name, _) = word.split_once('=')?;
        let event = name.strip_prefix("on")?;
        (!event.is_empty() && event.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    #[test]
    fn what_the_policy_would_drop_is_found() {
        let page = "<link rel=\"stylesheet\" href=\"look/base.css\">\n\
                    <script type=\"module\" src=\"start.js\"></script>\n\
                    <script>go()</script>\n\
                    <p style=\"color: red\" onclick=\"go()\">\n\
                    <img src=\"https://tracker.example/a.png\">\n";
        assert_eq!(
            found(
                check,
                &[("extension/page/popup.html", page), ("docs/a.html", page)]
            ),
            [
                "extension/page/popup.html:3: move this script to a file of its own",
                "extension/page/popup.html:4: `style=`: give it a class and write the rule in a style file",
                "extension/page/popup.html:4: `onclick`: listen to it in a script",
                "extension/page/popup.html:5: `src=\"http`: copy it into the checkout",
            ]
        );
    }
}
