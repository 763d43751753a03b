//! What the frame can tell of itself: whether it is in sight, what was pressed in it, how high it is, and which
//! number it was given. What follows from that is in [`super::guard`].

use std::cell::Cell;
use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions};
use gloo::timers::callback::Interval;
use js_sys::{Array, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{
    Element, IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit,
    ResizeObserver,
};
use yew::{NodeRef, hook, use_effect_with, use_mut_ref};

use super::guard::{Click, Sight};

/// How often a browser that can tell whether a frame is covered looks; the least that it takes (Intersection
/// Observer v2 §2.2.1).
const LOOK_EVERY_MS: i32 = 100;
/// How often the height is said again: the eyes may have been away when it was said.
const SAY_AGAIN_EVERY_MS: u32 = 1_000;
/// The frame's own border, two lines of a pixel (`extension/eyes/eyes.js`).
const BORDER: f64 = 2.0;

/// The number that the eyes gave the frame as its name: addresses stand in lists that a page may read. With another
/// number the frame is loaded again.
pub(super) fn nonce() -> String {
    let name = web_sys::window().and_then(|window| window.name().ok());
    name.unwrap_or_default()
}

/// Keeps the last press in this document, with what was known when it came. It is taken before any button's own
/// listener runs.
#[hook]
pub(super) fn use_last_click(frame: &NodeRef) -> Rc<Cell<Option<Click>>> {
    let last = use_mut_ref(Rc::<Cell<Option<Click>>>::default);
    let last = Rc::clone(&last.borrow());
    let kept = Rc::clone(&last);
    use_effect_with(frame.clone(), move |frame| {
        let sight = Rc::<Cell<Sight>>::default();
        let watch = frame
            .cast::<Element>()
            .and_then(|element| Watch::start(&element, Rc::clone(&sight)).ok());
        let listener = web_sys::window().map(|window| {
            let options = EventListenerOptions::run_in_capture_phase();
            EventListener::new_with_options(&window, "click", options, move |event| {
                kept.set(Some(read_click(event, sight.get())));
            })
        });
        move || drop((watch, listener))
    });
    last
}

fn read_click(event: &web_sys::Event, sight: Sight) -> Click {
    let window = web_sys::window();
    let has_focus = window
        .as_ref()
        .and_then(web_sys::Window::document)
        .is_some_and(|document| document.has_focus().unwrap_or(false));
    let is_active = window
        .and_then(|window| Reflect::get(&window.navigator(), &"userActivation".into()).ok())
        .and_then(|activation| Reflect::get(&activation, &"isActive".into()).ok())
        .is_some_and(|active| active.is_truthy());
    Click {
        is_trusted: event.is_trusted(),
        is_active,
        has_focus,
        at_ms: event.time_stamp(),
        sight,
    }
}

/// Tells how high an element is, its border included, when that changes and again while somebody looks, until what
/// is returned is called.
pub(super) fn on_height<F>(element: &NodeRef, told: F) -> impl FnOnce() + use<F>
where
    F: Fn(u32) + 'static,
{
    let watched = element.cast::<Element>();
    let measured = watched.clone();
    let say: Rc<dyn Fn()> = Rc::new(move || {
        if let Some(element) = &measured {
            let height = element.get_bounding_client_rect().height();
            if height == 0.0 {
                // There is no card yet, or none any more: nothing to make room for.
                return;
            }
            let height = (height + BORDER).ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a height in pixels, rounded"
            )]
            told(height as u32);
        }
    });
    let again = {
        let say = Rc::clone(&say);
        Interval::new(SAY_AGAIN_EVERY_MS, move || {
            if is_looked_at() {
                say();
            }
        })
    };
    let changed = Closure::<dyn FnMut()>::new(move || say());
    let observer = ResizeObserver::new(changed.as_ref().unchecked_ref()).ok();
    if let (Some(observer), Some(element)) = (&observer, &watched) {
        observer.observe(element);
    }
    move || {
        if let Some(observer) = observer {
            observer.disconnect();
        }
        drop((changed, again));
    }
}

fn is_looked_at() -> bool {
    web_sys::window()
        .and_then(|window| window.document())
        .is_some_and(|document| !document.hidden())
}

/// An observer of whether an element is wholly in sight; it ends when it is dropped.
struct Watch {
    observer: IntersectionObserver,
    _changed: Closure<dyn FnMut(Array)>,
    _shown: Option<EventListener>,
}

impl Watch {
    /// Keeps in `sight` whether `element` is in sight, and since when.
    fn start(element: &Element, sight: Rc<Cell<Sight>>) -> Result<Self, JsValue> {
        let changed = Closure::<dyn FnMut(Array)>::new(move |entries: Array| {
            for entry in entries.iter() {
                let entry: IntersectionObserverEntry = entry.unchecked_into();
                sight.set(read_entry(&entry, sight.get()));
            }
        });
        let options = IntersectionObserverInit::new();
        options.set_threshold(&Array::of2(&0.0.into(), &1.0.into()));
        // Browsers that do not know these two leave them aside.
        Reflect::set(&options, &"trackVisibility".into(), &true.into())?;
        Reflect::set(&options, &"delay".into(), &LOOK_EVERY_MS.into())?;
        let observer =
            IntersectionObserver::new_with_options(changed.as_ref().unchecked_ref(), &options)?;
        observer.observe(element);
        // Chromium computes whether something covers the frame when it draws. A tab that comes back with nothing to
        // draw would keep what was true while it was hidden, so it is asked anew.
        let shown = web_sys::window()
            .and_then(|window| window.document())
            .map(|document| {
                let (observer, element) = (observer.clone(), element.clone());
                EventListener::new(&document, "visibilitychange", move |_| {
                    if is_looked_at() {
                        observer.unobserve(&element);
                        observer.observe(&element);
                    }
                })
            });
        Ok(Self {
            observer,
            _changed: changed,
            _shown: shown,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

/// What an entry tells, and since when, where that was told before.
fn read_entry(entry: &IntersectionObserverEntry, before: Sight) -> Sight {
    // A frame at half a pixel is seldom wholly within the window.
    let is_within = entry.intersection_ratio() > 0.99;
    let is_visible = Reflect::get(entry, &"isVisible".into()).unwrap_or_default();
    let since_ms = match before {
        Sight::Out => entry.time(),
        Sight::Within { since_ms } | Sight::Uncovered { since_ms } => since_ms,
    };
    match is_visible.as_bool() {
        Some(true) if is_within => Sight::Uncovered { since_ms },
        None if is_within => Sight::Within { since_ms },
        _ => Sight::Out,
    }
}
