//! An inbox that signs in by a password: lost when that is changed, and back by typing the new one, wherever the card
//! stands. What was typed is nowhere afterwards.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use protocol::campaign;
use protocol::request::campaign::GetCampaign;
use sandbox::{Control, Point};
use serde_json::json;
use tests::browsers::Kind;
use tests::story::desk::{Desk, ENTER_IT, Surface};
use tests::story::play::wait_state;
use tests::story::servers::jane;
use tests::wait::wait_for;
use tests::webdriver::seek::{find_named, wait_words};
use tests::webdriver::session::Session;

use super::accessibility::{look, read_axe};
use super::in_both;
use super::stage::{SOON, Set, Stage};

/// What Jane changes her password to, time after time; each is looked for where it must not be.
const PASSWORDS: [&str; 3] = [
    "first-new-password",
    " second, with spaces ",
    "third-new-password",
];
/// What she types by mistake.
const WRONG: &str = "not-her-password";
/// The key Enter (W3C `WebDriver` §17.4.2).
const ENTER: &str = "\u{e007}";

in_both!(
    a_new_password_is_typed_from_the_prompt_the_dashboard_and_the_popup_in_chromium,
    a_new_password_is_typed_from_the_prompt_the_dashboard_and_the_popup_in_firefox,
    typed
);

async fn typed(kind: Kind) -> Result<()> {
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    by_password(&stage)?;
    desk.sign_in_at_dashboard(&stage.relay).await?;
    desk.allow(&stage.relay.base(), true).await?;
    let page = session.open_tab().await?;
    let at = |path: &str| format!("{}{path}", stage.relay.base());
    session
        .goto(&at(&format!("/campaigns/{}", stage.campaign)))
        .await?;

    // On a page the card has no field: its button opens a window of ours.
    change(&stage, PASSWORDS[0]).await?;
    desk.wait_card_button("prompt", Surface::Prompt, ENTER_IT)
        .await?;
    desk.screens.take(session, "prompt-password").await?;
    desk.open_password_form("prompt").await?;
    // A wrong one first: the card says so, nothing is changed, and the form is there again, empty.
    type_into_form(desk, WRONG).await?;
    wait_words(session, "The password was refused", SOON).await?;
    desk.screens.take(session, "password-refused").await?;
    ensure!(written(desk).await?.is_empty(), "the field holds something");
    ensure!(
        stage.reconnects().await?.get("refused") == Some(&1),
        "{:?}",
        stage.reconnects().await?
    );
    let paused = stage
        .operator
        .call(&GetCampaign {
            campaign_id: stage.campaign.clone(),
        })
        .await?;
    ensure!(
        matches!(paused.status, campaign::State::Paused { .. }),
        "{:?}",
        paused.status
    );
    // The right one, while the relay's proof is held: what waits anywhere holds no password.
    let held = control(&stage)?.hold(Point::ImapAuthenticating);
    type_into_form(desk, PASSWORDS[0]).await?;
    ensure!(
        tokio::time::timeout(SOON, held.reached()).await.is_ok(),
        "nobody signs in"
    );
    nothing_is_kept(desk).await?;
    held.release();
    desk.wait_resumed("window", Surface::Page).await?;
    nothing_is_kept(desk).await?;
    session.close_window().await?;
    session.show(&page).await?;
    desk.wait_card_words("prompt", Surface::Prompt, "Resumed.")
        .await?;
    session.leave_frames().await?;
    stage.check_goes_on(3).await?;

    // On the dashboard itself, by keys alone; spaces that were meant stay.
    change(&stage, PASSWORDS[1]).await?;
    session.goto(&at("/inboxes")).await?;
    type_into_form(desk, PASSWORDS[1]).await?;
    desk.wait_resumed("dashboard", Surface::Page).await?;
    let kept = "return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML]);";
    has_none(&text(session, kept).await?, "the dashboard")?;
    stage.check_goes_on(4).await?;

    // And in the popup.
    change(&stage, PASSWORDS[2]).await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    type_into_form(desk, PASSWORDS[2]).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    nothing_is_kept(desk).await?;
    stage.check_goes_on(5).await?;
    for line in stage.relay.log() {
        has_none(&line.to_string(), "the relay's log")?;
    }
    stage.end().await
}

in_both!(
    axe_finds_nothing_in_the_form_in_light_colours_in_chromium,
    axe_finds_nothing_in_the_form_in_light_colours_in_firefox,
    light
);

async fn light(kind: Kind) -> Result<()> {
    look_at_the_form(kind, false).await
}

in_both!(
    axe_finds_nothing_in_the_form_in_dark_colours_in_chromium,
    axe_finds_nothing_in_the_form_in_dark_colours_in_firefox,
    dark
);

async fn dark(kind: Kind) -> Result<()> {
    look_at_the_form(kind, true).await
}

