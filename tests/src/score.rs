//! How well the relay takes what real servers, lists and people send: each file of a folder is played as its kind
//! says, and what came of it is compared with the expectation in the folder's own table, `INDEX.md`.
//!
//! Deliberately absent: any such file, and any rule about what is right. Both stand in the folder.

mod index;
mod list;
mod mail;
mod peer;
mod player;
mod steps;
mod world;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use index::Row;

/// What came of a file, in the words of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    /// What happened, for the table.
    words: String,
    /// Whether that is what was expected.
    is_expected: bool,
}

impl Outcome {
    fn new(words: impl Into<String>, is_expected: bool) -> Self {
        Self {
            words: words.into(),
            is_expected,
        }
    }
}

/// Every file of a folder with what came of it.
pub struct Scored {
    rows: Vec<(Row, Outcome)>,
}

impl Scored {
    /// A table for people.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for (row, outcome) in &self.rows {
            let mark = if outcome.is_expected { "ok" } else { "NO" };
            let (file, expected) = (&row.file, &row.expected);
            let _ = writeln!(table, "{mark}  {file:<26} expected: {expected}");
            let _ = writeln!(table, "    {:<26} found:    {}", "", outcome.words);
        }
        table
    }

    /// One line of JSON: `files` and `as_expected`.
    pub fn json(&self) -> String {
        let as_expected = self.rows.iter().filter(|(_, outcome)| outcome.is_expected);
        serde_json::json!({"files": self.rows.len(), "as_expected": as_expected.count()})
            .to_string()
    }
}

/// Plays every file that the folder's table names.
pub async fn inputs(folder: &Path) -> anyhow::Result<Scored> {
    let table = folder.join("INDEX.md");
    let text = std::fs::read_to_string(&table).with_context(|| table.display().to_string())?;
    // What asks the relay as its operator takes the process's own; a second call finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut rows = Vec::new();
    for row in index::read(&text)? {
        let path = folder.join(&row.file);
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let kind = path
            .extension()
            .and_then(|kind| kind.to_str())
            .unwrap_or_default();
        let played = match kind {
            "eml" => mail::play(&bytes, &row.expected).await,
            "csv" => list::play(&bytes, &row.expected).await,
            "json" => steps::play(&bytes, &row.expected).await,
            "peer" => peer::play(&row.file, &bytes, &row.expected).await,
            other => Err(anyhow::anyhow!("there is no kind {other:?}")),
        };
        // What cannot be played has not gone as expected; the other files are played all the same.
        let outcome =
            played.unwrap_or_else(|error| Outcome::new(format!("not played: {error:#}"), false));
        rows.push((row, outcome));
    }
    Ok(Scored { rows })
}
