//! What libFuzzer says of a run: how much it tried, what it covered, what it found. Pure.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// One target's run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// The target.
    pub(super) target: String,
    /// Inputs tried.
    pub(super) executions: u64,
    /// How long that took.
    pub(super) seconds: u64,
    /// Edges of the whole binary that were taken, and how many there are.
    pub(super) edges: u64,
    pub(super) edges_in_all: u64,
    /// Edges told apart by how often they were taken.
    pub(super) features: u64,
    /// Inputs that are worth keeping for what they cover.
    pub(super) corpus: u64,
    /// Files of the inputs that broke a promise, took too long or held too much.
    pub(super) found: Vec<String>,
    /// It ended by itself.
    pub(super) ended_well: bool,
}

impl Report {
    pub(super) fn new(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..Self::default()
        }
    }

    /// Reads a line; whether a person wants to see it too.
    pub(super) fn note(&mut self, line: &str) -> bool {
        let number = |text: &str| -> Option<u64> {
            let digits = text.trim_start();
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            digits.get(..end)?.parse().ok()
        };
        let behind = |word: &str| line.split_once(word).and_then(|(_, rest)| number(rest));
        if let Some(rest) = line.strip_prefix('#') {
            self.executions = number(rest).unwrap_or_default().max(self.executions);
            self.edges = behind(" cov: ").unwrap_or(self.edges);
            self.features = behind(" ft: ").unwrap_or(self.features);
            self.corpus = behind(" corp: ").unwrap_or(self.corpus);
            return ["pulse", "INITED", "DONE"]
                .iter()
                .any(|word| rest.contains(word));
        }
        if line.starts_with("INFO: Loaded ") && line.contains("inline 8-bit counters") {
            self.edges_in_all = line
                .split_once('(')
                .and_then(|(_, rest)| number(rest))
                .unwrap_or_default();
        } else if line.starts_with("Done ") {
            self.seconds = behind(" in ").unwrap_or_default();
        } else if let Some(units) = behind("stat::number_of_executed_units:") {
            self.executions = units;
        } else if let Some((_, file)) = line.split_once("Test unit written to ") {
            self.found.push(file.trim().to_owned());
        }
        let is_chatter = [
            "INFO:",
            "stat::",
            "Done ",
            "\tNEW_FUNC",
            "Dictionary:",
            "Loaded ",
        ];
        !is_chatter.iter().any(|start| line.starts_with(start))
    }

    /// Nothing was found.
    pub(super) fn is_clean(&self) -> bool {
        self.ended_well && self.found.is_empty()
    }
}

/// One line a target.
pub(super) fn table(reports: &[Report]) -> String {
    let mut text = format!(
        "{:<14} {:>12} {:>8} {:>8} {:>9} {:>7} {:>6}\n",
        "target", "executions", "seconds", "edges", "features", "corpus", "found"
    );
    for report in reports {
        let _ = writeln!(
            text,
            "{:<14} {:>12} {:>8} {:>8} {:>9} {:>7} {:>6}{}",
            report.target,
            report.executions,
            report.seconds,
            report.edges,
            report.features,
            report.corpus,
            report.found.len(),
            if report.ended_well {
                ""
            } else {
                "  ENDED EARLY"
            }
        );
    }
    text
}

/// The last line.
pub(super) fn json(seed: u64, reports: &[Report]) -> Value {
    let targets: Vec<Value> = reports
        .iter()
        .map(|report| {
            json!({
                "target": report.target,
                "executions": report.executions,
                "seconds": report.seconds,
                "edges": report.edges,
                "edges_in_all": report.edges_in_all,
                "features": report.features,
                "corpus": report.corpus,
                "crashes": report.found,
                "ended_well": report.ended_well,
            })
        })
        .collect();
    json!({ "fuzz": targets, "seed": seed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (Report, usize) {
        let mut report = Report::new("bounce");
        let n_shown = lines.iter().filter(|line| report.note(line)).count();
        (report, n_shown)
    }

    #[test]
    fn a_run_that_finds_nothing_is_read_to_its_figures() {
        let (mut report, n_shown) = read(&[
            "INFO: Seed: 1",
            "INFO: Loaded 1 modules   (412345 inline 8-bit counters): 412345 [0x55, 0x56), ",
            "#14\tINITED cov: 1201 ft: 3000 corp: 12/9Kb exec/s: 0 rss: 50Mb",
            "#15\tNEW    cov: 1202 ft: 3001 corp: 13/9Kb lim: 4096 exec/s: 0 rss: 50Mb L: 12/99 MS: 1 Copy-",
            "#4096\tpulse  cov: 1300 ft: 4001 corp: 40/20Kb lim: 4096 exec/s: 2048 rss: 60Mb",
            "#5000\tDONE   cov: 1310 ft: 4100 corp: 41/20Kb lim: 4096 exec/s: 2500 rss: 60Mb",
            "Done 5000 runs in 2 second(s)",
            "stat::number_of_executed_units: 5000",
        ]);
        report.ended_well = true;
        assert!(report.is_clean());
        assert_eq!(n_shown, 3);
        assert_eq!((report.executions, report.seconds), (5000, 2));
        assert_eq!((report.edges, report.edges_in_all), (1310, 412_345));
        assert_eq!((report.features, report.corpus), (4100, 41));
    }

    #[test]
    fn what_was_found_is_named_by_its_file() {
        let (report, n_shown) = read(&[
            "thread '<unnamed>' panicked at fuzz/src/target/bounce.rs:9:5:",
            "==7== ERROR: libFuzzer: deadly signal",
            "artifact_prefix='found/'; Test unit written to found/crash-12ab",
        ]);
        assert!(!report.is_clean());
        assert_eq!(
            (report.found, n_shown),
            (vec!["found/crash-12ab".to_owned()], 3)
        );
    }
}
