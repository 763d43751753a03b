//! The background: it sees, decides and signs in. This file is its shell: it registers every listener in the
//! browser's first turn, loads what was written down, and passes events on. What is decided is pure and stands in
//! the modules beside it and in [`crate::flow`] and [`crate::detect`]; the browser may end the worker between any
//! two lines, so whatever matters is written down before it is done.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;

use js_sys::Promise;
use protocol::id::InboxId;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};

use crate::browser::area::Area;
use crate::browser::port::{self, Port};
use crate::browser::{self, BrowserError, identity, permissions, tabs, windows};
use crate::flow::authorization::Visit;
use crate::flow::{self, Event};
use crate::message::{EYES_PORT, VIEW_PORT};
use crate::vault;
use badge::Badge;
use record::{Notices, Reach, Record};

pub mod badge;
mod chance;
mod clock;
#[cfg(test)]
mod example;
mod eyes;
pub mod pairing;
pub mod picture;
mod reconnect;
pub mod record;
mod relay;
pub mod sites;
mod token_endpoint;
mod views;

/// The alarm that asks the relay, and how often it rings: 30 s is the shortest that browsers keep.
const ALARM: &str = "status";
const ALARM_MINUTES: f64 = 0.5;
/// Where each part of the record is kept.
const KEPT: &str = "kept";
const PASSING: &str = "passing";
/// What the id of a notification begins with; the inbox follows.
const NOTIFICATION: &str = "inbox:";

/// Starts the background. It returns in the same turn, with every listener registered: one that came later would
/// miss the event that woke the worker.
pub fn start() {
    let background = Background(Rc::default());
    background.listen();
    background.when_ready(async |_| {});
}

/// The background, shared by everything that runs in it.
#[derive(Clone)]
struct Background(Rc<Memory>);

/// What is lost when the worker ends.
#[derive(Default)]
struct Memory {
    record: RefCell<Record>,
    token: RefCell<Option<Secret>>,
    views: RefCell<Vec<views::Open>>,
    eyes: RefCell<Vec<eyes::Open>>,
    visits: RefCell<BTreeMap<InboxId, Visit>>,
    /// The visit that was begun last, and when.
    begun: RefCell<Option<(InboxId, Timestamp)>>,
    /// The reconnects that the relay is being asked about.
    polled: RefCell<BTreeSet<InboxId>>,
    /// What was written down last, by its name.
    saved: RefCell<BTreeMap<&'static str, String>>,
    badge: RefCell<Option<Badge>>,
    ready: OnceCell<Promise>,
    n_ports: Cell<u32>,
    is_looking: Cell<bool>,
    wants_look: Cell<bool>,
    is_watching: Cell<bool>,
}

impl Background {
    fn listen(&self) {
        let this = self.clone();
        report(browser::on_installed(move |_| {
            this.when_ready(async |this| this.follow_sites().await);
        }));
        let this = self.clone();
        report(browser::on_startup(move || {
            this.when_ready(async |this| this.follow_sites().await);
        }));
        let this = self.clone();
        report(browser::on_alarm(move |_| {
            this.when_ready(async |this| {
                this.tell_all(&Event::Ticked).await;
                this.look().await;
            });
        }));
        let this = self.clone();
        report(browser::on_notification_clicked(move |id| {
            this.when_ready(async move |this| {
                let Some(inbox) = id.strip_prefix(NOTIFICATION) else {
                    return;
                };
                report(browser::clear_notification(&id).await);
                this.tell(&InboxId::new(inbox), Event::Clicked { in_tab: false })
                    .await;
            });
        }));
        let this = self.clone();
        report(permissions::on_added(move |origins| {
            this.when_ready(async move |this| {
                this.follow_sites().await;
                report(sites::open_eyes(&origins).await);
            });
        }));
        let this = self.clone();
        report(permissions::on_removed(move |_| {
            this.when_ready(async |this| this.follow_sites().await);
        }));
        let this = self.clone();
        report(tabs::on_removed(move |tab| {
            this.when_ready(async move |this| {
                this.forget_tab(tab);
                this.tell_all(&Event::TabClosed { tab }).await;
            });
        }));
        let this = self.clone();
        report(windows::on_popup_created(move |window| {
            this.when_ready(async move |this| this.recognise(window).await);
        }));
        let this = self.clone();
        report(port::on_connect(move |port| this.welcome(port)));
    }

    fn welcome(&self, port: Port) {
        let n = self.0.n_ports.get().wrapping_add(1);
        self.0.n_ports.set(n);
        match port.name().as_str() {
            VIEW_PORT => self.welcome_view(n, port),
            EYES_PORT => self.welcome_eyes(n, port),
            _ => report(port.disconnect()),
        }
    }

