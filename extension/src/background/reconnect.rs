//! Doing what [`crate::flow`] decides. What is secret of a reconnect is here alone, in memory: the visit with its
//! verifier, the code and the tokens, until they are sealed; and the link for another browser, while it waits.

use std::time::Duration;

use protocol::id::{InboxId, ReconnectId};
use protocol::provider::{Provider, ProviderId};
use protocol::reconnect::{Authorization, Grant};
use protocol::request::device::GetRelayKey;
use protocol::request::reconnect::{
    ConfirmReconnect, GetReceipt, GetReconnect, GrantReconnect, HostReconnect, NothingObtained,
    RefuseReconnect, StartReconnect, StartedReconnect,
};
use protocol::sealed::Sealed;
use protocol::secret::Secret;
use protocol::visit::check_provider;
use wasm_bindgen_futures::spawn_local;
use web::sealing;

use super::{Background, chance, clock, token_endpoint};
use crate::browser::{self, BrowserError, identity, tabs, windows};
use crate::flow::authorization::{ExchangeError, Visit, redirect_uri};
use crate::flow::window::{self, WindowEnd};
use crate::flow::{Effect, Event, Handover};

/// How long a window may take to open. Chromium and Firefox took a fifth of a second where this was tried.
const OPENS_WITHIN: Duration = Duration::from_secs(3);

impl Background {
    /// Does one thing; what comes of it is told to the reconnect.
    pub(super) fn perform(&self, inbox: &InboxId, effect: Effect) {
        match &effect {
            Effect::Forget => {
                self.0.visits.borrow_mut().remove(inbox);
                self.0.links.borrow_mut().remove(inbox);
                return;
            }
            Effect::Poll { reconnect, .. }
                if !self.0.polled.borrow_mut().insert(reconnect.clone()) =>
            {
                return;
            }
            _ => {}
        }
        let (this, inbox) = (self.clone(), inbox.clone());
        spawn_local(async move {
            if let Some(event) = this.carry_out(&inbox, effect).await {
                this.tell(&inbox, event).await;
            }
        });
    }

