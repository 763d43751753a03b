//! One's own passkeys: made here, listed, removed; and an account that has no password beside them.

use protocol::request::account::Account;
use protocol::request::passkey::{NAME_AT_MOST, Passkey};
use web::when;
use yew::{Callback, Html, Properties, SubmitEvent, component, html};

use super::part;
use crate::event::{Deed, Event};
use crate::model::{Model, Place};

/// The section of the settings.
pub(super) fn view(account: &Account, model: &Model, send: &Callback<Event>) -> Html {
    let made = model.page.passkey_made.as_ref();
    html! {
        <section aria-labelledby="passkeys">
            <h2 id="passkeys">{ "Your passkeys" }</h2>
            <p>{ "A passkey signs you in by a finger, a face or a PIN of your device. Nothing of it can be typed on another page, and the relay keeps nothing that signs in." }</p>
            { part::slot(&model.page.passkeys, send, |passkeys| list(passkeys, model, send)) }
            { add(model, send) }
            <p role="status">{ made.map(|name| format!("{name} is added. It signs you in from now on.")) }</p>
            if account.has_password && account.passkeys > 0 {
                <h3>{ "Passkeys alone" }</h3>
                <p>{ "Without your password nobody signs in who only knows it. Your other sessions end. If every passkey is lost, an owner makes you a new link, and whoever runs the relay comes in by " }<code>{ "unpause login" }</code>{ "." }</p>
                <p>{ part::button("", "Sign in by passkeys alone", send, Event::Asked(Deed::DropPassword)) }</p>
            }
        </section>
    }
}

fn add(model: &Model, send: &Callback<Event>) -> Html {
    match &model.place {
        Place::Here => {
            html! { <AddForm is_waiting={model.page.is_making_passkey} send={send.clone()} /> }
        }
        Place::At(url) => html! {
            <p>{ "A passkey is bound to a name, and this page was opened at a number. Open " }<a href={format!("{url}/settings")}>{ url }</a>{ ", sign in there, and add it there." }</p>
        },
        Place::Nameless => html! {
            <p>{ "A passkey is bound to a name, and this relay is reached at a number. Whoever runs it gives it a name and sets " }<code>{ "public_url" }</code>{ " to that; docs/server.md says how." }</p>
        },
        Place::NoBrowser => html! {
            <p>{ "This browser has no passkeys. Open this page in another one, or in a newer version of it." }</p>
        },
    }
}

#[derive(Clone, PartialEq, Properties)]
struct AddProps {
    is_waiting: bool,
    send: Callback<Event>,
}

#[component]
fn AddForm(props: &AddProps) -> Html {
    let name = part::use_kept(String::new);
    let onsubmit = {
        let (name, send) = (name.field.clone(), props.send.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            send.emit(Event::PasskeyAdding(part::typed(&name)));
        })
    };
    html! {
        <form class="entry" {onsubmit}>
            <label for="passkey-name">{ "What you call the device" }</label>
            <input ref={name.field.clone()} value={name.text()} oninput={name.oninput()} id="passkey-name" type="text" autocomplete="off" required=true maxlength={NAME_AT_MOST.to_string()} />
            <p><button type="submit" disabled={props.is_waiting}>{ "Add a passkey" }</button></p>
        </form>
    }
}

fn list(passkeys: &[Passkey], model: &Model, send: &Callback<Event>) -> Html {
    if passkeys.is_empty() {
        return html! {};
    }
    let rows = passkeys.iter().map(|passkey| row(passkey, model, send));
    part::table(
        "Your passkeys",
        &["Name", "Added", "Last used", "Remove"],
        rows,
    )
}

fn row(passkey: &Passkey, model: &Model, send: &Callback<Event>) -> Html {
    let time = |at| when::element(at, when::near(at, model.now));
    let (id, name) = (&passkey.id, &passkey.name);
    let action = if model.page.removing_passkey.as_ref() == Some(id) {
        html! {
            <div class="actions" role="alert">
                <span>{ "It signs you in no more. Delete it on the device too." }</span>
                { part::button("danger", &format!("Remove {name}"), send, Event::Asked(Deed::RemovePasskey(id.clone()))) }
                { part::button("plain", "Keep it", send, Event::RemovingPasskey(None)) }
            </div>
        }
    } else {
        let onclick = send.reform({
            let id = id.clone();
            move |_| Event::RemovingPasskey(Some(id.clone()))
        });
        html! {
            <button type="button" {onclick} aria-label={format!("Remove {name} …")}>{ "Remove …" }</button>
        }
    };
    html! {
        <tr key={id.to_string()}>
            <th scope="row">{ name }</th>
            <td>{ time(passkey.made_at) }</td>
            <td>{ passkey.used_at.map_or_else(|| html! { "Never" }, time) }</td>
            <td>{ action }</td>
        </tr>
    }
}
