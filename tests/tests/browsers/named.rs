//! The paired relay itself names a sign-in that is not the provider's: by mistake, or because somebody else has its keys.
//! No window opens there, nothing is handed over, and the person reads which address it was.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use sandbox::profile::GOOGLE;
use serde_json::json;
use tests::browsers::Kind;
use tests::page_server::{Page, PageServer};
use tests::story::desk::Surface;
use tokio::net::TcpListener;

use super::in_both;
use super::stage::{Set, Stage};

const DISCOVERY: &str = "/.well-known/openid-configuration";

in_both!(
    a_sign_in_that_is_not_the_providers_is_not_opened_in_chromium,
    a_sign_in_that_is_not_the_providers_is_not_opened_in_firefox,
    foreign
);

/// Row: the relay names another sign-in than the provider's | issuer, endpoint or client id do not fit what is known of the provider | refused in the browser | the operator | The relay names a sign-in that is not Google's. So none was opened, and nothing was handed over. Do not sign in at that address. Nothing was changed; jane@acme.example still waits for its reconnect. Ask whoever runs the relay. [Copy the report for the operator]
async fn foreign(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.confidential = true;
    set.profile = &GOOGLE;
    set.browser.dark = kind == Kind::Chromium;
    let mut stage = Stage::set(set).await?;
    stage.lose().await?;

    // Google's files know of no `localhost`, so that this is as foreign as any other name.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let other = format!("http://localhost:{}", listener.local_addr()?.port());
    let site = PageServer::serve(listener, pages(&other))?;
    stage.relay.kill()?;
    let issuer = ("UNPAUSE_PROVIDERS__GOOGLE__ISSUER", other.clone());
    stage.relay.start_again_with(Some(issuer)).await?;

    let desk = &stage.desk;
    let session = desk.session();
    session.goto(&desk.browser.page("popup.html")).await?;
    desk.wait_card("popup", Surface::Page).await?;
    let before = session.windows().await?;
    desk.press_on_card("popup", Surface::Page, "Reconnect")
        .await?;
    desk.wait_card_words(
        "popup",
        Surface::Page,
        "The relay names a sign-in that is not Google's",
    )
    .await?;
    let unfold = "for (const one of document.querySelectorAll('details')) one.open = true;";
    session.execute(unfold, json!([])).await?;
    let words = desk.wait_card_words("popup", Surface::Page, &other).await?;
    ensure!(words.contains("accounts.google.com"), "{words}");
    desk.screens.take(session, "other-sign-in").await?;
    let windows = session.windows().await?;
    ensure!(windows == before, "a window opened: {windows:?}");
    let asked = site.asked();
    ensure!(
        !asked.is_empty() && asked.iter().all(|path| path == DISCOVERY),
        "asked there beside what the relay asks: {asked:?}"
    );

    // Put right, it goes on.
    stage.relay.kill()?;
    stage.relay.start_again().await?;
    desk.press_on_card("popup", Surface::Page, "Close").await?;
    let page = session.window().await?;
    desk.reconnect("popup", Surface::Page, &page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

/// What an authorization server says of itself (OpenID Connect Discovery §4), and a page to sign in at.
fn pages(origin: &str) -> BTreeMap<String, Page> {
    let document = json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "userinfo_endpoint": format!("{origin}/userinfo"),
    });
    let discovery = Page {
        html: document.to_string(),
        headers: vec![("content-type", "application/json".to_owned())],
    };
    let page = Page {
        html: "<!doctype html><title>Sign in</title><p>Sign in with Google</p>".to_owned(),
        headers: Vec::new(),
    };
    BTreeMap::from([
        (DISCOVERY.to_owned(), discovery),
        ("/authorize".to_owned(), page),
    ])
}
