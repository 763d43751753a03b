//! A person at a browser: setting it up, and getting an inbox back by clicks on what they see. What they see is
//! found by role and name, so that a wording that misleads a person misleads the story too.

mod password;
mod provider;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use protocol::id::CampaignId;
use serde_json::json;
use url::Url;

pub use password::{ENTER_IT, Ours};

use super::relay::Relay;
use super::screens::Screens;
use crate::browsers::{Browser, Kind};
use crate::clock::now_ms;
use crate::wait::wait_for;
use crate::webdriver::click::{Click, ClickLog};
use crate::webdriver::element::Element;
use crate::webdriver::seek::{find_named, press, wait_named, wait_words};
use crate::webdriver::session::{Session, Window};

/// A page is there in a second; the rest is for a busy machine.
pub const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// A prompt in the background may take 35 s (DESIGN.md section 10); the rest is for a busy machine.
pub const PROMPTED_WITHIN: Duration = Duration::from_mins(1);
/// A reconnect is verified in a second or two; the rest is for a busy machine and for retries.
pub const RESUMED_WITHIN: Duration = Duration::from_mins(2);
/// Nobody clicks on what has been there for less. The prompt counts no click before half a second.
const READ_FOR_MS: i64 = 700;

/// The element of the prompt. It has no name of its own, so that no page can make that name its own.
pub const PROMPT: &str = "html > [popover]";

/// How the button of every card begins.
pub const RECONNECT: &str = "Reconnect";

/// A browser and who sits at it.
#[derive(Debug)]
pub struct Desk {
    /// The browser.
    pub browser: Browser,
    /// The clicks that count: from a card to its end.
    pub log: ClickLog,
    /// Every other click.
    setting_up: ClickLog,
    /// Pictures.
    pub screens: Screens,
}

/// Where a card is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// In the prompt's frame on a page.
    Prompt,
    /// On a page of our own: the popup, the dashboard.
    Page,
}

/// How one pause went, as the person saw it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When the card could be read.
    pub prompted_ms: i64,
    /// When its button was clicked.
    pub clicked_ms: i64,
    /// When it said that the campaign goes on.
    pub resumed_ms: i64,
}

impl Desk {
    /// Somebody sits down.
    pub fn new(browser: Browser, screens: Screens) -> Self {
        Self {
            browser,
            log: ClickLog::default(),
            setting_up: ClickLog::default(),
            screens,
        }
    }

    /// The browser's session.
    pub fn session(&self) -> &Session {
        &self.browser.session
    }

    /// Pairs the extension with the relay, by the link that its operator prints.
    pub async fn pair(&self, relay: &Relay) -> Result<()> {
        self.pair_by(&first_line(relay, "pair")?).await
    }

    /// Pairs the extension by this link.
    pub async fn pair_by(&self, link: &str) -> Result<()> {
        let session = self.session();
        session.goto(&self.browser.page("options.html")).await?;
        let field = wait_named(session, "textbox", "Pairing link", SHOWN_WITHIN).await?;
        self.screens.take(session, "options-not-paired").await?;
        field.write(link).await?;
        self.press_while_setting_up("button", "Pair this browser")
            .await?;
        wait_words(session, "This browser is paired with", SHOWN_WITHIN).await?;
        self.screens.take(session, "options-paired").await?;
        Ok(())
    }

    /// Allows a site that the options page offers, or no longer, by the switch beside its address.
    pub async fn allow(&self, origin: &str, allow: bool) -> Result<()> {
        let session = self.session();
        session.goto(&self.browser.page("options.html")).await?;
        wait_words(session, origin, SHOWN_WITHIN).await?;
        let wanted = allow.to_string();
        let state = async || {
            let switch = find_switch(session, origin).await?;
            Some((switch.attribute("aria-checked").await.ok()??, switch))
        };
        let (now, switch) = wait_for("the site's switch", state, SHOWN_WITHIN).await?;
        if now != wanted {
            self.setting_up.click("options", &switch).await?;
        }
        let is_so = async || (state().await?.0 == wanted).then_some(());
        wait_for("the site's switch to turn", is_so, SHOWN_WITHIN)
            .await
            .with_context(|| format!("{origin} cannot be switched"))?;
        self.screens.take(session, "options-site-allowed").await?;
        Ok(())
    }

