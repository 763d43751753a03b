//! One's own account: what it is called, what it may do, its password and its passkeys.

use protocol::account::{PASSWORD_AT_LEAST, Role, check_password};
use protocol::request::account::Account;
use protocol::secret::Secret;
use yew::{Callback, Html, Properties, SubmitEvent, component, html, use_node_ref, use_state_eq};

use super::{part, passkeys};
use crate::event::{Deed, Event};
use crate::model::Model;

/// The section of the settings.
pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    let Some(account) = &model.account else {
        return html! {};
    };
    let may = match account.role {
        Role::Owner => "You are an owner: you decide who else signs in.",
        Role::Member => "You are a member: you work with every inbox and campaign.",
        Role::Client => {
            "You are a client: you see your own inboxes and campaigns, and reconnect them."
        }
    };
    html! {
        <>
        <section aria-labelledby="own">
            <h2 id="own">{ "Your account" }</h2>
            <p><strong>{ account.name.as_str() }</strong>{ ". " }{ may }</p>
            if !account.has_password && account.passkeys == 0 {
                <p>{ "It has no password: links of the command line sign you in. Set one to sign in by name on any of your browsers." }</p>
            }
            if !account.has_password && account.passkeys > 0 {
                <p>{ "It has no password: your passkeys alone sign you in." }</p>
            }
            <PasswordForm account={account.clone()} is_done={model.page.is_password_set} send={send.clone()} />
        </section>
        { passkeys::view(account, model, send) }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct Props {
    account: Account,
    is_done: bool,
    send: Callback<Event>,
}

#[component]
fn PasswordForm(props: &Props) -> Html {
    let (current, password) = (use_node_ref(), use_node_ref());
    let problem = use_state_eq(|| None::<String>);
    let onsubmit = {
        let (current, password, problem) = (current.clone(), password.clone(), problem.clone());
        let (send, account) = (props.send.clone(), props.account.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let typed = Secret::new(part::typed(&password));
            match check_password(&typed, account.name.as_str()) {
                Ok(()) => {
                    problem.set(None);
                    // What leaves the page stands on it no more.
                    part::take(&password);
                    let before = account
                        .has_password
                        .then(|| Secret::new(part::take(&current)));
                    send.emit(Event::Asked(Deed::SetPassword {
                        current: before,
                        password: typed,
                    }));
                }
                Err(fault) => problem.set(Some(fault.to_string())),
            }
        })
    };
    let label = if props.account.has_password {
        "Change the password"
    } else {
        "Set the password"
    };
    html! {
        <form class="entry" {onsubmit}>
            // For password managers, which keep it with the password.
            <input type="text" autocomplete="username" value={props.account.name.to_string()} readonly=true hidden=true />
            if props.account.has_password {
                <label for="current-password">{ "Password of now" }</label>
                <input ref={current} id="current-password" type="password" autocomplete="current-password" required=true />
            }
            <label for="new-password">{ "New password" }</label>
            <input ref={password} id="new-password" type="password" autocomplete="new-password" required=true aria-describedby="new-password-rule" />
            <p id="new-password-rule" class="quiet">{ format!("At least {PASSWORD_AT_LEAST} characters of any kind: some words in a row are good.") }</p>
            <p role="alert">{ (*problem).clone() }</p>
            <p role="status">{ if props.is_done { "The password is set. Your other sessions have ended." } else { "" } }</p>
            <p><button type="submit">{ label }</button></p>
        </form>
    }
}
