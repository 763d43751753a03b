//! The sizes of what a browser loads, each part with everything that it loads in turn, packed as it
//! travels.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};

use super::figure::Figure;
use crate::gzip::gzip;
use crate::shell::Workspace;
use crate::web::{self, Files, Shrink};

/// 5 KB, a KB being 1,000 bytes. Every page that a rule matches pays for the eyes.
const EYES_BUDGET: u64 = 5_000;

/// 150 KB, from the click on the toolbar to a list that can be used.
const POPUP_BUDGET: u64 = 150_000;

/// Builds the extension as it is handed out, and measures it.
pub(super) fn measure(workspace: &Workspace) -> anyhow::Result<Vec<Figure>> {
    let built = web::build(workspace, Shrink::Always)?;
    let part = |name, files: &Files, begins: &str, budget| -> anyhow::Result<Figure> {
        figure(name, files, &loaded_by(files, begins)?, budget)
    };
    let extension = &built.extension;
    let whole = extension.keys().map(String::as_str).collect();
    // Alone: the prompt that they name is loaded only where it is shown.
    let eyes = BTreeSet::from(["eyes.js"]);
    Ok(vec![
        figure("eyes", extension, &eyes, Some(EYES_BUDGET))?,
        part("popup in all", extension, "popup.html", Some(POPUP_BUDGET))?,
        part("prompt in all", extension, "prompt.html", None)?,
        part("options in all", extension, "options.html", None)?,
        part("background in all", extension, "background.js", None)?,
        figure("extension in all", extension, &whole, None)?,
        part("dashboard in all", &built.dashboard, "index.html", None)?,
    ])
}

/// An error where a part is over its budget.
pub(super) fn check_budgets(figures: &[Figure]) -> anyhow::Result<()> {
    let over = |figure: &&Figure| figure.is_within() == Some(false);
    if let Some(figure) = figures.iter().find(over) {
        bail!(
            "{} has {} bytes, packed, and may have less than {}; people wait for every one of them",
            figure.name,
            figure.value,
            figure.budget.unwrap_or_default()
        );
    }
    Ok(())
}

fn figure(
    name: &'static str,
    files: &Files,
    names: &BTreeSet<&str>,
    budget: Option<u64>,
) -> anyhow::Result<Figure> {
    let mut n_bytes = 0;
    for name in names {
        let bytes = files
            .get(*name)
            .with_context(|| format!("{name} was not built"))?;
        n_bytes += gzip(bytes)?.len();
    }
    Ok(Figure {
        name,
        value: u64::try_from(n_bytes)?,
        unit: "bytes",
        budget,
    })
}

/// The file, every file that its text names, and so on.
fn loaded_by<'a>(files: &'a Files, begins: &str) -> anyhow::Result<BTreeSet<&'a str>> {
    let (first, _) = files
        .get_key_value(begins)
        .with_context(|| format!("{begins} was not built"))?;
    let mut loaded = BTreeSet::from([first.as_str()]);
    let mut unread = vec![first.as_str()];
    while let Some(name) = unread.pop() {
        let Some(text) = text_of(files, name) else {
            continue;
        };
        let folder = name.rfind('/').and_then(|end| name.get(..=end));
        let folder = folder.unwrap_or_default();
        for other in files.keys().filter(|other| names(text, folder, other)) {
            if loaded.insert(other) {
                unread.push(other);
            }
        }
    }
    Ok(loaded)
}

/// What can name another file; a wasm module cannot load one.
fn text_of<'a>(files: &'a Files, name: &str) -> Option<&'a str> {
    let is_text = [".html", ".js", ".css"]
        .iter()
        .any(|ending| name.ends_with(ending));
    std::str::from_utf8(files.get(name)?)
        .ok()
        .filter(|_| is_text)
}

/// Whether the text, which stands in the folder, names the file in quotes or brackets: from the
/// folder, from `./` or from the root.
fn names(text: &str, folder: &str, file: &str) -> bool {
    let from_root = format!("/{file}");
    let from_here = file
        .strip_prefix(folder)
        .map_or_else(|| format!("../{file}"), str::to_owned);
    let from_dot = format!("./{from_here}");
    [from_root, from_here, from_dot].iter().any(|name| {
        text.match_indices(name.as_str()).any(|(at, _)| {
            let before = text.get(..at).unwrap_or_default();
            let after = text.get(at + name.len()..).unwrap_or_default();
            before.ends_with(['"', '\'', '`', '('])
                && after.starts_with(['"', '\'', '`', ')', '?', '#'])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn a_page_loads_what_it_names_and_what_that_names() {
        let files = files(&[
            (
                "popup.html",
                "<link href=\"look/base.css\"><script src=\"start.js\">",
            ),
            ("look/base.css", "@import url(tokens.css);"),
            ("look/tokens.css", ""),
            ("tokens.css", "another one"),
            (
                "start.js",
                "import init from './pages.js'; new URL('./pages_bg.wasm', x)",
            ),
            ("pages.js", "// see background.js\n"),
            ("pages_bg.wasm", "\"options.html\""),
            ("options.html", "<link href=\"options.css\">"),
            ("options.css", ""),
            ("background.js", ""),
        ]);
        let loaded = loaded_by(&files, "popup.html").unwrap();
        assert_eq!(
            loaded.into_iter().collect::<Vec<_>>(),
            [
                "look/base.css",
                "look/tokens.css",
                "pages.js",
                "pages_bg.wasm",
                "popup.html",
                "start.js",
            ]
        );
        assert!(loaded_by(&files, "prompt.html").is_err());
    }

    #[test]
    fn a_part_over_its_budget_is_refused() {
        let part = |value, budget| Figure {
            name: "eyes",
            value,
            unit: "bytes",
            budget,
        };
        let check = |eyes, popup| check_budgets(&[part(eyes, Some(5)), part(popup, None)]);
        assert!(check(4, 9).is_ok());
        let refused = check(5, 4).unwrap_err().to_string();
        assert!(refused.starts_with("eyes has 5 bytes"), "{refused}");
    }
}