    /// Allows a site that nobody offers, by its address.
    pub async fn allow_own(&self, origin: &str) -> Result<()> {
        let session = self.session();
        session.goto(&self.browser.page("options.html")).await?;
        let field = wait_named(session, "textbox", "Another site", SHOWN_WITHIN).await?;
        field.write(origin).await?;
        self.press_while_setting_up("button", "Allow this site")
            .await?;
        // Browsers keep a host with all its ports, so the list does not name the origin as it was written.
        let host = Url::parse(origin)?
            .host_str()
            .map(|host| format!("http://{host}/*"));
        let script = "return browser.permissions.contains({ origins: [arguments[0]] });";
        let is_allowed = async || {
            let found = session.execute(script, json!([host])).await.ok()?;
            (found == true).then_some(())
        };
        wait_for("the site to be allowed", is_allowed, SHOWN_WITHIN).await?;
        Ok(())
    }

    /// Signs in at the dashboard, by the link that the operator prints.
    pub async fn sign_in_at_dashboard(&self, relay: &Relay) -> Result<()> {
        self.sign_in_at_dashboard_by(&first_line(relay, "login")?)
            .await
    }

    /// The same by this link, which is opened and then pressed.
    pub async fn sign_in_at_dashboard_by(&self, link: &str) -> Result<()> {
        let session = self.session();
        session.goto(link).await?;
        let asked = wait_named(session, "button", "Sign in to this relay", SHOWN_WITHIN).await;
        self.screens.take(session, "dashboard-sign-in").await?;
        asked?;
        self.press_while_setting_up("button", "Sign in to this relay")
            .await?;
        wait_named(session, "link", "Campaigns", SHOWN_WITHIN).await?;
        self.screens.take(session, "dashboard").await?;
        Ok(())
    }

    /// Waits for the card, clicks its button, does what the provider asks, and waits until the card says that the
    /// campaign goes on. `surface` is what the log says of the clicks, `place` where the card is.
    pub async fn reconnect(&self, surface: &str, place: Surface, page: &Window) -> Result<Seen> {
        let session = self.session();
        let prompted_ms = self.wait_card(surface, place).await?;
        self.screens
            .take(session, &format!("{surface}-broken"))
            .await?;
        self.read().await?;
        let before = session.windows().await?;
        let clicked = self.press_on_card(surface, place, RECONNECT).await?;
        if let Err(error) = self.do_what_provider_asks(&before, place).await {
            session.show(page).await?;
            self.enter(place).await;
            let words = session.words().await.unwrap_or_default();
            return Err(error.context(format!("{surface}: the card says: {words}")));
        }
        session.show(page).await?;
        let resumed_ms = self.wait_resumed(surface, place).await?;
        Ok(Seen {
            prompted_ms,
            clicked_ms: clicked.at_ms,
            resumed_ms,
        })
    }

    /// Waits until the card's button is there, and answers when it was.
    pub async fn wait_card(&self, surface: &str, place: Surface) -> Result<i64> {
        self.wait_card_button(surface, place, RECONNECT).await
    }

    /// Waits until the card has this button, and answers when it did.
    pub async fn wait_card_button(&self, surface: &str, place: Surface, name: &str) -> Result<i64> {
        let session = self.session();
        let look = async || {
            self.enter(place).await?;
            let found = find_named(session, "button", name).await.ok()?;
            found.map(|_| now_ms())
        };
        let seen = wait_for("the card", look, PROMPTED_WITHIN).await;
        self.tell_page_when_missing(surface, seen).await
    }

    /// Takes the time that nobody needs less of to read a card.
    pub async fn read(&self) -> Result<()> {
        let began_ms = now_ms();
        let readable = async || (now_ms() - began_ms >= READ_FOR_MS).then_some(());
        wait_for("the card to be read", readable, SHOWN_WITHIN).await?;
        Ok(())
    }

    /// Clicks on a button of the card.
    pub async fn press_on_card(&self, surface: &str, place: Surface, name: &str) -> Result<Click> {
        // A frame whose document was replaced is entered anew.
        let look = async || {
            self.enter(place).await?;
            let button = find_named(self.session(), "button", name).await.ok()??;
            self.log.click(surface, &button).await.ok()
        };
        let clicked = wait_for("the click on the card", look, SHOWN_WITHIN).await;
        self.tell_page_when_missing(surface, clicked).await
    }

    /// Waits until the card says that the campaign goes on, and answers when it did.
    pub async fn wait_resumed(&self, surface: &str, place: Surface) -> Result<i64> {
        self.wait_card_words(surface, place, "Resumed.").await?;
        let resumed_ms = now_ms();
        // The receipt is read right after.
        self.wait_card_words(surface, place, "held:").await?;
        self.screens
            .take(self.session(), &format!("{surface}-resumed"))
            .await?;
        self.session().leave_frames().await?;
        Ok(resumed_ms)
    }

