//! An inbox that signs in by a password: the card asks for the new one.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{Desk, PROMPTED_WITHIN, SHOWN_WITHIN, Seen, Surface};
use crate::browsers::Kind;
use crate::wait::wait_for;
use crate::webdriver::element::Element;
use crate::webdriver::seek::press;
use crate::webdriver::session::Window;

/// The button of the prompt, which has no field because it stands in a page that is not ours.
pub const ENTER_IT: &str = "Enter the password";
/// The button of the form.
const RECONNECT_BY_IT: &str = "Reconnect";

impl Desk {
    /// Waits for the card, types the password where it may be typed, and waits until the card says that the campaign
    /// goes on.
    pub async fn reconnect_by_password(
        &self,
        surface: &str,
        place: Surface,
        page: &Window,
        password: &str,
    ) -> Result<Seen> {
        let session = self.session();
        let button = match place {
            Surface::Prompt => ENTER_IT,
            Surface::Page => RECONNECT_BY_IT,
        };
        let prompted_ms = self.wait_card_button(surface, place, button).await?;
        let screen = format!("{surface}-broken");
        self.screens.take(session, &screen).await?;
        let n_clicks = self.log.clicks().len();
        if place == Surface::Prompt {
            self.open_password_form(surface).await?;
        }
        let field = self.wait_password_field().await?;
        field.write(password).await?;
        self.screens
            .take(session, &format!("{surface}-password"))
            .await?;
        let what = (surface, "button", RECONNECT_BY_IT);
        press(session, &self.log, what, SHOWN_WITHIN).await?;
        let clicked = self.log.clicks().into_iter().nth(n_clicks);
        let clicked = clicked.context("nothing was clicked")?;
        if place == Surface::Prompt {
            // The window tells how it went too; it is closed by the person, as the tab that stands for it.
            self.wait_card_words(surface, Surface::Page, "Resumed.")
                .await?;
            session.close_window().await?;
        }
        session.show(page).await?;
        let resumed_ms = self.wait_resumed(surface, place).await?;
        Ok(Seen {
            prompted_ms,
            clicked_ms: clicked.at_ms,
            resumed_ms,
        })
    }

    /// Opens the form from the prompt on a page, where nothing can be typed, and goes there. A frame that was just drawn
    /// anew counts no click in its first half second, and says that one more is needed.
    pub async fn open_password_form(&self, surface: &str) -> Result<()> {
        let session = self.session();
        let before = session.windows().await?;
        for _ in 0..3 {
            self.wait_card_button(surface, Surface::Prompt, ENTER_IT)
                .await?;
            ensure!(
                session.find("input").await?.is_none(),
                "there is a field in somebody's page"
            );
            self.read().await?;
            self.press_on_card(surface, Surface::Prompt, ENTER_IT)
                .await?;
            let outcome = async || {
                let mut forms = self.find_ours(&before).await?.into_iter();
                if let Some(form) = forms.next() {
                    return Some(Some(form));
                }
                self.enter(Surface::Prompt).await?;
                let words = session.words().await.ok()?;
                words.contains("Press once more").then_some(None)
            };
            let did = wait_for("the window for the password", outcome, SHOWN_WITHIN).await;
            let words = session.words().await.unwrap_or_default();
            session.leave_frames().await?;
            let did = did.with_context(|| format!("the card says {words:?}"))?;
            if let Some(form) = did {
                return self.enter_ours(&form).await;
            }
        }
        anyhow::bail!("three clicks on a card that was read did not count")
    }

    /// The field of the form, by its label.
    pub async fn wait_password_field(&self) -> Result<Element> {
        let look = async || {
            let form = self.session().find("form.password .password-row input");
            let field = form.await.ok()??;
            let name = field.name().await.ok()?;
            ["Password", "New app password"]
                .contains(&name.as_str())
                .then_some(field)
        };
        Ok(wait_for("the field of the password", look, PROMPTED_WITHIN).await?)
    }

    /// The windows of ours that were opened from a prompt; `before` are those that the driver saw before that.
    /// Chromedriver 156 gives no handle of a window that an extension opened with a page of its own (observed on
    /// 2026-11-27); there they are asked of the browser itself.
    pub async fn find_ours(&self, before: &[Window]) -> Option<Vec<Ours>> {
        let session = self.session();
        if self.kind() == Kind::Firefox {
            let windows = session.windows().await.ok()?.into_iter();
            let opened = windows.filter(|window| !before.contains(window));
            return Some(opened.map(Ours::Window).collect());
        }
        let targets = session.devtools("Target.getTargets", json!({}));
        let targets = targets.await.ok()?;
        let form = format!("{}#inb_", self.browser.page("popup.html"));
        let pages = targets.get("targetInfos")?.as_array()?.iter();
        let pages = pages.filter(|target| target["type"] == "page");
        let read = |target: &serde_json::Value| {
            let url = target["url"]
                .as_str()
                .filter(|url| url.starts_with(&form))?;
            Some(Ours::Page {
                target: target["targetId"].as_str()?.to_owned(),
                url: url.to_owned(),
            })
        };
        Some(pages.filter_map(read).collect())
    }

    /// Goes there. What the driver does not see is shown in a tab.
    pub async fn enter_ours(&self, ours: &Ours) -> Result<()> {
        match ours {
            Ours::Window(window) => self.session().switch_to(window).await?,
            Ours::Page { url, .. } => {
                self.session().open_tab().await?;
                self.session().goto(url).await?;
            }
        }
        Ok(())
    }

    /// Closes it, as a person does.
    pub async fn close_ours(&self, ours: &Ours) -> Result<()> {
        match ours {
            Ours::Window(window) => {
                self.session().switch_to(window).await?;
                self.session().close_window().await?;
            }
            Ours::Page { target, .. } => {
                let which = json!({ "targetId": target });
                self.session().devtools("Target.closeTarget", which).await?;
            }
        }
        Ok(())
    }
}

/// A window of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ours {
    /// One that the driver sees.
    Window(Window),
    /// One that it does not see.
    Page {
        /// The browser's number of its page.
        target: String,
        /// What it shows.
        url: String,
    },
}
