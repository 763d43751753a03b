//! axe-core on every page and on the prompt, in light and dark: no violations.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::browsers::Kind;
use tests::story::desk::{Desk, Surface};
use tests::wait::wait_for;
use tests::webdriver::seek::wait_words;

use super::in_both;
use super::stage::{SOON, Set, Stage, npm};

in_both!(
    axe_finds_nothing_in_light_colours_in_chromium,
    axe_finds_nothing_in_light_colours_in_firefox,
    light
);

async fn light(kind: Kind) -> Result<()> {
    look_everywhere(kind, false).await
}

in_both!(
    axe_finds_nothing_in_dark_colours_in_chromium,
    axe_finds_nothing_in_dark_colours_in_firefox,
    dark
);

async fn dark(kind: Kind) -> Result<()> {
    look_everywhere(kind, true).await
}

async fn look_everywhere(kind: Kind, dark: bool) -> Result<()> {
    let axe = read_axe()?;
    let mut set = Set::of(kind);
    set.browser.dark = dark;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let extension = |page: &str| desk.browser.page(page);
    let dashboard = |page: &str| format!("{}{page}", stage.relay.base());
    let mut found = Vec::new();

    let is_dark = session
        .execute(
            "return matchMedia('(prefers-color-scheme: dark)').matches;",
            json!([]),
        )
        .await?;
    ensure!(is_dark == dark, "the browser has the other colours");
    session.goto(&dashboard("/campaigns")).await?;
    found.extend(look(desk, &axe, "dashboard-signed-out").await?);
    desk.sign_in_at_dashboard(&stage.relay).await?;
    desk.allow(&stage.relay.base(), true).await?;
    for (name, url) in [
        ("options", extension("options.html")),
        ("popup-well", extension("popup.html")),
        ("campaigns", dashboard("/campaigns")),
        ("inboxes", dashboard("/inboxes")),
        ("receipts", dashboard("/receipts")),
        ("settings", dashboard("/settings")),
    ] {
        session.goto(&url).await?;
        found.extend(look(desk, &axe, name).await?);
    }
    stage.lose().await?;
    let page = session.open_tab().await?;
    let campaign = dashboard(&format!("/campaigns/{}", stage.campaign));
    session.goto(&extension("popup.html")).await?;
    desk.wait_card("popup", Surface::Page).await?;
    found.extend(look(desk, &axe, "popup-broken").await?);
    session.goto(&dashboard("/inboxes")).await?;
    found.extend(look(desk, &axe, "inboxes-broken").await?);
    session.goto(&campaign).await?;
    desk.wait_card("prompt", Surface::Prompt).await?;
    found.extend(look(desk, &axe, "prompt-broken").await?);
    session.leave_frames().await?;
    found.extend(look(desk, &axe, "campaign-broken").await?);
    desk.reconnect("prompt", Surface::Prompt, &page).await?;
    desk.enter(Surface::Prompt)
        .await
        .context("the prompt is gone")?;
    found.extend(look(desk, &axe, "prompt-resumed").await?);
    session.leave_frames().await?;
    session.goto(&dashboard("/receipts")).await?;
    found.extend(look(desk, &axe, "receipts-one").await?);
    let receipt = async || {
        let link = session.find("main a[href^='/receipts/']").await.ok()??;
        link.attribute("href").await.ok()?
    };
    let receipt = wait_for("the receipt's link", receipt, SOON).await?;
    session.goto(&dashboard(&receipt)).await?;
    found.extend(look(desk, &axe, "receipt").await?);
    // The relay's own page in a tab that signs in: here for a ticket that nobody gave.
    session.goto(&dashboard("/oauth/start?ticket=none")).await?;
    found.extend(look(desk, &axe, "hosted").await?);
    session.goto(&extension("options.html")).await?;
    desk.press_while_setting_up("button", "Unpair …").await?;
    found.extend(look(desk, &axe, "options-unpair").await?);
    desk.press_while_setting_up("button", "Unpair this browser")
        .await?;
    wait_words(session, "Pair this browser", SOON).await?;
    found.extend(look(desk, &axe, "options-not-paired").await?);
    ensure!(found.is_empty(), "{}", found.join("\n"));
    stage.end().await
}

/// What axe is, as a script.
pub(super) fn read_axe() -> Result<String> {
    std::fs::read_to_string(npm().join("node_modules/axe-core/axe.min.js"))
        .context("axe-core is not installed: run `cargo xtask test`")
}

/// What axe finds wrong with the page or frame, one line each.
pub(super) async fn look(desk: &Desk, axe: &str, name: &str) -> Result<Vec<String>> {
    let session = desk.session();
    let drawn = async || {
        let heading = session.find("h1, h2").await.ok()??;
        let busy = session.find("[aria-busy=true]").await.ok()?;
        (busy.is_none() && !heading.words().await.ok()?.is_empty()).then_some(())
    };
    // A heading for the ear alone has no words that are seen.
    let unseen = async || {
        let heading = session.find("h1.unseen, h2.unseen").await.ok()?;
        let busy = session.find("[aria-busy=true]").await.ok()?;
        (busy.is_none() && heading.is_some()).then_some(())
    };
    let shown = async || {
        if drawn().await.is_some() {
            return Some(());
        }
        unseen().await
    };
    wait_for("the page to be drawn", shown, SOON)
        .await
        .with_context(|| name.to_owned())?;
    desk.screens.take(session, &format!("axe-{name}")).await?;
    session.execute(axe, json!([])).await?;
    let answer = session
        .execute(
            // A page is looked at by itself: what stands in its frames is looked at there.
            "return axe.run(document, { iframes: false }).then((found) => found.violations);",
            json!([]),
        )
        .await?;
    let violations = answer.as_array().context("axe gave no list")?;
    Ok(violations
        .iter()
        .map(|one| {
            let targets: Vec<_> = one["nodes"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|node| format!("{} ({})", node["html"], node["failureSummary"]))
                .collect();
            format!("{name}: {}: {}", text(&one["id"]), targets.join("; "))
        })
        .collect())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
