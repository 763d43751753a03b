//! What people wait for, in Chromium: how long the popup takes until it can be used, and what the eyes cost a page that
//! has nothing to do with a pause. The budgets are DESIGN.md section 10.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use protocol::request::campaign::StartCampaign;
use serde_json::{Value, json};

use crate::browsers::{Browser, Kind, Settings};
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
/// Microseconds between two samples of the profiler.
const SAMPLED_US: u64 = 200;
/// The eyes have looked by then: they wait 250 ms at the most.
const LOOKED_AFTER_MS: f64 = 800.0;
/// A page is there in a second; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// Nobody waits for its second step.
const WAIT: Duration = Duration::from_hours(1);

/// One figure beside its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// In `unit`; the middle of all.
    pub value: u64,
    /// What it is counted in.
    pub unit: &'static str,
    /// What it must stay under.
    pub budget: u64,
}

/// Opens both, again and again.
pub async fn measure(extension: PathBuf) -> Result<Vec<Figure>> {
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
    desk.allow_own(&site.at("")).await?;
    let eyes = eyes_us(desk.session(), &site.at("/")).await?;

    operator.call(&StartCampaign { campaign_id }).await?;
    servers.revoke(&jane().address).await?;
    let popup = desk.browser.page("popup.html");
    desk.session().goto(&popup).await?;
    desk.wait_card("popup", Surface::Page).await?;
    let usable = popup_ms(desk.session(), &popup).await?;
    desk.browser.close().await?;
    Ok(vec![
        Figure {
            name: "eyes without a banner",
            value: eyes,
            unit: "us",
            budget: 1_000,
        },
        Figure {
            name: "popup can be used",
            value: usable,
            unit: "ms",
            budget: 200,
        },
    ])
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

/// Main thread of a page that is spent in the eyes, from its load until they have looked.
async fn eyes_us(session: &Session, url: &str) -> Result<u64> {
    session.devtools("Profiler.enable", json!({})).await?;
    let interval = json!({ "interval": SAMPLED_US });
    session
        .devtools("Profiler.setSamplingInterval", interval)
        .await?;
    let mut all = Vec::new();
    for _ in 0..TIMES {
        session.goto("about:blank").await?;
        session.devtools("Profiler.start", json!({})).await?;
        session.goto(url).await?;
        let looked = async || {
            let ms = session
                .execute("return performance.now();", json!([]))
                .await;
            (ms.ok()?.as_f64()? > LOOKED_AFTER_MS).then_some(())
        };
        wait_for("the eyes to look", looked, SOON).await?;
        let stopped = session.devtools("Profiler.stop", json!({})).await?;
        let profile = stopped.get("profile").context("no profile")?;
        all.push(in_eyes_us(profile)?);
    }
    ensure!(
        all.iter().any(|us| *us > 0),
        "the eyes were never seen at work: are they on this page?"
    );
    Ok(middle(all))
}

/// The samples of a profile (`Profiler.Profile` of Chromium's protocol for tools) that are in the eyes, or in what they call.
fn in_eyes_us(profile: &Value) -> Result<u64> {
    let list = |name: &str| {
        let found = profile.get(name).and_then(Value::as_array);
        found.with_context(|| format!("the profile has no {name}"))
    };
    let id = |value: &Value| value.as_u64();
    let mut within = HashSet::new();
    // A parent stands before its children.
    for node in list("nodes")? {
        let number = node.get("id").and_then(id).context("a node without id")?;
        let url = node.pointer("/callFrame/url").and_then(Value::as_str);
        if url.is_some_and(|url| url.ends_with("/eyes.js")) || within.contains(&number) {
            within.insert(number);
            let children = node.get("children").and_then(Value::as_array);
            within.extend(children.into_iter().flatten().filter_map(id));
        }
    }
    // Each delta is the time from the sample before to its own: a sample lasts for the one that follows.
    let samples = list("samples")?
        .iter()
        .zip(list("timeDeltas")?.iter().skip(1));
    Ok(samples
        .filter(|(node, _)| id(node).is_some_and(|node| within.contains(&node)))
        .filter_map(|(_, us)| us.as_u64())
        .sum())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_eyes_call_counts_as_theirs_and_nothing_else_does() {
        let node = |id: u64, url: &str, children: &[u64]| json!({ "id": id, "callFrame": { "url": url }, "children": children });
        let profile = json!({
            "nodes": [
                node(1, "", &[2, 5]),
                node(2, "chrome-extension://x/eyes.js", &[3]),
                node(3, "", &[4]),
                node(4, "", &[]),
                node(5, "http://127.0.0.1/page.js", &[]),
            ],
            "samples": [1, 2, 4, 5],
            "timeDeltas": [9, 1, 20, 300],
        });
        assert_eq!(in_eyes_us(&profile).unwrap(), 320);
        assert!(in_eyes_us(&json!({})).is_err());
    }
}