    async fn carry_out(&self, inbox: &InboxId, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Start => Some(self.start_reconnect(inbox).await),
            Effect::Give(given) => Some(self.give_password(inbox, given).await),
            Effect::Visit {
                reconnect,
                visit,
                authorization,
            } => self.visit(inbox, &reconnect, visit, &authorization).await,
            Effect::Host(reconnect) => Some(self.host(reconnect).await),
            Effect::MakeLink(reconnect) => self.make_link(inbox, reconnect).await,
            Effect::Obtain {
                reconnect,
                authorization,
                code,
            } => Some(self.obtain(inbox, &reconnect, &authorization, code).await),
            Effect::HandOver {
                reconnect,
                what,
                after,
            } => {
                clock::pause(after).await;
                Some(self.hand_over(inbox, reconnect, what).await)
            }
            Effect::Poll {
                reconnect: reconnect_id,
                after,
            } => {
                clock::pause(after).await;
                // A call of the relay alone does not keep the worker.
                super::report(browser::stay_awake().await);
                let asked = reconnect_id.clone();
                let answer = self.call(&GetReconnect { reconnect_id }).await;
                self.0.polled.borrow_mut().remove(&asked);
                Some(answer.map_or(Event::PollFailed, Event::Polled))
            }
            Effect::ReadReceipt(receipt_id) => {
                // Where it fails, the next alarm tries again.
                let receipt = self.call(&GetReceipt { receipt_id }).await.ok()?;
                Some(Event::ReceiptRead(Box::new(receipt)))
            }
            Effect::CloseWindow(window) => {
                // The person may have closed it already.
                let _ = windows::close(window).await;
                None
            }
            Effect::CloseTab(tab) => {
                // The person may have closed it already.
                let _ = tabs::close(tab).await;
                None
            }
            Effect::Look => {
                self.look().await;
                None
            }
            Effect::Forget => None,
        }
    }

    async fn start_reconnect(&self, inbox: &InboxId) -> Event {
        match self.start_or_join(inbox).await {
            Ok(started) => Event::Started(Box::new(started)),
            Err(event) => event,
        }
    }

    /// The key first: nobody signs in for a relay that is not the one that was paired.
    pub(super) async fn start_or_join(&self, inbox: &InboxId) -> Result<StartedReconnect, Event> {
        // As it is known while it is asked: it may be followed to another one meanwhile.
        let pinned = {
            let record = self.0.record.borrow();
            record
                .kept
                .paired
                .as_ref()
                .map(|paired| paired.sealing.clone())
        };
        let key = match self.call(&GetRelayKey {}).await {
            Ok(answer) => answer.relay_key,
            Err(failure) => return Err(Event::CallFailed(failure)),
        };
        if pinned != Some(key) {
            return Err(Event::OtherKey);
        }
        let request = StartReconnect {
            inbox_id: inbox.clone(),
        };
        self.call(&request).await.map_err(Event::CallFailed)
    }

    /// One visit in a window; `None` where its answer is nobody's any more.
    async fn visit(
        &self,
        inbox: &InboxId,
        reconnect: &ReconnectId,
        number: usize,
        authorization: &Authorization,
    ) -> Option<Event> {
        // It may have been called off while that it begins was written down.
        let state = self.0.record.borrow().flow(inbox);
        if !state.is_at_visit(reconnect, number) {
            return None;
        }
        let failed = |words: &str| {
            Some(Event::WindowEnded(WindowEnd::Failed {
                words: words.to_owned(),
            }))
        };
        let base = match identity::redirect_url("") {
            Ok(base) => base,
            Err(error) => return Some(window_ended(&error)),
        };
        // Both browsers have one such window at a time.
        let is_taken = self.0.visits.borrow().keys().any(|other| other != inbox);
        if is_taken {
            return failed("another sign-in has its window open");
        }
        let provider = self.provider(inbox);
        let known = Provider::find(&provider).and_then(|provider| provider.oauth.as_ref());
        let relay = {
            let record = self.0.record.borrow();
            let paired = record.kept.paired.as_ref();
            paired.map_or_else(String::new, |paired| paired.relay.clone())
        };
        if let Err(other) = check_provider(known, authorization, &relay) {
            let words = other.to_string();
            return Some(Event::OtherProvider { words });
        }
        let redirect_uri = redirect_uri(&base, &provider);
        let begun = Visit::begin(authorization, number, &redirect_uri, chance::for_visit());
        let Some(visit) = begun else {
            return failed("the provider's sign-in page has no web address");
        };
        self.0
            .visits
            .borrow_mut()
            .insert(inbox.clone(), visit.clone());
        let begun = Some((inbox.clone(), clock::now()));
        self.0.begun.borrow_mut().clone_from(&begun);
        let interactive = authorization
            .visits
            .get(number)
            .is_none_or(|visit| visit.interactive);
        let answer = identity::launch_web_auth_flow(visit.url(), interactive).await;
        if *self.0.begun.borrow() == begun {
            // What opens from now on is not its window.
            self.0.begun.take();
        }
        // A window that was given up may answer long after.
        let is_current = self
            .0
            .visits
            .borrow()
            .get(inbox)
            .is_some_and(|current| current.is(&visit));
        is_current.then(|| match answer {
            Ok(redirect) => Event::Answered(visit.read(&redirect)),
            Err(error) => window_ended(&error),
        })
    }

    /// A window without bars that opens just after a visit began is the visit's.
    pub(super) async fn recognise(&self, window: i32) {
        let begun = self.0.begun.borrow_mut().take();
        let Some((inbox, at)) = begun else {
            return;
        };
        if clock::now().since(at) < OPENS_WITHIN {
            self.tell(&inbox, Event::WindowOpened { window }).await;
        }
    }

    async fn host(&self, reconnect_id: ReconnectId) -> Event {
        let hosted = match self.call(&HostReconnect { reconnect_id }).await {
            Ok(hosted) => hosted,
            Err(failure) => return Event::CallFailed(failure),
        };
        match tabs::open(hosted.url.expose()).await {
            Ok(tabs::Tab { id: Some(tab), .. }) => Event::TabOpened { tab },
            Ok(tabs::Tab { id: None, .. }) => Event::TabFailed {
                words: "the browser opened no tab".to_owned(),
            },
            Err(error) => Event::TabFailed {
                words: error.to_string(),
            },
        }
    }

    /// The link is kept in memory; `None` where nobody waits for it any more.
    async fn make_link(&self, inbox: &InboxId, reconnect_id: ReconnectId) -> Option<Event> {
        let asked = HostReconnect {
            reconnect_id: reconnect_id.clone(),
        };
        let answer = self.call(&asked).await;
        let state = self.0.record.borrow().flow(inbox);
        if !state.is_making_link(&reconnect_id) {
            return None;
        }
        Some(match answer {
            Ok(hosted) => {
                let mut links = self.0.links.borrow_mut();
                links.insert(inbox.clone(), hosted.url);
                Event::LinkMade
            }
            Err(failure) => Event::CallFailed(failure),
        })
    }

    async fn obtain(
        &self,
        inbox: &InboxId,
        reconnect: &ReconnectId,
        authorization: &Authorization,
        code: Secret,
    ) -> Event {
        let visit = self.0.visits.borrow_mut().remove(inbox);
        let Some(visit) = visit else {
            return Event::ExchangeFailed {
                error: None,
                words: "the sign-in was given up before its answer came".to_owned(),
            };
        };
        match visit.obtain(authorization, code, token_endpoint::ask).await {
            Ok(grant) => self
                .seal(inbox, reconnect, &grant)
                .map_or(Event::OtherKey, Event::Sealed),
            Err(failure) => Event::ExchangeFailed {
                words: failure.to_string(),
                error: match failure {
                    ExchangeError::Refused { error, .. } => error,
                    ExchangeError::NotAnAddress => None,
                },
            },
        }
    }

    /// Seals to the pinned key, for this reconnect alone; `None` where that is no key.
    pub(super) fn seal(
        &self,
        inbox: &InboxId,
        reconnect: &ReconnectId,
        grant: &Grant,
    ) -> Option<Sealed> {
        let key = {
            let record = self.0.record.borrow();
            record.kept.paired.as_ref()?.sealing.clone()
        };
        sealing::seal(&key, inbox, reconnect, grant)
    }

    async fn hand_over(&self, inbox: &InboxId, reconnect_id: ReconnectId, what: Handover) -> Event {
        let refuse = async |why| {
            let refusal = RefuseReconnect {
                reconnect_id: reconnect_id.clone(),
                why,
            };
            self.call(&refusal).await
        };
        let answer = match what {
            Handover::Grant { sealed } => {
                let reconnect_id = reconnect_id.clone();
                self.call(&GrantReconnect {
                    reconnect_id,
                    sealed,
                })
                .await
            }
            Handover::Confirmation => {
                let reconnect_id = reconnect_id.clone();
                self.call(&ConfirmReconnect { reconnect_id }).await
            }
            Handover::Refusal { error, description } => {
                refuse(NothingObtained::Provider { error, description }).await
            }
            Handover::MixUp { .. } => refuse(NothingObtained::MixedUp).await,
            Handover::Closing { in_tab, .. } => {
                // In a tab it was the relay's own.
                let base = identity::redirect_url("").ok().filter(|_| !in_tab);
                let redirect_uri = base.map(|base| redirect_uri(&base, &self.provider(inbox)));
                refuse(NothingObtained::Closed { redirect_uri }).await
            }
            Handover::Cancellation { .. } | Handover::Denial => {
                refuse(NothingObtained::Cancelled).await
            }
        };
        match answer {
            Ok(reconnect) => Event::Acknowledged(reconnect),
            Err(failure) => Event::CallFailed(failure),
        }
    }

    fn provider(&self, inbox: &InboxId) -> ProviderId {
        let record = self.0.record.borrow();
        let found = record.inboxes().iter().find(|known| known.id == *inbox);
        found.map_or_else(|| ProviderId::new(""), |inbox| inbox.provider.clone())
    }
}

/// Opening a tab in the browser is another way wherever the window does not work.
fn window_ended(error: &BrowserError) -> Event {
    let words = match error {
        BrowserError::Missing { .. } => error.to_string(),
        BrowserError::Failed { words, .. } => words.clone(),
    };
    Event::WindowEnded(window::read(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_without_windows_for_it_is_told_like_one_whose_window_failed() {
        let missing = BrowserError::Missing {
            call: "identity.launchWebAuthFlow",
        };
        assert!(matches!(
            window_ended(&missing),
            Event::WindowEnded(WindowEnd::Failed { .. })
        ));
    }
}
