//! The story as a person lives it: three pauses in one campaign, and each time the card is where they are: on the
//! campaign's page, on the page of their mail, in the toolbar.
//!
//! With `--headless` the clicks are sent by a driver and counted. At a window a person clicks, and the story only
//! opens the pages, says what to do, and waits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use protocol::campaign::{PausedBy, State};
use protocol::id::CampaignId;
use protocol::request::campaign::{GetCampaign, StartCampaign};
use serde::Serialize;

use super::api::Api;
use super::desk::{Desk, Surface};
use super::play::{
    Ending, STAGE_WITHIN, Script, WAIT, connect, create_campaign, judge, tell_pause, wait_state,
};
use super::reconnecting::Device;
use super::relay::Relay;
use super::screens::Screens;
use super::servers::{Servers, jane};
use super::telling::Telling;
use crate::browsers::{Browser, Settings};
use crate::page_server::{Page, PageServer};
use crate::wait::wait_for;
use crate::webdriver::click::Click;

/// Between two messages: slow enough that messages are left at each of three pauses.
pub const GAP: Duration = Duration::from_millis(250);
/// Fewer leads would be served before the third pause.
pub const LEADS_AT_LEAST: u64 = 40;
/// How long a person at a window may take for one reconnect.
const PERSON_WITHIN: Duration = Duration::from_mins(15);

/// How the browser is used.
#[derive(Clone, Debug)]
pub struct InBrowser {
    /// Which, and how it is started.
    pub browser: Settings,
    /// Where pictures of every screen go.
    pub screenshots: Option<PathBuf>,
}

/// How the story ended: the last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrowserEnding {
    /// What is the same without a browser.
    #[serde(flatten)]
    pub ending: Ending,
    /// Every click from a card to its end, the provider's pages included, as it was sent to the browser; empty
    /// when a person clicked.
    pub click_log: Vec<Click>,
    /// All of them, over the three pauses; `None` when a person clicked.
    pub clicks: Option<usize>,
    /// What each pause may take; one more, and the story does not end well.
    pub clicks_allowed: usize,
    /// The longest of the three, from the relay's own instant of the pause to the card's button; `None` when a
    /// person looked.
    pub paused_to_prompt_ms: Option<i64>,
    /// The longest of the three, from the click on the card to its word that the campaign goes on.
    pub click_to_resumed_ms: Option<i64>,
    /// The three.
    pub pauses: Vec<PauseSeen>,
}

/// One pause as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PauseSeen {
    /// Where the card was.
    pub surface: &'static str,
    /// From the pause to the card's button.
    pub paused_to_prompt_ms: i64,
    /// From the click to the card's word that the campaign goes on.
    pub click_to_resumed_ms: i64,
    /// Clicks from the card to its end.
    pub clicks: usize,
}

/// Where the card is met.
struct Stop {
    surface: &'static str,
    place: Surface,
    url: String,
    /// What a person at the window is told.
    words: &'static str,
}

