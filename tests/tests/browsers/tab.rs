//! The tab way: a browser without `identity.launchWebAuthFlow` opens the provider in a tab, and the relay's own
//! redirect address ends it.

use anyhow::{Result, ensure};
use tests::browsers::{Kind, without_permission};
use tests::story::desk::Surface;
use tests::wait::wait_for;

use super::in_both;
use super::stage::{EXTENSION, SOON, Set, Stage};

in_both!(
    without_the_browsers_window_a_tab_completes_in_chromium,
    without_the_browsers_window_a_tab_completes_in_firefox,
    public_client
);

async fn public_client(kind: Kind) -> Result<()> {
    complete(kind, false).await
}

in_both!(
    a_confidential_client_completes_in_a_tab_in_chromium,
    a_confidential_client_completes_in_a_tab_in_firefox,
    confidential_client
);

async fn confidential_client(kind: Kind) -> Result<()> {
    complete(kind, true).await
}

async fn complete(kind: Kind, confidential: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    without_permission(EXTENSION.as_ref(), "identity", folder.path())?;
    let mut set = Set::of(kind);
    set.browser.extension = folder.path().to_owned();
    set.confidential = confidential;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    stage.lose().await?;
    let popup = session.open_tab().await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    let api = session
        .execute("return typeof browser.identity;", serde_json::json!([]))
        .await?;
    ensure!(api == "undefined", "this browser has the API after all");
    desk.wait_card("popup", Surface::Page).await?;
    let before = session.windows().await?;
    desk.press_on_card("popup", Surface::Page, "Reconnect")
        .await?;
    let tab = desk.finish_at_provider(&before).await?;
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
    session.show(&popup).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}
