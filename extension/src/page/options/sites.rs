//! The sites where the extension may look and help, each allowed by itself.

use web_sys::HtmlInputElement;
use yew::{Callback, Html, Properties, SubmitEvent, component, html, use_node_ref, use_state_eq};

use super::Wish;
use crate::message::Site;
use crate::origin::Origin;

/// The sites and what can be done about them.
#[derive(Clone, PartialEq, Properties)]
pub(super) struct Props {
    pub(super) sites: Vec<Site>,
    pub(super) refused: Option<String>,
    pub(super) on_site: Callback<Wish>,
}

/// The section about sites.
#[component]
pub(super) fn Sites(props: &Props) -> Html {
    let field = use_node_ref();
    let mistake = use_state_eq(|| None);
    let onsubmit = {
        let (field, mistake, on_site) = (field.clone(), mistake.clone(), props.on_site.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Some(field) = field.cast::<HtmlInputElement>() else {
                return;
            };
            match Origin::parse(&field.value()) {
                Ok(origin) => {
                    mistake.set(None);
                    field.set_value("");
                    on_site.emit(Wish {
                        origin,
                        allow: true,
                    });
                }
                Err(error) => mistake.set(Some(sentence(&error.to_string()))),
            }
        })
    };
    let problem = (*mistake).clone().or_else(|| props.refused.clone());
    let any_allowed = props.sites.iter().any(|site| site.allowed);
    html! {
        <section class="panel" aria-labelledby="sites">
            <h2 id="sites">{ "Sites" }</h2>
            <p>
                { "On the sites that you allow, Unpause looks for a paused campaign or a lost inbox and offers the way \
                   back right there. What it reads for that, a page\u{2019}s address, title, notices and account, stays in \
                   this browser. It runs nowhere else." }
            </p>
            if !any_allowed {
                <p class="notice">{ "None is allowed yet. Begin with your dashboard." }</p>
            }
            <ul class="sites">{ for props.sites.iter().map(|site| row(site, &props.sites, &props.on_site)) }</ul>
            <form {onsubmit}>
                <label for="site">{ "Another site" }</label>
                <div class="field-row">
                    <input
                        ref={field}
                        id="site"
                        type="text"
                        inputmode="url"
                        placeholder="https://app.example.com"
                        autocomplete="off"
                        spellcheck="false"
                        aria-invalid={mistake.is_some().to_string()}
                        aria-describedby="site-problem"
                    />
                    <button type="submit">{ "Allow this site" }</button>
                </div>
                <p id="site-problem" class="problem" role="alert">{ problem }</p>
            </form>
        </section>
    }
}

fn row(site: &Site, all: &[Site], on_site: &Callback<Wish>) -> Html {
    let origin = Origin::parse(&site.origin).ok();
    let onclick = {
        let (on_site, origin, allow) = (on_site.clone(), origin.clone(), !site.allowed);
        Callback::from(move |_| {
            if let Some(origin) = origin.clone() {
                on_site.emit(Wish { origin, allow });
            }
        })
    };
    // Browsers allow a host with all its ports.
    let shares = origin.as_ref().is_some_and(|origin| {
        let same_host = |other: &&Site| {
            Origin::parse(&other.origin).is_ok_and(|other| other.pattern() == origin.pattern())
        };
        all.iter().filter(same_host).count() > 1
    });
    let name = if site.name.is_empty() {
        site.origin.clone()
    } else {
        capitalised(&site.name)
    };
    html! {
        <li key={site.origin.clone()}>
            <div class="site">
                <b>{ &name }</b>
                if name != site.origin {
                    <span class="quiet">{ &site.origin }</span>
                }
                if shares {
                    <span class="quiet">{ "Browsers allow a host with all its ports, so these go together." }</span>
                }
            </div>
            <button
                type="button"
                role="switch"
                class="switch"
                aria-checked={site.allowed.to_string()}
                aria-label={format!("Allow {name}")}
                disabled={origin.is_none()}
                {onclick}
            >
                <span class="switch-words" aria-hidden="true">{ if site.allowed { "Allowed" } else { "Off" } }</span>
                <span class="switch-knob" aria-hidden="true"></span>
            </button>
        </li>
    }
}

/// An error's words as a sentence for people.
fn sentence(words: &str) -> String {
    format!("{}.", capitalised(words))
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}
