//! The webmail page: who is signed in in this browser, which apps may use the account, and the last messages
//! of each folder. Access can be taken away here and app passwords be made; nothing can be written or sent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use chrono::DateTime;

use crate::mail::find_field;
use crate::oauth::browser::find_cookie;
use crate::oauth::page::{STYLE, escape, page};
use crate::profile::PasswordRule;
use crate::provider::Provider;

/// How many messages of a folder are shown.
const SHOWN: usize = 10;

pub(crate) fn router() -> Router<Arc<Provider>> {
    Router::new()
        .route("/", get(show))
        .route("/apps/remove", post(remove_apps))
        .route("/app-password", post(change_app_password))
        .route("/style.css", get(style))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// `POST /apps/remove`: what a person does on the account page of a provider. The cookie is `SameSite`, so that only
/// this page can ask for it.
async fn remove_apps(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    if let Some(address) = find_signed_in(&provider, &headers) {
        // Whoever is signed in has an account.
        let _ = provider.revoke(&address);
    }
    Redirect::to("/").into_response()
}

/// `POST /app-password`: makes one, which is shown this once, or deletes it.
async fn change_app_password(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let Some(address) = find_signed_in(&provider, &headers) else {
        return Redirect::to("/").into_response();
    };
    if fields.get("do").is_some_and(|what| what == "delete") {
        // Whoever is signed in has an account.
        let _ = provider.accounts.set_app_password(&address, None);
        return Redirect::to("/").into_response();
    }
    match provider.make_app_password(&address) {
        Ok(made) => page(
            StatusCode::OK,
            "Your app password",
            &format!(
                "<p>Copy it now; it is not shown again.</p><p><code>{}</code></p>\
                 <form action=\"/\"><button type=\"submit\">Done</button></form>",
                escape(&in_groups(&made))
            ),
        ),
        Err(_) => Redirect::to("/").into_response(),
    }
}

/// Four letters at a time, as providers show app passwords; the spaces are not part of it.
fn in_groups(text: &str) -> String {
    let mut grouped = String::new();
    for (idx, letter) in text.chars().enumerate() {
        if idx > 0 && idx % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(letter);
    }
    grouped
}

fn find_signed_in(provider: &Provider, headers: &HeaderMap) -> Option<String> {
    let cookie = find_cookie(headers)?;
    provider.browsers.signed_in(&cookie).into_iter().next()
}

async fn show(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    let Some(address) = find_signed_in(&provider, &headers) else {
        let body = "<p>Nobody is signed in in this browser.</p>\
                    <form action=\"/sign-in\"><button type=\"submit\">Sign in</button></form>";
        return page(StatusCode::OK, "Mail", body);
    };
    let mut body = format!(
        "<p>Signed in as <b>{}</b></p><form method=\"post\" action=\"/sign-out\">\
         <button class=\"quiet\" type=\"submit\">Sign out</button></form>",
        escape(&address)
    );
    let _ = write!(
        body,
        "<p role=\"status\">{}</p>",
        status(&provider, &address)
    );
    if !apps(&provider, &address).is_empty() {
        body.push_str(
            "<form method=\"post\" action=\"/apps/remove\">\
             <button class=\"quiet\" type=\"submit\">Remove access</button></form>",
        );
    }
    if provider.profile.passwords == PasswordRule::AppOnly {
        body.push_str(if provider.accounts.has_app_password(&address) {
            "<p>An app password is in use.</p><form method=\"post\" action=\"/app-password\">\
             <button type=\"submit\">Make a new app password</button> \
             <button class=\"quiet\" type=\"submit\" name=\"do\" value=\"delete\">Delete the app password</button></form>"
        } else {
            "<p>There is no app password.</p><form method=\"post\" action=\"/app-password\">\
             <button type=\"submit\">Make an app password</button></form>"
        });
    }
    for folder in provider.mail.folders(&address) {
        let _ = write!(
            body,
            "<h2>{} ({})</h2>",
            escape(&folder.name),
            folder.n_messages
        );
        if folder.n_messages == 0 {
            body.push_str("<p class=\"note\">No messages yet.</p>");
            continue;
        }
        body.push_str("<table>");
        let newest = provider.mail.read_folder(&address, &folder.name, |folder| {
            folder
                .messages
                .iter()
                .rev()
                .take(SHOWN)
                .cloned()
                .collect::<Vec<_>>()
        });
        for stored in newest.unwrap_or_default() {
            let field = |name| escape(&find_field(&stored.raw, name).unwrap_or_default());
            let _ = write!(
                body,
                "<tr><td>{}</td><td>{}</td><td><b>{}</b></td></tr>",
                render_instant(stored.received_at_ms),
                if folder.special_use.as_deref() == Some("Sent") {
                    field("To")
                } else {
                    field("From")
                },
                field("Subject"),
            );
        }
        body.push_str("</table>");
    }
    page(StatusCode::OK, "Mail", &body)
}

/// What a provider tells an account's owner: who else gets at the mail. HTML.
fn status(provider: &Provider, address: &str) -> String {
    if provider.accounts.is_locked(address) {
        return "This account is locked: no mail comes in or goes out.".to_owned();
    }
    let names = apps(provider, address);
    if names.is_empty() {
        return "No app may use this account.".to_owned();
    }
    format!("May use this account: <b>{}</b>.", names.join("</b>, <b>"))
}

/// The apps that may use the account, as HTML text.
fn apps(provider: &Provider, address: &str) -> Vec<String> {
    let grants = provider.grants.of_person(address);
    let mut names: Vec<_> = grants
        .iter()
        .filter(|grant| grant.live)
        .filter_map(|grant| provider.clients.find(&grant.client_id))
        .map(|client| escape(client.name))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn render_instant(at_ms: u64) -> String {
    i64::try_from(at_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .map(|instant| instant.format("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}