async fn look_at_the_form(kind: Kind, dark: bool) -> Result<()> {
    let axe = read_axe()?;
    let mut set = Set::of(kind);
    set.browser.dark = dark;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    by_password(&stage)?;
    desk.sign_in_at_dashboard(&stage.relay).await?;
    desk.allow(&stage.relay.base(), true).await?;
    change(&stage, PASSWORDS[0]).await?;
    let mut found = Vec::new();
    session.goto(&desk.browser.page("popup.html")).await?;
    desk.wait_password_field().await?;
    found.extend(look(desk, &axe, "popup-password").await?);
    // Unfolded, shown in clear, and with a complaint: everything that the form can show.
    unfold(desk).await?;
    let show = find_named(session, "button", "Show").await?;
    let show = show.context("nothing shows what is typed")?;
    desk.log.click("popup", &show).await?;
    let field = desk.wait_password_field().await?;
    ensure!(
        field.attribute("type").await?.as_deref() == Some("text"),
        "it is not shown"
    );
    field.write(ENTER).await?;
    wait_words(session, "Enter the password first.", SOON).await?;
    found.extend(look(desk, &axe, "popup-password-unfolded").await?);
    type_into_form(desk, WRONG).await?;
    wait_words(session, "The password was refused", SOON).await?;
    found.extend(look(desk, &axe, "popup-password-refused").await?);
    session
        .goto(&format!("{}/inboxes", stage.relay.base()))
        .await?;
    desk.wait_password_field().await?;
    found.extend(look(desk, &axe, "inboxes-password").await?);
    session
        .goto(&format!(
            "{}/campaigns/{}",
            stage.relay.base(),
            stage.campaign
        ))
        .await?;
    desk.wait_card_button("prompt", Surface::Prompt, ENTER_IT)
        .await?;
    found.extend(look(desk, &axe, "prompt-password").await?);
    session.leave_frames().await?;
    ensure!(found.is_empty(), "{}", found.join("\n"));
    stage.end().await
}

/// Jane's inbox signs in by her password from now on.
fn by_password(stage: &Stage) -> Result<()> {
    let mut child = stage
        .relay
        .command(&[
            "reconnect",
            "start",
            &jane().address,
            "--password",
            "--json",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    writeln!(stdin, "{}", jane().password)?;
    drop(stdin);
    let stdout = child.stdout.take().context("no standard output")?;
    for line in BufReader::new(stdout).lines() {
        let told: serde_json::Value = serde_json::from_str(&line?)?;
        // It takes the place of her account.
        if told["state"] == "unconfirmed" {
            let id = told["id"].as_str().context("no id")?;
            let mut confirm = stage.relay.command(&["reconnect", "confirm", id]);
            ensure!(
                confirm.stdout(Stdio::null()).status()?.success(),
                "it was not confirmed"
            );
        }
    }
    ensure!(child.wait()?.success(), "the password was not taken");
    Ok(())
}

fn control(stage: &Stage) -> Result<&Control> {
    let sandbox = stage.servers.sandbox().context("these are the sandbox's")?;
    Ok(sandbox.control())
}

/// Jane changes her password at the provider, and the relay pauses her campaign.
async fn change(stage: &Stage, password: &str) -> Result<()> {
    let before = stage.servers.delivered()?.len();
    let sends = async || (stage.servers.delivered().ok()?.len() > before).then_some(());
    wait_for("a message to arrive", sends, SOON).await?;
    control(stage)?.change_password(&jane().address, password)?;
    wait_state(&stage.operator, &stage.campaign, |state| {
        matches!(state, campaign::State::Paused { .. })
    })
    .await?;
    Ok(())
}

/// Types it, and ends with Enter.
async fn type_into_form(desk: &Desk, password: &str) -> Result<()> {
    let field = desk.wait_password_field().await?;
    field.write(password).await?;
    field.write(ENTER).await?;
    Ok(())
}

/// Shows the servers.
async fn unfold(desk: &Desk) -> Result<()> {
    let summary = desk.session().find("form.password summary").await?;
    let summary = summary.context("there is nothing to unfold")?;
    desk.log.click("popup", &summary).await?;
    Ok(())
}

/// What stands in the field.
async fn written(desk: &Desk) -> Result<String> {
    desk.wait_password_field().await?;
    text(
        desk.session(),
        "return document.querySelector('form.password .password-row input').value;",
    )
    .await
}

/// That no store of the extension holds a password; asked on a page of it.
async fn nothing_is_kept(desk: &Desk) -> Result<()> {
    let stores = "return Promise.all(['local', 'session', 'sync'].map((area) => browser.storage[area].get(null)))
        .then((all) => JSON.stringify([all, { ...localStorage }, { ...sessionStorage }]));";
    has_none(
        &text(desk.session(), stores).await?,
        "the extension's store",
    )
}

async fn text(session: &Session, script: &str) -> Result<String> {
    let found = session.execute(script, json!([])).await?;
    found.as_str().map(str::to_owned).context("no text")
}

fn has_none(text: &str, place: &str) -> Result<()> {
    for password in PASSWORDS.iter().chain([&WRONG]) {
        ensure!(!text.contains(password.trim()), "{place} holds {password}");
    }
    Ok(())
}
