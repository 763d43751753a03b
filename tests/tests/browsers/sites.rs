//! Hosts: none at install, one at the click that needs it, none again when it is taken back.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::browsers::Kind;
use tests::story::desk::{PROMPT, Surface};
use tests::wait::wait_for;
use tests::webdriver::session::Session;

use super::in_both;
use super::stage::{SOON, Set, Stage};

in_both!(
    a_site_is_seen_only_while_it_is_allowed_in_chromium,
    a_site_is_seen_only_while_it_is_allowed_in_firefox,
    only_while_allowed
);

async fn only_while_allowed(kind: Kind) -> Result<()> {
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    session.goto(&desk.browser.page("options.html")).await?;
    ensure!(
        origins(session).await?.is_empty(),
        "the extension has hosts at install"
    );
    let options = session.window().await?;
    let mail = session.open_tab().await?;
    session.goto(&stage.servers.issuer()).await?;
    stage.lose().await?;
    // The relay has paused and every view knows it, yet nothing stands on a page that is not allowed.
    let popup = session.open_tab().await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    desk.wait_card("popup", Surface::Page).await?;
    session.show(&mail).await?;
    ensure!(
        session.find(PROMPT).await?.is_none(),
        "the extension is on a page without permission"
    );
    session.show(&options).await?;
    desk.allow(&stage.servers.issuer(), true).await?;
    ensure!(
        origins(session).await? == ["http://127.0.0.1/*"],
        "the click gave {:?}",
        origins(session).await?
    );
    // At once, in the tab that was open before.
    session.show(&mail).await?;
    desk.wait_card("webmail", Surface::Prompt).await?;
    session.leave_frames().await?;
    session.show(&options).await?;
    desk.allow(&stage.servers.issuer(), false).await?;
    ensure!(origins(session).await?.is_empty(), "the host stays allowed");
    session.show(&mail).await?;
    session.reload().await?;
    session.show(&popup).await?;
    desk.wait_card("popup", Surface::Page).await?;
    session.show(&mail).await?;
    let gone = async || session.find(PROMPT).await.ok()?.is_none().then_some(());
    wait_for("the prompt to be gone", gone, SOON).await?;
    stage.end().await
}

/// The hosts that the extension may see now.
async fn origins(session: &Session) -> Result<Vec<String>> {
    let found = session
        .execute(
            "return browser.permissions.getAll().then((all) => all.origins);",
            json!([]),
        )
        .await?;
    Ok(serde_json::from_value(found)?)
}
