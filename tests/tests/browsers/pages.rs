//! The prompt on pages that allow nothing, and on pages that come from outside this computer.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::browsers::Kind;
use tests::story::desk::Surface;

use super::in_both;
use super::stage::{Set, Stage, serve_other_tool};

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
