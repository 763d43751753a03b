//! The relay's keys are renewed under a paired browser, which follows by itself and reconnects by one click. Who has the
//! old public key, and whatever was announced before, leads it nowhere; keys that are renewed at once ask for pairing.
//! Played on the stage of `impostor`, whose browser has just reconnected.

use anyhow::{Context as _, Result, ensure};
use protocol::renewal::Renewal;
use protocol::request::device::{Device, ListDevices};
use sqlx::{Connection as _, Row as _};
use tests::impostor::Impostor;
use tests::story::desk::Surface;
use tests::wait::wait_for;
use tests::webdriver::seek::wait_words;

use super::impostor::all_that_is_public;
use super::stage::{SOON, Stage};

/// Two renewals that are followed, a stand-in who replays them, and one at once.
pub(super) async fn play(stage: &mut Stage) -> Result<()> {
    // Twice, so that the browser comes from the key that it knows over one that it has never seen.
    let (_, mut known) = all_that_is_public(stage).await?;
    renew(stage, &[])?;
    renew(stage, &[])?;
    let popup = stage.desk.browser.page("popup.html");
    stage.desk.session().goto(&popup).await?;
    let follows = async || (browser(stage).await.ok()?.behind_until.is_none()).then_some(());
    wait_for("the browser to follow", follows, SOON).await?;

    stage.lose().await?;
    let (desk, session) = (&stage.desk, stage.desk.session());
    session.goto(&popup).await?;
    desk.wait_card("popup", Surface::Page).await?;
    let page = session.window().await?;
    desk.reconnect("popup", Surface::Page, &page).await?;
    stage.check_goes_on(3).await?;

    // He has the key before, and says again what was once announced, to his own ends.
    let mut replayed = announced(stage).await?;
    let [first, second] = &replayed[..] else {
        anyhow::bail!("two announcements: {replayed:?}");
    };
    let forged = Renewal {
        statement: first.statement.clone(),
        signature: second.signature.clone(),
    };
    replayed.push(forged);
    known.status.renewals = replayed;
    stage.relay.kill()?;
    let his = Impostor::stand(stage.relay.address(), known).await?;
    let session = stage.desk.session();
    session
        .goto(&stage.desk.browser.page("options.html"))
        .await?;
    wait_words(session, "something else does in its place", SOON).await?;
    his.leave().await;
    stage.relay.start_again().await?;
    stage.operator = stage.relay.operator()?;
    session.goto(&popup).await?;
    wait_words(session, "jane@acme.example", SOON).await?;
    ensure!(browser(stage).await?.behind_until.is_none(), "led back");

    renew(stage, &["--at-once"])?;
    session
        .goto(&stage.desk.browser.page("options.html"))
        .await?;
    session.goto(&popup).await?;
    wait_words(session, "pair this browser again", SOON).await?;
    stage.desk.screens.take(session, "renewed-at-once").await?;
    Ok(())
}

fn renew(stage: &Stage, how: &[&str]) -> Result<()> {
    let renewed = stage
        .relay
        .command(&[&["keys", "rotate"], how].concat())
        .output()?;
    ensure!(
        renewed.status.success(),
        "{}",
        String::from_utf8_lossy(&renewed.stderr)
    );
    Ok(())
}

/// The browser that was paired last.
async fn browser(stage: &Stage) -> Result<Device> {
    let devices = stage
        .operator
        .call(&ListDevices {})
        .await?
        .devices
        .into_iter();
    let mut browsers = devices.filter(|device| device.origin.is_some());
    browsers.next().context("no browser is paired")
}

/// What the relay has announced, oldest first.
async fn announced(stage: &Stage) -> Result<Vec<Renewal>> {
    let path = stage.relay.data().join("unpause.db");
    let url = format!("sqlite://{}?mode=ro", path.display());
    let mut book = sqlx::SqliteConnection::connect(&url).await?;
    let query =
        "SELECT statement, signature FROM relay_keys WHERE statement IS NOT NULL ORDER BY number";
    let rows = sqlx::query(query).fetch_all(&mut book).await?;
    let renewal = |row: &sqlx::sqlite::SqliteRow| {
        Ok(Renewal {
            statement: row.try_get("statement")?,
            signature: row.try_get("signature")?,
        })
    };
    rows.iter().map(renewal).collect()
}
