//! Somebody else signs in at the provider than the inbox's own account: the card asks whether that is meant, and nobody
//! answers in a page. Its button opens a window of ours, in which no page can lie over the question or press for a person.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tests::browsers::Kind;
use tests::story::desk::{Ours, PROMPT, RECONNECT, Surface};
use tests::story::servers::{jane, john};
use tests::wait::wait_for;
use tests::webdriver::seek::{find_named, wait_named};
use tests::webdriver::session::Window;

use super::hostile::run;
use super::in_both;
use super::prepared::serve;
use super::stage::{SOON, Set, Stage};
use super::survival::wait_for_other;

/// The ways to cover the card that `attack.cover` of `prepared.html` knows.
const COVERS: [&str; 5] = [
    "popover",
    "shadow of a popover",
    "modal",
    "fullscreen",
    "transition",
];
/// The button of a card that asks whether an account is meant, in a page.
const ANSWER: &str = "Answer in a window";
/// What it is about.
const QUESTION: &str = "Is this the right account?";
/// The answers to it.
const YES: &str = "Use this sign-in";
const NO: &str = "Do not use it";

in_both!(
    another_account_is_confirmed_in_a_window_of_ours_alone_in_chromium,
    another_account_is_confirmed_in_a_window_of_ours_alone_in_firefox,
    confirmed
);

