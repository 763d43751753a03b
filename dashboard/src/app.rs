//! The shell: hands what happens in the browser to the decisions, and does what they say. Nothing is decided here.

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use gloo::utils::{document, history, window};
use web_sys::VisibilityState;
use yew::{Component, Context, Html, html};

use crate::event::{Event, Opening};
use crate::model::Model;
use crate::route::{Invited, Route, find_code, find_invitation};
use crate::view::View;

mod keep;
mod passkey;
mod password;
mod perform;
mod tab;

/// The dashboard in a browser.
pub struct App {
    model: Model,
    tabs: tab::Tabs,
    /// The next look.
    timer: Option<Timeout>,
    /// Whether the page was changed for another, whose heading takes the focus.
    is_other_page: bool,
    #[expect(dead_code, reason = "they listen for as long as they are kept")]
    listeners: [EventListener; 2],
}

impl Component for App {
    type Message = Event;
    type Properties = ();

    fn create(context: &Context<Self>) -> Self {
        let went = context.link().callback(|event| event);
        let shown = went.clone();
        let listeners = [
            EventListener::new(&window(), "popstate", move |_| {
                let (route, given) = address();
                went.emit(match given {
                    Some(Link::Code(code)) => Event::Given(code),
                    Some(Link::Invitation(invited)) => Event::Invited(invited),
                    None => Event::Went(route),
                });
            }),
            EventListener::new(&document(), "visibilitychange", move |_| {
                shown.emit(Event::Shown {
                    is_visible: is_visible(),
                    at: web::when::now(),
                });
            }),
        ];
        let (route, given) = address();
        let (code, invited) = match given {
            Some(Link::Code(code)) => (Some(code), None),
            Some(Link::Invitation(invited)) => (None, Some(invited)),
            None => (None, None),
        };
        context.link().send_message(Event::Opened(Box::new(Opening {
            route,
            code,
            invited,
            session: keep::session(),
            reconnects: keep::reconnects(),
            is_visible: is_visible(),
            is_encrypted: is_encrypted(),
            place: passkey::place(),
            at: web::when::now(),
        })));
        Self {
            model: Model::default(),
            tabs: tab::Tabs::default(),
            timer: None,
            is_other_page: false,
            listeners,
        }
    }

    fn update(&mut self, context: &Context<Self>, event: Event) -> bool {
        self.is_other_page |= matches!(event, Event::Went(_));
        for effect in self.model.decide(event) {
            self.perform(context, effect);
        }
        true
    }

    fn view(&self, context: &Context<Self>) -> Html {
        html! { <View model={self.model.clone()} send={context.link().callback(|event| event)} /> }
    }

    fn rendered(&mut self, _: &Context<Self>, _: bool) {
        let title = self.model.title();
        if document().title() != title {
            document().set_title(&title);
        }
        if std::mem::take(&mut self.is_other_page) {
            focus_heading();
        }
    }
}

/// What a one-time link gives.
enum Link {
    Code(protocol::secret::Secret),
    Invitation(Invited),
}

/// Where the browser is, and what a one-time link gives. The code leaves the address at once, so that neither the
/// history nor a look over the shoulder keeps it.
fn address() -> (Route, Option<Link>) {
    let location = window().location();
    let route = Route::parse(&location.pathname().unwrap_or_default());
    if route != Route::Login {
        return (route, None);
    }
    let fragment = location.hash().unwrap_or_default();
    let invited = find_invitation(&fragment).map(Link::Invitation);
    let given = invited.or_else(|| find_code(&fragment).map(Link::Code));
    if given.is_some() {
        show_address(&Route::Login, true);
    }
    (route, given)
}

/// Puts a page's path into the address bar. A browser that refuses leaves the old one there, and the page works.
fn show_address(route: &Route, in_place: bool) {
    let (state, path) = (wasm_bindgen::JsValue::NULL, route.render());
    let _ = if in_place {
        history().replace_state_with_url(&state, "", Some(&path))
    } else {
        history().push_state_with_url(&state, "", Some(&path))
    };
}

/// Whoever works by keyboard or screen reader starts at the top of another page.
fn focus_heading() {
    use wasm_bindgen::JsCast as _;
    let heading = document().query_selector("h1").ok().flatten();
    let heading = heading.and_then(|heading| heading.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(heading) = heading {
        // A heading that takes no focus leaves it where it was.
        let _ = heading.focus();
    }
    window().scroll_to_with_x_and_y(0.0, 0.0);
}

fn is_encrypted() -> bool {
    window()
        .location()
        .protocol()
        .is_ok_and(|scheme| scheme == "https:")
}

fn is_visible() -> bool {
    document().visibility_state() == VisibilityState::Visible
}
