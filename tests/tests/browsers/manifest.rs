//! What Chromium itself says of the manifest, equal to a committed list: `tests/lint/chromium_warnings.json`.

use anyhow::Result;
use serde::Deserialize;
use tests::browsers::{Browser, Kind, Settings};

use super::stage::EXTENSION;

const KNOWN: &str = include_str!("../../lint/chromium_warnings.json");

/// A warning, and why it is accepted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    message: String,
    #[serde(rename = "reason")]
    _reason: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_warns_of_nothing_but_what_is_known() -> Result<()> {
    let browser = Browser::start(Settings::headless(Kind::Chromium, EXTENSION.into())).await?;
    let known: Vec<Known> = serde_json::from_str(KNOWN)?;
    let known: Vec<_> = known.into_iter().map(|known| known.message).collect();
    let found = browser.manifest_warnings(known.len()).await?;
    assert_eq!(found, known);
    browser.close().await
}
