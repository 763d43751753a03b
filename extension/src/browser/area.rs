//! `storage`: what stays on this computer, and what stays until the browser is closed. Values are text.

use serde_json::json;
use wasm_bindgen::JsValue;

use super::{BrowserError, get, js, settle};

/// Where something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Until it is removed.
    Local,
    /// In memory, until the browser is closed or the extension is loaded anew. Not for scripts in pages.
    Session,
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
