//! Who asks for something that decides who comes in is asked once more who he is, in front of what he asked for.

use protocol::secret::Secret;
use web_sys::HtmlDialogElement;
use yew::{
    Callback, Html, Properties, SubmitEvent, component, html, use_effect_with, use_node_ref,
};

use super::part;
use crate::event::Event;
use crate::model::{Model, Place, Proving};

/// The dialog, where something waits for it.
pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    let Some(proving) = &model.proving else {
        return html! {};
    };
    let account = model.account.as_ref();
    html! {
        <Dialog
            proving={proving.clone()}
            name={account.map(|account| account.name.to_string()).unwrap_or_default()}
            by_password={account.is_none_or(|account| account.has_password)}
            by_passkey={model.place == Place::Here && account.is_some_and(|account| account.passkeys > 0)}
            send={send.clone()}
        />
    }
}

#[derive(Clone, PartialEq, Properties)]
struct Props {
    proving: Proving,
    name: String,
    by_password: bool,
    by_passkey: bool,
    send: Callback<Event>,
}

#[component]
fn Dialog(props: &Props) -> Html {
    let (dialog, password) = (use_node_ref(), use_node_ref());
    use_effect_with(dialog.clone(), |dialog| {
        if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
            // One that is open already stays it.
            let _ = dialog.show_modal();
        }
    });
    let onsubmit = {
        let (password, send) = (password.clone(), props.send.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            send.emit(Event::ProofTyped(Secret::new(part::take(&password))));
        })
    };
    // By Escape.
    let oncancel = props.send.reform(|event: yew::Event| {
        event.prevent_default();
        Event::ProofDropped
    });
    let by_passkey = props.send.reform(|_| Event::ProofByPasskeyAsked);
    let is_waiting = props.proving.is_waiting;
    html! {
        <dialog ref={dialog} class="proof" aria-labelledby="proof" {oncancel}>
            <h2 id="proof">{ "Is it still you?" }</h2>
            <p>{ "This decides who comes in, and you have not shown who you are for ten minutes. Show it, and what you asked for is done." }</p>
            if props.by_passkey {
                <p><button type="button" class="primary" onclick={by_passkey} disabled={is_waiting}>{ "Use a passkey" }</button></p>
            }
            if props.by_password {
                <form class="entry" {onsubmit}>
                    <input type="text" autocomplete="username" value={props.name.clone()} readonly=true hidden=true />
                    <label for="proof-password">{ format!("Password of {}", props.name) }</label>
                    <input ref={password} id="proof-password" type="password" autocomplete="current-password" required=true />
                    <p><button type="submit" disabled={is_waiting}>{ "Go on" }</button></p>
                </form>
            }
            if !props.by_password && !props.by_passkey {
                <p>{ "Your account has no password and no passkey that works here. Run this on the machine of the relay, open the link that it prints, and ask again within ten minutes:" }</p>
                <pre tabindex="0">{ "unpause login" }</pre>
            }
            <p role="alert">{ props.proving.problem.clone() }</p>
            <p>{ part::button("plain", "Do nothing", &props.send, Event::ProofDropped) }</p>
        </dialog>
    }
}