/// Plays the story in a browser, against the servers that `start` makes once the redirect addresses of the browser
/// are known.
pub async fn play_in_browser(
    start: impl AsyncFnOnce(&[String]) -> Result<Servers>,
    script: Script,
    how: InBrowser,
    telling: &Telling,
) -> Result<BrowserEnding> {
    ensure!(
        script.leads >= LEADS_AT_LEAST,
        "three pauses need at least {LEADS_AT_LEAST} leads"
    );
    let by_hand = !how.browser.headless;
    let browser = Browser::start(how.browser).await?;
    let desk = Desk::new(browser, Screens::into(how.screenshots)?);
    telling.say(&format!(
        "{} is open, with the extension in it",
        desk.kind().name()
    ));
    let redirects =
        ["sandbox", "openid", "google", "microsoft"].map(|provider| format!("oauth/{provider}"));
    let redirects = desk.redirect_addresses(&redirects).await?;
    let servers = start(&redirects).await?;
    telling.say(&format!("the provider is ready at {}", servers.issuer()));
    let secret = script.confidential.then(|| servers.client_secret());
    let relay = Relay::start(&servers, secret).await?;
    telling.say(&format!("the relay is ready at {}", relay.base()));
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let inbox = connect(&operator, &device, &servers, script.gap, telling).await?;
    let campaign = create_campaign(&operator, &inbox, script.leads, WAIT).await?;

    desk.pair(&relay).await?;
    telling.say("the extension is paired by the link of `unpause pair`");
    desk.sign_in_at_dashboard(&relay).await?;
    desk.sign_in_at_provider(&servers, &jane()).await?;
    let other_tool = PageServer::start(other_tool()).await?;
    let stops = stops(&desk, &relay, &servers, &campaign, &other_tool);
    allow_sites(&desk, &relay, &servers, &other_tool).await?;
    telling.say("the sites are allowed; Jane is signed in at the dashboard and at her provider");

    operator
        .call(&StartCampaign {
            campaign_id: campaign.clone(),
        })
        .await?;
    telling.say(&format!("the campaign runs: {} leads", script.leads));
    let mut pauses = Vec::new();
    let mut paused_cause = None;
    for (idx, stop) in stops.iter().enumerate() {
        let share = (idx as u64 + 1) * script.leads * 2 / (stops.len() as u64 + 2);
        let (cause, seen) = play_stop(
            Stage {
                desk: &desk,
                servers: &servers,
                operator: &operator,
                campaign: &campaign,
                by_hand,
                telling,
            },
            stop,
            share,
        )
        .await?;
        paused_cause = cause;
        pauses.extend(seen);
    }
    let finished = wait_state(&operator, &campaign, |state| {
        matches!(state, State::Finished { .. })
    })
    .await;
    if let Err(error) = finished {
        telling.say(&format!("the campaign did not finish: {error}"));
    }
    desk.picture_the_rest(&relay, &campaign).await?;
    let last = operator
        .call(&GetCampaign {
            campaign_id: campaign,
        })
        .await?;
    let slowest = pauses.iter().map(|one| one.click_to_resumed_ms).max();
    let mut ending = judge(
        &servers,
        script,
        &last,
        paused_cause,
        desk.kind().name(),
        slowest.and_then(|ms| u64::try_from(ms).ok()),
    )?;
    telling.say(&format!(
        "{} of {} leads have step 1, {} have step 2; {} lost, {} twice",
        ending.accepted_step_1,
        ending.leads,
        ending.accepted_step_2,
        ending.lost,
        ending.duplicated
    ));
    let clicks_allowed = servers.clicks_allowed();
    if ending.outcome == "resumed" && pauses.iter().any(|one| one.clicks > clicks_allowed) {
        "too_many_clicks".clone_into(&mut ending.outcome);
    }
    let click_log = desk.log.clicks();
    let ending = BrowserEnding {
        ending,
        clicks: (!by_hand).then_some(click_log.len()),
        click_log,
        clicks_allowed,
        paused_to_prompt_ms: pauses.iter().map(|one| one.paused_to_prompt_ms).max(),
        click_to_resumed_ms: slowest,
        pauses,
    };
    desk.browser.close().await?;
    Ok(ending)
}

/// What a stop needs.
#[derive(Clone, Copy)]
struct Stage<'a> {
    desk: &'a Desk,
    servers: &'a Servers,
    operator: &'a Api,
    campaign: &'a CampaignId,
    by_hand: bool,
    telling: &'a Telling,
}

