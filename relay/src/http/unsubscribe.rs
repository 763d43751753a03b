//! The page by which whoever was written to says to be written to no more (RFC 8058): opening it changes nothing, since
//! programs that look for harm open what they find in messages; its button, or a mail program, posts to the same address.
//!
//! The address holds a way out that nobody else can make. It names the person sealed, so that what is made up costs the
//! database nothing, and whoever tries addresses learns of nobody: a way out is answered alike whether the person stands
//! in a campaign, was let out before, or was never written to.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use protocol::request::suppression::Whom;

use super::page::Page;
use super::{Api, ServeError};
use crate::log::chain;
use crate::text::way_out::PATH;

/// What the button says.
const BUTTON: &str = "Unsubscribe";

/// Its routes.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route(&format!("{PATH}{{way_out}}"), get(show).post(take))
}

fn find(api: &Api, way_out: &str) -> Option<Whom> {
    let person = api.app.keys.tags().find_way_out(way_out)?;
    person.parse().ok()
}

async fn show(State(api): State<Arc<Api>>, Path(way_out): Path<String>) -> Response {
    if find(&api, &way_out).is_none() {
        return not_whole().render();
    }
    let words =
        "Whoever sent you the message will not write to you any more, in whatever campaign.";
    let mut page = Page::new(StatusCode::OK, "No more messages?", words);
    page.button = Some(BUTTON);
    page.render()
}

/// Nothing of the body is read: the address says all (RFC 8058 §3.2 has the sender decide what it names).
async fn take(State(api): State<Arc<Api>>, Path(way_out): Path<String>) -> Response {
    let Some(whom) = find(&api, &way_out) else {
        return not_whole().render();
    };
    let app = &api.app;
    // Whoever hangs up is let out all the same.
    let store = app.store.clone();
    let (person, now) = (whom.clone(), app.clock.now());
    let taking = tokio::spawn(async move { store.unsubscribe(&person, now).await });
    match taking.await.map_err(ServeError::internal) {
        Ok(Ok(known)) => {
            if let Some(n_leads) = known {
                tracing::info!(%whom, n_leads, "asked not to be written to any more");
                // These may have been a campaign's last leads.
                app.bell.tell();
            }
        }
        Ok(Err(error)) => {
            tracing::error!(
                error = chain(&error),
                "who asked not to be written to is not on record"
            );
            return failed().render();
        }
        Err(_) => return failed().render(),
    }
    let words = "You will not be written to any more.\nYou can close this page.";
    let mut page = Page::new(StatusCode::OK, "Done", words);
    page.leads_back = false;
    page.render()
}

fn not_whole() -> Page {
    let words = "This is not a whole link. Open the one in the message again, or copy all of it.\n\
                 Or answer the message with the word \"unsubscribe\".\nNothing was changed.";
    let mut page = Page::new(StatusCode::NOT_FOUND, "This link does not work", words);
    page.leads_back = false;
    page
}

/// RFC 9110 §15.6.4: whoever posted comes again.
fn failed() -> Page {
    let words = "Try it again in a minute, or answer the message with the word \"unsubscribe\".";
    let mut page = Page::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "This did not work just now",
        words,
    );
    page.leads_back = false;
    page
}
