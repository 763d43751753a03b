//! The background is ended at the worst moment, the popup closed, the browser restarted: the reconnect completes or
//! says how to go on, and there are never two reconnects of one inbox.

use anyhow::{Context as _, Result, ensure};
use sandbox::{GrantType, Point};
use serde_json::json;
use tests::browsers::Kind;
use tests::story::desk::{Desk, PROMPT, RECONNECT, Surface};
use tests::wait::wait_for;
use tests::webdriver::session::Window;

use super::in_both;
use super::stage::{SOON, Set, Stage};

in_both!(
    a_background_that_ends_at_any_stage_goes_on_in_chromium,
    a_background_that_ends_at_any_stage_goes_on_in_firefox,
    background_ends
);

async fn background_ends(kind: Kind) -> Result<()> {
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let control = stage
        .servers
        .sandbox()
        .context("these are the sandbox's")?
        .control();
    let lever = lever(desk).await?;
    desk.allow(&stage.servers.issuer(), true).await?;
    let mail = session.open_tab().await?;
    session.goto(&stage.servers.issuer()).await?;

    // Before the click: the card's line to the background is gone.
    stage.lose().await?;
    desk.wait_card("webmail", Surface::Prompt).await?;
    end_background(desk, &lever, &mail).await?;
    let before = session.windows().await?;
    click_until_opened(desk, "before the click", &before).await?;
    desk.finish_at_provider(&before).await?;
    session.show(&mail).await?;
    desk.wait_resumed("before the click", Surface::Prompt)
        .await?;
    stage.check_goes_on(2).await?;
    close_card(desk).await?;

    // While the person is at the provider: that sign-in cannot be gone on with, and the card says so.
    stage.lose().await?;
    let provider = click_and_wait_for_provider(desk, "at the provider").await?;
    end_background(desk, &lever, &mail).await?;
    close_if_open(desk, &provider, &mail).await?;
    desk.reconnect("after the provider", Surface::Prompt, &mail)
        .await?;
    stage.check_goes_on(3).await?;
    close_card(desk).await?;

    // While the code is being exchanged in the background.
    stage.lose().await?;
    let held = control.hold(Point::TokenRequestReceived {
        grant_type: GrantType::AuthorizationCode,
    });
    click_and_allow(desk, "exchanging", &mail).await?;
    wait_reached(&held).await?;
    end_background(desk, &lever, &mail).await?;
    held.release();
    desk.reconnect("after the exchange", Surface::Prompt, &mail)
        .await?;
    stage.check_goes_on(4).await?;
    close_card(desk).await?;

    // While the relay proves it: the relay has all that it needs.
    stage.lose().await?;
    let held = control.hold(Point::ImapAuthenticating);
    click_and_allow(desk, "proving", &mail).await?;
    wait_reached(&held).await?;
    end_background(desk, &lever, &mail).await?;
    held.release();
    desk.wait_resumed("proving", Surface::Prompt).await?;
    stage.check_goes_on(5).await?;
    stage.end().await
}

in_both!(
    a_background_that_ends_before_the_relay_answers_goes_on_in_chromium,
    a_background_that_ends_before_the_relay_answers_goes_on_in_firefox,
    relay_is_silent
);

