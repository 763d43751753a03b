//! A page that was made for the prompt: it defines what the prompt may be made of before the prompt comes, patches
//! what may be called, reads what the browser writes down, restyles. It learns neither the number that opens
//! the prompt nor the address of its frame, the card looks as it did.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tests::browsers::Kind;
use tests::page_server::PageServer;
use tests::story::desk::{PROMPT, Surface};
use tests::wait::wait_for;
use tests::webdriver::session::Session;

use super::hostile::run;
use super::in_both;
use super::stage::{SOON, Set, Stage};

const PAGE: &str = include_str!("prepared.html");
/// How far from the window's edges the prompt stands in its corners.
const EDGE: i64 = 16;
/// Of the card's points, how many may differ at most: its round corners let the page through.
const DIFFERENT_AT_MOST: f64 = 0.01;

pub(super) async fn serve() -> Result<PageServer> {
    let headers = vec![
        // What the browser does not do it tells, too.
        (
            "content-security-policy-report-only",
            "default-src 'self' 'unsafe-inline'; frame-src 'none'; style-src 'none'".to_owned(),
        ),
        (
            "cross-origin-embedder-policy-report-only",
            "require-corp".to_owned(),
        ),
    ];
    Ok(PageServer::start_page(PAGE, headers).await?)
}

in_both!(
    a_page_that_is_made_for_the_prompt_learns_nothing_of_it_in_chromium,
    a_page_that_is_made_for_the_prompt_learns_nothing_of_it_in_firefox,
    prepared
);

async fn prepared(kind: Kind) -> Result<()> {
    let site = serve().await?;
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    desk.allow_own(&site.at("")).await?;
    let page = session.open_tab().await?;
    session.goto(&site.at("/")).await?;
    stage.lose().await?;
    // A driver that goes into the frame does so by scripts in the page, so it goes there after the page was asked.
    let script = format!(
        "const host = document.querySelector('{PROMPT}');
         return Boolean(host) && getComputedStyle(host).opacity !== '0';"
    );
    let seen = async || (session.execute(&script, json!([])).await.ok()? == true).then_some(());
    wait_for("the prompt to be seen", seen, SOON).await?;
    let learned = run(session, "learned()").await?;
    let learned: Vec<String> = serde_json::from_value(learned)?;

    desk.wait_card("prepared", Surface::Prompt).await?;
    let script = "return [window.name, location.href];";
    let of_the_frame = session.execute(script, json!([])).await?;
    let [name, address]: [String; 2] = serde_json::from_value(of_the_frame)?;
    session.leave_frames().await?;
    ensure!(name.len() > 20, "the frame has no number but {name:?}");
    ensure!(!address.contains(&name), "{address} has the number");
    ensure!(learned.len() > 3, "the page did not look: {learned:?}");
    let origin = desk.browser.origin();
    let id = origin.rsplit('/').next().unwrap_or_default();
    let host = address.split('/').nth(2).context("no host")?;
    let of_us = [
        "-extension:",
        id,
        host,
        &name,
        "prompt.html",
        "root",
        "frame ",
    ];
    for one in &learned {
        // Chromium reports whatever a policy would keep out. The address in it is of this run of the browser alone.
        if kind == Kind::Chromium && one.contains("\"disposition\":\"reporting\"") {
            ensure!(
                !one.contains(id) && !one.contains(&name),
                "the page learned {one}"
            );
            continue;
        }
        let found = of_us.iter().find(|word| one.contains(**word));
        ensure!(found.is_none(), "the page learned {one}");
    }
    ensure!(
        learned.iter().any(|one| one == "0 frames"),
        "the page counts frames: {learned:?}"
    );

    // How it looks.
    let plain = picture_of_card(session).await?;
    run(session, "restyle()").await?;
    let after = picture_of_card(session).await?;
    // Of what the page puts where it stands it gives way, to another of its corners: the page sizes nothing.
    let [x, y, width, height]: [i64; 4] = serde_json::from_value(plain.0.clone())?;
    let [x_after, y_after, width_after, height_after]: [i64; 4] =
        serde_json::from_value(after.0.clone())?;
    ensure!(
        (width, height) == (width_after, height_after)
            && [x, EDGE].contains(&x_after)
            && [y, EDGE].contains(&y_after),
        "it stood at {}, and now at {}",
        plain.0,
        after.0
    );
    session.open_tab().await?;
    session.goto(&desk.browser.page("options.html")).await?;
    let different = compare(session, &plain, &after).await?;
    session.close_window().await?;
    session.switch_to(&page).await?;
    println!(
        "{kind:?}: {} of what was looked at, {different} of the card differs",
        learned.len()
    );
    ensure!(
        different <= DIFFERENT_AT_MOST,
        "{different} of the card is restyled"
    );

    desk.reconnect("prepared", Surface::Prompt, &page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

/// Where the card is, and the whole page as it is seen, as base64 of a PNG.
async fn picture_of_card(session: &Session) -> Result<(Value, String)> {
    // Twice the time that anything of it may take to be drawn.
    let script = format!(
        "return new Promise((done) => setTimeout(() => {{
           const box = document.querySelector('{PROMPT}').getBoundingClientRect();
           done([box.x, box.y, box.width, box.height].map(Math.round));
         }}, 1000));"
    );
    let place = session.execute(&script, json!([])).await?;
    Ok((place, BASE64_STANDARD.encode(session.screenshot().await?)))
}

/// The share of the card's points that differ between two pictures, as another page's canvas finds it.
async fn compare(session: &Session, one: &(Value, String), other: &(Value, String)) -> Result<f64> {
    let script = "const [one, other] = arguments;
        const draw = async ([[x, y, width, height], picture]) => {
            const image = new Image();
            image.src = 'data:image/png;base64,' + picture;
            await image.decode();
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [width, height];
            const context = canvas.getContext('2d');
            context.drawImage(image, -x, -y);
            return context.getImageData(0, 0, width, height).data;
        };
        return Promise.all([one, other].map(draw)).then(([one, other]) => {
            let different = 0;
            for (let at = 0; at < one.length; at += 4) {
                const is = [0, 1, 2].some((part) => Math.abs(one[at + part] - other[at + part]) > 24);
                if (is) different += 1;
            }
            return different / (one.length / 4);
        });";
    let different = session.execute(script, json!([one, other])).await?;
    different
        .as_f64()
        .context("the pictures cannot be compared")
}
