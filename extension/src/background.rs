//! The background: it sees, decides and signs in. This file is its shell: it registers every listener in its first turn
//! (`background.js` has kept what came before that), loads what was written down, and passes events on. What is decided
//! is pure and stands in the modules beside it and in [`crate::flow`] and [`crate::detect`]; the browser may end the
//! worker between any two lines, so whatever matters is written down before it is done.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;

use js_sys::Promise;
use protocol::id::{InboxId, ReconnectId};
use protocol::timestamp::Timestamp;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};

use crate::browser::port::{self, Port};
use crate::browser::{self, BrowserError, identity, permissions, tabs, windows};
use crate::flow::authorization::Visit;
use crate::flow::{self, Event, Wish};
use crate::message::{EYES_PORT, VIEW_PORT};
use crate::vault::DeviceKey;
use badge::Badge;
use picture::Links;
use record::{Notices, Record};
use turn::Turn;

pub mod badge;
mod chance;
mod clock;
#[cfg(test)]
mod example;
mod eyes;
mod keeping;
pub mod pairing;
mod password;
pub mod picture;
mod reconnect;
pub mod record;
mod relay;
mod signing;
pub mod sites;
mod token_endpoint;
mod turn;
mod views;

/// The alarm that asks the relay, and how often it rings: 30 s is the shortest that browsers keep.
const ALARM: &str = "status";
const ALARM_MINUTES: f64 = 0.5;
/// The page of the popup, which may also be shown in a tab.
const POPUP: &str = "popup.html";
/// What the id of a notification begins with; the inbox follows.
const NOTIFICATION: &str = "inbox:";

/// Starts the background. It returns in the same turn, with every listener registered: what `background.js` has kept is
/// handed over in the next one.
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
    /// This browser's key, once it is read.
    key: RefCell<Option<DeviceKey>>,
    /// What the next signature's nonce begins with.
    challenge: RefCell<String>,
    views: RefCell<Vec<views::Open>>,
    eyes: RefCell<Vec<eyes::Open>>,
    visits: RefCell<BTreeMap<InboxId, Visit>>,
    /// The links for another browser that were made.
    links: RefCell<Links>,
    /// The visit that was begun last, and when.
    begun: RefCell<Option<(InboxId, Timestamp)>>,
    /// The reconnects that the relay is being asked about.
    polled: RefCell<BTreeSet<ReconnectId>>,
    /// Whose window of ours is just being opened.
    opening: RefCell<BTreeSet<InboxId>>,
    /// What was written down last, by its name.
    saved: RefCell<BTreeMap<&'static str, String>>,
    badge: RefCell<Option<Badge>>,
    ready: OnceCell<Promise>,
    n_ports: Cell<u32>,
    /// Whether what is kept could not be read, and so may not be written over.
    is_kept_unread: Cell<bool>,
    looking: Turn,
    following_sites: Turn,
    is_watching: Cell<bool>,
}

impl Background {
    fn listen(&self) {
        // What is kept is not for scripts in pages.
        spawn_local(async { report(browser::area::keep_from_pages().await) });
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
                this.load_again().await;
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
                this.follow_notice(InboxId::new(inbox)).await;
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
            // The loading itself never fails: what cannot be read is tried again.
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
        self.load_record().await;
        let granted = sites::granted().await;
        {
            let mut record = self.0.record.borrow_mut();
            record.granted = granted;
            record.redirect_base = identity::redirect_url("").ok();
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

    /// Follows what the person allows: two who registered at a time would undo one another.
    async fn follow_sites(&self) {
        if !self.0.following_sites.is_mine() {
            return;
        }
        loop {
            let granted = sites::granted().await;
            self.0.record.borrow_mut().granted.clone_from(&granted);
            report(sites::register(&granted).await);
            self.changed().await;
            if self.0.following_sites.is_over() {
                break;
            }
        }
    }

    /// A click on a notification begins the reconnect, or shows what else is to be done.
    async fn follow_notice(&self, inbox: InboxId) {
        if !self.0.record.borrow().begins_by_notice(&inbox) {
            return self.show_popup(&inbox).await;
        }
        self.0
            .record
            .borrow_mut()
            .passing
            .by_notice
            .insert(inbox.clone());
        self.tell(&inbox, Event::Clicked(Wish::default())).await;
    }

    /// Shows the card of an inbox in a tab, where it is not in sight.
    async fn show_popup(&self, inbox: &InboxId) {
        if self.is_in_view(inbox) {
            return;
        }
        match browser::get_url(POPUP) {
            Ok(address) => report(tabs::open(&address).await.map(drop)),
            Err(error) => report(Err(error)),
        }
    }

    /// Tells the reconnect of an inbox what happens: it decides, that is written down, and then it is done.
    async fn tell(&self, inbox: &InboxId, event: Event) {
        let (effects, is_bad_notice) = {
            let mut record = self.0.record.borrow_mut();
            let (state, effects) = flow::decide(record.flow(inbox), event, clock::now());
            record.set_flow(inbox, state);
            (effects, record.take_bad_notice(inbox))
        };
        self.changed().await;
        for effect in effects {
            self.perform(inbox, effect);
        }
        if is_bad_notice {
            self.show_popup(inbox).await;
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
