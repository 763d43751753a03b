//! Rows that stand beside the tests that play them, in this form:
//!
//! ```text
//! /// Row: case | how it is provoked | cause
//! /// Row: case | how it is provoked | code or outcome | who must act | words shown
//! ```
//!
//! above a test, or the same with `//` within one, beside the line that plays it. With a cause alone, who must act and
//! the words are those of its card. `cargo xtask tidy` checks that no cause and no code is without a row.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use protocol::card::{Acts, Facts};
use protocol::cause::{CAUSES, Cause};

/// Where tests stand.
const FOLDERS: &[&str] = &[
    "relay/src",
    "relay/tests",
    "web/src",
    "extension/src",
    "dashboard/src",
    "tests/tests",
];
/// What a row begins with.
const MARK: &str = "// Row: ";

/// A row, as its test declares it.
pub(crate) struct Declared {
    /// How it ends.
    pub(crate) case: String,
    /// How it is provoked.
    pub(crate) how: String,
    /// The cause, the code or the outcome.
    pub(crate) code: String,
    /// Who must act.
    pub(crate) acts: String,
    /// The words shown.
    pub(crate) words: String,
    /// The file and the name of the test.
    pub(crate) test: (String, String),
}

/// Every declared row, by file and in the order of the file.
pub(crate) fn collect() -> Result<Vec<Declared>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut rows = Vec::new();
    for folder in FOLDERS {
        for path in list(&root.join(folder))? {
            let name = path.strip_prefix(&root)?.display().to_string();
            let text =
                fs::read_to_string(&path).with_context(|| format!("{name} cannot be read"))?;
            read(&name, &text, &mut rows)?;
        }
    }
    Ok(rows)
}

/// The Rust files below a folder.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in
            fs::read_dir(&next).with_context(|| format!("{} is not there", next.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &str, text: &str, rows: &mut Vec<Declared>) -> Result<()> {
    // Those above a test wait for its name.
    let mut above: Vec<(usize, &str)> = Vec::new();
    let (mut inside, mut is_test) = ("", false);
    // A story that is a test in each browser is named before it; the first name stands for both.
    let (mut names_follow, mut story) = (false, "");
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if std::mem::take(&mut names_follow) {
            story = line.trim_end_matches(',');
        } else if line == "in_both!(" {
            names_follow = true;
        } else if let Some(row) = line
            .strip_prefix("/")
            .and_then(|rest| rest.strip_prefix(MARK))
        {
            above.push((at + 1, row));
        } else if let Some(row) = line.strip_prefix(MARK) {
            rows.push(declared(path, at + 1, row, inside)?);
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, name)) = line
            .split_once("fn ")
            .filter(|(before, _)| ["", "async ", "pub(super) ", "pub(crate) "].contains(before))
        {
            let name = name.split('(').next().unwrap_or_default();
            let story = std::mem::take(&mut story);
            inside = if std::mem::take(&mut is_test) {
                name
            } else {
                story
            };
            for (line, row) in above.drain(..) {
                rows.push(declared(path, line, row, inside)?);
            }
        }
    }
    match above.first() {
        Some((line, _)) => bail!("{path}:{line}: no test follows this row"),
        None => Ok(()),
    }
}

fn declared(path: &str, line: usize, row: &str, test: &str) -> Result<Declared> {
    if test.is_empty() {
        bail!("{path}:{line}: a row stands above a test, or within one");
    }
    // Names stand between backticks in a comment; the table shows them plain.
    let cells = row.split(" | ").enumerate().map(|(idx, cell)| match idx {
        CODE => cell.replace('`', ""),
        _ => cell.to_owned(),
    });
    let cells: Vec<String> = cells.collect();
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let (case, how, code, acts, words) = match cells.as_slice() {
        [case, how, code] => {
            let Some(named) = CAUSES.iter().find(|known| known.code() == *code) else {
                bail!("{path}:{line}: {code} is no cause: say who must act, and the words shown");
            };
            let (acts, words) = of_card(*named);
            (case, how, code, acts.to_owned(), words)
        }
        [case, how, code, acts, words] => {
            (case, how, code, (*acts).to_owned(), (*words).to_owned())
        }
        cells => bail!(
            "{path}:{line}: expected 3 or 5 cells, found {}",
            cells.len()
        ),
    };
    Ok(Declared {
        case: (*case).to_owned(),
        how: (*how).to_owned(),
        code: (*code).to_owned(),
        acts,
        words,
        test: (path.to_owned(), test.to_owned()),
    })
}

/// The cell of the cause or code.
const CODE: usize = 2;

/// Who must act, and the words of the card.
fn of_card(cause: Cause) -> (&'static str, String) {
    let words = cause.card().render(&Facts {
        inbox: "jane@acme.example",
        provider: "the provider",
    });
    let acts = match words.acts {
        Acts::Person => "the person",
        Acts::Admin => "the administrator",
        Acts::Operator => "the operator",
        Acts::Nobody => "nobody",
    };
    let button = words.button.map(|button| format!(" [{button}]"));
    let sentence = |text: String| {
        let mut letters = text.chars();
        let first = letters.next().filter(|_| text.starts_with("the provider"));
        first.map_or_else(
            || text.clone(),
            |first| format!("{}{}", first.to_uppercase(), letters.as_str()),
        )
    };
    let (title, explanation) = (sentence(words.title), sentence(words.explanation));
    (
        acts,
        format!("{title}. {explanation}{}", button.unwrap_or_default()),
    )
}
