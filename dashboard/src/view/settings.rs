//! Paired browsers, pairing another one, and who is signed in.

use protocol::request::device::{Device, Pairing};
use protocol::request::session::ListedSession;
use protocol::timestamp::Timestamp;
use web::icon::{self, Icon};
use web::when;
use yew::{Callback, FocusEvent, Html, TargetCast as _, html};

use super::{alerts, keys, own, part, people};
use crate::event::{Deed, Event};
use crate::model::Model;
use crate::route::Route;

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    html! {
        <>
            { part::heading("Settings") }
            { own::view(model, send) }
            { people::view(model, send) }
            <section aria-labelledby="pair">
                <h2 id="pair">{ "Pair a browser" }</h2>
                { pair(model, send) }
                <p role="status">
                    { model.page.paired.as_ref().map(|name| format!("{name} is paired.")) }
                </p>
            </section>
            <section aria-labelledby="number">
                <h2 id="number">{ "This relay's number" }</h2>
                <p>{ "Each paired extension shows the same one in its options." }</p>
                { part::slot(&model.page.fingerprint, send, |number| html! { <p class="fingerprint"><code>{ number }</code></p> }) }
            </section>
            <section aria-labelledby="devices">
                <h2 id="devices">{ "Paired browsers" }</h2>
                { part::slot(&model.page.devices, send, |devices| list(devices, model, send)) }
            </section>
            { keys::view(model, send) }
            { alerts::view(model, send) }
            <section aria-labelledby="session">
                <h2 id="session">{ "Who is signed in" }</h2>
                <p>{ "Campaigns go on when you sign out." }</p>
                { part::slot(&model.page.sessions, send, |sessions| list_sessions(sessions, model, send)) }
                <p>{ part::button("", "End all sessions", send, Event::Asked(Deed::EndSessions)) }</p>
                if model.is_owner() {
                    <p>{ part::link(&Route::Activity, "What was done, by whom and from where", send) }</p>
                }
            </section>
        </>
    }
}

fn pair(model: &Model, send: &Callback<Event>) -> Html {
    let Some(pairing) = &model.page.pairing else {
        return html! {
            <>
                <p>{ "The extension shows a pause where you are and reconnects in one click. Install it, then pair it with this relay." }</p>
                <p>{ part::button("primary", "Make a pairing link", send, Event::PairingAsked) }</p>
            </>
        };
    };
    if pairing.expires_at <= model.now {
        return html! {
            <>
                <p>{ "The link has run out. A new one takes its place." }</p>
                <p>{ part::button("primary", "Make a new pairing link", send, Event::PairingAsked) }</p>
            </>
        };
    }
    link(pairing, model, send)
}

fn link(pairing: &Pairing, model: &Model, send: &Callback<Event>) -> Html {
    let is_copied = model.page.copied.as_ref() == Some(&pairing.link);
    let copy = send.reform({
        let link = pairing.link.clone();
        move |_| Event::Copied(link.clone())
    });
    let onfocus = Callback::from(|event: FocusEvent| {
        event
            .target_unchecked_into::<web_sys::HtmlInputElement>()
            .select();
    });
    let until = when::element(
        pairing.expires_at,
        when::near(pairing.expires_at, model.now),
    );
    html! {
        <div class="pairing">
            <label for="pairing-link">{ "Pairing link" }</label>
            <div class="field">
                <input id="pairing-link" class="mono" readonly=true value={pairing.link.expose().to_owned()} {onfocus} />
                <button type="button" class="primary" onclick={copy}>{ icon::view(Icon::Copy) }{ "Copy the link" }</button>
            </div>
            <p role="status">{ if is_copied { "Copied." } else { "" } }</p>
            <p>{ "Paste it into the extension's options. It works once and ends " }{ until }{ "." }</p>
            <p>{ "Then compare the number below. The extension must show the same." }</p>
        </div>
    }
}

fn list_sessions(sessions: &[ListedSession], model: &Model, send: &Callback<Event>) -> Html {
    let time = |at| when::element(at, when::near(at, model.now));
    let rows = sessions.iter().map(|session| {
        let browser = session.browser.as_deref().unwrap_or("A program");
        let action = if session.is_current {
            html! { "This one" }
        } else {
            part::button(
                "",
                "End",
                send,
                Event::Asked(Deed::EndSession(session.id.clone())),
            )
        };
        html! {
            <tr key={session.id.to_string()}>
                <th scope="row">{ browser }</th>
                <td>{ session.account.as_str() }</td>
                <td>{ time(session.made_at) }</td>
                <td>{ time(session.used_at) }</td>
                <td class="quiet">{ &session.peer }</td>
                <td>{ action }</td>
            </tr>
        }
    });
    part::table(
        "Who is signed in",
        &["Browser", "Account", "Since", "Last used", "From", "End"],
        rows,
    )
}

fn list(devices: &[Device], model: &Model, send: &Callback<Event>) -> Html {
    if devices.is_empty() {
        return part::empty("No browser is paired yet.", None);
    }
    let rows = devices.iter().map(|device| row(device, model, send));
    part::table(
        "Paired browsers",
        &["Name", "Account", "Paired", "Extension", "Revoke"],
        rows,
    )
}

/// That a browser knows the relay by a key that was renewed, and what follows.
fn behind(until: Timestamp, now: Timestamp) -> Html {
    let words = if until <= now {
        "It knows a key of the relay that is over: pair it again.".to_owned()
    } else {
        format!(
            "It follows to the relay's new key by itself, until {}.",
            when::near(until, now)
        )
    };
    html! { <div class="quiet">{ words }</div> }
}

fn row(device: &Device, model: &Model, send: &Callback<Event>) -> Html {
    let is_confirming = model.page.confirming.as_ref() == Some(&device.id);
    let action = if is_confirming {
        html! {
            <div class="actions" role="alert">
                <span>{ "It can reconnect nothing any more." }</span>
                { part::button("danger", &format!("Revoke {}", device.name), send, Event::Asked(Deed::Revoke(device.id.clone()))) }
                { part::button("plain", "Keep it", send, Event::Confirming(None)) }
            </div>
        }
    } else {
        let onclick = send.reform({
            let device = device.id.clone();
            move |_| Event::Confirming(Some(device.clone()))
        });
        html! {
            <button type="button" {onclick} aria-label={format!("Revoke {} …", device.name)}>{ "Revoke …" }</button>
        }
    };
    html! {
        <tr key={device.id.to_string()}>
            <th scope="row">
                { &device.name }
                { device.behind_until.map(|until| behind(until, model.now)) }
            </th>
            <td>{ device.account.as_str() }</td>
            <td>{ when::element(device.paired_at, when::near(device.paired_at, model.now)) }</td>
            <td class="quiet">{ device.origin.clone().unwrap_or_else(|| "None: not a browser".to_owned()) }</td>
            <td>{ action }</td>
        </tr>
    }
}
