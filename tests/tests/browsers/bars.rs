//! The prompt gives way: to a chat in a frame, to a button that is the 601st of its page, and to a bar that comes
//! later. Never under a person's hand: while the pointer is on the card, it stays.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::browsers::Kind;
use tests::page_server::PageServer;
use tests::story::desk::Surface;
use tests::wait::wait_for;

use super::hostile::run;
use super::in_both;
use super::stage::{SOON, Set, Stage};

const PAGE: &str = include_str!("bars.html");

in_both!(
    the_prompt_gives_way_to_what_a_page_shows_later_in_chromium,
    the_prompt_gives_way_to_what_a_page_shows_later_in_firefox,
    gives_way
);

async fn gives_way(kind: Kind) -> Result<()> {
    let site = PageServer::start_page(PAGE, Vec::new()).await?;
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    desk.allow_own(&site.at("")).await?;
    let page = session.open_tab().await?;
    session.goto(&site.at("/")).await?;
    stage.lose().await?;
    desk.wait_card("bars", Surface::Prompt).await?;
    session.leave_frames().await?;
    // Right below is the chat, left below the button: it stands right above.
    let free = async || {
        let under = run(session, "under()").await.ok()?;
        (under["on"] == json!([])).then_some(under)
    };
    let first = wait_for("the prompt to stand on nothing", free, SOON).await?;
    ensure!(number(&first, "y")? < 100.0, "it stands at {first}");
    ensure!(number(&first, "x")? > 600.0, "it stands at {first}");
    run(session, "bar()").await?;
    let second = wait_for("the prompt to give way to the bar", free, SOON).await?;
    ensure!(number(&second, "x")? < 100.0, "it stands at {second}");
    desk.screens.take(session, "gave-way").await?;
    println!("{kind:?}: from {first} to {second}");
    // And there it is pressed as anywhere.
    desk.reconnect("bars", Surface::Prompt, &page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

fn number(value: &Value, name: &str) -> Result<f64> {
    value[name].as_f64().context("no number")
}
