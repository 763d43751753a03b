//! `tabs`, as far as it goes without the permission `tabs`: addresses are seen only of tabs on allowed origins, and
//! of the one in front after the person pressed the toolbar's button.

use serde::Deserialize;
use serde_json::json;

use super::{BrowserError, js, listen, read, settle};

/// A tab and what may be seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tab {
    /// Its number in this run of the browser; `None` for a window that is no tab.
    #[serde(default)]
    pub id: Option<i32>,
    /// Its address, where it may be seen.
    #[serde(default)]
    pub url: Option<String>,
}

/// Opens an address in a new tab in front.
pub async fn open(url: &str) -> Result<Tab, BrowserError> {
    let made = settle("tabs.create", &[js(&json!({ "url": url, "active": true }))]).await?;
    read("tabs.create", &made)
}

/// Closes a tab.
pub async fn close(tab: i32) -> Result<(), BrowserError> {
    settle("tabs.remove", &[tab.into()]).await.map(drop)
}

/// The address of the tab in front; `None` where it may not be seen.
pub async fn active_url() -> Result<Option<String>, BrowserError> {
    let query = js(&json!({ "active": true, "currentWindow": true }));
    let tabs: Vec<Tab> = read("tabs.query", &settle("tabs.query", &[query]).await?)?;
    Ok(tabs.into_iter().find_map(|tab| tab.url))
}

/// The open tabs whose address matches one of these patterns; only those on allowed origins are seen.
pub async fn list_matching(patterns: &[String]) -> Result<Vec<Tab>, BrowserError> {
    let query = js(&json!({ "url": patterns }));
    read("tabs.query", &settle("tabs.query", &[query]).await?)
}

/// Each tab that is closed, by its number.
pub fn on_removed(mut listener: impl FnMut(i32) + 'static) -> Result<(), BrowserError> {
    listen("tabs.onRemoved", move |tab, _| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the number of a tab is an integer"
        )]
        if let Some(tab) = tab.as_f64() {
            listener(tab as i32);
        }
    })
}