/// The two stages at which the background waits for nobody but the relay.
async fn relay_is_silent(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    // Such a client's code is exchanged at the relay: nobody is asked between the provider and the hand-over.
    set.confidential = true;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let lever = lever(desk).await?;
    desk.allow(&stage.servers.issuer(), true).await?;
    let mail = session.open_tab().await?;
    session.goto(&stage.servers.issuer()).await?;

    // While the relay is asked to start: it is asked again, and no second click is needed.
    stage.lose().await?;
    desk.wait_card("starting", Surface::Prompt).await?;
    desk.read().await?;
    let before = session.windows().await?;
    stage.relay.suspend()?;
    desk.press_on_card("starting", Surface::Prompt, RECONNECT)
        .await?;
    wait_written(desk, &lever, "starting").await?;
    end_background(desk, &lever, &mail).await?;
    stage.relay.wake()?;
    desk.finish_at_provider(&before).await?;
    session.show(&mail).await?;
    desk.wait_resumed("starting", Surface::Prompt).await?;
    stage.check_goes_on(2).await?;
    close_card(desk).await?;

    // While what was obtained is on its way: it is sent again, and the relay takes it once.
    stage.lose().await?;
    desk.wait_card("handing over", Surface::Prompt).await?;
    desk.read().await?;
    let before = session.windows().await?;
    desk.press_on_card("handing over", Surface::Prompt, RECONNECT)
        .await?;
    wait_for_other(desk, &before).await?;
    stage.relay.suspend()?;
    desk.finish_at_provider(&before).await?;
    wait_written(desk, &lever, "handing_over").await?;
    end_background(desk, &lever, &mail).await?;
    stage.relay.wake()?;
    desk.wait_resumed("handing over", Surface::Prompt).await?;
    stage.check_goes_on(3).await?;
    stage.end().await
}

in_both!(
    a_popup_that_is_closed_in_the_middle_loses_nothing_in_chromium,
    a_popup_that_is_closed_in_the_middle_loses_nothing_in_firefox,
    popup_closed
);

