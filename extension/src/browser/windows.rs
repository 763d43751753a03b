//! `windows`: those that the browser opens for a sign-in, so that they can be closed.

use js_sys::Reflect;

use super::{BrowserError, listen, settle};

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
