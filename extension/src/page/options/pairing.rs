//! The relay: pairing with one pasted link, its number to compare, and unpairing.

use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::when;
use web_sys::HtmlInputElement;
use yew::{Callback, Html, Properties, SubmitEvent, component, html, use_node_ref, use_state_eq};

use super::super::{OTHER, doubt, host};
use crate::message::{Ask, Relay};

/// The relay and what can be done about it.
#[derive(Clone, PartialEq, Properties)]
pub(super) struct Props {
    pub(super) relay: Relay,
    pub(super) problem: Option<String>,
    pub(super) browser: String,
    pub(super) on_ask: Callback<Ask>,
    pub(super) now: Timestamp,
}

/// The section about the relay.
#[component]
pub(super) fn Pairing(props: &Props) -> Html {
    let body = match &props.relay {
        Relay::NotPaired => html! { <PairForm ..props.clone() /> },
        Relay::Revoked { url } => html! {
            <>
                <p class="notice" role="status">
                    <b>{ format!("{} does not know this browser any more.", host(url)) }</b>
                    { " It was unpaired at the relay, or this browser lost its key. Your inboxes and campaigns are as \
                       they were. A fresh link pairs it again." }
                </p>
                <PairForm ..props.clone() />
            </>
        },
        Relay::Asking { url, fingerprint } => html! {
            <>
                <p class="quiet" role="status">{ format!("Asking {} …", host(url)) }</p>
                <Paired url={url.clone()} fingerprint={fingerprint.clone()} on_ask={props.on_ask.clone()} />
            </>
        },
        Relay::Here { url, fingerprint } => html! {
            <Paired url={url.clone()} fingerprint={fingerprint.clone()} on_ask={props.on_ask.clone()} />
        },
        Relay::Gone {
            url,
            fingerprint,
            last_at,
            is_other,
        } => {
            let look = props.on_ask.reform(|_| Ask::Look);
            html! {
                <>
                    <div class="notice" role="status">
                        <p>
                            <b>{ if *is_other { OTHER.to_owned() } else { format!("{} does not answer.", host(url)) } }</b>
                            if let Some(at) = last_at {
                                { " It did " }{ when::element(*at, when::past(*at, props.now)) }{ "." }
                            }
                            { " Check that it is running and that you are online." }
                        </p>
                        if !*is_other {
                            { doubt(url) }
                        }
                        <button type="button" onclick={look}>{ "Try again" }</button>
                    </div>
                    <Paired url={url.clone()} fingerprint={fingerprint.clone()} on_ask={props.on_ask.clone()} />
                </>
            }
        }
    };
    html! {
        <section class="panel" aria-labelledby="relay">
            <h2 id="relay">{ "Relay" }</h2>
            { body }
        </section>
    }
}

#[component]
fn PairForm(props: &Props) -> Html {
    let (link, name) = (use_node_ref(), use_node_ref());
    let missing = use_state_eq(|| false);
    let onsubmit = {
        let (link, name) = (link.clone(), name.clone());
        let (missing, on_ask) = (missing.clone(), props.on_ask.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let read = |field: &yew::NodeRef| {
                let value = field.cast::<HtmlInputElement>().map(|field| field.value());
                value.unwrap_or_default().trim().to_owned()
            };
            let pasted = read(&link);
            missing.set(pasted.is_empty());
            if pasted.is_empty() {
                return;
            }
            on_ask.emit(Ask::Pair {
                link: Secret::new(pasted),
                name: name_given(&read(&name)),
            });
        })
    };
    let problem = if *missing {
        Some("Paste the pairing link first.".to_owned())
    } else {
        props.problem.clone()
    };
    html! {
        <form {onsubmit}>
            <p>
                { "Get a link from the dashboard under Settings, Pair a browser; or run " }
                <code>{ "unpause pair" }</code>{ " where the relay runs. It works once, for a short time." }
            </p>
            <label for="link">{ "Pairing link" }</label>
            <input
                ref={link}
                id="link"
                type="text"
                placeholder="unpause://pair?…"
                autocomplete="off"
                spellcheck="false"
                aria-invalid={problem.is_some().to_string()}
                aria-describedby="pairing-problem"
            />
            <p id="pairing-problem" class="problem" role="alert">{ problem }</p>
            <label for="name">{ "Name of this browser" }</label>
            <input ref={name} id="name" type="text" value={props.browser.clone()} maxlength="60" autocomplete="off" />
            <p class="hint">{ "So that you recognise it in the relay\u{2019}s list. Emptied, it says no more than \u{201c}Browser\u{201d}." }</p>
            <div class="actions"><button type="submit" class="primary">{ "Pair this browser" }</button></div>
        </form>
    }
}

/// The name that a person gave this browser. Who empties the field tells the relay nothing of the browser.
fn name_given(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { "Browser" } else { text }.to_owned()
}

#[derive(Clone, PartialEq, Properties)]
struct PairedProps {
    url: String,
    fingerprint: String,
    on_ask: Callback<Ask>,
}

#[component]
fn Paired(props: &PairedProps) -> Html {
    let is_asked = use_state_eq(|| false);
    let ask_first = {
        let is_asked = is_asked.clone();
        Callback::from(move |_| is_asked.set(true))
    };
    let keep = {
        let is_asked = is_asked.clone();
        Callback::from(move |_| is_asked.set(false))
    };
    let unpair = props.on_ask.reform(|_| Ask::Unpair);
    html! {
        <>
            <p>
                { "This browser is paired with " }
                <a href={props.url.clone()} target="_blank" rel="noreferrer">{ host(&props.url) }</a>{ "." }
            </p>
            <p class="fingerprint" aria-label="The number of the relay\u{2019}s key">
                { for props.fingerprint.split_whitespace().map(|group| html! { <span>{ group }</span> }) }
            </p>
            <p class="hint">
                { "The relay shows the same number under Settings. If it shows another, somebody stands between the two: \
                   unpair, and tell whoever runs the relay." }
            </p>
            if *is_asked {
                <div class="confirm" role="group" aria-label="Unpair">
                    <p>
                        { "Unpair this browser? Campaigns go on; you will no longer see here when an inbox is lost. \
                           A new link pairs it again." }
                    </p>
                    <div class="actions">
                        <button type="button" class="danger" onclick={unpair}>{ "Unpair this browser" }</button>
                        <button type="button" onclick={keep}>{ "Keep it paired" }</button>
                    </div>
                </div>
            } else {
                <div class="actions">
                    <button type="button" onclick={ask_first}>{ "Unpair …" }</button>
                </div>
            }
        </>
    }
}

#[cfg(test)]
mod tests {
    use super::name_given;

    #[test]
    fn an_emptied_name_stays_empty_of_what_the_browser_is() {
        for (text, name) in [
            ("Anna\u{2019}s laptop ", "Anna\u{2019}s laptop"),
            ("", "Browser"),
            ("  ", "Browser"),
        ] {
            assert_eq!(name_given(text), name);
        }
    }
}
