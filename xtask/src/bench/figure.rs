//! One measured figure beside its budget, and how figures are printed.

use serde_json::{Value, json};

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// What was measured.
    pub(super) name: &'static str,
    /// In `unit`.
    pub(super) value: u64,
    /// What it is counted in.
    pub(super) unit: &'static str,
    /// What it must stay under; `None` where nobody has promised anything.
    pub(super) budget: Option<u64>,
}

impl Figure {
    /// Whether it is under its budget; `None` without one.
    pub(super) fn is_within(&self) -> Option<bool> {
        self.budget.map(|budget| self.value < budget)
    }
}

/// One line a figure, for people.
pub(super) fn table(figures: &[Figure]) -> String {
    figures.iter().fold(String::new(), |mut text, figure| {
        let word = match (figure.budget, figure.is_within()) {
            (Some(budget), Some(true)) => format!("under {budget}"),
            (Some(budget), _) => format!("OVER {budget}"),
            (None, _) => String::new(),
        };
        let line = format!(
            "{:<28} {:>9} {:<6} {word}",
            figure.name, figure.value, figure.unit
        );
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

/// All of them in one line, for programs.
pub(super) fn json(bench: &str, figures: &[Figure]) -> Value {
    let figures: Vec<Value> = figures
        .iter()
        .map(|figure| {
            json!({
                "name": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "budget": figure.budget,
                "within": figure.is_within(),
            })
        })
        .collect();
    json!({ "bench": bench, "figures": figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: &[Figure] = &[
        Figure {
            name: "eyes",
            value: 4_999,
            unit: "bytes",
            budget: Some(5_000),
        },
        Figure {
            name: "popup",
            value: 150_000,
            unit: "bytes",
            budget: Some(150_000),
        },
        Figure {
            name: "background",
            value: 7,
            unit: "bytes",
            budget: None,
        },
    ];

    #[test]
    fn a_figure_that_reaches_its_budget_is_over_it() {
        assert_eq!(
            table(FIGURES),
            "eyes                              4999 bytes  under 5000\n\
             popup                           150000 bytes  OVER 150000\n\
             background                           7 bytes\n"
        );
    }

    #[test]
    fn the_last_line_is_one_object() {
        assert_eq!(
            json("extension", FIGURES).to_string(),
            "{\"bench\":\"extension\",\"figures\":[\
             {\"budget\":5000,\"name\":\"eyes\",\"unit\":\"bytes\",\"value\":4999,\"within\":true},\
             {\"budget\":150000,\"name\":\"popup\",\"unit\":\"bytes\",\"value\":150000,\"within\":false},\
             {\"budget\":null,\"name\":\"background\",\"unit\":\"bytes\",\"value\":7,\"within\":null}]}"
        );
    }
}
