//! The form of an inbox that signs in by a password: what it asks for, as a picture, and as Yew draws it. What is typed
//! leaves it once, cleaned and as a [`Secret`], and the fields are empty from then on.

use protocol::card::{Remedy, Words};
use protocol::cause::Cause;
use protocol::inbox::{MailServer, TlsMode};
use protocol::password::{NotAPassword, clean};
use protocol::provider::Provider;
use protocol::request::inbox::{Inbox, SignsInBy};
use protocol::secret::Secret;
use serde::{Deserialize, Serialize};
use web_sys::HtmlInputElement;
use yew::{
    Callback, Html, InputEvent, NodeRef, Properties, SubmitEvent, TargetCast as _, component, html,
    use_node_ref, use_state_eq,
};

/// What the form asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordForm {
    /// What the field is called.
    pub label: String,
    /// The user name that is used unless another is typed.
    pub user: String,
    /// Whether that is the inbox's own address, and so goes without saying.
    pub is_user_the_address: bool,
    /// The provider's page where an app password is made.
    pub page: Option<Page>,
    /// Where the password is used.
    pub servers: Vec<Server>,
}

/// The provider's page where an app password is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// The link's words.
    pub words: String,
}

/// A server as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// "Sends" or "Reads".
    pub does: String,
    /// Host and port.
    pub place: String,
    /// How TLS begins.
    pub tls: String,
}

/// A password that a person gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The user name.
    pub user: String,
    /// The password, cleaned.
    pub password: Secret,
}

/// Whether an inbox, as the relay tells of it, is reconnected by a password.
pub fn asks_password(inbox: &Inbox) -> bool {
    asks_for(inbox, remedy_of(inbox))
}

/// What the lost connection asks for, whatever became of a reconnect since.
pub(super) fn remedy_of(inbox: &Inbox) -> Remedy {
    let connection = &inbox.connection;
    let told = connection.card.as_ref().map(|words| words.remedy);
    let remedy = told
        .or_else(|| connection.cause.map(|cause| cause.card().remedy))
        .unwrap_or(Remedy::Reconnect);
    possible(inbox, remedy)
}

/// What is possible of this remedy: a provider without a sign-in page has nothing to sign in on instead, and only its
/// administrator can let the password in again.
pub(super) fn possible(inbox: &Inbox, remedy: Remedy) -> Remedy {
    let has_page = Provider::find(&inbox.provider).is_some_and(|known| known.oauth.is_some());
    match remedy {
        Remedy::SignInInstead if !has_page => Remedy::AskAdmin,
        remedy => remedy,
    }
}

/// Whether this remedy leads to the form.
fn asks_for(inbox: &Inbox, remedy: Remedy) -> bool {
    match remedy {
        Remedy::NewAppPassword => true,
        Remedy::SignInInstead => false,
        _ => inbox.signs_in_by == SignsInBy::Password,
    }
}

/// The form of an inbox with this remedy; `None` where it signs in on a page.
pub(super) fn draw(inbox: &Inbox, remedy: Remedy) -> Option<PasswordForm> {
    if !asks_for(inbox, remedy) {
        return None;
    }
    let page = Provider::find(&inbox.provider).and_then(|known| {
        Some(Page {
            url: known.app_passwords?.to_owned(),
            words: format!("Make an app password at {}", known.name),
        })
    });
    let label = if remedy == Remedy::NewAppPassword {
        "New app password"
    } else {
        "Password"
    };
    let address = inbox.address.as_str();
    Some(PasswordForm {
        label: label.to_owned(),
        user: inbox.user.as_deref().unwrap_or(address).to_owned(),
        is_user_the_address: inbox.user.as_deref().is_none_or(|user| user == address),
        page,
        servers: vec![server("Sends", &inbox.smtp), server("Reads", &inbox.imap)],
    })
}

fn server(does: &str, server: &MailServer) -> Server {
    let tls = match server.tls {
        TlsMode::Implicit => "TLS",
        TlsMode::StartTls => "STARTTLS",
    };
    Server {
        does: does.to_owned(),
        place: server.to_string(),
        tls: tls.to_owned(),
    }
}

/// The title and the explanation where a password was just refused and no more was said: the words for a lost inbox
/// would read as if nothing had been tried.
pub(super) fn refused(words: Words, address: &str, provider: &str) -> Words {
    let facts = protocol::card::Facts {
        inbox: address,
        provider,
    };
    if words != Cause::SignInRefused.card().render(&facts) {
        return words;
    }
    Words {
        title: "The password was refused".to_owned(),
        explanation: format!(
            "{provider} did not take it. Nothing was changed; enter it once more. Gmail, Yahoo, AOL, iCloud, Fastmail and Zoho take an app password in place of the account's own."
        ),
        ..words
    }
}

