//! The webmail page: who is signed in in this browser, which apps may use the account, and the last messages
//! of each folder.
//! Nothing can be written or sent here.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::DateTime;

use crate::mail::find_field;
use crate::oauth::browser::find_cookie;
use crate::oauth::page::{STYLE, escape, page};
use crate::provider::Provider;

/// How many messages of a folder are shown.
const SHOWN: usize = 10;

pub(crate) fn router() -> Router<Arc<Provider>> {
    Router::new()
        .route("/", get(show))
        .route("/style.css", get(style))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn show(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    let signed_in = find_cookie(&headers)
        .and_then(|cookie| provider.browsers.signed_in(&cookie).into_iter().next());
    let Some(address) = signed_in else {
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
    let grants = provider.grants.of_person(address);
    let mut names: Vec<_> = grants
        .iter()
        .filter(|grant| grant.live)
        .filter_map(|grant| provider.clients.find(&grant.client_id))
        .map(|client| escape(client.name))
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return "No app may use this account.".to_owned();
    }
    format!("May use this account: <b>{}</b>.", names.join("</b>, <b>"))
}

fn render_instant(at_ms: u64) -> String {
    i64::try_from(at_ms)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .map(|instant| instant.format("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}
