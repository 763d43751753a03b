//! `windows`: those that the browser opens for a sign-in, so that they can be closed; and those of ours.

use js_sys::Reflect;

use serde_json::json;

use super::{BrowserError, js, listen, settle};

/// Each window that opens without the bars of a browser's window, by its number: one of them is the sign-in's.
pub fn on_popup_created(mut listener: impl FnMut(i32) + 'static) -> Result<(), BrowserError> {
    listen("windows.onCreated", move |window, _| {
        let get = |name: &str| Reflect::get(&window, &name.into()).unwrap_or_default();
        if get("type").as_string().as_deref() != Some("popup") {
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the number of a window is an integer"
        )]
        if let Some(id) = get("id").as_f64() {
            listener(id as i32);
        }
    })
}

/// Closes a window.
pub async fn close(window: i32) -> Result<(), BrowserError> {
    settle("windows.remove", &[window.into()]).await.map(drop)
}

/// Opens a page of ours in a window of its own, without the bars of a browser's window, and answers its number where it
/// has one.
pub async fn open(url: &str, width: u32, height: u32) -> Result<Option<i32>, BrowserError> {
    let how = json!({ "url": url, "type": "popup", "width": width, "height": height });
    let made = settle("windows.create", &[js(&how)]).await?;
    let id = Reflect::get(&made, &"id".into()).unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the number of a window is an integer"
    )]
    Ok(id.as_f64().map(|id| id as i32))
}

/// Puts a window in front.
pub async fn show(window: i32) -> Result<(), BrowserError> {
    let how = js(&json!({ "focused": true }));
    settle("windows.update", &[window.into(), how])
        .await
        .map(drop)
}
