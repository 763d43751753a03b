//! The redirect addresses of this browser, for whoever registers the relay at a provider.

use yew::{Callback, Html, Properties, component, html, use_state_eq};

use super::super::clipboard;

/// The addresses.
#[derive(Clone, PartialEq, Properties)]
pub(super) struct Props {
    pub(super) redirects: Vec<String>,
}

/// The section about redirect addresses.
#[component]
pub(super) fn Addresses(props: &Props) -> Html {
    let copied = use_state_eq(|| None);
    let rows = props.redirects.iter().map(|address| {
        let onclick = {
            let (copied, address) = (copied.clone(), address.clone());
            Callback::from(move |_| {
                clipboard::copy(&address);
                copied.set(Some(address.clone()));
            })
        };
        let is_copied = copied.as_ref() == Some(address);
        html! {
            <li key={address.clone()}>
                <code>{ address }</code>
                <button type="button" {onclick} aria-label={format!("Copy {address}")}>
                    { if is_copied { "Copied" } else { "Copy" } }
                </button>
            </li>
        }
    });
    html! {
        <section class="panel" aria-labelledby="addresses">
            <h2 id="addresses">{ "Redirect addresses" }</h2>
            <p>
                { "Whoever registers the relay at a mail provider enters these there, as they stand, so that sign-ins \
                   come back to this browser. You need them only when a sign-in says that its address is not known." }
            </p>
            <ul class="addresses">{ for rows }</ul>
            <p class="unseen" role="status">{ copied.as_ref().map(|_| "Copied.") }</p>
        </section>
    }
}
