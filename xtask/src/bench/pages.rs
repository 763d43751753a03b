//! What people wait for in a browser, beside what they are promised. The measuring stands in the `tests` crate, beside
//! what drives the browser.

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::figure::Figure;
use crate::shell::{self, Workspace};
use crate::story_binary;
use crate::web::{self, Shrink};

/// The bench's name.
pub(super) const NAME: &str = "pages";
/// Main thread of a page without a banner.
const EYES_BUDGET_US: u64 = 1_000;
/// From the click on the toolbar to a list that can be used.
const POPUP_BUDGET_MS: u64 = 200;

/// Builds the extension as it is handed out, and lets the binary measure it.
pub(super) fn measure(workspace: &Workspace) -> anyhow::Result<Vec<Figure>> {
    web::build(workspace, Shrink::Always)?;
    story_binary::build(workspace)?;
    let mut command = workspace.program(&workspace.binary("pages_bench", false), &[]);
    let line = shell::show(&command);
    let output = command
        .output()
        .with_context(|| format!("`{line}` cannot be started"))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let measured: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`{line}` did not print one JSON object"))?;
    let figure = |name, field, unit, budget| {
        let value = measured.get(field).and_then(Value::as_u64);
        anyhow::Ok(Figure {
            name,
            value: value.with_context(|| format!("`{line}` measured no {field}"))?,
            unit,
            budget: Some(budget),
        })
    };
    Ok(vec![
        figure("eyes without a banner", "eyes_us", "us", EYES_BUDGET_US)?,
        figure("popup can be used", "popup_ms", "ms", POPUP_BUDGET_MS)?,
    ])
}
