//! The tab way: a browser without `identity.launchWebAuthFlow`, or one where it fails, opens the provider in a tab, and
//! the relay's own redirect address ends it.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::browsers::{Kind, with_background_script, without_permission};
use tests::story::desk::{RECONNECT, Surface};
use tests::wait::wait_for;
use tests::webdriver::session::Window;

use super::in_both;
use super::stage::{EXTENSION, SOON, Set, Stage};
use super::survival::{end_background, lever, wait_for_other};

/// The window is asked for, and the browser says what Chromium and Firefox say of a page that they cannot show in it.
const FAILING: &str = "browser.identity.launchWebAuthFlow = async () => {
    await browser.storage.session.set({ asked: true });
    throw new Error('Authorization page could not be loaded.');
};";

in_both!(
    without_the_browsers_window_a_tab_completes_in_chromium,
    without_the_browsers_window_a_tab_completes_in_firefox,
    public_client
);

async fn public_client(kind: Kind) -> Result<()> {
    let (stage, _folder) = set_without_window(kind, false).await?;
    let popup = open_popup(&stage).await?;
    Box::pin(complete(stage, &popup, false)).await
}

in_both!(
    a_confidential_client_completes_in_a_tab_in_chromium,
    a_confidential_client_completes_in_a_tab_in_firefox,
    confidential_client
);

async fn confidential_client(kind: Kind) -> Result<()> {
    let (stage, _folder) = set_without_window(kind, true).await?;
    let popup = open_popup(&stage).await?;
    Box::pin(complete(stage, &popup, false)).await
}

in_both!(
    a_tab_completes_when_the_background_ends_meanwhile_in_chromium,
    a_tab_completes_when_the_background_ends_meanwhile_in_firefox,
    background_ends
);

async fn background_ends(kind: Kind) -> Result<()> {
    let (stage, _folder) = set_without_window(kind, false).await?;
    let popup = open_popup(&stage).await?;
    Box::pin(complete(stage, &popup, true)).await
}

in_both!(
    where_the_browsers_window_fails_a_tab_completes_in_chromium,
    where_the_browsers_window_fails_a_tab_completes_in_firefox,
    failing_window
);

async fn failing_window(kind: Kind) -> Result<()> {
    let folder = tempfile::tempdir()?;
    with_background_script(EXTENSION.as_ref(), FAILING, folder.path())?;
    let mut set = Set::of(kind);
    set.browser.extension = folder.path().to_owned();
    let stage = Stage::set(set).await?;
    let popup = open_popup(&stage).await?;
    let session = stage.desk.session();
    let before = session.windows().await?;
    stage
        .desk
        .press_on_card("popup", Surface::Page, RECONNECT)
        .await?;
    wait_for_other(&stage.desk, &before).await?;
    session.switch_to(&popup).await?;
    let asked = session
        .execute(
            "return browser.storage.session.get('asked').then(({ asked }) => asked === true);",
            json!([]),
        )
        .await?;
    ensure!(asked == true, "the browser's window was not asked for");
    finish(stage, &popup, &before).await
}

/// A browser that does not offer the API; its extension lives in the folder.
async fn set_without_window(kind: Kind, confidential: bool) -> Result<(Stage, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    without_permission(EXTENSION.as_ref(), "identity", folder.path())?;
    let mut set = Set::of(kind);
    set.browser.extension = folder.path().to_owned();
    set.confidential = confidential;
    Ok((Stage::set(set).await?, folder))
}

/// The popup, with the card of an inbox that was lost.
async fn open_popup(stage: &Stage) -> Result<Window> {
    let session = stage.desk.session();
    stage.lose().await?;
    let popup = session.open_tab().await?;
    session.goto(&stage.desk.browser.page("popup.html")).await?;
    stage.desk.wait_card("popup", Surface::Page).await?;
    Ok(popup)
}

async fn complete(stage: Stage, popup: &Window, background_ends: bool) -> Result<()> {
    let desk = &stage.desk;
    let session = desk.session();
    let api = session
        .execute("return typeof browser.identity;", json!([]))
        .await?;
    ensure!(api == "undefined", "this browser has the API after all");
    let lever = lever(desk).await?;
    session.show(popup).await?;
    let before = session.windows().await?;
    desk.press_on_card("popup", Surface::Page, RECONNECT)
        .await?;
    if background_ends {
        let tab = wait_for_other(desk, &before).await?;
        end_background(desk, &lever, &tab).await?;
    }
    finish(stage, popup, &before).await
}

/// The person allows it in the tab, and the popup tells how it went.
async fn finish(stage: Stage, popup: &Window, before: &[Window]) -> Result<()> {
    let desk = &stage.desk;
    let session = desk.session();
    let tab = desk.finish_at_provider(before).await?;
    // The relay's page says that the tab is done with; the extension may have closed it by then.
    let done = async || {
        if !session.windows().await.ok()?.contains(&tab) {
            return Some(());
        }
        session.switch_to(&tab).await.ok()?;
        let words = session.words().await.ok()?;
        words.contains("You can close this tab").then_some(())
    };
    wait_for("the tab to be done with", done, SOON).await?;
    session.show(popup).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}