    /// Does this work once everything is loaded, in the order of the calls.
    fn when_ready<F: Future<Output = ()> + 'static>(&self, work: impl FnOnce(Self) -> F + 'static) {
        let (this, ready) = (self.clone(), self.ready());
        spawn_local(async move {
            // The loading itself never fails: what cannot be read is as if it were not there.
            let _ = JsFuture::from(ready).await;
            work(this).await;
        });
    }

    fn ready(&self) -> Promise {
        let this = self.clone();
        let load = move || {
            future_to_promise(async move {
                this.load().await;
                Ok(JsValue::UNDEFINED)
            })
        };
        self.0.ready.get_or_init(load).clone()
    }

    /// Loads what was written down, and goes on where the worker before was ended.
    async fn load(&self) {
        let kept = self.load_text(Area::Local, KEPT).await;
        let passing = self.load_text(Area::Session, PASSING).await;
        let granted = sites::granted().await;
        let is_paired = {
            let mut record = self.0.record.borrow_mut();
            record.kept = kept;
            record.passing = passing;
            record.granted = granted;
            record.redirect_base = identity::redirect_url("").ok();
            record.kept.paired.is_some()
        };
        if is_paired {
            self.load_token().await;
        }
        if matches!(browser::has_alarm(ALARM).await, Ok(false)) {
            report(browser::create_alarm(ALARM, ALARM_MINUTES).await);
        }
        self.changed().await;
        let this = self.clone();
        // After loading, which a reconnect that is gone on with waits for.
        spawn_local(async move {
            this.tell_all(&Event::Woke).await;
            this.look().await;
        });
    }

    async fn load_token(&self) {
        match vault::read().await {
            Ok(token) => {
                if token.is_none() {
                    self.0.record.borrow_mut().passing.reach = Reach::Revoked;
                }
                *self.0.token.borrow_mut() = token;
            }
            Err(error) => {
                let mut record = self.0.record.borrow_mut();
                record.passing.reach = Reach::Revoked;
                record.pairing_problem =
                    Some(format!("This browser must be paired again: {error}."));
            }
        }
    }

    async fn load_text<T: DeserializeOwned + Default>(&self, area: Area, name: &'static str) -> T {
        let text = area.get(name).await.ok().flatten().unwrap_or_default();
        let read = serde_json::from_str(&text).unwrap_or_default();
        self.0.saved.borrow_mut().insert(name, text);
        read
    }

    /// Writes down what has changed.
    async fn save(&self) {
        let (kept, passing) = {
            let record = self.0.record.borrow();
            (render(&record.kept), render(&record.passing))
        };
        for (area, name, text) in [(Area::Local, KEPT, kept), (Area::Session, PASSING, passing)] {
            let saved = self.0.saved.borrow_mut().insert(name, text.clone());
            if saved.as_ref() != Some(&text) {
                report(area.set(name, &text).await);
            }
        }
    }

    /// Writes down what has changed, and shows it to everybody whom it concerns.
    async fn changed(&self) {
        self.save().await;
        self.show_views();
        self.show_eyes();
        let badge = badge::draw(&self.0.record.borrow());
        let shown = self.0.badge.borrow_mut().replace(badge.clone());
        if shown.as_ref() != Some(&badge) {
            report(browser::show_badge(&badge.text, badge.color, &badge.title).await);
        }
    }

    /// Follows what the person allows.
    async fn follow_sites(&self) {
        let granted = sites::granted().await;
        self.0.record.borrow_mut().granted.clone_from(&granted);
        report(sites::register(&granted).await);
        self.changed().await;
    }

    /// Tells the reconnect of an inbox what happens: it decides, that is written down, and then it is done.
    async fn tell(&self, inbox: &InboxId, event: Event) {
        let effects = {
            let mut record = self.0.record.borrow_mut();
            let (state, effects) = flow::decide(record.flow(inbox), event, clock::now());
            record.set_flow(inbox, state);
            effects
        };
        self.changed().await;
        for effect in effects {
            self.perform(inbox, effect);
        }
    }

    async fn tell_all(&self, event: &Event) {
        let inboxes: Vec<InboxId> = {
            let record = self.0.record.borrow();
            record.passing.flows.keys().cloned().collect()
        };
        for inbox in inboxes {
            self.tell(&inbox, event.clone()).await;
        }
    }

    async fn notify(&self, notices: Notices) {
        for news in notices.show {
            let id = format!("{NOTIFICATION}{}", news.inbox);
            report(browser::notify(&id, &news.title, &news.message).await);
        }
        for inbox in notices.clear {
            let id = format!("{NOTIFICATION}{inbox}");
            report(browser::clear_notification(&id).await);
        }
    }
}

fn render<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A call of the browser that failed and has no answer to wait for: it stands in the extension's own console.
fn report(result: Result<(), BrowserError>) {
    if let Err(error) = result {
        web_sys::console::warn_1(&error.to_string().into());
    }
}
