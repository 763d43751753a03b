//! The pages a person sees, as plain HTML. Every title says that this is a sandbox.

use std::fmt::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use super::SCOPES;
use super::client::Client;
use crate::account::Shown;

/// The style sheet of every page.
pub(crate) const STYLE: &str = include_str!("style.css");

/// A page. `body` is HTML; whatever came from outside must have gone through [`escape`].
pub(crate) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} · sandbox</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\
         <body><main><p class=\"brand\">Mail provider <b>sandbox</b></p><h1>{title}</h1>{body}\
         <p class=\"note\">A stand-in for a mail provider. Nothing here is real mail.</p>\
         </main></body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page that ends a sign-in which cannot go on.
pub(crate) fn dead_end(title: &str, words: &str) -> Response {
    let body = format!("<p>{}</p>", escape(words));
    page(StatusCode::BAD_REQUEST, title, &body)
}

/// `known` are buttons; anybody else types an address.
pub(super) fn choose_account(
    transaction: &str,
    known: &[Shown],
    problem: Option<&str>,
) -> Response {
    let hidden = hidden(transaction);
    let mut body = render_problem(problem);
    for person in known {
        let (address, name) = (escape(&person.address), escape(&person.name));
        let _ = write!(
            body,
            "<form method=\"post\" action=\"/authorize/account\">{hidden}\
             <button class=\"account\" name=\"email\" value=\"{address}\">\
             <b>{name}</b> <span>{address}</span></button></form>"
        );
    }
    let _ = write!(
        body,
        "<form method=\"post\" action=\"/authorize/account\">{hidden}\
         <label>Another address <input type=\"email\" name=\"email\" autocomplete=\"username\" \
         required></label><button type=\"submit\">Next</button></form>"
    );
    page(StatusCode::OK, "Choose an account", &body)
}

pub(super) fn enter_password(transaction: &str, address: &str, problem: Option<&str>) -> Response {
    let hidden = hidden(transaction);
    let body = format!(
        "{}<form method=\"post\" action=\"/authorize/password\">{hidden}\
         <p>Signing in as <b>{}</b></p>\
         <label>Password <input type=\"password\" name=\"password\" \
         autocomplete=\"current-password\" required autofocus></label>\
         <button type=\"submit\">Sign in</button></form>\
         <form method=\"post\" action=\"/authorize/account\">{hidden}\
         <button class=\"quiet\" name=\"email\" value=\"\">Use another account</button></form>",
        render_problem(problem),
        escape(address),
    );
    page(StatusCode::OK, "Sign in", &body)
}

pub(super) fn ask_consent(
    transaction: &str,
    client: &Client,
    address: &str,
    scopes: &[String],
) -> Response {
    let mut list = String::new();
    for (scope, words) in SCOPES {
        if scopes.iter().any(|wanted| wanted == scope) {
            let _ = write!(list, "<li>{words}</li>");
        }
    }
    let hidden = hidden(transaction);
    let body = format!(
        "<p><b>{}</b> asks for a permission of <b>{}</b>:</p><ul>{list}</ul>\
         <form method=\"post\" action=\"/authorize/consent\">{hidden}\
         <button type=\"submit\" name=\"decision\" value=\"allow\">Allow</button> \
         <button type=\"submit\" class=\"quiet\" name=\"decision\" value=\"deny\">Cancel</button>\
         </form>",
        escape(client.name),
        escape(address),
    );
    page(StatusCode::OK, "Allow access", &body)
}

/// Text as HTML text or attribute value.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn hidden(transaction: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"transaction\" value=\"{}\">",
        escape(transaction)
    )
}

fn render_problem(problem: Option<&str>) -> String {
    problem
        .map(|words| format!("<p class=\"problem\" role=\"alert\">{}</p>", escape(words)))
        .unwrap_or_default()
}
