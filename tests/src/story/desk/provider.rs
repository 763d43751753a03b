//! At the provider: signing in, and what its pages ask before it lets a mail program in.

use anyhow::{Context as _, Result};

use super::{Desk, SHOWN_WITHIN, Surface};
use crate::person::Person;
use crate::story::servers::Servers;
use crate::wait::wait_for;
use crate::webdriver::element::Element;
use crate::webdriver::seek::{find_named, press, wait_named, wait_words};
use crate::webdriver::session::{Session, Window};

/// What the clicks on the provider's pages are called in the log.
const PROVIDER: &str = "provider";
/// The button that lets the mail program in.
const ALLOW: &str = "Allow";
/// Unfolds the way on, on the warning before an app that is not verified.
const ADVANCED: &str = "Advanced";
/// How the button of that way on begins.
const GO_ON: &str = "Go to ";

impl Desk {
    /// Signs a person in at the provider in this browser: at the sandbox's webmail, or as far as the permission is
    /// asked for, where there is none.
    pub async fn sign_in_at_provider(&self, servers: &Servers, person: &Person) -> Result<()> {
        let session = self.session();
        let Some(visit) = servers.sign_in_visit(&person.address)? else {
            session.goto(&servers.origin()).await?;
            self.press_while_setting_up("button", "Sign in").await?;
            let password = async || {
                if let Some(field) = session.find("input[type=password]").await.ok()? {
                    return Some(field);
                }
                let account = find_account(session, &person.address).await?;
                let _clicked = self.setting_up.click("provider", &account).await;
                None
            };
            let field = wait_for("the provider's password field", password, SHOWN_WITHIN).await?;
            field.write(&person.password).await?;
            self.press_while_setting_up("button", "Sign in").await?;
            wait_words(session, "Signed in as", SHOWN_WITHIN).await?;
            return Ok(());
        };
        session.goto(&visit).await?;
        let password = async || session.find("input[type=password]").await.ok()?;
        let field = wait_for("the provider's password field", password, SHOWN_WITHIN).await?;
        field.write(&person.password).await?;
        self.press_while_setting_up("button", "Sign in").await?;
        wait_named(session, "button", "Allow", SHOWN_WITHIN).await?;
        Ok(())
    }

    /// Does what the provider's window or tab asks for, where one opens; where the provider knows the person and
    /// asks nothing, the card says by itself that the campaign goes on.
    pub(super) async fn do_what_provider_asks(
        &self,
        before: &[Window],
        place: Surface,
    ) -> Result<()> {
        let session = self.session();
        let next = async || {
            if let Some(opened) = self.find_opened(before).await {
                return Some(Some(opened));
            }
            self.enter(place).await?;
            let words = session.words().await.ok()?;
            words.contains("Resumed.").then_some(None)
        };
        let next = wait_for("the provider's window", next, SHOWN_WITHIN).await;
        session.leave_frames().await?;
        if let Some(opened) = next.context("nothing was opened at the provider")? {
            self.allow_in(&opened).await?;
        }
        Ok(())
    }

    /// Waits for the window or tab that the provider is opened in, does what it asks for, and answers which it was.
    pub async fn finish_at_provider(&self, before: &[Window]) -> Result<Window> {
        let opened = async || self.find_opened(before).await;
        let opened = wait_for("the provider's window", opened, SHOWN_WITHIN)
            .await
            .context("nothing was opened at the provider")?;
        self.allow_in(&opened).await?;
        Ok(opened)
    }

    /// Past the warning before an app that is not verified, where there is one; then "Allow".
    async fn allow_in(&self, window: &Window) -> Result<()> {
        let session = self.session();
        session.switch_to(window).await?;
        let is_warned = async || {
            if let Some(advanced) = find_summary(session, ADVANCED).await {
                return Some(Some(advanced));
            }
            find_named(session, "button", ALLOW)
                .await
                .ok()?
                .map(|_| None)
        };
        let warned = wait_for("the provider's page", is_warned, SHOWN_WITHIN).await;
        let warned = self.tell_page_when_missing(PROVIDER, warned).await?;
        if let Some(advanced) = warned {
            self.screens.take(session, "provider-warning").await?;
            self.log.click(PROVIDER, &advanced).await?;
            self.press_at_provider(GO_ON).await?;
        }
        wait_named(session, "button", ALLOW, SHOWN_WITHIN).await?;
        self.screens.take(session, "provider").await?;
        self.press_at_provider(ALLOW).await
    }

    async fn press_at_provider(&self, name: &str) -> Result<()> {
        let what = (PROVIDER, "button", name);
        press(self.session(), &self.log, what, SHOWN_WITHIN).await?;
        Ok(())
    }

    /// The first window or tab that was not there before.
    pub(super) async fn find_opened(&self, before: &[Window]) -> Option<Window> {
        let windows = self.session().windows().await.ok()?;
        windows.into_iter().find(|window| !before.contains(window))
    }
}

/// The button of the account chooser for this address.
async fn find_account(session: &Session, address: &str) -> Option<Element> {
    for button in session.find_all("button").await.ok()? {
        if button.name().await.ok()?.contains(address) {
            return Some(button);
        }
    }
    None
}

/// The summary of something folded, by its words.
async fn find_summary(session: &Session, words: &str) -> Option<Element> {
    for summary in session.find_all("summary").await.ok()? {
        if summary.words().await.ok()?.contains(words) {
            return Some(summary);
        }
    }
    None
}
