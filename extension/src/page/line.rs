//! A view's line to the background: one port that is opened again when it drops, because browsers end the
//! background whenever it is idle. A drop is told only if it lasts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use yew::{Callback, hook, use_effect_with, use_memo, use_state_eq};

use crate::browser::port::{self, Port};
use crate::message::{Ask, Snapshot, VIEW_PORT, View, compact};

/// How long a background that does not answer is waited for before it is said. One that was ended is up again
/// in well under a second.
const PATIENCE_MS: u32 = 4_000;
/// The first wait before the port is opened again, and the longest.
const AGAIN_AFTER_MS: (u32, u32) = (100, 2_000);

/// What a view knows and how it asks.
#[derive(Clone)]
pub(super) struct Told {
    /// What was told last; `None` before the first word.
    pub(super) snapshot: Option<Rc<Snapshot>>,
    /// Whether the background has not answered for some time.
    pub(super) is_silent: bool,
    /// Asks the background; what is asked while the port is down is asked when it is up.
    pub(super) ask: Callback<Ask>,
}

/// Keeps a line open for as long as the component lives and is this view.
#[hook]
pub(super) fn use_line(view: View) -> Told {
    let snapshot = use_state_eq(|| None);
    let is_silent = use_state_eq(|| false);
    let line = {
        let (snapshot, is_silent) = (snapshot.clone(), is_silent.clone());
        use_memo(view, move |view| {
            let heard = Callback::from(move |heard| match heard {
                Heard::Snapshot(told) => {
                    snapshot.set(Some(told));
                    is_silent.set(false);
                }
                Heard::Silence => is_silent.set(true),
            });
            Rc::new(Line::new(view.clone(), heard))
        })
    };
    use_effect_with(Rc::clone(&line), |line| {
        open(line);
        let line = Rc::clone(line);
        move || line.close()
    });
    let ask = {
        let line = Rc::clone(&line);
        Callback::from(move |ask| line.ask(ask))
    };
    Told {
        snapshot: (*snapshot).clone(),
        is_silent: *is_silent,
        ask,
    }
}

enum Heard {
    Snapshot(Rc<Snapshot>),
    Silence,
}

struct Line {
    view: View,
    heard: Callback<Heard>,
    port: RefCell<Option<Port>>,
    unasked: RefCell<Vec<Ask>>,
    again_after_ms: Cell<u32>,
    again: RefCell<Option<Timeout>>,
    silence: RefCell<Option<Timeout>>,
    is_closed: Cell<bool>,
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Line {
    fn new(view: View, heard: Callback<Heard>) -> Self {
        Self {
            view,
            heard,
            port: RefCell::default(),
            unasked: RefCell::default(),
            again_after_ms: Cell::new(AGAIN_AFTER_MS.0),
            again: RefCell::default(),
            silence: RefCell::default(),
            is_closed: Cell::new(false),
        }
    }

    fn ask(&self, ask: Ask) {
        if !self.post(&ask) {
            self.unasked.borrow_mut().push(ask);
        }
    }

    fn post(&self, ask: &Ask) -> bool {
        let Some(text) = compact::write(ask) else {
            return false;
        };
        let port = self.port.borrow();
        port.as_ref()
            .is_some_and(|port| port.post(text.expose()).is_ok())
    }

    fn hear(&self, text: &str) {
        if let Some(snapshot) = compact::read(text) {
            self.again_after_ms.set(AGAIN_AFTER_MS.0);
            self.silence.take();
            self.heard.emit(Heard::Snapshot(Rc::new(snapshot)));
        }
    }

    fn close(&self) {
        self.is_closed.set(true);
        self.again.take();
        self.silence.take();
        if let Some(port) = self.port.take() {
            // A port that is gone already is closed.
            drop(port.disconnect());
        }
    }
}

fn open(line: &Rc<Line>) {
    if line.is_closed.get() {
        return;
    }
    if line.silence.borrow().is_none() {
        let heard = line.heard.clone();
        let timer = Timeout::new(PATIENCE_MS, move || heard.emit(Heard::Silence));
        line.silence.replace(Some(timer));
    }
    let Ok(port) = port::connect(VIEW_PORT) else {
        return open_again(line);
    };
    let listening = {
        let (hearing, losing) = (Rc::clone(line), Rc::clone(line));
        port.on_text(move |text| hearing.hear(&text))
            .and_then(|()| {
                port.on_disconnect(move || {
                    losing.port.take();
                    open_again(&losing);
                })
            })
    };
    line.port.replace(Some(port));
    let view = line.view.clone();
    if listening.is_err() || !line.post(&Ask::Open { view }) {
        line.port.take();
        return open_again(line);
    }
    for ask in line.unasked.take() {
        line.ask(ask);
    }
}

fn open_again(line: &Rc<Line>) {
    if line.is_closed.get() {
        return;
    }
    let after_ms = line.again_after_ms.get();
    line.again_after_ms
        .set((after_ms * 2).min(AGAIN_AFTER_MS.1));
    let again = Rc::clone(line);
    line.again
        .replace(Some(Timeout::new(after_ms, move || open(&again))));
}
