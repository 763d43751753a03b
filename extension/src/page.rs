//! The pages: popup, options and the prompt on a page. Each is a picture of the last [`Snapshot`] that the
//! background told, and asks it for what the person presses. They keep nothing and call no relay.
//!
//! [`Snapshot`]: crate::message::Snapshot

use protocol::id::InboxId;
use web::card::{Act, Given};
use yew::{BaseComponent, Html, Renderer, html};

use crate::message::Ask;

mod clipboard;
mod line;
pub mod options;
pub mod popup;
pub mod prompt;
mod window;

/// The view that this document is for: `data-view` of its body.
pub fn view_name() -> Option<String> {
    web_sys::window()?
        .document()?
        .body()?
        .get_attribute("data-view")
}

/// Draws a page into the document's element `view`.
pub fn draw<Page: BaseComponent<Properties = ()>>() {
    let root = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id("view"));
    if let Some(root) = root {
        Renderer::<Page>::with_root(root).render();
    }
}

/// What an act on the card of an inbox asks of the background; nothing where the page does it alone.
fn ask_of(inbox: InboxId, act: &Act) -> Option<Ask> {
    Some(match act {
        Act::Reconnect => Ask::Reconnect {
            inbox,
            in_tab: false,
            skip_silent: false,
        },
        Act::ReconnectInTab => Ask::Reconnect {
            inbox,
            in_tab: true,
            skip_silent: false,
        },
        Act::MakeLink => Ask::MakeLink { inbox },
        Act::Confirm => Ask::Confirm { inbox },
        Act::Deny => Ask::Deny { inbox },
        Act::GivePassword(Given { user, password }) => Ask::GivePassword {
            inbox,
            user: user.clone(),
            password: password.clone(),
        },
        Act::OpenForm => Ask::OpenForm { inbox },
        Act::Cancel => Ask::Cancel { inbox },
        Act::NotNow => Ask::NotNow { inbox },
        Act::Close => Ask::Close { inbox },
        Act::ShowReceipt(_) => Ask::ShowReceipt { inbox },
        Act::CopyReport(_) | Act::CopyLink(_) => return None,
    })
}

/// What is said while the background does not answer; it is started again by itself, so this rarely stays.
fn silence() -> Html {
    html! {
        <p class="notice" role="status">
            { "The part of Unpause that works in the background does not answer yet; it is being started again. \
               If this stays, restart the browser: nothing is lost by that." }
        </p>
    }
}

/// That something else answers where the relay should.
const OTHER: &str = "Your relay does not answer; something else does in its place, and was told nothing. If the relay's keys were renewed \
     at once, pair this browser again.";

/// What else it may be where a relay does not answer by https. A browser tells an extension nothing of a certificate that
/// it refuses (Fetch, "network error"), and the person who opens the page everything.
fn doubt(url: &str) -> Html {
    if !url.starts_with("https:") {
        return Html::default();
    }
    html! {
        <p>
            { "If both are so, this browser may refuse its certificate: it has run out, is for another name, or is from \
               nobody known. " }
            <a href={url.to_owned()} target="_blank" rel="noreferrer">{ "Open its page" }</a>
            { ", where the browser says which, and tell whoever runs the relay." }
        </p>
    }
}

/// A relay's address as people say it, without the scheme.
fn host(url: &str) -> &str {
    url.split_once("://")
        .map_or(url, |(_, rest)| rest)
        .trim_end_matches('/')
}

#[cfg(test)]
mod tests;