    /// Waits until the card says this, and answers all that it says.
    pub async fn wait_card_words(
        &self,
        surface: &str,
        place: Surface,
        wanted: &str,
    ) -> Result<String> {
        let look = async || {
            self.enter(place).await?;
            let words = self.session().words().await.ok()?;
            words.contains(wanted).then_some(words)
        };
        let what = format!("the card to say \"{wanted}\"");
        let said = wait_for(&what, look, RESUMED_WITHIN).await;
        self.tell_page_when_missing(surface, said).await
    }

    /// Sends commands to where the card is; `None` while it is not there.
    pub async fn enter(&self, place: Surface) -> Option<()> {
        let session = self.session();
        session.leave_frames().await.ok()?;
        if place == Surface::Prompt {
            let host = session.find(PROMPT).await.ok()??;
            // Nobody presses what is not to be seen; and geckodriver never answers what the role is of something in a
            // frame that is hidden. Observed with Firefox 153 on 2026-11-30.
            host.is_shown().await.ok()?.then_some(())?;
            let root = host.shadow_root().await.ok()??;
            let frame = root.find("iframe").await.ok()??;
            session.enter(&frame).await.ok()?;
        }
        Some(())
    }

    /// Where the browser would take a provider's answer, for each of these paths.
    pub async fn redirect_addresses(&self, paths: &[String]) -> Result<Vec<String>> {
        let session = self.session();
        session.goto(&self.browser.page("options.html")).await?;
        let script = "return arguments[0].map((path) => browser.identity.getRedirectURL(path));";
        let found = session.execute(script, json!([paths])).await?;
        serde_json::from_value(found).context("the browser names no redirect address")
    }

    /// Pictures of the pages that no step of a story needs to open.
    pub async fn picture_the_rest(&self, relay: &Relay, campaign: &CampaignId) -> Result<()> {
        let session = self.session();
        let own = ["popup.html", "options.html"]
            .map(|page| (page.trim_end_matches(".html"), self.browser.page(page)));
        let dashboard = ["campaigns", "inboxes", "receipts", "settings"]
            .map(|page| (page, format!("{}/{page}", relay.base())));
        let campaign = [("campaign", format!("{}/campaigns/{campaign}", relay.base()))];
        for (name, url) in own.into_iter().chain(dashboard).chain(campaign) {
            session.goto(&url).await?;
            // Every page of ours has a heading once it has something to show.
            let look = async || find_heading(session).await;
            wait_for("the page's heading", look, SHOWN_WITHIN)
                .await
                .with_context(|| format!("{url} shows nothing"))?;
            self.screens.take(session, &format!("end-{name}")).await?;
        }
        Ok(())
    }

    /// Clicks on something that does not count.
    pub async fn press_while_setting_up(&self, role: &str, name: &str) -> Result<Click> {
        let what = ("setting up", role, name);
        Ok(press(self.session(), &self.setting_up, what, SHOWN_WITHIN).await?)
    }

    /// Which browser it is.
    pub fn kind(&self) -> Kind {
        self.browser.kind()
    }

    async fn tell_page_when_missing<T>(
        &self,
        surface: &str,
        outcome: Result<T, crate::wait::TimedOut>,
    ) -> Result<T> {
        match outcome {
            Ok(found) => Ok(found),
            Err(error) => {
                let session = self.session();
                let words = session.words().await.unwrap_or_default();
                let page = session.url().await.unwrap_or_default();
                let _taken = self.screens.take(session, "missed").await;
                Err(error).with_context(|| format!("{surface}: {page} shows: {words}"))
            }
        }
    }
}

/// The switch of the row that shows this origin.
async fn find_switch(session: &Session, origin: &str) -> Option<Element> {
    for row in session.find_all("li").await.ok()? {
        if row.words().await.ok()?.contains(origin) {
            return row.find_all("[role=switch]").await.ok()?.into_iter().next();
        }
    }
    None
}

async fn find_heading(session: &Session) -> Option<()> {
    let heading = session.find("h1, h2").await.ok()??;
    heading.is_shown().await.ok()?.then_some(())
}

/// The first line that a command of the relay's operator prints: the link.
fn first_line(relay: &Relay, command: &str) -> Result<String> {
    let output = relay.command(&[command]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next() {
        Some(line) if output.status.success() => Ok(line.to_owned()),
        _ => bail!(
            "`unpause {command}` printed no link: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}
