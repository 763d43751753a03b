//! `identity`: a window for signing in elsewhere. Firefox for Android has none, so every call may be
//! [`BrowserError::Missing`].

use serde_json::json;

use super::{BrowserError, call, js, settle, text};

/// The address that the browser keeps for answers to this extension; nothing is ever fetched from it.
pub fn redirect_url(path: &str) -> Result<String, BrowserError> {
    text(
        "identity.getRedirectURL",
        &call("identity.getRedirectURL", &[path.into()])?,
    )
}

/// Opens an address in a window of its own, unless it answers at once, and waits for the answer's address. One
/// that is not interactive fails instead of showing anything.
pub async fn launch_web_auth_flow(url: &str, interactive: bool) -> Result<String, BrowserError> {
    let what = js(&json!({ "url": url, "interactive": interactive }));
    let answer = settle("identity.launchWebAuthFlow", &[what]).await?;
    text("identity.launchWebAuthFlow", &answer)
}
