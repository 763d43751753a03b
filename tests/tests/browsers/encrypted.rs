//! The relay on a server, as browsers come to it by https: the whole story over each way of `docs/server.md`. The browsers trust the test's own authority for the test alone.
//!
//! Over which way each browser plays is fixed, so that the suite stays short; with `UNPAUSE_EVERY_WAY` set, each plays
//! over all of them.

use anyhow::{Context as _, Result, ensure};
use tests::browsers::Kind;
use tests::entrance::Way;
use tests::story::desk::Surface;

use super::in_both;
use super::stage::{Set, Stage};

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
