//! A page that wants the prompt pressed, read or gone: nothing starts without the person, nothing leaves, and the
//! tab stays responsive.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::browsers::Kind;
use tests::page_server::PageServer;
use tests::story::desk::{PROMPT, RECONNECT, Surface};
use tests::wait::wait_for;
use tests::webdriver::seek::wait_named;
use tests::webdriver::session::{Session, Window};

use super::in_both;
use super::stage::{SOON, Set, Stage};
use super::survival::wait_for_other;

const PAGE: &str = include_str!("hostile.html");

in_both!(
    a_hostile_page_gets_nothing_in_chromium,
    a_hostile_page_gets_nothing_in_firefox,
    hostile
);

async fn hostile(kind: Kind) -> Result<()> {
    let site = PageServer::start_page(PAGE, Vec::new()).await?;
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    desk.allow_own(&site.at("")).await?;
    let window = session.open_tab().await?;
    session.goto(&site.at("/")).await?;
    stage.lose().await?;
    desk.wait_card("hostile", Surface::Prompt).await?;
    session.leave_frames().await?;

    // Reading: the page finds neither what stands in the prompt nor the number that opens it.
    let seen = run(session, "read()").await?;
    ensure!(seen == json!([]), "the page could read {seen}");

    // Pressing by script: nothing starts.
    run(session, "press()").await?;
    nothing_starts(&stage, "synthetic clicks").await?;

    // Covering: where the browser can tell the frame, a click does not count and says why. Elsewhere the eyes look for
    // what lies over it; a cover that they do not find leads to the provider's own window, which a person confirms.
    if kind == Kind::Chromium {
        run(session, "overlay(true)").await?;
        desk.read().await?;
        desk.press_on_card("hostile", Surface::Prompt, RECONNECT)
            .await?;
        desk.wait_card_words("hostile", Surface::Prompt, "This card was covered")
            .await?;
        nothing_starts(&stage, "a cover").await?;
        session.leave_frames().await?;
        run(session, "stop()").await?;
    }

    // Flooding: the page's own heart still beats, and the card is still there.
    let beats = run(session, "flood(3000)").await?;
    let (felt, due) = (number(&beats, "felt"), number(&beats, "due"));
    ensure!(
        felt * 2 >= due,
        "of {due} beats of the page's heart {felt} were felt"
    );
    ensure!(number(&beats, "changes") >= due * 100, "no flood: {beats}");
    nothing_starts(&stage, "the flood").await?;

    // Moving, dimming, hiding: it stays where it is and as it is. That it can be seen is what Chromium asks of a
    // click below.
    let before = run(session, "place()").await?;
    run(session, "distort()").await?;
    let stays = async || {
        let now = run(session, "place()").await.ok()?;
        (now == before).then_some(())
    };
    wait_for("the prompt to stand where it stood", stays, SOON).await?;
    nothing_starts(&stage, "moving").await?;

    // Taking away: it comes back, but not for ever.
    run(session, "remove(1)").await?;
    desk.reconnect("hostile", Surface::Prompt, &window).await?;
    stage.check_goes_on(2).await?;

    // Covering where the browser cannot tell: the press leads to the provider's own window, and to nothing else.
    if kind == Kind::Firefox {
        covered_where_nobody_can_tell(&stage, &window).await?;
    }
    run(session, "remove(10)").await?;
    let gone = async || session.find(PROMPT).await.ok()?.is_none().then_some(());
    wait_for("the prompt to give up", gone, SOON).await?;

    // Nothing of ours was asked of that site.
    let asked = site.asked();
    ensure!(
        asked
            .iter()
            .all(|path| path == "/" || path == "/favicon.ico"),
        "the site was asked for {asked:?}"
    );
    stage.end().await
}

/// A person presses on a cover, and so on the card below it: the provider asks them in a window that no page covers,
/// and when they close it nothing has changed.
async fn covered_where_nobody_can_tell(stage: &Stage, page: &Window) -> Result<()> {
    let desk = &stage.desk;
    let session = desk.session();
    stage.lose().await?;
    desk.wait_card("hostile", Surface::Prompt).await?;
    session.leave_frames().await?;
    run(session, "overlay(true)").await?;
    desk.read().await?;
    let before = session.windows().await?;
    desk.press_on_card("hostile", Surface::Prompt, RECONNECT)
        .await?;
    let provider = wait_for_other(desk, &before).await?;
    session.switch_to(&provider).await?;
    wait_named(session, "button", "Allow", SOON).await?;
    session.close_window().await?;
    session.show(page).await?;
    run(session, "stop()").await?;
    desk.wait_card_words("hostile", Surface::Prompt, "closed")
        .await?;
    session.leave_frames().await?;
    let by_status = stage.reconnects().await?;
    ensure!(
        by_status.get("resumed") == Some(&2),
        "a cover reconnected: {by_status:?}"
    );
    Ok(())
}

/// That no reconnect was begun, at the relay or in a window.
pub(super) async fn nothing_starts(stage: &Stage, attack: &str) -> Result<()> {
    let by_status = stage.reconnects().await?;
    ensure!(
        by_status.keys().all(|status| *status == "resumed"),
        "{attack} started something: {by_status:?}"
    );
    Ok(())
}

/// Runs one of the page's own functions. Firefox keeps the page's variables from a driver's scripts unless they are
/// asked for by this name; what comes back comes as text, because objects of the page stay the page's.
pub(super) async fn run(session: &Session, call: &str) -> Result<Value> {
    let script = format!(
        "const {{ attack }} = window.wrappedJSObject ?? window;
         return Promise.resolve(attack.{call}).then((value) => JSON.stringify(value ?? null));"
    );
    let text = session.execute(&script, json!([])).await?;
    serde_json::from_str(text.as_str().unwrap_or_default()).context("the page answered no JSON")
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}
