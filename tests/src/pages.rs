//! What people wait for, in Chromium: how long the popup takes until it can be used, and what the eyes cost a page that
//! has nothing to do with a pause. What is allowed stands in `xtask/src/bench/pages.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use protocol::request::campaign::StartCampaign;
use serde::Serialize;
use serde_json::{Value, json};

use crate::browsers::{Browser, Kind, Settings};
use crate::clock::now_ms;
use crate::page_server::{Page, PageServer};
use crate::story::desk::{Desk, RECONNECT, Surface};
use crate::story::play::{connect, create_campaign};
use crate::story::reconnecting::Device;
use crate::story::relay::Relay;
use crate::story::screens::Screens;
use crate::story::servers::{Servers, jane};
use crate::story::telling::Telling;
use crate::wait::wait_for;
use crate::webdriver::seek::wait_named;
use crate::webdriver::session::Session;

/// How often each page is opened; the middle of them counts.
const TIMES: usize = 21;
/// The eyes have looked by then: they wait 250 ms at the most.
const LOOKED_AFTER_MS: i64 = 800;
/// A page is there in a second; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// Nobody waits for its second step.
const WAIT: Duration = Duration::from_hours(1);

/// What was measured; each the middle of all tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// What the eyes cost a page without a banner, in microseconds of its main thread.
    pub eyes_us: u64,
    /// From the opening of the popup until it can be used, in milliseconds.
    pub popup_ms: u64,
}

/// Opens both, again and again.
pub async fn measure(extension: PathBuf) -> Result<Measured> {
    let servers = Servers::start_sandbox(1).await?;
    let relay = Relay::start(&servers, None).await?;
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let quiet = Telling::begin(true);
    let gap = Duration::from_millis(100);
    let inbox = connect(&operator, &device, &servers, gap, &quiet).await?;
    let campaign_id = create_campaign(&operator, &inbox, 40, WAIT).await?;
    let settings = Settings::headless(Kind::Chromium, extension);
    let desk = Desk::new(Browser::start(settings).await?, Screens::into(None)?);
    desk.pair(&relay).await?;
    let site = PageServer::start(BTreeMap::from([("/".to_owned(), plain_page())])).await?;
    let without = scripts_us(desk.session(), &site.at("/")).await?;
    desk.allow_own(&site.at("")).await?;
    let with = scripts_us(desk.session(), &site.at("/")).await?;
    ensure!(
        with > without,
        "the eyes cost nothing: are they on this page?"
    );

    operator.call(&StartCampaign { campaign_id }).await?;
    servers.revoke(&jane().address).await?;
    let popup = desk.browser.page("popup.html");
    desk.session().goto(&popup).await?;
    desk.wait_card("popup", Surface::Page).await?;
    let usable = popup_ms(desk.session(), &popup).await?;
    desk.browser.close().await?;
    Ok(Measured {
        eyes_us: with - without,
        popup_ms: usable,
    })
}

/// A page as tools have them: headings, a navigation, a table of 300 rows, and no word about a pause.
fn plain_page() -> Page {
    let mut html =
        "<!doctype html><html lang=\"en\"><head><title>Report</title></head><body><nav>".to_owned();
    for number in 1..=30 {
        let _ = write!(html, "<a href=\"#{number}\">Part {number}</a> ");
    }
    html.push_str("</nav><h1>Report</h1><table>");
    for number in 1..=300 {
        let _ = write!(
            html,
            "<tr><td>{number}</td><td>Northern region</td><td class=\"amount\">{}</td></tr>",
            number * 17
        );
    }
    html.push_str("</table></body></html>");
    Page {
        html,
        headers: Vec::new(),
    }
}

/// Microseconds of the main thread that scripts take on a page, compiling included, from its load until eyes that are
/// there have looked. Of the thread's own time, so that other programs do not count.
async fn scripts_us(session: &Session, url: &str) -> Result<u64> {
    let domain = json!({ "timeDomain": "threadTicks" });
    session.devtools("Performance.enable", domain).await?;
    let mut all = Vec::new();
    for _ in 0..TIMES {
        session.goto("about:blank").await?;
        session.goto(url).await?;
        // Asking the page itself would be a script too.
        let began_ms = now_ms();
        let looked = async || (now_ms() - began_ms >= LOOKED_AFTER_MS).then_some(());
        wait_for("the eyes to look", looked, SOON).await?;
        all.push(taken_by_scripts(session).await?);
        session.goto("about:blank").await?;
    }
    session.devtools("Performance.disable", json!({})).await?;
    Ok(middle(all))
}

async fn taken_by_scripts(session: &Session) -> Result<u64> {
    let answer = session
        .devtools("Performance.getMetrics", json!({}))
        .await?;
    let metrics = answer.get("metrics").and_then(Value::as_array);
    let metrics = metrics.context("no metrics")?;
    let seconds = |name: &str| {
        let metric = metrics
            .iter()
            .find(|metric| metric.get("name").and_then(Value::as_str) == Some(name));
        metric.and_then(|metric| metric.get("value")?.as_f64())
    };
    let script = seconds("ScriptDuration").context("no ScriptDuration")?;
    let compile = seconds("V8CompileDuration").unwrap_or_default();
    Ok(Duration::try_from_secs_f64(script + compile)?
        .as_micros()
        .try_into()?)
}

/// From the opening of the popup until the card with its button is painted.
async fn popup_ms(session: &Session, url: &str) -> Result<u64> {
    let painted = "return new Promise((tell) => new PerformanceObserver(
        (list) => tell(Math.ceil(list.getEntries().at(-1).startTime))
    ).observe({ type: 'largest-contentful-paint', buffered: true }));";
    let mut all = Vec::new();
    for _ in 0..TIMES {
        session.goto("about:blank").await?;
        session.goto(url).await?;
        wait_named(session, "button", RECONNECT, SOON).await?;
        let ms = session.execute(painted, json!([])).await?;
        all.push(ms.as_u64().context("the browser tells no paint")?);
    }
    Ok(middle(all))
}

fn middle(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
