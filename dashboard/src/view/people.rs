//! Everybody who signs in: what each may do, which inboxes a client sees, and links for those who are to set a password.
//! For owners alone.

use protocol::account::{AccountName, Role};
use protocol::request::account::{Account, Invitation};
use web::when;
use web_sys::HtmlSelectElement;
use yew::{
    Callback, Html, Properties, SubmitEvent, TargetCast as _, component, html, use_node_ref,
    use_state_eq,
};

use super::part;
use crate::event::{Deed, Event};
use crate::model::Model;

/// The section of the settings.
pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    if !model.is_owner() {
        return html! {};
    }
    html! {
        <section aria-labelledby="people">
            <h2 id="people">{ "People" }</h2>
            <p>{ "A member works with everything. A client sees only the inboxes that you give, with the campaigns that send by them and by no other, and can reconnect them." }</p>
            { part::slot(&model.page.accounts, send, |accounts| list(accounts, model, send)) }
            { part::slot(&model.page.accounts, send, |accounts| {
                let clients = accounts.iter().filter(|account| account.role == Role::Client);
                html! { { for clients.map(|client| gives(client, model, send)) } }
            }) }
            <InviteForm typed={model.typed.invited.clone()} send={send.clone()} />
            { model.page.invitation.as_ref().map(|invitation| link(invitation, model, send)) }
        </section>
    }
}

fn list(accounts: &[Account], model: &Model, send: &Callback<Event>) -> Html {
    let rows = accounts.iter().map(|account| row(account, model, send));
    part::table(
        "People",
        &["Name", "Role", "Signs in by", "Since", "Link", "Remove"],
        rows,
    )
}

fn row(account: &Account, model: &Model, send: &Callback<Event>) -> Html {
    let id = &account.id;
    let is_own = model.account.as_ref().is_some_and(|own| own.id == *id);
    let name = account.name.as_str();
    let remove = if is_own {
        html! { "You" }
    } else if model.page.removing.as_ref() == Some(id) {
        html! {
            <div class="actions" role="alert">
                <span>{ "Sessions and browsers go with it." }</span>
                { part::button("danger", &format!("Remove {name}"), send, Event::Asked(Deed::RemoveAccount(id.clone()))) }
                { part::button("plain", "Keep it", send, Event::Removing(None)) }
            </div>
        }
    } else {
        part::button("", "Remove …", send, Event::Removing(Some(id.clone())))
    };
    let password = match (account.has_password, account.passkeys) {
        (true, 0) => "Password",
        (true, _) => "Password, passkey",
        (false, 0) => "Nothing yet",
        (false, _) => "Passkey",
    };
    let again = if account.has_password || account.passkeys > 0 {
        "New password …"
    } else {
        "New link"
    };
    html! {
        <tr key={id.to_string()}>
            <th scope="row">{ name }</th>
            <td>{ role_of(account, send) }</td>
            <td>{ password }</td>
            <td>{ when::element(account.made_at, when::near(account.made_at, model.now)) }</td>
            <td>{ part::button("", again, send, Event::InviteAgainAsked(id.clone())) }</td>
            <td>{ remove }</td>
        </tr>
    }
}

fn role_of(account: &Account, send: &Callback<Event>) -> Html {
    let onchange = send.reform({
        let (id, before) = (account.id.clone(), account.role);
        move |event: yew::Event| {
            let chosen = event.target_unchecked_into::<HtmlSelectElement>().value();
            Event::Asked(Deed::SetRole(id.clone(), chosen.parse().unwrap_or(before)))
        }
    });
    html! {
        <select aria-label={format!("Role of {}", account.name)} {onchange}>
            { for options(account.role) }
        </select>
    }
}

fn options(chosen: Role) -> impl Iterator<Item = Html> {
    Role::ALL.into_iter().rev().map(move |role| {
        let words = match role {
            Role::Owner => "Owner",
            Role::Member => "Member",
            Role::Client => "Client",
        };
        html! { <option value={role.code()} selected={role == chosen}>{ words }</option> }
    })
}

