//! The pages a person sees, as plain HTML. Every title says that this is a sandbox.

use std::fmt::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use super::client::Client;
use crate::account::Shown;
use crate::profile::{OAuth, Scope};

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
    habits: &OAuth,
    scopes: &[String],
) -> Response {
    let wanted = || {
        let is_wanted = |scope: &&Scope| scopes.iter().any(|wanted| wanted == scope.name);
        habits.scopes.iter().filter(is_wanted)
    };
    let (mut list, mut boxes) = (String::new(), String::new());
    for scope in wanted() {
        // A person may leave out what is not for signing in.
        if habits.granular_consent && scope.is_mail() {
            let _ = write!(
                boxes,
                "<label class=\"choice\"><input type=\"checkbox\" name=\"{SCOPE_FIELD}{}\" value=\"on\" checked> \
                 {}</label>",
                escape(scope.name),
                escape(scope.words)
            );
        } else {
            let _ = write!(list, "<li>{}</li>", escape(scope.words));
        }
    }
    let hidden = hidden(transaction);
    let body = format!(
        "<p><b>{}</b> asks for a permission of <b>{}</b>:</p><ul>{list}</ul>\
         <form method=\"post\" action=\"/authorize/consent\">{hidden}{boxes}\
         <button type=\"submit\" name=\"decision\" value=\"allow\">Allow</button> \
         <button type=\"submit\" class=\"quiet\" name=\"decision\" value=\"deny\">Cancel</button>\
         </form>",
        escape(client.name),
        escape(address),
    );
    page(StatusCode::OK, "Allow access", &body)
}

/// Names the field of a scope that may be left out; the scope's name follows.
pub(super) const SCOPE_FIELD: &str = "scope:";

/// Before the consent of an app that the provider does not know. The way on is folded, as it is there.
pub(super) fn warn_of_unverified(transaction: &str, client: &Client) -> Response {
    let (hidden, name) = (hidden(transaction), escape(client.name));
    let body = format!(
        "<p>The app asks for sensitive information of your account. Until <b>{name}</b> is verified, do \
         not use it unless you know its developer.</p>\
         <form method=\"post\" action=\"/authorize/warning\">{hidden}\
         <button type=\"submit\" name=\"decision\" value=\"back\">Back to safety</button>\
         <details><summary>Advanced</summary>\
         <button type=\"submit\" class=\"quiet\" name=\"decision\" value=\"proceed\">Go to {name} (unsafe)</button>\
         </details></form>"
    );
    page(StatusCode::OK, "This app is not verified", &body)
}

/// Where the person may not agree for themselves. There is no way on, only back.
pub(super) fn need_admin_approval(transaction: &str, client: &Client, address: &str) -> Response {
    let body = format!(
        "<p><b>{}</b> needs a permission that only an administrator can give. Ask an administrator of \
         <b>{}</b> to allow this app before you can use it.</p>\
         <form method=\"post\" action=\"/authorize/consent\">{}\
         <button type=\"submit\" class=\"quiet\" name=\"decision\" value=\"unapproved\">\
         Return to the application without granting consent</button></form>",
        escape(client.name),
        escape(
            address
                .rsplit_once('@')
                .map_or(address, |(_, domain)| domain)
        ),
        hidden(transaction),
    );
    page(StatusCode::OK, "Need admin approval", &body)
}

/// What an administrator sees who follows the link of the request.
pub(super) fn ask_admin(client: &Client, is_allowed: bool) -> Response {
    let name = escape(client.name);
    let body = if is_allowed {
        format!(
            "<p role=\"status\"><b>{name}</b> is allowed for everybody in this organisation.</p>"
        )
    } else {
        format!(
            "<p><b>{name}</b> asks to be allowed for everybody in this organisation.</p>\
             <form method=\"post\"><button type=\"submit\">Allow for everybody</button></form>"
        )
    };
    page(StatusCode::OK, "Allow an app for everybody", &body)
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