/// The form and where what is typed goes.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// What it asks for.
    pub form: PasswordForm,
    /// What the ids of its elements begin with.
    pub id: String,
    /// What was typed, once.
    pub on_given: Callback<Given>,
    /// What stands beside its button.
    #[prop_or_default]
    pub children: Html,
}

/// The form.
#[component]
pub fn PasswordView(props: &Props) -> Html {
    let Props {
        form,
        id,
        on_given,
        children,
    } = props;
    let password = use_node_ref();
    // Whatever draws the form again must not take what was typed away: the name is kept here, the password nowhere
    // but in its field.
    let user = use_state_eq(|| form.user.clone());
    let is_shown = use_state_eq(|| false);
    let problem = use_state_eq(|| None);
    let onsubmit = {
        let password = password.clone();
        let (is_shown, problem) = (is_shown.clone(), problem.clone());
        let (on_given, usual) = (on_given.clone(), form.user.clone());
        let named = user.trim().to_owned();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            is_shown.set(false);
            match take(&password) {
                Ok(password) => {
                    problem.set(None);
                    let user = if named.is_empty() { &usual } else { &named };
                    on_given.emit(Given {
                        user: user.clone(),
                        password,
                    });
                }
                Err(no) => problem.set(Some(no)),
            }
        })
    };
    let onclick = {
        let is_shown = is_shown.clone();
        Callback::from(move |_| is_shown.set(!*is_shown))
    };
    let oninput = {
        let user = user.clone();
        Callback::from(move |event: InputEvent| {
            user.set(event.target_unchecked_into::<HtmlInputElement>().value());
        })
    };
    let problem = problem.map(|no| match no {
        NotAPassword::Empty => "Enter the password first.",
        NotAPassword::TooLong => "This is longer than any password.",
    });
    let (user_id, password_id) = (format!("{id}-user"), format!("{id}-password"));
    let (problem_id, page_id) = (format!("{id}-problem"), format!("{id}-page"));
    let described = match &form.page {
        Some(_) => format!("{problem_id} {page_id}"),
        None => problem_id.clone(),
    };
    let name = html! {
        <div class="password-name">
            <label for={user_id.clone()}>{ "User name" }</label>
            <input
                id={user_id}
                type="text"
                value={(*user).clone()}
                {oninput}
                autocomplete="username"
                autocapitalize="none"
                spellcheck="false"
            />
        </div>
    };
    let servers = form.servers.iter().map(|server| {
        html! {
            <>
                <dt>{ &server.does }</dt>
                <dd>{ &server.place }<span class="quiet">{ &server.tls }</span></dd>
            </>
        }
    });
    let (is_named, folded) = if form.is_user_the_address {
        (None, Some(name))
    } else {
        (Some(name), None)
    };
    let summary = match &folded {
        Some(_) => "Servers and user name",
        None => "Servers",
    };
    let kind = if *is_shown { "text" } else { "password" };
    // Without a name or an address of its own it is never sent anywhere by the browser.
    html! {
        <form class="password" {onsubmit}>
            { is_named }
            <div class="password-label">
                <label for={password_id.clone()}>{ &form.label }</label>
                if let Some(page) = &form.page {
                    <a id={page_id} href={page.url.clone()} target="_blank" rel="noreferrer">{ &page.words }</a>
                }
            </div>
            <div class="password-row">
                <input
                    ref={password}
                    id={password_id.clone()}
                    type={kind}
                    autocomplete="current-password"
                    autocapitalize="none"
                    spellcheck="false"
                    aria-invalid={problem.is_some().to_string()}
                    aria-describedby={described}
                />
                <button
                    type="button"
                    aria-pressed={is_shown.to_string()}
                    aria-controls={password_id}
                    {onclick}
                >
                    { "Show" }<span class="unseen">{ " the password" }</span>
                </button>
            </div>
            <p id={problem_id} class="password-problem" role="alert">{ problem }</p>
            <div class="actions">
                <button type="submit" class="primary">{ "Reconnect" }</button>
                { children.clone() }
            </div>
            <details>
                <summary>{ summary }</summary>
                { folded }
                <dl class="password-servers">{ for servers }</dl>
            </details>
        </form>
    }
}

/// The password that was typed; its field is empty after this.
fn take(field: &NodeRef) -> Result<Secret, NotAPassword> {
    let field = field.cast::<HtmlInputElement>();
    // Of the text that the browser gave, no copy stays behind either.
    let typed = Secret::new(
        field
            .as_ref()
            .map(HtmlInputElement::value)
            .unwrap_or_default(),
    );
    let password = clean(typed.expose());
    if let Some(field) = field.filter(|_| password.is_ok()) {
        field.set_value("");
    }
    password
}

#[cfg(test)]
mod tests;
