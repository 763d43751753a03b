//! `permissions`: the origins that the person has allowed, as match patterns (`https://mail.google.com/*`).

use std::future::Future;

use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::JsValue;

use super::{BrowserError, js, listen, read, settle};

/// Asks the person for origins. The question is put before this returns: call it in the very turn of the click,
/// not after an `await`, or Firefox refuses it.
pub fn request(origins: &[String]) -> impl Future<Output = Result<bool, BrowserError>> + use<> {
    ask("permissions.request", origins)
}

/// Whether all of these origins are allowed.
pub fn contains(origins: &[String]) -> impl Future<Output = Result<bool, BrowserError>> + use<> {
    ask("permissions.contains", origins)
}

/// Gives origins back.
pub fn remove(origins: &[String]) -> impl Future<Output = Result<bool, BrowserError>> + use<> {
    ask("permissions.remove", origins)
}

/// Every origin that is allowed now.
pub async fn get_all() -> Result<Vec<String>, BrowserError> {
    let all = settle("permissions.getAll", &[]).await?;
    Ok(origins_of(&all))
}

/// Origins that were just allowed.
pub fn on_added(mut listener: impl FnMut(Vec<String>) + 'static) -> Result<(), BrowserError> {
    listen("permissions.onAdded", move |what, _| {
        listener(origins_of(&what));
    })
}

/// Origins that are no longer allowed.
pub fn on_removed(mut listener: impl FnMut(Vec<String>) + 'static) -> Result<(), BrowserError> {
    listen("permissions.onRemoved", move |what, _| {
        listener(origins_of(&what));
    })
}

fn ask(
    path: &'static str,
    origins: &[String],
) -> impl Future<Output = Result<bool, BrowserError>> + use<> {
    let answer = settle(path, &[js(&json!({ "origins": origins }))]);
    async move { Ok(answer.await?.is_truthy()) }
}

fn origins_of(what: &JsValue) -> Vec<String> {
    #[derive(Deserialize)]
    struct Permissions {
        #[serde(default)]
        origins: Vec<String>,
    }
    read("permissions.Permissions", what)
        .map(|found: Permissions| found.origins)
        .unwrap_or_default()
}
