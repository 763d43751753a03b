//! Signing in in another browser, by a link that is made in the popup: it is followed to its end wherever it is opened,
//! it is nowhere but in memory and on the card, and a background that forgot it says so and makes another one.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tests::browsers::Kind;
use tests::story::desk::{Desk, Surface};
use tests::wait::wait_for;
use tests::webdriver::seek::{find_named, wait_named, wait_words};
use tests::webdriver::session::Window;
use url::Url;

use super::accessibility::{look, read_axe};
use super::in_both;
use super::stage::{SOON, Set, Stage};
use super::survival::{end_background, lever};

/// The key Control held while V is pressed, then let go (W3C `WebDriver` §17.4.2).
const PASTE: &str = "\u{e009}v\u{e000}";
/// What unfolds the way for another browser.
const NOT_HERE: &str = "Not signed in here?";
/// What the card says while it waits, with the link and without.
const OPEN_IT: &str = "Open this link in the browser where you are signed in";
const FORGOTTEN: &str = "by a link that was made here and is not kept";

in_both!(
    a_link_made_in_the_popup_is_followed_wherever_it_is_opened_in_chromium,
    a_link_made_in_the_popup_is_followed_wherever_it_is_opened_in_firefox,
    followed
);

async fn followed(kind: Kind) -> Result<()> {
    let axe = read_axe()?;
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let lever = lever(desk).await?;
    let popup = open_popup(&stage).await?;

    let first = make_link(desk).await?;
    ensure!(
        first.starts_with(&stage.relay.base()),
        "{first} leads elsewhere"
    );
    desk.screens.take(session, "popup-link").await?;
    let found = look(desk, &axe, "popup-link").await?;
    ensure!(found.is_empty(), "{}", found.join("\n"));
    let mut tickets = vec![ticket_of(&first)?];
    nothing_is_kept(desk, &tickets).await?;

    // The background was ended: what it had in memory is gone, and the card says what goes on.
    end_background(desk, &lever, &popup).await?;
    let said = desk
        .wait_card_words("popup", Surface::Page, FORGOTTEN)
        .await?;
    ensure!(!said.contains(&tickets[0]), "{said}");
    ensure!(
        find_named(session, "button", "Cancel").await?.is_some(),
        "it cannot be called off"
    );
    desk.screens.take(session, "popup-link-forgotten").await?;
    desk.press_on_card("popup", Surface::Page, "Make a new link")
        .await?;
    let second = read_link(desk).await?;
    tickets.push(ticket_of(&second)?);
    ensure!(tickets[0] != tickets[1], "it is the same link");
    desk.press_on_card("popup", Surface::Page, "Copy the link")
        .await?;
    wait_named(session, "button", "Copied", SOON).await?;
    let copied = paste(desk).await?;
    ensure!(copied == second, "{copied:?} was copied");
    nothing_is_kept(desk, &tickets).await?;

    // Opened in a tab of its own, it leads to the provider, and the card tells what comes of it.
    let tab = allow_by(desk, &second).await?;
    ensure!(
        session.windows().await?.contains(&tab),
        "nobody closes a tab that is not the extension's"
    );
    session.show(&popup).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    nothing_is_kept(desk, &tickets).await?;
    ensure!(
        !session.words().await?.contains(&tickets[1]),
        "the link is still shown"
    );
    for line in stage.relay.log() {
        let line = line.to_string();
        ensure!(
            !tickets.iter().any(|ticket| line.contains(ticket)),
            "the relay's log holds a link: {line}"
        );
    }
    stage.check_goes_on(2).await?;
    stage.end().await
}

in_both!(
    a_link_that_is_called_off_or_refused_ends_on_the_card_in_chromium,
    a_link_that_is_called_off_or_refused_ends_on_the_card_in_firefox,
    ended
);

