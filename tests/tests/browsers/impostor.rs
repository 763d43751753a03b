//! Somebody else at the relay's address while the relay is down, who knows all that is public of it: he is told nothing
//! that is worth having, starts nothing, and the person reads who is not there. Then the relay is back.

use anyhow::{Context as _, Result, ensure};
use http::Method;
use protocol::request::device::{GetRelayKey, ListDevices};
use protocol::request::status::GetStatus;
use tests::browsers::Kind;
use tests::http_client::http_client;
use tests::impostor::{Impostor, Known, Told};
use tests::story::desk::Surface;
use tests::wait::wait_for;
use tests::webdriver::seek::{find_named, wait_named, wait_words};

use super::stage::{SOON, Set, Stage};
use super::{in_both, renewed};

/// What a request of the extension may bear. What browsers add by themselves says nothing of the person's.
const OURS: [&str; 6] = [
    "content-digest",
    "content-type",
    "if-none-match",
    "signature",
    "signature-input",
    "unpause-relay-key",
];

in_both!(
    who_takes_the_relays_place_gets_nothing_in_chromium,
    who_takes_the_relays_place_gets_nothing_in_firefox,
    impostor
);

/// Row: somebody else answers while the relay is down | answers as the relay would, with its public keys, and no signature of it | refused in the browser | the operator | Your relay does not answer; something else does in its place, and was told nothing.
async fn impostor(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.browser.dark = kind == Kind::Chromium;
    let mut stage = Stage::set(set).await?;
    stage.lose().await?;
    let (link, known) = all_that_is_public(&stage).await?;
    let session = stage.desk.session();
    session.goto(&stage.desk.browser.page("popup.html")).await?;
    stage.desk.wait_card("popup", Surface::Page).await?;

    stage.relay.kill()?;
    let his = Impostor::stand(stage.relay.address(), known).await?;
    let desk = &stage.desk;
    desk.press_on_card("popup", Surface::Page, "Reconnect")
        .await?;
    desk.wait_card_words("popup", Surface::Page, "What answers is not your relay")
        .await?;
    ensure!(
        find_named(session, "button", "Reconnect").await?.is_none(),
        "a sign-in is offered for somebody else"
    );
    session.goto(&desk.browser.page("options.html")).await?;
    wait_words(session, "something else does in its place", SOON).await?;
    desk.screens.take(session, "impostor").await?;

    // A browser that is to be paired with him tells him no code.
    desk.press_while_setting_up("button", "Unpair …").await?;
    desk.press_while_setting_up("button", "Unpair this browser")
        .await?;
    let field = wait_named(session, "textbox", "Pairing link", SOON).await?;
    field.write(&link).await?;
    desk.press_while_setting_up("button", "Pair this browser")
        .await?;
    wait_words(session, "has not the key that the link names", SOON).await?;

    let told = his.told();
    check_told(&told, &part(&link, "code")?)?;
    his.leave().await;
    stage.relay.start_again().await?;
    stage.operator = stage.relay.operator()?;
    check_worth(&stage, &told).await?;

    // The code of the link, which still stands in its field, is as good as before.
    desk.press_while_setting_up("button", "Pair this browser")
        .await?;
    wait_named(session, "button", "Unpair …", SOON).await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    let page = session.window().await?;
    desk.reconnect("popup", Surface::Page, &page).await?;
    stage.check_goes_on(2).await?;
    renewed::play(&mut stage).await?;
    stage.end().await
}

in_both!(
    a_dashboard_that_is_open_tells_a_stand_in_nothing_that_is_good_afterwards_in_chromium,
    a_dashboard_that_is_open_tells_a_stand_in_nothing_that_is_good_afterwards_in_firefox,
    dashboard
);

