//! The popup of the toolbar: what needs attention first, then what works, one quiet line each.

use std::rc::Rc;

use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use wasm_bindgen_futures::spawn_local;
use web::card::Act;
use web::card::view::CardView;
use web::icon::{self, Icon};
use web::when;
use yew::{Callback, Html, Properties, component, html, use_effect_with, use_state_eq};

use super::window;
use super::{OTHER, ask_of, clipboard, doubt, host, line, silence};
use crate::browser::{self, permissions, tabs};
use crate::message::{Ask, Quiet, Relay, Snapshot, View};
use crate::origin::Origin;

/// The popup, with its line to the background.
#[component]
pub fn Popup() -> Html {
    let told = line::use_line(View::Popup);
    let offer = use_state_eq(|| None);
    {
        let offer = offer.clone();
        use_effect_with((), move |()| {
            spawn_local(async move { offer.set(find_offer().await) });
        });
    }
    let on_allow = {
        let offer = offer.clone();
        Callback::from(move |origin: Origin| {
            let asked = permissions::request(&[origin.pattern()]);
            let offer = offer.clone();
            spawn_local(async move {
                if asked.await == Ok(true) {
                    offer.set(None);
                }
            });
        })
    };
    let on_options = Callback::from(|()| {
        spawn_local(async {
            // Where it cannot be opened the browser has said so itself.
            drop(browser::open_options().await);
        });
    });
    let only = use_state_eq(window::wanted);
    window::use_focus(only.is_some(), told.snapshot.is_some());
    html! {
        <PopupView
            snapshot={told.snapshot}
            only={(*only).clone()}
            is_silent={told.is_silent}
            offer={(*offer).clone()}
            on_ask={told.ask}
            {on_allow}
            {on_options}
        />
    }
}

/// The site in front, where the extension is not allowed yet and could be.
async fn find_offer() -> Option<Origin> {
    let url = tabs::active_url().await.ok()??;
    let origin = Origin::parse(&url).ok()?;
    let allowed = permissions::contains(&[origin.pattern()]).await;
    (allowed == Ok(false)).then_some(origin)
}

/// What the popup shows.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// What the background told; `None` before its first word.
    pub snapshot: Option<Rc<Snapshot>>,
    /// The inbox that a window was opened for: its card stands alone.
    #[prop_or_default]
    pub only: Option<InboxId>,
    /// Whether the background does not answer.
    #[prop_or_default]
    pub is_silent: bool,
    /// The site in front, where the extension could be allowed.
    #[prop_or_default]
    pub offer: Option<Origin>,
    /// Asks the background.
    #[prop_or_default]
    pub on_ask: Callback<Ask>,
    /// Allows a site, in the turn of the click.
    #[prop_or_default]
    pub on_allow: Callback<Origin>,
    /// Opens the options.
    #[prop_or_default]
    pub on_options: Callback<()>,
    /// The time that the words are true at; the browser's when absent.
    #[prop_or_else(when::now)]
    pub now: Timestamp,
}

/// The popup as a picture.
#[component]
pub fn PopupView(props: &Props) -> Html {
    let Some(snapshot) = &props.snapshot else {
        return html! {
            <main class="popup" aria-busy="true">
                <h1 class="unseen">{ "Unpause" }</h1>
                if props.is_silent {
                    { silence() }
                }
            </main>
        };
    };
    let body = match &snapshot.relay {
        Relay::NotPaired => html! {
            <div class="empty">
                <h2>{ "Pair this browser with your relay" }</h2>
                <p>{ "Unpause works with a relay that you or your team run. One pasted link connects the two." }</p>
                { options_button("Pair with a relay", &props.on_options) }
            </div>
        },
        Relay::Revoked { url } => html! {
            <div class="empty">
                <h2>{ format!("{} does not know this browser any more", host(url)) }</h2>
                <p>
                    { "It was unpaired at the relay, or this browser lost its key. Your inboxes and campaigns are as \
                       they were. A fresh link pairs it again." }
                </p>
                { options_button("Pair again", &props.on_options) }
            </div>
        },
        Relay::Asking { url, .. } => html! {
            <p class="quiet" role="status">{ format!("Asking {} …", host(url)) }</p>
        },
        Relay::Here { .. } => inboxes(snapshot, props),
        Relay::Gone {
            url,
            last_at,
            is_other,
            ..
        } => html! {
            <>
                { gone(url, *last_at, *is_other, props) }
                { inboxes(snapshot, props) }
            </>
        },
    };
    html! {
        <main class="popup">
            <h1 class="unseen">{ "Unpause" }</h1>
            if props.is_silent {
                { silence() }
            }
            { body }
            { foot(snapshot, props) }
        </main>
    }
}

