//! The loopback redirect (RFC 8252 §7.3): a listener for one answer of the provider, and the page that the
//! browser then shows. What the answer is worth is decided in [`super::sign_in`].

use std::future::IntoFuture as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use protocol::visit::Answer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ReconnectError;
use super::sign_in::Expected;

/// The path of the redirect URI. One of its own, so that nothing else that visits the port is taken for an
/// answer.
const PATH: &str = "/unpause/callback";
/// The page, with two words to fill in.
const PAGE: &str = include_str!("redirect/page.html");
/// How long the browser may take to fetch the last page. Ours: it runs on this machine.
const LAST_PAGE_WITHIN: Duration = Duration::from_secs(2);

/// A listener that has no answer to expect yet. It holds its port.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    redirect_uri: String,
}

impl Port {
    /// Takes a free port on 127.0.0.1.
    pub(super) async fn take() -> Result<Self, ReconnectError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(ReconnectError::Listen)?;
        let at = listener.local_addr().map_err(ReconnectError::Listen)?;
        Ok(Self {
            listener,
            redirect_uri: format!("http://{at}{PATH}"),
        })
    }

    /// The redirect URI that leads here.
    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the one answer that is `expected`; others are refused and change nothing.
    pub(super) fn expect(self, expected: Expected) -> Redirect {
        let (found, answer) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let waiting = Arc::new(Mutex::new(Some(Waiting { expected, found })));
        let app = Router::new().route(PATH, get(receive)).with_state(waiting);
        let server = axum::serve(self.listener, app).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        Redirect {
            answer,
            stop,
            server: tokio::spawn(server.into_future()),
        }
    }
}

/// A listener that waits for the provider's answer.
#[derive(Debug)]
pub(super) struct Redirect {
    answer: oneshot::Receiver<Answer>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Redirect {
    /// The answer; `None` where the listener has ended before one came.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }

    /// Stops listening, once the browser has its page.
    pub(super) async fn close(self) {
        let _ = self.stop.send(());
        let ending = self.server.abort_handle();
        if timeout(LAST_PAGE_WITHIN, self.server).await.is_err() {
            ending.abort();
        }
    }
}

/// Taken out by the one right answer.
struct Waiting {
    expected: Expected,
    found: oneshot::Sender<Answer>,
}

async fn receive(
    State(waiting): State<Arc<Mutex<Option<Waiting>>>>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = waiting
        .as_ref()
        .and_then(|waiting| waiting.expected.read(query.as_deref().unwrap_or_default()));
    let Some((answer, Waiting { found, .. })) =
        answer.and_then(|answer| Some((answer, waiting.take()?)))
    else {
        let words = "This page was not opened by the sign-in that the terminal waits for. Nothing was changed.";
        return page(StatusCode::BAD_REQUEST, "Not this sign-in", words);
    };
    let shown = match &answer {
        Answer::Granted { .. } => page(
            StatusCode::OK,
            "Thank you",
            "You can close this window and go back to the terminal.",
        ),
        Answer::Refused { .. } => page(
            StatusCode::OK,
            "Nothing was changed",
            "The permission was not given. You can close this window and go back to the terminal.",
        ),
        Answer::OtherIssuer { .. } => page(
            StatusCode::BAD_REQUEST,
            "Nothing was changed",
            "The answer came from another provider than the one that was asked. You can close this window \
             and go back to the terminal.",
        ),
    };
    // Nobody waits any more only where the command ends at this moment.
    let _ = found.send(answer);
    shown
}

fn page(status: StatusCode, title: &str, words: &str) -> Response {
    let html = PAGE.replace("{title}", title).replace("{words}", words);
    let mut response = (status, Html(html)).into_response();
    for (name, value) in [
        // The address of the page holds the code.
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_no_script_and_both_looks() {
        assert!(
            !PAGE.contains("<script") && !PAGE.contains("http"),
            "{PAGE}"
        );
        assert!(PAGE.contains("color-scheme: light dark"), "{PAGE}");
        assert_eq!(PAGE.matches("{title}").count(), 2);
        assert_eq!(PAGE.matches("{words}").count(), 1);
    }
}