/// The dashboard's page has no key of its own: its session's token goes to whoever answers. On plain http the relay
/// ends every session when it starts, and until then the stand-in has nobody to show it to.
async fn dashboard(kind: Kind) -> Result<()> {
    let mut stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    desk.sign_in_at_dashboard(&stage.relay).await?;
    let tab = desk.session().open_tab().await?;
    let inboxes = format!("{}/inboxes", stage.relay.base());
    desk.session().goto(&inboxes).await?;
    wait_words(desk.session(), "jane@acme.example", SOON).await?;
    let (_, known) = all_that_is_public(&stage).await?;
    stage.relay.kill()?;
    let his = Impostor::stand(stage.relay.address(), known).await?;
    let tokens = || -> Vec<_> {
        let told = his.told().into_iter();
        told.filter_map(|one| one.headers.get("authorization").cloned())
            .collect()
    };
    let heard = async || (!tokens().is_empty()).then_some(());
    wait_for("the open dashboard to ask whoever answers", heard, SOON).await?;
    let (tokens, told) = (tokens(), his.told());
    println!("{kind:?}: {} requests, {} tokens", told.len(), tokens.len());
    his.leave().await;
    stage.relay.start_again().await?;
    let http = http_client(&[])?;
    for token in tokens {
        for (method, path) in [
            (Method::GET, "/v1/status"),
            (Method::GET, "/v1/inboxes"),
            (Method::GET, "/v1/devices"),
            (Method::POST, "/v1/login-links"),
            (Method::POST, "/v1/pairings"),
        ] {
            let url = format!("{}{path}", stage.relay.base());
            let asked = http.request(method.clone(), url);
            let status = asked.header("authorization", &token).send().await?.status();
            ensure!(
                status == 401,
                "{method} {path} with what he heard: {status}"
            );
        }
    }
    // And the person is asked to sign in anew.
    let session = stage.desk.session();
    session.switch_to(&tab).await?;
    session.goto(&inboxes).await?;
    wait_words(session, "unpause login", SOON).await?;
    stage.end().await
}

/// A fresh pairing link, and what anybody may know of the relay.
pub(super) async fn all_that_is_public(stage: &Stage) -> Result<(String, Known)> {
    let output = stage.relay.command(&["pair"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let link = text.lines().next().context("no pairing link")?.to_owned();
    let known = Known {
        status: stage.operator.call(&GetStatus {}).await?,
        sealing: stage.operator.call(&GetRelayKey {}).await?,
        signing: part(&link, "key")?,
    };
    Ok((link, known))
}

fn part(link: &str, name: &str) -> Result<String> {
    let url = url::Url::parse(link)?;
    let found = url.query_pairs().find(|(found, _)| found == name);
    Ok(found.context("a part of the link")?.1.into_owned())
}

/// Nothing that opens anything, and of the sign-in nothing at all.
fn check_told(told: &[Told], code: &str) -> Result<()> {
    ensure!(
        told.iter().any(|one| one.path == "/v1/relay-key")
            && told.iter().any(|one| one.path == "/v1/devices"),
        "he was not asked: {told:?}"
    );
    for one in told {
        let text = one.text();
        ensure!(!text.contains(code), "the code was told: {text}");
        ensure!(
            !one.path.contains("/reconnects"),
            "a sign-in was begun with him: {text}"
        );
        let is_pairing = one.method == Method::POST && one.path == "/v1/devices";
        ensure!(is_pairing || one.body.is_empty(), "a body: {text}");
        for name in ["authorization", "cookie", "proxy-authorization"] {
            ensure!(!one.headers.contains_key(name), "{name}: {text}");
        }
    }
    Ok(())
}

/// What he heard opens nothing at the relay, as it was and with a token's place filled by each part of it.
async fn check_worth(stage: &Stage, told: &[Told]) -> Result<()> {
    let http = http_client(&[])?;
    let devices = stage.operator.call(&ListDevices {}).await?.devices.len();
    for one in told.iter().filter(|one| one.method != Method::OPTIONS) {
        let url = format!("{}{}", stage.relay.base(), one.path);
        let mut asked = http.request(one.method.clone(), url);
        for (name, value) in &one.headers {
            if OURS.contains(&name.as_str()) || name == "origin" {
                asked = asked.header(name, value);
            }
        }
        let status = asked.body(one.body.clone()).send().await?.status();
        ensure!(
            status == 401,
            "{} {} was taken: {status}",
            one.method,
            one.path
        );
        for value in one.headers.values() {
            let asked = http.get(format!("{}/v1/status", stage.relay.base()));
            let Ok(value) = value.to_str() else { continue };
            let answer = asked.header("authorization", format!("Bearer {value}"));
            ensure!(answer.send().await?.status() == 401, "as a token: {value}");
        }
    }
    let now = stage.operator.call(&ListDevices {}).await?.devices.len();
    ensure!(now == devices, "a device came of it");
    Ok(())
}
