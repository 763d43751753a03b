//! The only place that writes to standard output.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::time::Duration;

use protocol::shown;
use serde::Serialize;

/// Writes answers as people or programs want them.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Writes an answer: as JSON, or in the words that `words` finds for it.
    pub(super) fn answer<T: Serialize>(
        &self,
        answer: &T,
        words: impl FnOnce(&T) -> String,
    ) -> io::Result<()> {
        if self.json {
            return write_line(&shown::json(&serde_json::to_string(answer)?));
        }
        self.text(&words(answer))
    }

    /// Writes words that tell people how something goes; programs are not told.
    pub(super) fn for_people(&self, words: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        self.text(words)
    }

    /// Writes a line of JSON for programs; people are told in words.
    pub(super) fn for_programs<T: Serialize>(&self, answer: &T) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        write_line(&shown::json(&serde_json::to_string(answer)?))
    }

    /// Writes a line of JSON, for whoever reads it.
    #[expect(clippy::unused_self, reason = "who may print has the printer")]
    pub(super) fn line_of_json<T: Serialize>(&self, answer: &T) -> io::Result<()> {
        write_line(&shown::json(&serde_json::to_string(answer)?))
    }

    /// Writes a line whose every byte is signed. JSON has no byte that acts on a terminal, but for what others wrote in
    /// it: such a line goes to a file.
    #[expect(clippy::unused_self, reason = "who may print has the printer")]
    pub(super) fn signed_line(&self, line: &str) -> io::Result<()> {
        write_line(line)
    }

    /// Writes text, ended by one line break. Nothing that others wrote acts on a terminal.
    #[expect(clippy::unused_self, reason = "who may print has the printer")]
    pub(super) fn text(&self, text: &str) -> io::Result<()> {
        write_line(&shown::lines(text))
    }
}

fn write_line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        // The reader has seen enough, as in `unpause … | head -1`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// How often people are told that something still goes on.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Does long work, and says at a terminal for how long it has been done. Programs, and files, are told nothing.
pub(super) async fn while_people_wait<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    tokio::pin!(work);
    let mut ticks = tokio::time::interval(TOLD_EVERY);
    // The first comes at once.
    ticks.tick().await;
    let mut n_seconds = 0_u64;
    loop {
        tokio::select! {
            done = &mut work => {
                if n_seconds > 0 {
                    let _ = writeln!(io::stderr());
                }
                return done;
            }
            _ = ticks.tick() => {
                n_seconds += TOLD_EVERY.as_secs();
                // Where it cannot be told it goes on all the same.
                let _ = write!(io::stderr(), "\r{what} … {n_seconds} s");
            }
        }
    }
}

/// A line of a table. A cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV
/// Injection"): names, cells of lists and what a browser says of itself are foreign words.
pub(super) fn write_row(cells: impl IntoIterator<Item = String>) -> String {
    let write = |cell: String| {
        let cell = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            format!("'{cell}")
        } else {
            cell
        };
        format!("\"{}\"", cell.replace('"', "\"\""))
    };
    let cells: Vec<String> = cells.into_iter().map(write).collect();
    cells.join(",")
}

/// A number that a person typed.
pub(super) fn parse_number(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| {
        format!(
            "expected a whole number from 0 to {}, found {text:?}",
            u32::MAX
        )
    })
}

/// Rows in columns, each as wide as its widest cell.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let show = |cell: &String| shown::line(cell).into_owned();
    let rows: Vec<Vec<String>> = (rows.iter())
        .map(|row| row.iter().map(show).collect())
        .collect();
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |idx: usize| {
        rows.iter()
            .filter_map(|row| row.get(idx))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..n_columns).map(|idx| width(idx).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A length of time for people: its two largest units, the last one rounded down.
pub(super) fn span(ms: u64) -> String {
    let units = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
    ];
    let Some(largest) = units.iter().position(|(unit, _)| ms >= *unit) else {
        return format!("{ms} ms");
    };
    let mut left = ms;
    let mut words = Vec::new();
    for (unit, name) in units.iter().skip(largest).take(2) {
        let n = left / unit;
        left %= unit;
        if n > 0 {
            let many = if n == 1 { "" } else { "s" };
            words.push(format!("{n} {name}{many}"));
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_by_its_two_largest_units() {
        for (ms, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 second"),
            (280_129, "4 minutes 40 seconds"),
            (3_600_000, "1 hour"),
            (259_200_000, "3 days"),
            (90_061_000, "1 day 1 hour"),
        ] {
            assert_eq!(span(ms), expected);
        }
    }

    #[test]
    fn a_number_that_is_none_is_told_with_what_was_expected() {
        assert_eq!(parse_number(" 50 "), Ok(50));
        for text in ["many", "", "-1", "1.5", "4294967296"] {
            let error = parse_number(text).unwrap_err();
            assert_eq!(
                error,
                format!("expected a whole number from 0 to 4294967295, found {text:?}")
            );
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |left: &str, right: &str| vec![left.to_owned(), right.to_owned()];
        assert_eq!(
            columns(&[row("a", "x"), row("long", "")]),
            "a     x\nlong\n"
        );
        assert_eq!(columns(&[]), "");
        assert_eq!(
            columns(&[row("a\nb\u{1b}", "x"), row("", "y")]),
            "a␊b␛  x\n      y\n"
        );
    }
}
