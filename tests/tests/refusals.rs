//! The table of refusals: each row is provoked for real, and says in full what is shown for it. The rows
//! stand in `refusals/`, by subject; `docs/refusals.md` is made from them, and from those that other tests declare.
//! Deliberately absent: what is refused inside one crate only; that is tested beside its code.

#![cfg(test)]

#[path = "refusals/adversaries.rs"]
mod adversaries;
#[path = "refusals/backups.rs"]
mod backups;
#[path = "refusals/calls.rs"]
mod calls;
#[path = "refusals/campaigns.rs"]
mod campaigns;
#[path = "refusals/declared.rs"]
mod declared;
#[path = "refusals/home.rs"]
mod home;
#[path = "refusals/kept.rs"]
mod kept;
#[path = "refusals/leads.rs"]
mod leads;
#[path = "refusals/messages.rs"]
mod messages;
#[path = "refusals/row.rs"]
mod row;
#[path = "refusals/schedules.rs"]
mod schedules;
#[path = "refusals/stage.rs"]
mod stage;
#[path = "refusals/start.rs"]
mod start;
#[path = "refusals/verifying.rs"]
mod verifying;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use row::{Row, render};
use stage::Stage;

/// The page, and the variable that writes it anew.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/refusals.md");
const WRITE: &str = "UNPAUSE_WRITE_DOCS";

fn table() -> Vec<&'static Row> {
    [
        leads::ROWS,
        messages::ROWS,
        campaigns::ROWS,
        schedules::ROWS,
        start::ROWS,
        backups::ROWS,
        verifying::ROWS,
        calls::ROWS,
        adversaries::ROWS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_is_clear_and_leaves_nothing_half_done() -> Result<()> {
    let stage = Stage::set_up().await?;
    let mut wrong = Vec::new();
    for row in table() {
        match stage.play(row).await {
            Ok(met) if row.is_met_by(&met) => {}
            Ok(met) => wrong.push(format!("{}: met {met:#?}", row.case)),
            Err(error) => wrong.push(format!("{}: {error:#}", row.case)),
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of {} rows are not as the table says:\n{}",
        wrong.len(),
        table().len(),
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn the_page_of_refusals_is_what_the_table_says() -> Result<()> {
    let page = render(&table(), &declared::collect()?);
    println!("{page}");
    if std::env::var_os(WRITE).is_some() {
        return std::fs::write(PAGE, &page).context("the page cannot be written");
    }
    let kept = std::fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    ensure!(
        kept == page,
        "docs/refusals.md is not what the table says: run \
         `{WRITE}=1 cargo nextest run -p tests --test refusals` and look at the difference"
    );
    Ok(())
}
