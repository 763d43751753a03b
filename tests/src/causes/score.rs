//! Right and wrong answers counted, and how they are printed.

use std::fmt::Write as _;

use protocol::cause::Cause;
use serde_json::{Value, json};

/// Longest excerpt of a failure's words in the table, in characters.
const EXCERPT_AT_MOST: usize = 110;

/// Least share of classes that must be named exactly, in percent.
const CLASS_AT_LEAST: f64 = 85.0;

/// Least share of actions that must be right, in percent: a wrong one stops a healthy campaign, or lets a dead one
/// run.
const ACTION_AT_LEAST: f64 = 93.0;

/// What became of one record.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) cause: Cause,
    pub(super) classes: &'static [&'static str],
    pub(super) actions: &'static [&'static str],
    pub(super) expected_class: String,
    pub(super) also_possible: Vec<String>,
    pub(super) expected_action: String,
    pub(super) words: String,
}

impl Outcome {
    fn has_class(&self) -> bool {
        self.classes.contains(&self.expected_class.as_str())
    }

    fn has_class_or_near(&self) -> bool {
        let near = |class: &String| self.classes.contains(&class.as_str());
        self.has_class() || self.also_possible.iter().any(near)
    }

    fn has_action(&self) -> bool {
        self.actions.contains(&self.expected_action.as_str())
    }
}

/// What became of all records.
#[derive(Debug)]
pub struct Measured {
    pub(super) outcomes: Vec<Outcome>,
}

impl Measured {
    /// One line for each answer that is not exact, wrong actions marked, and the shares.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for outcome in self
            .outcomes
            .iter()
            .filter(|outcome| !outcome.has_class() || !outcome.has_action())
        {
            let mark = match (outcome.has_action(), outcome.has_class_or_near()) {
                (false, _) => "ACTION",
                (true, false) => "class",
                (true, true) => "near",
            };
            let words: String = outcome.words.replace(['\n', '\r'], " ");
            let words: String = words.chars().take(EXCERPT_AT_MOST).collect();
            let _ = writeln!(
                text,
                "{:<8} {mark:<6} {:<27} {:<7} found {:<22} {:<7} {words}",
                outcome.id,
                outcome.expected_class,
                outcome.expected_action,
                outcome.cause.code(),
                outcome.actions.join("/"),
            );
        }
        for (name, value, at_least) in self.shares() {
            let wanted = at_least.map_or(String::new(), |least| {
                format!(
                    "{} {least} %",
                    if value >= least { "at least" } else { "UNDER" }
                )
            });
            let line = format!("{name:<40} {value:>6.1} % {wanted}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// All figures in one object. Here a budget is the least that is wanted.
    pub fn json(&self) -> Value {
        let count = json!({
            "name": "failures", "value": self.outcomes.len(), "unit": "records",
            "budget": null, "within": null,
        });
        let shares = self.shares().into_iter().map(|(name, value, at_least)| {
            json!({
                "name": name,
                "value": value,
                "unit": "percent",
                "budget": at_least,
                "within": at_least.map(|least| value >= least),
            })
        });
        let figures: Vec<Value> = std::iter::once(count).chain(shares).collect();
        json!({ "bench": "causes", "figures": figures })
    }

    fn shares(&self) -> [(&'static str, f64, Option<f64>); 3] {
        [
            (
                "class",
                self.share(Outcome::has_class),
                Some(CLASS_AT_LEAST),
            ),
            (
                "class or one that the words mean too",
                self.share(Outcome::has_class_or_near),
                None,
            ),
            (
                "action",
                self.share(Outcome::has_action),
                Some(ACTION_AT_LEAST),
            ),
        ]
    }

    /// In percent, to one place.
    fn share(&self, counts: fn(&Outcome) -> bool) -> f64 {
        let n_right = self
            .outcomes
            .iter()
            .filter(|outcome| counts(outcome))
            .count();
        let n_all = self.outcomes.len().max(1);
        let per_mille = (n_right * 2000 + n_all) / (n_all * 2);
        u32::try_from(per_mille).map_or(0.0, f64::from) / 10.0
    }
}