async fn popup_closed(kind: Kind) -> Result<()> {
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let first = session.window().await?;
    stage.lose().await?;
    let popup = session.open_tab().await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    desk.wait_card("popup", Surface::Page).await?;
    let before = session.windows().await?;
    desk.press_on_card("popup", Surface::Page, RECONNECT)
        .await?;
    let provider = wait_for_other(desk, &before).await?;
    session.switch_to(&popup).await?;
    session.close_window().await?;
    session.switch_to(&provider).await?;
    let known: Vec<_> = before.into_iter().filter(|one| *one != popup).collect();
    desk.finish_at_provider(&known).await?;
    session.show(&first).await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    desk.wait_resumed("popup again", Surface::Page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

in_both!(
    a_browser_that_is_restarted_in_the_middle_says_how_to_go_on_in_chromium,
    a_browser_that_is_restarted_in_the_middle_says_how_to_go_on_in_firefox,
    browser_restarted
);

async fn browser_restarted(kind: Kind) -> Result<()> {
    let mut stage = Stage::set(Set::of(kind)).await?;
    stage.desk.allow(&stage.servers.issuer(), true).await?;
    stage.desk.session().goto(&stage.servers.issuer()).await?;
    stage.lose().await?;
    click_and_wait_for_provider(&stage.desk, "before the restart").await?;
    stage.desk.browser.restart().await?;
    let desk = &stage.desk;
    let session = desk.session();
    session.goto(&desk.browser.page("options.html")).await?;
    tests::webdriver::seek::wait_words(session, "This browser is paired with", SOON)
        .await
        .context("the pairing did not outlive the restart")?;
    // The webmail forgets who is signed in when the browser closes: the provider asks for the password again.
    desk.sign_in_at_provider(&stage.servers, &tests::story::servers::jane())
        .await?;
    let page = session.window().await?;
    desk.reconnect("after the restart", Surface::Prompt, &page)
        .await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

/// A tab of the extension that has no line to the background, from which it can be ended in Chromium, and what it has
/// written down can be read.
pub(super) async fn lever(desk: &Desk) -> Result<Window> {
    let session = desk.session();
    let first = session.window().await?;
    let lever = session.open_tab().await?;
    session.goto(&desk.browser.page("start.js")).await?;
    session.show(&first).await?;
    Ok(lever)
}

pub(super) async fn end_background(desk: &Desk, lever: &Window, back_to: &Window) -> Result<()> {
    let session = desk.session();
    session.leave_frames().await.ok();
    session.switch_to(lever).await?;
    desk.browser.stop_background().await?;
    session.show(back_to).await?;
    Ok(())
}

/// Waits until the background has written down that a reconnect is at this stage.
async fn wait_written(desk: &Desk, lever: &Window, stage: &str) -> Result<()> {
    let session = desk.session();
    session.leave_frames().await.ok();
    session.switch_to(lever).await?;
    let script =
        "return browser.storage.session.get('passing').then(({ passing }) => passing ?? '');";
    let stage = format!("\"{stage}\"");
    let is_there = async || {
        let written = session.execute(script, json!([])).await.ok()?;
        written.as_str()?.contains(&stage).then_some(())
    };
    let what = format!("the background to write down {stage}");
    wait_for(&what, is_there, SOON).await?;
    Ok(())
}

async fn click_and_wait_for_provider(desk: &Desk, surface: &str) -> Result<Window> {
    let session = desk.session();
    desk.wait_card(surface, Surface::Prompt).await?;
    desk.read().await?;
    let before = session.windows().await?;
    desk.press_on_card(surface, Surface::Prompt, RECONNECT)
        .await?;
    wait_for_other(desk, &before).await
}

/// A frame that was just drawn anew counts no click in its first half second, and says that one more is needed.
async fn click_until_opened(desk: &Desk, surface: &str, before: &[Window]) -> Result<()> {
    for _ in 0..3 {
        desk.wait_card(surface, Surface::Prompt).await?;
        desk.read().await?;
        desk.press_on_card(surface, Surface::Prompt, RECONNECT)
            .await?;
        let outcome = async || {
            desk.enter(Surface::Prompt).await?;
            let words = desk.session().words().await.ok()?;
            let opened = desk.session().windows().await.ok()?.len() > before.len();
            (opened || words.contains("Press once more")).then_some(opened)
        };
        let did = wait_for("what the click did", outcome, SOON).await;
        let did = match did {
            Ok(did) => did,
            Err(late) => {
                let words = desk.session().words().await.unwrap_or_default();
                return Err(late).with_context(|| format!("the card says {words:?}"));
            }
        };
        if did {
            return Ok(());
        }
    }
    anyhow::bail!("three clicks on a card that was read did not count")
}

async fn click_and_allow(desk: &Desk, surface: &str, page: &Window) -> Result<()> {
    let session = desk.session();
    desk.wait_card(surface, Surface::Prompt).await?;
    desk.read().await?;
    let before = session.windows().await?;
    desk.press_on_card(surface, Surface::Prompt, RECONNECT)
        .await?;
    desk.finish_at_provider(&before).await?;
    session.show(page).await?;
    Ok(())
}

pub(super) async fn wait_for_other(desk: &Desk, before: &[Window]) -> Result<Window> {
    let opened = async || {
        let windows = desk.session().windows().await.ok()?;
        windows.into_iter().find(|window| !before.contains(window))
    };
    Ok(wait_for("the provider's window", opened, SOON).await?)
}

/// A browser may close the provider's window by itself when the background ends.
async fn close_if_open(desk: &Desk, window: &Window, back_to: &Window) -> Result<()> {
    let session = desk.session();
    if session.windows().await?.contains(window) && session.switch_to(window).await.is_ok() {
        session.close_window().await?;
    }
    session.show(back_to).await?;
    Ok(())
}

/// Closes the card that has said what it had to say.
async fn close_card(desk: &Desk) -> Result<()> {
    desk.press_on_card("prompt", Surface::Prompt, "Close")
        .await?;
    let gone = async || {
        desk.session().leave_frames().await.ok()?;
        let host = desk.session().find(PROMPT).await.ok()?;
        host.is_none().then_some(())
    };
    wait_for("the prompt to go", gone, SOON).await?;
    Ok(())
}

async fn wait_reached(held: &sandbox::Held) -> Result<()> {
    let reached = tokio::time::timeout(SOON, held.reached()).await;
    ensure!(reached.is_ok(), "nobody came to the point that is held");
    Ok(())
}
