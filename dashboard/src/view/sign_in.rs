//! Not signed in: by a passkey, by name and password, by a link of the command line, or by an invitation.

use protocol::account::PASSWORD_AT_LEAST;
use protocol::secret::Secret;
use yew::{Callback, Html, Properties, SubmitEvent, component, html, use_node_ref};

use super::part;
use crate::event::Event;
use crate::model::{Access, Model, Out, Place};

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    let out = match &model.access {
        Access::Out(out) => out,
        Access::Invited {
            invited,
            is_waiting,
            problem,
            ..
        } => {
            return html! {
                <section class="sheet">
                    <p class="brand">{ part::mark() }{ "Unpause" }</p>
                    { part::heading("Set your password") }
                    <TakeForm
                        name={invited.name.clone()}
                        is_waiting={*is_waiting}
                        problem={problem.clone()}
                        send={send.clone()}
                    />
                </section>
            };
        }
        Access::Asked { .. } => {
            return html! {
                <section class="sheet">
                    <p class="brand">{ part::mark() }{ "Unpause" }</p>
                    { part::heading("Sign in to this relay?") }
                    <p>{ "You have opened a link that works once. Use it if it is yours: from " }<code>{ "unpause login" }</code>{ "." }</p>
                    <p>{ part::button("primary", "Sign in to this relay", send, Event::EnterPressed) }</p>
                </section>
            };
        }
        Access::Entering { .. } | Access::In(_) => {
            return html! {
                <section class="sheet" role="status">
                    <p class="brand">{ part::mark() }{ "Unpause" }</p>
                    { part::heading("Signing in …") }
                </section>
            };
        }
    };
    let (title, words) = match out {
        Out::Never => ("Sign in", String::new()),
        Out::Wrong => (
            "Sign in",
            "The name or the password is wrong.".to_owned(),
        ),
        Out::WrongPasskey => (
            "Sign in",
            "This passkey is not known here, or was removed. Sign in in another way.".to_owned(),
        ),
        Out::NoPasskey { words } => (
            "Sign in",
            words
                .clone()
                .unwrap_or_else(|| "No passkey was used. Try again, or sign in by name.".to_owned()),
        ),
        Out::UsedCode => (
            "This link no longer works",
            "A link works once, and for ten minutes.".to_owned(),
        ),
        Out::UsedInvitation => (
            "This invitation no longer works",
            "It works once, and for three days. Ask for a new one.".to_owned(),
        ),
        Out::NoAnswer { words } => ("The sign-in was not finished", words.clone()),
        Out::Ended => (
            "Your session has ended",
            "Your campaigns go on without it.".to_owned(),
        ),
        Out::Left => (
            "You are signed out",
            "Your campaigns go on all the same.".to_owned(),
        ),
        Out::LeftUntold => (
            "You are signed out here",
            "The relay did not answer, so it does not know. The session ends there after 12 hours without use, or at \
             once with `unpause session end --all`."
                .to_owned(),
        ),
    };
    let is_alert = matches!(out, Out::Wrong | Out::WrongPasskey | Out::NoPasskey { .. });
    let role = is_alert.then_some("alert");
    html! {
        <section class="sheet">
            <p class="brand">{ part::mark() }{ "Unpause" }</p>
            { part::heading(title) }
            if !words.is_empty() {
                <p {role}>{ words }</p>
            }
            if model.place == Place::Here {
                <p>{ part::button("primary", "Sign in with a passkey", send, Event::PasskeyAsked) }</p>
            }
            <SignInForm is_first={model.place != Place::Here} name={model.typed.name.clone()} send={send.clone()} />
            <p class="quiet">{ "No password? Run this on the machine of the relay, and open the link that it prints:" }</p>
            <pre tabindex="0">{ "unpause login" }</pre>
        </section>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct SignInProps {
    /// Whether it is what most will use here.
    is_first: bool,
    /// The name that was typed last.
    name: String,
    send: Callback<Event>,
}

#[component]
fn SignInForm(props: &SignInProps) -> Html {
    let password = use_node_ref();
    let name = part::use_kept(|| props.name.clone());
    let onsubmit = {
        let (name, password, send) = (name.field.clone(), password.clone(), props.send.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let typed = Secret::new(part::take(&password));
            send.emit(Event::SignInAsked(part::typed(&name), typed));
        })
    };
    html! {
        <form class="entry" {onsubmit}>
            <label for="name">{ "Name" }</label>
            <input ref={name.field.clone()} value={name.text()} oninput={name.oninput()} id="name" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" required=true />
            <label for="password">{ "Password" }</label>
            <input ref={password} id="password" type="password" autocomplete="current-password" required=true />
            <p><button type="submit" class={props.is_first.then_some("primary")}>{ "Sign in" }</button></p>
        </form>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct TakeProps {
    name: String,
    is_waiting: bool,
    problem: Option<String>,
    send: Callback<Event>,
}

#[component]
fn TakeForm(props: &TakeProps) -> Html {
    let password = use_node_ref();
    let onsubmit = {
        let (password, send) = (password.clone(), props.send.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            send.emit(Event::Accepting(Secret::new(part::typed(&password))));
        })
    };
    html! {
        <form class="entry" {onsubmit}>
            <label for="name">{ "You sign in as" }</label>
            <input id="name" type="text" autocomplete="username" value={props.name.clone()} readonly=true />
            <label for="password">{ "Password" }</label>
            <input ref={password} id="password" type="password" autocomplete="new-password" required=true aria-describedby="password-rule" />
            <p id="password-rule" class="quiet">{ format!("At least {PASSWORD_AT_LEAST} characters of any kind: some words in a row are good.") }</p>
            <p role="alert">{ props.problem.clone() }</p>
            <p><button type="submit" class="primary" disabled={props.is_waiting}>{ "Set the password and sign in" }</button></p>
        </form>
    }
}
