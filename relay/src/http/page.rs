//! The few pages that the relay writes itself: one heading, a few words, one way back. Everything else that a
//! person sees is the dashboard's.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use protocol::problem::{Code, Problem};

use super::Api;

/// Where the style of these pages is. A page has no other part.
const STYLE_PATH: &str = "/relay.css";
const STYLE: &str = include_str!("page/page.css");
const PAGE: &str = include_str!("page/page.html");

/// One page.
pub(super) struct Page {
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// The heading.
    pub(super) title: String,
    /// What happened and what to do; a paragraph for each line.
    pub(super) words: String,
    /// Whether there is a dashboard to go back to.
    pub(super) leads_back: bool,
    /// A button that posts to the page's own address, in place of the way back; `None` where there is none.
    pub(super) button: Option<&'static str>,
}

impl Page {
    /// A page of fixed words that leads back to the dashboard.
    pub(super) fn new(status: StatusCode, title: &str, words: &str) -> Self {
        Self {
            status,
            title: title.to_owned(),
            words: words.to_owned(),
            leads_back: true,
            button: None,
        }
    }

    /// A problem, for a person who opened an address in a tab.
    pub(super) fn of_problem(problem: &Problem) -> Self {
        let title = match problem.code {
            Code::Unavailable => "The mail provider does not answer",
            Code::Internal => "The relay failed",
            _ => "This cannot be done now",
        };
        let status = StatusCode::from_u16(problem.status);
        Self::new(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            title,
            &format!("{}.\nNothing was changed.", first_upper(&problem.detail)),
        )
    }

    /// The answer. Its address may hold what must not be told on, so nothing keeps it and nothing learns it.
    pub(super) fn render(&self) -> Response {
        let mut words = String::new();
        for line in self.words.lines() {
            let _ = writeln!(words, "<p>{}</p>", escape(line));
        }
        let back = match self.button {
            // Without an action a form goes to where its page is (HTML §4.10.21.3).
            Some(button) => {
                format!(
                    "<form method=\"post\"><button>{}</button></form>\n",
                    escape(button)
                )
            }
            None if self.leads_back => {
                "<p><a href=\"/inboxes\">Go to the dashboard</a></p>\n".to_owned()
            }
            None => String::new(),
        };
        let html = PAGE
            .replace("{style}", STYLE_PATH)
            .replace("{title}", &escape(&self.title))
            .replace("{back}", &back)
            .replace("{words}", &words);
        let mut response = (self.status, Html(html)).into_response();
        // What a page posts bears its origin only where its address may be told to that (Fetch §3.2).
        let (referrer, policy) = match self.button {
            Some(_) => (
                "same-origin",
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; \
                 frame-ancestors 'none'",
            ),
            None => (
                "no-referrer",
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'none'",
            ),
        };
        for (name, value) in [
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, referrer),
            (CONTENT_SECURITY_POLICY, policy),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// The style.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route(
        STYLE_PATH,
        get(|| async { ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }),
    )
}

/// Text as HTML text or attribute value.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
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

/// A problem's detail begins in lower case; a sentence of a page does not.
fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_no_script_and_both_looks() {
        assert!(!PAGE.contains("<script"), "{PAGE}");
        assert!(!PAGE.contains("style="), "{PAGE}");
        assert!(STYLE.contains("color-scheme: light dark"), "{STYLE}");
        for part in ["{style}", "{words}", "{back}"] {
            assert_eq!(PAGE.matches(part).count(), 1, "{part}");
        }
    }

    #[test]
    fn a_strangers_words_stay_words() {
        let hostile = "<img src=x onerror=\"alert('&')\">";
        let escaped = escape(hostile);
        assert_eq!(
            escaped,
            "&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;"
        );
    }

    #[test]
    fn a_problem_is_told_in_sentences() {
        let problem = Problem::new(Code::Unavailable, "the provider does not answer");
        let page = Page::of_problem(&problem);
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            page.words,
            "The provider does not answer.\nNothing was changed."
        );
    }
}