/// The inboxes of a client, each of which is given or taken by a click.
fn gives(client: &Account, model: &Model, send: &Callback<Event>) -> Html {
    let boxes = model.inboxes().iter().map(|inbox| {
        let is_given = client.inboxes.contains(&inbox.id);
        let mut after: Vec<_> = client.inboxes.clone();
        if is_given {
            after.retain(|id| *id != inbox.id);
        } else {
            after.push(inbox.id.clone());
        }
        let onchange = send.reform({
            let id = client.id.clone();
            move |_: yew::Event| Event::Asked(Deed::Give(id.clone(), after.clone()))
        });
        html! {
            <label key={inbox.id.to_string()}>
                <input type="checkbox" checked={is_given} disabled={model.doing.is_some()} {onchange} />
                { inbox.address.as_str() }
            </label>
        }
    });
    html! {
        <fieldset class="gives" key={client.id.to_string()}>
            <legend>{ format!("Inboxes that {} sees", client.name) }</legend>
            { for boxes }
            if model.inboxes().is_empty() {
                <p class="quiet">{ "There is no inbox yet." }</p>
            }
        </fieldset>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct Props {
    /// Who was to be invited last, and was not.
    typed: Option<(String, Role)>,
    send: Callback<Event>,
}

#[component]
fn InviteForm(props: &Props) -> Html {
    let role = use_node_ref();
    let name = part::use_kept(|| {
        props
            .typed
            .clone()
            .map_or_else(String::new, |(name, _)| name)
    });
    let first = props.typed.as_ref().map_or(Role::Client, |(_, role)| *role);
    let problem = use_state_eq(|| None::<String>);
    let onsubmit = {
        let (name, role, problem) = (name.field.clone(), role.clone(), problem.clone());
        let send = props.send.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let chosen = role.cast::<HtmlSelectElement>().map(|role| role.value());
            let chosen = chosen.and_then(|role| role.parse().ok());
            match AccountName::try_from(part::typed(&name)) {
                Ok(called) => {
                    problem.set(None);
                    send.emit(Event::InviteAsked(called, chosen.unwrap_or(Role::Client)));
                }
                Err(fault) => problem.set(Some(fault.to_string())),
            }
        })
    };
    html! {
        <form class="entry" {onsubmit}>
            <h3>{ "Somebody new" }</h3>
            <label for="invite-name">{ "Mail address or name" }</label>
            <input ref={name.field.clone()} value={name.text()} oninput={name.oninput()} id="invite-name" type="text" autocomplete="off" required=true />
            <label for="invite-role">{ "Role" }</label>
            <select ref={role} id="invite-role">{ for options(first) }</select>
            <p role="alert">{ (*problem).clone() }</p>
            <p><button type="submit">{ "Make a link" }</button></p>
        </form>
    }
}

fn link(invitation: &Invitation, model: &Model, send: &Callback<Event>) -> Html {
    let name = invitation.account.name.as_str();
    let copy = send.reform({
        let url = invitation.url.clone();
        move |_| Event::Copied(url.clone())
    });
    let is_copied = model.page.copied.as_ref() == Some(&invitation.url);
    let until = when::element(
        invitation.expires_at,
        when::near(invitation.expires_at, model.now),
    );
    html! {
        <div class="pairing">
            <label for="invitation">{ format!("Link for {name}") }</label>
            <div class="field">
                <input id="invitation" class="mono" readonly=true value={invitation.url.expose().to_owned()} />
                <button type="button" class="primary" onclick={copy}>{ "Copy the link" }</button>
            </div>
            <p role="status">{ if is_copied { "Copied." } else { "" } }</p>
            <p>{ format!("Give it to {name} alone: whoever opens it sets the password. It works once and ends ") }{ until }{ "." }</p>
        </div>
    }
}
