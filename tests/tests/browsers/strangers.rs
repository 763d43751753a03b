//! A page that speaks to what is not its own: to the extension by messages, ports and addresses, and to the relay.
//! Nobody answers it, nothing starts, and the prompt goes on as if it were not there. And the other side of that: what
//! the extension itself says of where it comes from, which is what the relay goes by.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use protocol::request::device::ListDevices;
use protocol::request::inbox::ListInboxes;
use serde_json::{Value, json};
use tests::browsers::Kind;
use tests::page_server::{Page, PageServer};
use tests::story::desk::Surface;

use super::hostile::{nothing_starts, run};
use super::in_both;
use super::stage::{Set, Stage};

const PAGE: &str = include_str!("strangers.html");

in_both!(
    a_page_that_speaks_to_the_extension_is_not_answered_in_chromium,
    a_page_that_speaks_to_the_extension_is_not_answered_in_firefox,
    strangers
);

async fn strangers(kind: Kind) -> Result<()> {
    let site = PageServer::start_page(PAGE, Vec::new()).await?;
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    desk.allow_own(&site.at("")).await?;
    // The address under which a page may load the prompt; in Chromium it changes with every run of the browser.
    let found = session
        .execute("return browser.runtime.getURL('prompt.html');", json!([]))
        .await?;
    let loadable = found
        .as_str()
        .context("no address of the prompt")?
        .to_owned();
    let window = session.open_tab().await?;
    session.goto(&site.at("/")).await?;
    stage.lose().await?;
    desk.wait_card("strangers", Surface::Prompt).await?;
    session.leave_frames().await?;
    let inboxes = stage.operator.call(&ListInboxes {}).await?.inboxes;
    let inbox = inboxes.first().context("there is an inbox")?.id.to_string();

    let answers = run(session, &call("post", &[json!(inbox)])).await?;
    ensure!(
        answers == json!([]),
        "a posted message was answered: {answers}"
    );
    nothing_starts(&stage, "posted messages").await?;

    let origin = desk.browser.origin();
    let id = origin.rsplit('/').next().unwrap_or_default().to_owned();
    let answers = run(session, &call("call", &[json!(id), json!(inbox)])).await?;
    ensure!(
        answers == json!([]),
        "the extension answered a page: {answers}"
    );
    nothing_starts(&stage, "messages to the extension").await?;

    let files = [
        "manifest.json",
        "popup.html",
        "options.html",
        "background.js",
        "eyes.js",
        "icons/16.png",
    ];
    let files: Vec<_> = files.iter().map(|file| desk.browser.page(file)).collect();
    let taken = run(session, &call("take", &[json!(files)])).await?;
    ensure!(taken == json!([]), "a page could load {taken}");

    // By its address the page learns no number, and a prompt without the right one shows nothing and asks nothing.
    let mut framed: Vec<String> = [
        "popup.html",
        "options.html",
        "prompt.html",
        "prompt.html#guess",
    ]
    .iter()
    .map(|file| desk.browser.page(file))
    .collect();
    framed.extend(
        ["#guess", "#", "#0", "?view=popup#guess"].map(|guess| format!("{loadable}{guess}")),
    );
    run(session, &call("frame", &[json!(framed)])).await?;
    for (frame, address) in session.find_all("iframe.stolen").await?.iter().zip(&framed) {
        session.enter(frame).await?;
        let words = session.words().await.unwrap_or_default();
        session.leave_frames().await?;
        let tells = ["jane@acme.example", "Reconnect", "Pair", "paired"];
        ensure!(
            !tells.iter().any(|word| words.contains(word)),
            "{address} in a page says {words:?}"
        );
    }
    nothing_starts(&stage, "framing").await?;
    run(session, "drop()").await?;

    let read = run(session, &call("relay", &[json!(stage.relay.base())])).await?;
    ensure!(read == json!([]), "a page could read of the relay {read}");
    let devices = stage.operator.call(&ListDevices {}).await?.devices;
    ensure!(devices.len() == 2, "devices: {devices:?}");

    // It was neither unpaired, nor paired with another relay, nor put aside, and it still works.
    desk.reconnect("strangers", Surface::Prompt, &window)
        .await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

/// A call of one of the page's functions, as it is written.
fn call(name: &str, arguments: &[Value]) -> String {
    let written: Vec<_> = arguments.iter().map(Value::to_string).collect();
    format!("{name}({})", written.join(", "))
}

in_both!(
    a_browser_names_the_extension_with_every_change_in_chromium,
    a_browser_names_the_extension_with_every_change_in_firefox,
    named
);

/// The relay binds a device's token to the origin it was paired from. That rests on what browsers send: with a change
/// always the origin; with a reading not where the site was allowed, so that the relay lets such a reading pass.
async fn named(kind: Kind) -> Result<()> {
    let open = |name, value: &str| (name, value.to_owned());
    let page = Page {
        html: "read".to_owned(),
        headers: vec![
            open("access-control-allow-origin", "*"),
            open(
                "access-control-allow-headers",
                "authorization, content-type",
            ),
        ],
    };
    let site = PageServer::start(BTreeMap::from([("/".to_owned(), page)])).await?;
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    session.goto(&desk.browser.page("options.html")).await?;
    let script = "const [address] = arguments;
        const headers = { authorization: 'Bearer x', 'content-type': 'application/json' };
        return fetch(address, { headers })
            .then(() => fetch(address, { method: 'POST', headers, body: '{}' }))
            .then((answer) => answer.text(), String);";
    let origin = desk.browser.origin();
    for is_allowed in [false, true] {
        if is_allowed {
            desk.allow_own(&site.at("")).await?;
        }
        let before = site.named().len();
        session.execute(script, json!([site.at("/")])).await?;
        let named = site.named().split_off(before);
        let of = |method: &str| {
            let mut found = named.iter().filter(|one| one.method == method);
            found.next().map(|one| one.origin.clone())
        };
        println!("{kind:?} allowed={is_allowed} {named:?}");
        ensure!(
            of("POST") == Some(Some(origin.clone())),
            "allowed: {is_allowed}, {named:?}"
        );
        let read = of("GET").with_context(|| format!("nothing was read: {named:?}"))?;
        if is_allowed {
            ensure!(
                read.as_ref().is_none_or(|found| *found == origin),
                "{named:?}"
            );
        } else {
            ensure!(read == Some(origin.clone()), "{named:?}");
        }
    }
    stage.end().await
}
