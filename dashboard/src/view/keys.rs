//! API keys: one for each program of one's own, with no more than it needs.

use std::collections::BTreeSet;

use protocol::key::{DAYS, DAYS_AT_MOST, Scope};
use protocol::request::key::{CreateKey, ListedKey, NewKey};
use web::when;
use web_sys::HtmlInputElement;
use yew::{
    Callback, Html, Properties, SubmitEvent, TargetCast as _, component, html, use_state,
    use_state_eq,
};

use super::part;
use crate::event::{Deed, Event};
use crate::model::Model;

/// The section of the settings.
pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    html! {
        <section aria-labelledby="keys">
            <h2 id="keys">{ "Keys for programs" }</h2>
            <p>{ "A program with a key may do what you may, and of that only what you tick. A key makes no other key, session or account." }</p>
            { part::slot(&model.page.keys, send, |keys| list(keys, model, send)) }
            { model.page.key.as_ref().map(|key| made(key, model, send)) }
            if model.is_encrypted {
                <KeyForm may_work={model.may_work()} send={send.clone()} />
            } else {
                <p class="quiet">{ "A key is sent with every request, so it is good over https alone, and this relay is reached without it. A program on its own machine calls " }<code>{ "unpause --json" }</code>{ " instead; docs/server.md says how to have https." }</p>
            }
        </section>
    }
}

fn list(keys: &[ListedKey], model: &Model, send: &Callback<Event>) -> Html {
    if keys.is_empty() {
        return html! {};
    }
    let rows = keys.iter().map(|key| row(key, model, send));
    part::table(
        "Keys for programs",
        &["Name", "Account", "May", "Last used", "Ends", "End"],
        rows,
    )
}

fn row(key: &ListedKey, model: &Model, send: &Callback<Event>) -> Html {
    let time = |at| when::element(at, when::near(at, model.now));
    let used = match (key.used_at, &key.used_from) {
        (None, _) => html! { "Never" },
        (Some(at), None) => time(at),
        (Some(at), Some(from)) => {
            html! { <>{ time(at) }{ " " }<span class="quiet">{ format!("from {from}") }</span></> }
        }
    };
    let ends = if key.ends_at <= model.now {
        html! { <>{ "Ended " }{ time(key.ends_at) }</> }
    } else {
        time(key.ends_at)
    };
    let may: Vec<_> = key.scopes.iter().map(|scope| short(*scope)).collect();
    let action = if model.page.ending_key.as_ref() == Some(&key.id) {
        html! {
            <div class="actions" role="alert">
                <span>{ "Its program is let in no more." }</span>
                { part::button("danger", &format!("End {}", key.name), send, Event::Asked(Deed::EndKey(key.id.clone()))) }
                { part::button("plain", "Keep it", send, Event::EndingKey(None)) }
            </div>
        }
    } else {
        part::button("", "End …", send, Event::EndingKey(Some(key.id.clone())))
    };
    html! {
        <tr key={key.id.to_string()}>
            <th scope="row">{ &key.name }</th>
            <td>{ key.account.as_str() }</td>
            <td>{ may.join(", ") }</td>
            <td>{ used }</td>
            <td>{ ends }</td>
            <td>{ action }</td>
        </tr>
    }
}

fn made(key: &NewKey, model: &Model, send: &Callback<Event>) -> Html {
    let copy = send.reform({
        let key = key.key.clone();
        move |_| Event::Copied(key.clone())
    });
    let is_copied = model.page.copied.as_ref() == Some(&key.key);
    html! {
        <div class="pairing">
            <label for="new-key">{ format!("Key for {}", key.listed.name) }</label>
            <div class="field">
                <input id="new-key" class="mono" readonly=true value={key.key.expose().to_owned()} />
                <button type="button" class="primary" onclick={copy}>{ "Copy the key" }</button>
            </div>
            <p role="status">{ if is_copied { "Copied." } else { "" } }</p>
            <p>{ "It is shown this once. The program sends it as " }<code>{ "Authorization: Bearer …" }</code>{ "." }</p>
        </div>
    }
}

fn short(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Reconnect => "reconnect",
        Scope::Campaigns => "campaigns",
        Scope::Inboxes => "inboxes",
        Scope::Suppressions => "never write to",
    }
}

fn long(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "Read what you can see",
        Scope::Reconnect => "Reconnect inboxes",
        Scope::Campaigns => "Run campaigns: leads, start, pause, resume",
        Scope::Inboxes => "Add, correct and remove inboxes",
        Scope::Suppressions => "Say who is never written to",
    }
}

#[derive(Clone, PartialEq, Properties)]
struct Props {
    /// Whether the account may change inboxes and campaigns: a scope that it could not use is not offered.
    may_work: bool,
    send: Callback<Event>,
}

#[component]
fn KeyForm(props: &Props) -> Html {
    let (name, days) = (
        part::use_kept(String::new),
        part::use_kept(|| DAYS.to_string()),
    );
    let scopes = use_state(|| BTreeSet::from([Scope::Read]));
    let problem = use_state_eq(|| None::<String>);
    let onsubmit = {
        let (name, days) = (name.field.clone(), days.field.clone());
        let (scopes, problem, send) = (scopes.clone(), problem.clone(), props.send.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if scopes.is_empty() {
                problem.set(Some("Tick at least one thing that it may do.".to_owned()));
                return;
            }
            let typed = part::typed(&days);
            let Some(n_days) = typed
                .trim()
                .parse()
                .ok()
                .filter(|n| (1..=DAYS_AT_MOST).contains(n))
            else {
                let words = format!("Expected 1 to {DAYS_AT_MOST} days, found {typed:?}.");
                problem.set(Some(words));
                return;
            };
            problem.set(None);
            send.emit(Event::KeyAsked(CreateKey {
                name: part::typed(&name),
                scopes: (*scopes).clone(),
                days: Some(n_days),
            }));
        })
    };
    let boxes = Scope::ALL
        .into_iter()
        .filter(|scope| props.may_work || matches!(scope, Scope::Read | Scope::Reconnect))
        .map(|scope| {
            let onchange = {
                let scopes = scopes.clone();
                Callback::from(move |event: yew::Event| {
                    let is_on = event.target_unchecked_into::<HtmlInputElement>().checked();
                    let mut after = (*scopes).clone();
                    if is_on {
                        after.insert(scope);
                    } else {
                        after.remove(&scope);
                    }
                    scopes.set(after);
                })
            };
            html! {
                <label>
                    <input type="checkbox" checked={scopes.contains(&scope)} {onchange} />
                    { long(scope) }
                </label>
            }
        });
    html! {
        <form class="entry" {onsubmit}>
            <h3>{ "A new key" }</h3>
            <label for="key-name">{ "What is it for?" }</label>
            <input ref={name.field.clone()} value={name.text()} oninput={name.oninput()} id="key-name" type="text" autocomplete="off" maxlength="100" required=true />
            <fieldset class="gives">
                <legend>{ "It may" }</legend>
                { for boxes }
            </fieldset>
            <label for="key-days">{ "Days until it ends" }</label>
            <input ref={days.field.clone()} oninput={days.oninput()} id="key-days" type="number" min="1" max={DAYS_AT_MOST.to_string()} value={days.text()} required=true />
            <p role="alert">{ (*problem).clone() }</p>
            <p><button type="submit">{ "Make a key" }</button></p>
        </form>
    }
}
