//! A password that a person gave: sealed to the pinned key as soon as the relay has named the reconnect that it is for.
//! Until then it is in the one call that asks for that name, and nowhere else. And the window of ours in which it is
//! typed, or another account confirmed, where the card stands in somebody's page.

use protocol::id::InboxId;
use protocol::reconnect::Grant;
use protocol::request::reconnect::ReconnectState;
use web::card::Given;

use super::{Background, POPUP, report};
use crate::browser::{self, tabs, windows};
use crate::flow::Event;

/// The window's room, in pixels: the card with its form, the servers unfolded.
const WIDTH: u32 = 420;
const HEIGHT: u32 = 640;

impl Background {
    /// Starts or joins a reconnect, and seals the password for it.
    pub(super) async fn give_password(&self, inbox: &InboxId, given: Given) -> Event {
        let started = match self.start_or_join(inbox).await {
            Ok(started) => started,
            Err(event) => return event,
        };
        let Given { user, password } = given;
        let grant = Grant::Password { user, password };
        let reconnect = &started.reconnect;
        let waits = reconnect.state == ReconnectState::Started;
        let sealed = if waits {
            self.seal(inbox, &reconnect.id, &grant)
        } else {
            None
        };
        Event::PasswordSealed {
            started: Box::new(started),
            sealed,
        }
    }

    /// Shows the card in a window of ours, which no page can cover or listen in to; where the browser has no windows,
    /// in a tab. One that is open comes to the front.
    pub(super) async fn open_form(&self, inbox: InboxId) {
        if self.0.opening.borrow_mut().insert(inbox.clone()) {
            self.open_window(&inbox).await;
            self.0.opening.borrow_mut().remove(&inbox);
            self.save().await;
        }
    }

    async fn open_window(&self, inbox: &InboxId) {
        let open = self.0.record.borrow().passing.forms.get(inbox).copied();
        if let Some(window) = open
            && windows::show(window).await.is_ok()
        {
            return;
        }
        let address = match browser::get_url(POPUP) {
            Ok(address) => format!("{address}#{inbox}"),
            Err(error) => return report(Err(error)),
        };
        match windows::open(&address, WIDTH, HEIGHT).await {
            Ok(window) => {
                let mut record = self.0.record.borrow_mut();
                record
                    .passing
                    .forms
                    .extend(window.map(|window| (inbox.clone(), window)));
            }
            Err(_) => report(tabs::open(&address).await.map(drop)),
        }
    }
}
