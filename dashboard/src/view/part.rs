//! Pieces that several pages share.

use web::card::Card;
use web::card::view::CardView;
use web::icon::{self, Icon};
use web_sys::HtmlInputElement;
use yew::{
    Callback, Html, InputEvent, MouseEvent, NodeRef, TargetCast as _, UseStateHandle, hook, html,
    use_node_ref, use_state_eq,
};

use crate::event::Event;
use crate::model::{Model, Slot};
use crate::route::Route;

/// The heading of a page. It takes the focus when the page is entered.
pub(super) fn heading(words: &str) -> Html {
    html! { <h1 tabindex="-1">{ words }</h1> }
}

/// A link to another page of ours.
pub(super) fn link(route: &Route, words: &str, send: &Callback<Event>) -> Html {
    link_as(route, html! { words }, None, send)
}

/// The same, as it stands in a navigation.
pub(super) fn link_as(
    route: &Route,
    inside: Html,
    current: Option<&'static str>,
    send: &Callback<Event>,
) -> Html {
    let (send, to) = (send.clone(), route.clone());
    let onclick = Callback::from(move |event: MouseEvent| {
        // With a key held down, a person wants another tab or window.
        if event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key() {
            return;
        }
        event.prevent_default();
        send.emit(Event::Linked(to.clone()));
    });
    html! { <a href={route.render()} aria-current={current} {onclick}>{ inside }</a> }
}

/// A button that does one thing.
pub(super) fn button(
    class: &'static str,
    label: &str,
    send: &Callback<Event>,
    event: Event,
) -> Html {
    let onclick = send.reform(move |_| event.clone());
    html! { <button type="button" {class} {onclick}>{ label }</button> }
}

/// A text that a person types: what draws the form again, or draws it anew from what was typed before, keeps it.
#[derive(Clone)]
pub(super) struct Kept {
    /// Its field.
    pub(super) field: NodeRef,
    text: UseStateHandle<String>,
}

/// Begins with this text.
#[hook]
pub(super) fn use_kept(first: impl FnOnce() -> String) -> Kept {
    Kept {
        field: use_node_ref(),
        text: use_state_eq(first),
    }
}

impl Kept {
    /// What is drawn.
    pub(super) fn text(&self) -> String {
        (*self.text).clone()
    }

    /// What notes each letter.
    pub(super) fn oninput(&self) -> Callback<InputEvent> {
        let kept = self.text.clone();
        Callback::from(move |event: InputEvent| {
            kept.set(event.target_unchecked_into::<HtmlInputElement>().value());
        })
    }
}

/// What was typed into a field.
pub(super) fn typed(field: &NodeRef) -> String {
    field
        .cast::<HtmlInputElement>()
        .map_or_else(String::new, |field| field.value())
}

/// The same, and the field is empty: a password stands on no page that is not being typed on.
pub(super) fn take(field: &NodeRef) -> String {
    let text = typed(field);
    if let Some(field) = field.cast::<HtmlInputElement>() {
        field.set_value("");
    }
    text
}

/// The card of an inbox.
pub(super) fn card(card: &Card, model: &Model, send: &Callback<Event>) -> Html {
    let inbox = card.inbox.clone();
    let on_act = send.reform(move |act| Event::Acted(inbox.clone(), act));
    let key = card.inbox.to_string();
    html! { <CardView {key} card={card.clone()} {on_act} can_link={true} now={model.now} /> }
}

/// What is loaded, once it is here.
pub(super) fn slot<T>(
    slot: &Slot<T>,
    send: &Callback<Event>,
    draw: impl FnOnce(&T) -> Html,
) -> Html {
    match slot {
        Slot::Awaited => html! { <p class="quiet">{ "Reading …" }</p> },
        Slot::Here(value) => draw(value),
        Slot::Failed(words) => html! {
            <div class="note note-warn" role="alert">
                <p>{ words }</p>
                { button("", "Try again", send, Event::Again) }
            </div>
        },
    }
}

/// A page before the first answer of the relay.
pub(super) fn waiting(model: &Model) -> Html {
    if model.trouble.is_some() {
        return html! {};
    }
    html! { <p class="quiet">{ "Asking the relay …" }</p> }
}

/// What of a long list is shown, and the button for more of it.
pub(super) fn more(n_shown: usize, n_all: Option<u64>, send: &Callback<Event>) -> Html {
    let onclick = send.reform(|_| Event::MoreWanted);
    let told = match n_all {
        Some(n_all) => format!("The first {n_shown} of {n_all} are shown. "),
        None => format!("The first {n_shown} are shown. "),
    };
    html! {
        <p class="quiet">
            { told }
            <button type="button" {onclick}>{ "Show more" }</button>
        </p>
    }
}

/// Nothing is here yet, and this is what to do first.
pub(super) fn empty(words: &str, command: Option<&str>) -> Html {
    html! {
        <div class="empty">
            <p>{ words }</p>
            if let Some(command) = command {
                <pre tabindex="0">{ command }</pre>
            }
        </div>
    }
}

/// A table with its columns, those of numbers marked by `#`.
pub(super) fn table(label: &str, columns: &[&str], rows: impl Iterator<Item = Html>) -> Html {
    let columns = columns.iter().map(|column| match column.strip_prefix('#') {
        Some(name) => html! { <th scope="col" class="number">{ name }</th> },
        None => html! { <th scope="col">{ column }</th> },
    });
    html! {
        <div class="table" role="group" aria-label={label.to_owned()} tabindex="0">
            <table>
                <thead><tr>{ for columns }</tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}

/// A state with its icon, in words.
pub(super) fn state(class: &'static str, mark: Icon, words: &str) -> Html {
    html! { <span class={format!("state state-{class}")}>{ icon::view(mark) }{ words }</span> }
}

/// Numbers with their names.
pub(super) fn figures(figures: &[(&str, u64)]) -> Html {
    let figure = |(name, n): &(&str, u64)| {
        html! { <div><dt>{ *name }</dt><dd>{ *n }</dd></div> }
    };
    html! { <dl class="figures">{ for figures.iter().map(figure) }</dl> }
}

/// The project's mark: a pause that becomes a start.
pub(super) fn mark() -> Html {
    html! {
        <svg class="mark" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
            <rect x="3" y="3" width="4" height="14" rx="1.2" />
            <path d="M10 4v12a1 1 0 0 0 1.5.86l6-6a1.2 1.2 0 0 0 0-1.72l-6-6A1 1 0 0 0 10 4z" />
        </svg>
    }
}