async fn ended(kind: Kind) -> Result<()> {
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let popup = open_popup(&stage).await?;

    // Called off: the link is of no use to whoever finds it.
    let link = make_link(desk).await?;
    desk.press_on_card("popup", Surface::Page, "Cancel").await?;
    let words = "The sign-in was ended";
    desk.wait_card_words("popup", Surface::Page, words).await?;
    let is_over = async || {
        let refused = stage.reconnects().await.ok()?;
        (refused.get("refused") == Some(&1)).then_some(())
    };
    wait_for("the relay to know", is_over, SOON).await?;
    let tab = session.open_tab().await?;
    session.goto(&link).await?;
    let at_relay = async || {
        let url = session.url().await.ok()?;
        url.starts_with(&stage.relay.base()).then_some(())
    };
    wait_for("the relay's own page", at_relay, SOON).await?;
    ensure!(
        find_named(session, "button", "Allow").await?.is_none(),
        "it still leads to the provider"
    );
    ensure!(tab == session.window().await?, "it opened something");

    // The person says no at the provider, in the other browser.
    session.show(&popup).await?;
    let link = make_link(desk).await?;
    let other = session.open_tab().await?;
    session.goto(&link).await?;
    desk.press_while_setting_up("button", "Cancel").await?;
    wait_words(session, "The permission was not given", SOON).await?;
    ensure!(other == session.window().await?, "it opened something");
    session.show(&popup).await?;
    let words = "The permission was not given";
    desk.wait_card_words("popup", Surface::Page, words).await?;
    desk.screens.take(session, "popup-link-refused").await?;

    // And the next one works, from the same card.
    let link = make_link(desk).await?;
    allow_by(desk, &link).await?;
    session.show(&popup).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

in_both!(
    the_prompt_offers_no_link_and_the_dashboard_beneath_it_does_in_chromium,
    the_prompt_offers_no_link_and_the_dashboard_beneath_it_does_in_firefox,
    beneath_the_prompt
);

async fn beneath_the_prompt(kind: Kind) -> Result<()> {
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    desk.sign_in_at_dashboard(&stage.relay).await?;
    desk.allow(&stage.relay.base(), true).await?;
    stage.lose().await?;
    let campaign = format!("{}/campaigns/{}", stage.relay.base(), stage.campaign);
    session.goto(&campaign).await?;
    desk.wait_card("prompt", Surface::Prompt).await?;
    let said = session.words().await?;
    ensure!(!said.contains(NOT_HERE), "the prompt says: {said}");
    session.leave_frames().await?;
    ensure!(
        find_named(session, "button", "Reconnect").await?.is_none(),
        "two cards ask for the same"
    );
    let link = make_link(desk).await?;
    allow_by(desk, &link).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
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

/// Unfolds what the card has for whoever is not signed in here, makes a link and reads it.
pub(super) async fn make_link(desk: &Desk) -> Result<String> {
    let session = desk.session();
    let unfold = async || {
        for summary in session.find_all("summary").await.ok()? {
            if summary.words().await.ok()?.contains(NOT_HERE) {
                return desk.log.click("popup", &summary).await.ok();
            }
        }
        None
    };
    wait_for("the way for another browser", unfold, SOON).await?;
    desk.press_on_card("popup", Surface::Page, "Make a link")
        .await?;
    read_link(desk).await
}

/// The link that the card shows.
async fn read_link(desk: &Desk) -> Result<String> {
    desk.wait_card_words("popup", Surface::Page, OPEN_IT)
        .await?;
    let session = desk.session();
    let offered = find_named(session, "button", "Copy the link").await?;
    ensure!(offered.is_some(), "it cannot be copied");
    let shown = session.find(".card pre").await?;
    Ok(shown.context("no link is shown")?.words().await?)
}

/// What is in the clipboard, as somebody pastes it.
async fn paste(desk: &Desk) -> Result<String> {
    let session = desk.session();
    let add = "document.body.append(Object.assign(document.createElement('textarea'), { id: 'pasted' }));";
    session.execute(add, json!([])).await?;
    let field = session.find("#pasted").await?.context("no field")?;
    let text = async || {
        field.write(PASTE).await.ok()?;
        let script = "return document.querySelector('#pasted').value;";
        let text = session.execute(script, json!([])).await.ok()?;
        let text = text.as_str()?.to_owned();
        (!text.is_empty()).then_some(text)
    };
    let text = wait_for("something to paste", text, SOON).await?;
    session
        .execute("document.querySelector('#pasted').remove();", json!([]))
        .await?;
    Ok(text)
}

/// Opens the link in a tab, and lets the mail program in there.
async fn allow_by(desk: &Desk, link: &str) -> Result<Window> {
    let session = desk.session();
    let before = session.windows().await?;
    session.open_tab().await?;
    session.goto(link).await?;
    let tab = desk.finish_at_provider(&before).await?;
    wait_words(session, "You can close this tab", SOON).await?;
    Ok(tab)
}

/// The secret of a link.
fn ticket_of(link: &str) -> Result<String> {
    let url = Url::parse(link)?;
    let ticket = url.query_pairs().find(|(name, _)| name == "ticket");
    Ok(ticket.context("the link has no ticket")?.1.into_owned())
}

/// That no store of the extension holds one of these; asked on a page of it.
async fn nothing_is_kept(desk: &Desk, tickets: &[String]) -> Result<()> {
    let stores = "return Promise.all(['local', 'session', 'sync'].map((area) => browser.storage[area].get(null)))
        .then((all) => JSON.stringify([all, { ...localStorage }, { ...sessionStorage }]));";
    let kept = desk.session().execute(stores, json!([])).await?;
    let kept = kept.as_str().context("no text")?;
    ensure!(kept.contains("passing"), "nothing was looked at: {kept}");
    for ticket in tickets {
        ensure!(!ticket.is_empty() && !kept.contains(ticket), "kept: {kept}");
    }
    Ok(())
}
