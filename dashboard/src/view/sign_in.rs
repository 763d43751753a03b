//! Not signed in: what to do about it.

use yew::{Callback, Html, html};

use super::part;
use crate::event::Event;
use crate::model::{Access, Model, Out};

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    let out = match &model.access {
        Access::Out(out) => out,
        Access::Asked { .. } => {
            return html! {
                <section class="sheet">
                    <p class="brand">{ part::mark() }{ "Unpause" }</p>
                    { part::heading("Sign in to this relay?") }
                    <p>{ "You have opened a link that works once. Use it if it is yours: from " }<code>{ "unpause login" }</code>{ "." }</p>
                    <p>{ part::button("primary", "Sign in to this relay", send, Event::EnterPressed) }</p>
                </section>
            };
        }
        Access::Entering { .. } | Access::In(_) => {
            return html! {
                <section class="sheet" role="status">
                    <p class="brand">{ part::mark() }{ "Unpause" }</p>
                    { part::heading("Signing in …") }
                </section>
            };
        }
    };
    let (title, words) = match out {
        Out::Never => ("Sign in", String::new()),
        Out::UsedCode => (
            "This link no longer works",
            "A link works once, and for ten minutes.".to_owned(),
        ),
        Out::NoAnswer { words } => ("The sign-in was not finished", words.clone()),
        Out::Ended => (
            "Your session has ended",
            "Your campaigns go on without it.".to_owned(),
        ),
        Out::Left => (
            "You are signed out",
            "Your campaigns go on all the same.".to_owned(),
        ),
        Out::LeftUntold => (
            "You are signed out here",
            "The relay did not answer, so it does not know. The session ends there after 12 hours without use, or at \
             once with `unpause session end --all`."
                .to_owned(),
        ),
    };
    html! {
        <section class="sheet">
            <p class="brand">{ part::mark() }{ "Unpause" }</p>
            { part::heading(title) }
            if !words.is_empty() {
                <p>{ words }</p>
            }
            <p>{ "Run this on the machine of the relay, and open the link that it prints:" }</p>
            <pre tabindex="0">{ "unpause login" }</pre>
        </section>
    }
}
