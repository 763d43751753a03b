//! The options: the relay, the sites, the redirect addresses, and what is stored. Before the pairing it is the
//! first thing that a person sees, so it begins with what will happen.

use std::rc::Rc;

use protocol::timestamp::Timestamp;
use wasm_bindgen_futures::spawn_local;
use web::when;
use yew::{Callback, Html, Properties, component, html, use_state_eq};

use super::{line, silence};
use crate::browser::permissions;
use crate::message::{Ask, Relay, Snapshot, View};
use crate::origin::Origin;

mod addresses;
mod pairing;
mod sites;

/// The options, with their line to the background.
#[component]
pub fn Options() -> Html {
    let told = line::use_line(View::Options);
    let refused = use_state_eq(|| None);
    let on_site = {
        let refused = refused.clone();
        Callback::from(move |wish: Wish| {
            // Within the turn of the click, or the browser does not ask.
            let origins = [wish.origin.pattern()];
            let refused = refused.clone();
            refused.set(None);
            if wish.allow {
                let asked = permissions::request(&origins);
                spawn_local(async move {
                    match asked.await {
                        Ok(true) => {}
                        Ok(false) => refused.set(Some(format!("{} was not allowed.", wish.origin))),
                        Err(error) => {
                            refused.set(Some(format!("{} was not allowed: {error}.", wish.origin)));
                        }
                    }
                });
            } else {
                let removed = permissions::remove(&origins);
                spawn_local(async move {
                    if let Err(error) = removed.await {
                        refused.set(Some(format!("{} stays allowed: {error}.", wish.origin)));
                    }
                });
            }
        })
    };
    html! {
        <OptionsView
            snapshot={told.snapshot}
            is_silent={told.is_silent}
            refused={(*refused).clone()}
            browser={browser_name()}
            on_ask={told.ask}
            {on_site}
        />
    }
}

/// That a site be allowed, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The site.
    pub origin: Origin,
    /// Which of the two.
    pub allow: bool,
}

/// What the options show.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// What the background told; `None` before its first word.
    pub snapshot: Option<Rc<Snapshot>>,
    /// Whether the background does not answer.
    #[prop_or_default]
    pub is_silent: bool,
    /// Why the last wish about a site was not granted.
    #[prop_or_default]
    pub refused: Option<String>,
    /// A first name for this browser.
    #[prop_or_default]
    pub browser: String,
    /// Asks the background.
    #[prop_or_default]
    pub on_ask: Callback<Ask>,
    /// Allows a site or no longer, in the turn of the click.
    #[prop_or_default]
    pub on_site: Callback<Wish>,
    /// The time that the words are true at; the browser's when absent.
    #[prop_or_else(when::now)]
    pub now: Timestamp,
}

/// The options as a picture.
#[component]
pub fn OptionsView(props: &Props) -> Html {
    let Some(snapshot) = &props.snapshot else {
        return html! {
            <main class="options" aria-busy="true">
                <h1>{ "Unpause" }</h1>
                if props.is_silent {
                    { silence() }
                }
            </main>
        };
    };
    let is_paired = !matches!(snapshot.relay, Relay::NotPaired | Relay::Revoked { .. });
    html! {
        <main class="options">
            <h1>{ "Unpause" }</h1>
            if props.is_silent {
                { silence() }
            }
            if snapshot.relay == Relay::NotPaired {
                { first_steps() }
                { agreement() }
            }
            <pairing::Pairing
                relay={snapshot.relay.clone()}
                problem={snapshot.pairing_problem.clone()}
                browser={props.browser.clone()}
                on_ask={props.on_ask.clone()}
                now={props.now}
            />
            if is_paired {
                <sites::Sites
                    sites={snapshot.sites.clone()}
                    refused={props.refused.clone()}
                    on_site={props.on_site.clone()}
                />
                if !snapshot.redirects.is_empty() {
                    <addresses::Addresses redirects={snapshot.redirects.clone()} />
                }
            }
            { stored() }
        </main>
    }
}

