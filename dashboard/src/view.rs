//! The pages as Yew draws them, each from the model alone. Here: what stands around every page.

use yew::{Callback, Html, Properties, component, html};

use crate::event::Event;
use crate::model::{Access, Model};
use crate::route::Route;

mod activity;
mod alerts;
mod campaign;
mod campaigns;
mod deliveries;
mod inboxes;
mod keys;
mod own;
mod pace;
mod part;
mod passkeys;
mod people;
mod proof;
mod receipt;
mod receipts;
mod settings;
mod sign_in;
mod words;

/// The most deliveries that a page shows.
pub const SHOWN_AT_MOST: u32 = 100;

/// The entries of the navigation.
const SECTIONS: [(Route, &str); 4] = [
    (Route::Campaigns, "Campaigns"),
    (Route::Inboxes, "Inboxes"),
    (Route::Receipts, "Receipts"),
    (Route::Settings, "Settings"),
];

/// What is shown, and where what is pressed goes.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// What is shown.
    pub model: Model,
    /// What a person does.
    pub send: Callback<Event>,
}

/// The dashboard.
#[component]
pub fn View(props: &Props) -> Html {
    let Props { model, send } = props;
    if !matches!(model.access, Access::In(_)) {
        return html! { <main class="narrow">{ sign_in::view(model, send) }</main> };
    }
    let version = model.status.as_ref().map(|status| {
        html! { <footer>{ format!("Unpause {}", status.version) }</footer> }
    });
    html! {
        <>
            { bar(model, send) }
            <main>
                { trouble(model, send) }
                { notice(model, send) }
                { page(model, send) }
            </main>
            { version }
            { proof::view(model, send) }
        </>
    }
}

fn page(model: &Model, send: &Callback<Event>) -> Html {
    match &model.route {
        Route::Login | Route::Campaigns => campaigns::view(model, send),
        Route::Campaign(id) => campaign::view(model, send, id),
        Route::Inboxes => inboxes::view(model, send),
        Route::Receipts => receipts::view(model, send),
        Route::Receipt(_) => receipt::view(model, send),
        Route::Settings => settings::view(model, send),
        Route::Activity => activity::view(model, send),
        Route::Missing => html! {
            <>
                { part::heading("There is no such page") }
                <p>{ part::link(&Route::Campaigns, "See all campaigns", send) }</p>
            </>
        },
    }
}

fn bar(model: &Model, send: &Callback<Event>) -> Html {
    let section = model.route.section();
    let entries = SECTIONS.iter().map(|(route, name)| {
        let current = (section.as_ref() == Some(route)).then_some("page");
        html! { <li>{ part::link_as(route, html! { name }, current, send) }</li> }
    });
    html! {
        <header class="bar">
            <div>
                <span class="brand">{ part::mark() }{ "Unpause" }</span>
                <nav aria-label="Pages"><ul>{ for entries }</ul></nav>
                { part::button("plain", "Sign out", send, Event::Left) }
            </div>
        </header>
    }
}

/// What is on the page is from before.
fn trouble(model: &Model, send: &Callback<Event>) -> Html {
    let Some(words) = &model.trouble else {
        return html! {};
    };
    let from = model.answered_at.map(|at| {
        html! {
            <>{ " It did " }{ web::when::element(at, web::when::past(at, model.now)) }{ ", and what you see is from then." }</>
        }
    });
    html! {
        <div class="note note-warn" role="alert">
            <p>{ words }{ from }</p>
            { part::button("", "Try again", send, Event::Again) }
        </div>
    }
}

fn notice(model: &Model, send: &Callback<Event>) -> Html {
    let Some(words) = &model.notice else {
        return html! {};
    };
    html! {
        <div class="note note-bad" role="alert">
            <p>{ words }</p>
            { part::button("plain", "Close", send, Event::Dismissed) }
        </div>
    }
}

#[cfg(test)]
mod tests;
