//! Another relay at the address of the one that was paired: the extension notices, and hands nothing over.

use anyhow::{Context as _, Result, ensure};
use tests::browsers::Kind;
use tests::stand_in::StandIn;
use tests::story::desk::Surface;
use tests::webdriver::seek::{find_named, wait_named, wait_words};

use super::in_both;
use super::stage::{SOON, Set, Stage};

in_both!(
    nothing_is_handed_to_another_relay_at_the_same_address_in_chromium,
    nothing_is_handed_to_another_relay_at_the_same_address_in_firefox,
    other_relay
);

/// Row: another relay at the address | its answers are not signed by the key that came with the pairing link | refused in the browser | the operator | What answers is not your relay. It has not the key that this browser was paired with, so nothing was handed over. Ask whoever runs the relay. If the key was renewed on purpose, pair this browser again. [Copy the report for the operator]
async fn other_relay(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.browser.dark = kind == Kind::Firefox;
    let mut stage = Stage::set(set).await?;
    stage.lose().await?;
    let session = stage.desk.session();
    session.goto(&stage.desk.browser.page("popup.html")).await?;
    stage.desk.wait_card("popup", Surface::Page).await?;
    let output = stage.relay.command(&["pair"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let link = text.lines().next().context("no pairing link")?;
    let stand_in = StandIn::replace(&mut stage.relay).await?;
    let desk = &stage.desk;
    desk.press_on_card("popup", Surface::Page, "Reconnect")
        .await?;
    let words = "What answers is not your relay";
    desk.wait_card_words("popup", Surface::Page, words).await?;
    desk.screens.take(session, "other-key").await?;
    ensure!(
        find_named(session, "button", "Reconnect").await?.is_none(),
        "a sign-in is offered for another relay"
    );
    let asked = stand_in.asked();
    ensure!(
        asked.contains(&"GET /v1/relay-key".to_owned())
            && !asked
                .iter()
                .any(|asked| asked.starts_with("POST") && asked.contains("reconnects")),
        "asked of another relay: {asked:?}"
    );

    // Row: another relay at the address of a pairing link | its answers are not signed by the key that the link names | refused in the browser | the person | What answers at … has not the key that the link names. Nothing was paired, and the code was not told. Compare the fingerprints before you try again.
    session.goto(&desk.browser.page("options.html")).await?;
    desk.press_while_setting_up("button", "Unpair …").await?;
    desk.press_while_setting_up("button", "Unpair this browser")
        .await?;
    let field = wait_named(session, "textbox", "Pairing link", SOON).await?;
    field.write(link).await?;
    desk.press_while_setting_up("button", "Pair this browser")
        .await?;
    wait_words(session, "has not the key that the link names", SOON).await?;
    desk.screens.take(session, "other-key-pairing").await?;
    drop(stand_in);
    stage.end().await
}