/// Opens the page, lets the provider end the permission once `share` messages have arrived, and gets the inbox back.
async fn play_stop(
    stage: Stage<'_>,
    stop: &Stop,
    share: u64,
) -> Result<(Option<String>, Option<PauseSeen>)> {
    let Stage {
        desk,
        servers,
        operator,
        campaign,
        by_hand,
        telling,
    } = stage;
    let session = desk.session();
    let page = session.open_tab().await?;
    session.goto(&stop.url).await?;
    let enough = async || (servers.delivered().ok()?.len() as u64 >= share).then_some(());
    wait_for("messages to arrive", enough, STAGE_WITHIN).await?;
    servers.revoke(&jane().address).await?;
    let paused = wait_state(operator, campaign, |state| {
        matches!(
            state,
            State::Paused {
                by: PausedBy::Cause { .. },
                ..
            }
        )
    })
    .await?;
    let cause = tell_pause(&paused, servers, telling)?;
    let State::Paused { since, .. } = paused.status else {
        bail!("the campaign is not paused");
    };
    // It is the person's own doing at the provider, before or after the pause, and no click of this reconnect.
    let new_password = if servers.takes_passwords_only() {
        Some(servers.make_password(&jane())?)
    } else {
        None
    };
    if by_hand {
        telling.say(stop.words);
        if let Some(password) = &new_password {
            telling.say(&format!("the new password of this sandbox: {password}"));
        }
        let look = async || {
            let campaign = operator
                .call(&GetCampaign {
                    campaign_id: campaign.clone(),
                })
                .await
                .ok()?;
            (!matches!(campaign.status, State::Paused { .. })).then_some(())
        };
        wait_for("somebody to reconnect", look, PERSON_WITHIN).await?;
        telling.say("the campaign goes on");
        return Ok((cause, None));
    }
    let n_clicks = desk.log.clicks().len();
    let (surface, place) = (stop.surface, stop.place);
    let seen = match &new_password {
        Some(password) => {
            desk.reconnect_by_password(surface, place, &page, password)
                .await
        }
        None => desk.reconnect(surface, place, &page).await,
    };
    let seen = seen.with_context(|| format!("the pause on the {surface}"))?;
    let pause = PauseSeen {
        surface: stop.surface,
        paused_to_prompt_ms: (seen.prompted_ms - since.as_ms()).max(0),
        click_to_resumed_ms: seen.resumed_ms - seen.clicked_ms,
        clicks: desk.log.clicks().len() - n_clicks,
    };
    telling.say(&format!(
        "{}: the card was there after {} ms; clicks: {}; it said \"Resumed\" after {} ms",
        pause.surface, pause.paused_to_prompt_ms, pause.clicks, pause.click_to_resumed_ms
    ));
    Ok((cause, Some(pause)))
}

/// The three places, in order.
fn stops(
    desk: &Desk,
    relay: &Relay,
    servers: &Servers,
    campaign: &CampaignId,
    other_tool: &PageServer,
) -> [Stop; 3] {
    let second = if let Some(url) = servers.webmail() {
        Stop {
            surface: "webmail",
            place: Surface::Prompt,
            url,
            words: "Jane reads her mail: click Reconnect on the card there, and allow it at the provider",
        }
    } else {
        Stop {
            surface: "another tool's campaign page",
            place: Surface::Prompt,
            url: other_tool.at(OTHER_TOOL),
            words: "Jane is in another tool: click Reconnect on the card there, and allow it at the provider",
        }
    };
    [
        Stop {
            surface: "dashboard",
            place: Surface::Prompt,
            url: format!("{}/campaigns/{campaign}", relay.base()),
            words: "Jane looks at her campaign: click Reconnect on the card, and allow it at the provider",
        },
        second,
        Stop {
            surface: "popup",
            place: Surface::Page,
            url: desk.browser.page("popup.html"),
            words: "Jane opens Unpause in the toolbar: click Reconnect there, and allow it at the provider",
        },
    ]
}

async fn allow_sites(
    desk: &Desk,
    relay: &Relay,
    servers: &Servers,
    other_tool: &PageServer,
) -> Result<()> {
    desk.allow(&relay.base(), true).await?;
    if let Some(webmail) = servers.webmail() {
        desk.allow(&webmail, true).await
    } else {
        desk.allow_own(&other_tool.at("")).await
    }
}

/// The path of the page of a tool that is not ours.
const OTHER_TOOL: &str = "/campaigns/1";

/// A campaign page as any tool might have one.
fn other_tool() -> BTreeMap<String, Page> {
    let html = "<!doctype html><html lang=\"en\"><head><title>Campaign · Another tool</title></head><body><main>\
        <h1>Spring outreach</h1><div class=\"banner\" role=\"alert\">This campaign is paused: \
        jane@acme.example lost its connection. Sign in again to continue.</div>\
        <p>Two steps, sent by jane@acme.example.</p></main></body></html>";
    let page = Page {
        html: html.to_owned(),
        headers: vec![("content-security-policy", "default-src 'none'".to_owned())],
    };
    BTreeMap::from([(OTHER_TOOL.to_owned(), page)])
}
