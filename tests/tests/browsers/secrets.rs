//! No secret anywhere, with a browser: what the extension keeps and what the browser writes is searched too.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use tests::browsers::{Kind, Settings};
use tests::secrets::run::run;
use tests::story::telling::Telling;

use super::in_both;
use super::stage::EXTENSION;

in_both!(
    no_secret_is_left_anywhere_in_chromium,
    no_secret_is_left_anywhere_in_firefox,
    search
);

async fn search(kind: Kind) -> Result<()> {
    let settings = Settings::headless(kind, PathBuf::from(EXTENSION));
    let report = run(Some(settings), 1, &Telling::begin(true)).await?;
    ensure!(report.outcome == "clean", "{report:#?}");
    Ok(())
}
