//! `storage`: what stays on this computer, and what stays until the browser is closed. Values are text.

use serde_json::json;
use wasm_bindgen::JsValue;

use super::{BrowserError, find, get, js, settle};

/// Where something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Until it is removed.
    Local,
    /// In memory, until the browser is closed or the extension is loaded anew. Not for scripts in pages.
    Session,
}

/// Lets no script in a page read or change what is kept on this computer, where the browser can be told so: Chromium
/// can, Firefox 153 cannot.
pub async fn keep_from_pages() -> Result<(), BrowserError> {
    let path = "storage.local.setAccessLevel";
    if find(path).is_none() {
        return Ok(());
    }
    let trusted = js(&json!({ "accessLevel": "TRUSTED_CONTEXTS" }));
    settle(path, &[trusted]).await.map(drop)
}

impl Area {
    /// What is kept under a name.
    pub async fn get(self, name: &str) -> Result<Option<String>, BrowserError> {
        let path = match self {
            Self::Local => "storage.local.get",
            Self::Session => "storage.session.get",
        };
        let found = settle(path, &[JsValue::from_str(name)]).await?;
        Ok(get(&found, name).and_then(|value| value.as_string()))
    }

    /// Keeps a text under a name.
    pub async fn set(self, name: &str, text: &str) -> Result<(), BrowserError> {
        let path = match self {
            Self::Local => "storage.local.set",
            Self::Session => "storage.session.set",
        };
        settle(path, &[js(&json!({ name: text }))]).await.map(drop)
    }

    /// Forgets what is kept under a name.
    pub async fn remove(self, name: &str) -> Result<(), BrowserError> {
        let path = match self {
            Self::Local => "storage.local.remove",
            Self::Session => "storage.session.remove",
        };
        settle(path, &[JsValue::from_str(name)]).await.map(drop)
    }
}