fn first_steps() -> Html {
    html! {
        <section class="first" aria-label="How it works">
            <p class="lead">
                { "When an inbox loses its connection, its campaign stops. Unpause shows you that where you are, and one \
                   click brings it back: no lead is skipped, none is written to twice." }
            </p>
            <ol class="steps">
                <li><b>{ "Pair" }</b><span>{ "Paste one link from your relay, below." }</span></li>
                <li><b>{ "Choose sites" }</b><span>{ "Say where a lost inbox may be shown to you." }</span></li>
                <li><b>{ "That is all" }</b><span>{ "Until an inbox is lost, you will not hear from Unpause." }</span></li>
            </ol>
        </section>
    }
}

/// What pairing agrees to. Before it nothing was read and nothing sent.
fn agreement() -> Html {
    html! {
        <section class="panel" aria-labelledby="agreement">
            <h2 id="agreement">{ "Before you pair" }</h2>
            <p>{ "Nothing was read and nothing sent yet. Pairing this browser, you agree to this:" }</p>
            <dl class="stored">
                <dt>{ "Read, on the sites that you allow" }</dt>
                <dd>
                    { "The address of a page, its title, its notices and the account that it names. Unpause compares them \
                       here with what your relay says. None of it leaves this browser, and none is kept but the name of \
                       the site, while a card is shown there." }
                </dd>
                <dt>{ "Sent to your relay" }</dt>
                <dd>
                    { "The name of this browser, and every half minute the question how your inboxes are. When you \
                       reconnect one: what the sign-in gave, or the password that you type, encrypted so that only the \
                       relay can read it. Whoever runs the relay can use it: pair with your own, or with one that you \
                       trust." }
                </dd>
                <dt>{ "Sent to your mail provider" }</dt>
                <dd>{ "Which inbox you reconnect, and what you enter on its own page." }</dd>
                <dt>{ "Sent to anybody else" }</dt>
                <dd>{ "Nothing, and nothing to the makers of Unpause." }</dd>
            </dl>
            <p class="hint">{ "Unpairing ends it, and so does removing the extension." }</p>
        </section>
    }
}

fn stored() -> Html {
    html! {
        <section class="panel" aria-labelledby="stored">
            <h2 id="stored">{ "What is stored" }</h2>
            <dl class="stored">
                <dt>{ "In this browser, until you unpair" }</dt>
                <dd>
                    { "The relay\u{2019}s address, its number, and a key by which it knows this browser, which the browser \
                       never gives out. Also which cards you put aside, and which losses you were told of." }
                </dd>
                <dt>{ "In this browser, until it is closed" }</dt>
                <dd>
                    { "What the relay said last of your inboxes and campaigns. While you sign in: how far that has come, \
                       and what the provider gave, encrypted so that only the relay can read it, until the relay has it. \
                       For a tab in which a card was shown: the name of the site, without the page." }
                </dd>
                <dt>{ "At your relay" }</dt>
                <dd>
                    { "What a sign-in gave, or the password of an inbox, encrypted; the name of this browser, the public \
                       half of its key and the address of this extension." }
                </dd>
                <dt>{ "Nowhere" }</dt>
                <dd>{ "Which pages you visit on a site, what stands on them, what you type there." }</dd>
            </dl>
        </section>
    }
}

/// A first name for this browser, from what it says of itself.
fn browser_name() -> String {
    let agent = web_sys::window().and_then(|window| window.navigator().user_agent().ok());
    name_of(&agent.unwrap_or_default())
}

fn name_of(agent: &str) -> String {
    let pick = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, name)| *name)
    };
    // Edge and Opera say that they are Chrome too.
    let browser = pick(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
    ]);
    let system = pick(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("Mac OS", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ => "My browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_browser_gets_a_name_that_a_person_knows() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36",
                "Chrome on Mac",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0",
                "Edge on Windows",
            ),
            ("curl/8", "My browser"),
        ] {
            assert_eq!(name_of(agent), name);
        }
    }
}
