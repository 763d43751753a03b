//! The prompt on pages that allow nothing, and on pages that come from outside this computer.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::browsers::Kind;
use tests::story::desk::Surface;
use tests::wait::wait_for;

use super::in_both;
use super::stage::{SOON, Set, Stage, serve_other_tool};

/// Nothing may be loaded, run, styled, framed or sent.
const STRICTEST: &str = "default-src 'none'; script-src 'none'; style-src 'none'; frame-src 'none'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

in_both!(
    the_prompt_completes_on_the_strictest_page_in_chromium,
    the_prompt_completes_on_the_strictest_page_in_firefox,
    strictest
);

async fn strictest(kind: Kind) -> Result<()> {
    let strict = |name, value: &str| (name, value.to_owned());
    let site = serve_other_tool(vec![
        strict("content-security-policy", STRICTEST),
        strict("cross-origin-opener-policy", "same-origin"),
        strict("cross-origin-resource-policy", "same-origin"),
        strict("permissions-policy", "camera=(), geolocation=()"),
        strict("referrer-policy", "no-referrer"),
    ])
    .await?;
    complete(Stage::set(Set::of(kind)).await?, &site).await
}

in_both!(
    the_prompt_completes_on_a_public_page_in_chromium,
    the_prompt_completes_on_a_public_page_in_firefox,
    public
);

/// A browser keeps the frames of such a page away from a relay on this computer; the background is not held off.
async fn public(kind: Kind) -> Result<()> {
    let site = serve_other_tool(Vec::new()).await?;
    let mut set = Set::of(kind);
    set.browser.public.push(site.address());
    let stage = Stage::set(set).await?;
    let session = stage.desk.session();
    session.goto(&site.at("/campaign")).await?;
    let script =
        "return fetch(arguments[0], { mode: 'no-cors', signal: AbortSignal.timeout(10000) })
        .then(() => 'reached', () => 'held off');";
    let relay = format!("{}/readyz", stage.relay.base());
    let reached = session.execute(script, json!([relay])).await?;
    ensure!(
        reached == "held off",
        "the browser does not take the page for a public one"
    );
    complete(stage, &site).await
}

/// Such a page takes no frame that does not say the same of itself; Firefox lets an extension's pass.
#[tokio::test(flavor = "multi_thread")]
async fn no_blank_frame_is_shown_where_a_page_refuses_frames_in_chromium() -> Result<()> {
    let site = serve_other_tool(vec![
        ("cross-origin-embedder-policy", "require-corp".to_owned()),
        ("cross-origin-opener-policy", "same-origin".to_owned()),
    ])
    .await?;
    let stage = Stage::set(Set::of(Kind::Chromium)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    desk.allow_own(&site.at("")).await?;
    let page = session.open_tab().await?;
    session.goto(&site.at("/campaign")).await?;
    stage.lose().await?;
    // Whether anything is seen of the prompt, or takes a click from the page; nothing before it was put there.
    let script = "const host = document.querySelector('html > [popover]');
        if (!host) return null;
        const box = host.getBoundingClientRect();
        const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return getComputedStyle(host).opacity !== '0' || top === host;";
    let put = async || session.execute(script, json!([])).await.ok()?.as_bool();
    let is_seen = wait_for("the prompt to be put into the page", put, SOON).await?;
    ensure!(!is_seen, "a blank frame stands in the page");
    let isolated = session
        .execute("return crossOriginIsolated;", json!([]))
        .await?;
    ensure!(isolated == true, "the page does not refuse frames");
    let popup = session.open_tab().await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    desk.reconnect("popup", Surface::Page, &popup).await?;
    stage.check_goes_on(2).await?;
    session.show(&page).await?;
    ensure!(
        put().await != Some(true),
        "a blank frame stands in the page after all"
    );
    stage.end().await
}

async fn complete(stage: Stage, site: &tests::page_server::PageServer) -> Result<()> {
    let desk = &stage.desk;
    desk.allow_own(&site.at("")).await?;
    let page = desk.session().open_tab().await?;
    desk.session().goto(&site.at("/campaign")).await?;
    stage.lose().await?;
    desk.reconnect("prompt", Surface::Prompt, &page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}