fn inboxes(snapshot: &Snapshot, props: &Props) -> Html {
    let only = props
        .only
        .as_ref()
        .filter(|only| snapshot.cards.iter().any(|card| card.inbox == **only));
    let shown = snapshot
        .cards
        .iter()
        .filter(|card| only.is_none_or(|only| card.inbox == *only));
    let cards = shown.map(|card| {
        let inbox = card.inbox.clone();
        let on_ask = props.on_ask.clone();
        let on_act = Callback::from(move |act: Act| {
            match &act {
                Act::CopyReport(report) => clipboard::copy(report),
                Act::CopyLink(link) => clipboard::copy(link.expose()),
                _ => {}
            }
            if let Some(ask) = ask_of(inbox.clone(), &act) {
                on_ask.emit(ask);
            }
        });
        html! {
            <CardView key={card.inbox.as_str()} card={card.clone()} {on_act} can_link={true} now={props.now} />
        }
    });
    let is_fresh = matches!(snapshot.relay, Relay::Here { .. });
    html! {
        <>
            { for cards }
            if only.is_some() {
                // What else there is stands in the toolbar.
            } else if !snapshot.working.is_empty() {
                <section class="working">
                    if !snapshot.well.is_empty() && is_fresh {
                        <h2 class="all-well">{ icon::view(Icon::Tick) }{ &snapshot.well }</h2>
                    } else {
                        <h2 class="quiet">{ "Inboxes" }</h2>
                    }
                    <ul>{ for snapshot.working.iter().map(working) }</ul>
                </section>
            } else if snapshot.cards.is_empty() && is_fresh {
                <div class="empty">
                    <h2>{ "No inbox yet" }</h2>
                    <p>{ "Add one at the relay with " }<code>{ "unpause inbox add" }</code>{ ". It appears here by itself." }</p>
                </div>
            }
        </>
    }
}

fn working(inbox: &Quiet) -> Html {
    html! {
        <li>
            <span class="address">{ &inbox.address }</span>
            <span class="quiet">{ &inbox.doing }</span>
        </li>
    }
}

fn gone(url: &str, last_at: Option<Timestamp>, is_other: bool, props: &Props) -> Html {
    let look = props.on_ask.reform(|_| Ask::Look);
    html! {
        <div class="notice" role="status">
            <p>
                <b>{ if is_other { OTHER.to_owned() } else { format!("{} does not answer.", host(url)) } }</b>
                if let Some(at) = last_at {
                    { " It did " }{ when::element(at, when::past(at, props.now)) }{ ", and what you see is from then." }
                }
                { " Campaigns run at the relay, so check that it is running and that you are online." }
            </p>
            if !is_other {
                { doubt(url) }
            }
            <button type="button" onclick={look}>{ "Try again" }</button>
        </div>
    }
}

fn foot(snapshot: &Snapshot, props: &Props) -> Html {
    let relay = match &snapshot.relay {
        Relay::Here { url, .. } | Relay::Gone { url, .. } | Relay::Asking { url, .. } => Some(url),
        Relay::NotPaired | Relay::Revoked { .. } => None,
    };
    let offer = props.offer.as_ref().filter(|_| relay.is_some()).map(|origin| {
        let (on_allow, asked) = (props.on_allow.clone(), origin.clone());
        let onclick = Callback::from(move |_| on_allow.emit(asked.clone()));
        html! {
            <button type="button" class="offer" {onclick}>{ format!("Show Unpause on {}", origin.host()) }</button>
        }
    });
    let onclick = props.on_options.reform(|_| ());
    html! {
        <footer class="foot">
            { offer }
            <div class="foot-row">
                if let Some(url) = relay {
                    <a href={url.clone()} target="_blank" rel="noreferrer">{ host(url) }</a>
                } else {
                    <span class="quiet">{ "Not paired" }</span>
                }
                <button type="button" class="plain" {onclick}>{ icon::view(Icon::Gear) }{ "Options" }</button>
            </div>
        </footer>
    }
}

fn options_button(label: &str, on_options: &Callback<()>) -> Html {
    let onclick = on_options.reform(|_| ());
    html! { <button type="button" class="primary" {onclick}>{ label }</button> }
}
