//! The relay on a server, as browsers come to it by https: the whole story over each way of `docs/server.md`, and what a
//! person reads when the browser refuses the certificate. The browsers trust the test's own authority for the test alone.
//!
//! Over which way each browser plays is fixed, so that the suite stays short; with `UNPAUSE_EVERY_WAY` set, each plays
//! over all of them.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tests::browsers::Kind;
use tests::entrance::{Flaw, Way};
use tests::story::desk::Surface;
use tests::webdriver::seek::{wait_named, wait_words};

use super::in_both;
use super::stage::{SOON, Set, Stage};

in_both!(
    by_https_the_extension_pairs_and_the_campaign_resumes_in_chromium,
    by_https_the_extension_pairs_and_the_campaign_resumes_in_firefox,
    by_https
);

async fn by_https(kind: Kind) -> Result<()> {
    let one = match kind {
        Kind::Chromium => [Way::Caddy],
        Kind::Firefox => [Way::Nginx],
    };
    let is_every = std::env::var_os("UNPAUSE_EVERY_WAY").is_some();
    let ways = if is_every {
        Way::ALL.as_slice()
    } else {
        one.as_slice()
    };
    for way in ways {
        over(kind, *way).await.with_context(|| format!("{way:?}"))?;
    }
    Ok(())
}

/// Paired, signed in, lost, reconnected by the card on the dashboard, and going on; nothing of it but by https.
async fn over(kind: Kind, way: Way) -> Result<()> {
    let mut set = Set::of(kind);
    set.way = Some(way);
    let stage = Stage::set(set).await?;
    let url = stage.url();
    ensure!(url.starts_with("https://"), "{url}");
    stage.desk.sign_in_at_dashboard(&stage.relay).await?;
    stage.desk.allow(&url, true).await?;
    let session = stage.desk.session();
    let page = session.open_tab().await?;
    session
        .goto(&format!("{url}/campaigns/{}", stage.campaign))
        .await?;
    stage.lose().await?;
    stage
        .desk
        .reconnect("dashboard", Surface::Prompt, &page)
        .await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

in_both!(
    a_certificate_that_is_refused_is_named_as_what_it_may_be_in_chromium,
    a_certificate_that_is_refused_is_named_as_what_it_may_be_in_firefox,
    refused
);

/// A browser tells an extension only that nothing came back. The person reads what it may be, and where the browser says
/// what it is.
///
/// Row: certificate that the browser refuses | it has run out, is for another name, or is from nobody known | nothing comes back | whoever runs the relay | … does not answer. Campaigns run at the relay, so check that it is running and that you are online. If both are so, this browser may refuse its certificate: it has run out, is for another name, or is from nobody known. [Open its page], where the browser says which, and tell whoever runs the relay.
/// Row: certificate that the browser refuses, when pairing | the same at the address of a pairing link | nothing comes back | whoever runs the relay | No relay answers at …. Is `unpause serve` running there? If it is, this browser may refuse its certificate: open … in a tab, where the browser says why.
async fn refused(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.way = Some(Way::Own);
    set.browser.dark = kind == Kind::Firefox;
    let mut stage = Stage::set(set).await?;
    let url = stage.url();
    let host = url.trim_start_matches("https://").to_owned();
    for (flaw, firefox) in [
        (Flaw::OtherName, "SSL_ERROR_BAD_CERT_DOMAIN"),
        (Flaw::Unknown, "SEC_ERROR_UNKNOWN_ISSUER"),
        (Flaw::Ended, "SEC_ERROR_EXPIRED_CERTIFICATE"),
    ] {
        stage.relay.kill()?;
        let front = stage.front.as_ref().context("it has no files")?;
        front.spoil(flaw)?;
        stage.relay.start_again().await?;
        let session = stage.desk.session();
        session.goto(&stage.desk.browser.page("popup.html")).await?;
        wait_words(session, &format!("{host} does not answer."), SOON).await?;
        wait_words(session, "this browser may refuse its certificate", SOON).await?;
        let link = wait_named(session, "link", "Open its page", SOON).await?;
        let led = link.attribute("href").await?;
        ensure!(led.as_deref() == Some(url.as_str()), "it leads to {led:?}");
        stage
            .desk
            .screens
            .take(session, &format!("certificate-{flaw:?}"))
            .await?;
        // There the browser says what it is; what the driver calls it differs.
        let _outcome = session.goto(&url).await;
        match kind {
            Kind::Chromium => {
                // It was told keys and no authority, and says the worst of what it finds.
                wait_words(session, "ERR_CERT_AUTHORITY_INVALID", SOON).await?;
            }
            Kind::Firefox => {
                let script = "return document.getFailedCertSecurityInfo().errorCodeString;";
                let said = session.execute(script, json!([])).await?;
                ensure!(said == firefox, "{flaw:?}: {said}");
            }
        }
    }
    let desk = &stage.desk;
    let session = desk.session();
    session.goto(&desk.browser.page("options.html")).await?;
    wait_words(session, "this browser may refuse its certificate", SOON).await?;
    desk.screens.take(session, "certificate-options").await?;
    desk.press_while_setting_up("button", "Unpair …").await?;
    desk.press_while_setting_up("button", "Unpair this browser")
        .await?;
    let output = stage.relay.command(&["pair"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let link = text.lines().next().context("no pairing link")?;
    let field = wait_named(session, "textbox", "Pairing link", SOON).await?;
    field.write(link).await?;
    desk.press_while_setting_up("button", "Pair this browser")
        .await?;
    wait_words(session, &format!("open {url} in a tab"), SOON).await?;
    desk.screens.take(session, "certificate-pairing").await?;
    stage.end().await
}