async fn confirmed(kind: Kind) -> Result<()> {
    let site = serve().await?;
    let mut set = Set::of(kind);
    set.browser.dark = kind == Kind::Firefox;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let page = ask_about_john(&stage, &site.at("")).await?;
    desk.wait_card_button("confirming", Surface::Prompt, ANSWER)
        .await?;
    desk.screens.take(session, "prompt-confirm").await?;
    for answer in [YES, NO] {
        let found = find_named(session, "button", answer).await?;
        ensure!(found.is_none(), "{answer} can be pressed in a page");
    }
    session.leave_frames().await?;
    let before = session.windows().await?;
    nothing_under_a_cover(&stage, kind, &before).await?;

    // What a page puts before and after our frame is not drawn, so that is no cover.
    session.show(&page).await?;
    run(session, "cover('before')").await?;
    let ours = open_window(&stage, &before).await?;
    session.show(&page).await?;
    press_answer(&stage).await?;
    let open = desk.find_ours(&before).await.context("no windows")?;
    ensure!(open == [ours.clone()], "asked again: {open:?}");
    // Closed, nothing is decided, and it is asked as before.
    desk.close_ours(&ours).await?;
    session.show(&page).await?;
    desk.wait_card_button("confirming", Surface::Prompt, ANSWER)
        .await?;
    session.leave_frames().await?;
    undecided(&stage, "closed").await?;

    let ours = open_window(&stage, &before).await?;
    desk.enter_ours(&ours).await?;
    let words = desk
        .wait_card_words("window", Surface::Page, QUESTION)
        .await?;
    for address in [jane().address, john().address] {
        ensure!(words.contains(&address), "{address} is not named: {words}");
    }
    desk.screens.take(session, "window-confirm").await?;
    desk.press_on_card("window", Surface::Page, YES).await?;
    desk.wait_resumed("window", Surface::Page).await?;
    session.close_window().await?;
    session.show(&page).await?;
    desk.wait_card_words("confirming", Surface::Prompt, "Resumed.")
        .await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

/// John signs in where Jane was meant, at a mailbox that both may use, from a page that was made for the prompt; where
/// that page is.
async fn ask_about_john(stage: &Stage, origin: &str) -> Result<Window> {
    let desk = &stage.desk;
    let session = desk.session();
    let sandbox = stage.servers.sandbox().context("these are the sandbox's")?;
    sandbox.control().share(&jane().address, &john().address)?;
    session.goto(&stage.servers.issuer()).await?;
    desk.press_while_setting_up("button", "Sign out").await?;
    wait_named(session, "button", "Sign in", SOON).await?;
    desk.allow_own(origin).await?;
    let page = session.open_tab().await?;
    session.goto(&format!("{origin}/")).await?;
    stage.lose().await?;
    desk.wait_card("confirming", Surface::Prompt).await?;
    let before = session.windows().await?;
    desk.read().await?;
    desk.press_on_card("confirming", Surface::Prompt, RECONNECT)
        .await?;
    let provider = wait_for_other(desk, &before).await?;
    session.switch_to(&provider).await?;
    sign_in_as_john(stage).await?;
    session.show(&page).await?;
    Ok(page)
}

/// That no press on what lies over the card opens anything.
async fn nothing_under_a_cover(stage: &Stage, kind: Kind, before: &[Window]) -> Result<()> {
    let desk = &stage.desk;
    let session = desk.session();
    let answer = find_answer(stage).await?;
    for way in COVERS {
        // A page goes into full screen only where somebody has just pressed in it.
        desk.press_while_setting_up("button", "Play").await?;
        let problem = run(session, &format!("cover({way:?})")).await?;
        ensure!(problem == "", "{way}: {problem}");
        desk.read().await?;
        // In full screen a headless browser may be smaller than before; the point is then nowhere.
        let press = session.press_at(answer).await;
        println!("{kind:?}: {way}: pressed {press:?}");
        ensure!(press.is_ok() || way == "fullscreen", "{way}: {press:?}");
        desk.read().await?;
        undecided(stage, way).await?;
        let open = desk.find_ours(before).await.context("no windows")?;
        ensure!(open.is_empty(), "{way}: opened under the cover: {open:?}");
        run(session, "uncover()").await?;
        desk.wait_card_button("confirming", Surface::Prompt, ANSWER)
            .await
            .with_context(|| format!("after {way}"))?;
        session.leave_frames().await?;
    }
    Ok(())
}

/// Presses the card's button, and again as long as a person is told that it was too soon.
async fn open_window(stage: &Stage, before: &[Window]) -> Result<Ours> {
    let opened = async || {
        press_answer(stage).await.ok()?;
        stage.desk.find_ours(before).await?.into_iter().next()
    };
    Ok(wait_for("the window of ours", opened, SOON).await?)
}

async fn press_answer(stage: &Stage) -> Result<()> {
    let answer = find_answer(stage).await?;
    stage.desk.read().await?;
    stage.desk.session().press_at(answer).await?;
    stage.desk.read().await
}

/// That the relay still waits for the answer.
async fn undecided(stage: &Stage, when: &str) -> Result<()> {
    let book = stage.reconnects().await?;
    ensure!(
        book.get("resumed") == Some(&1) && book.get("unconfirmed") == Some(&1) && book.len() == 2,
        "{when}: {book:?}"
    );
    Ok(())
}

/// The middle of the card's button, in the window, where a person would press.
async fn find_answer(stage: &Stage) -> Result<(f64, f64)> {
    let session = stage.desk.session();
    stage.desk.enter(Surface::Prompt).await.context("no card")?;
    let script = "const all = [...document.querySelectorAll('button')];
        const box = all.find((one) => one.textContent === arguments[0]).getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];";
    let inside = session.execute(script, json!([ANSWER])).await?;
    session.leave_frames().await?;
    let script = format!(
        "const box = document.querySelector('{PROMPT}').getBoundingClientRect(); return [box.x, box.y];"
    );
    let of_the_card = session.execute(&script, json!([])).await?;
    let ([x, y], [left, top]): ([f64; 2], [f64; 2]) = (
        serde_json::from_value(inside)?,
        serde_json::from_value(of_the_card)?,
    );
    // The frame's own border is a pixel.
    Ok((left + x + 1.0, top + y + 1.0))
}

/// John signs in with his password, where Jane is signed out.
async fn sign_in_as_john(stage: &Stage) -> Result<()> {
    let (desk, session, john) = (&stage.desk, stage.desk.session(), john());
    let field = async |kind: &str| {
        let css = format!("input[type={kind}]");
        wait_for("a field", async || session.find(&css).await.ok()?, SOON).await
    };
    desk.press_while_setting_up("button", "Use another account")
        .await?;
    field("email").await?.write(&john.address).await?;
    desk.press_while_setting_up("button", "Next").await?;
    field("password").await?.write(&john.password).await?;
    desk.press_while_setting_up("button", "Sign in").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    Ok(())
}
