//! The clipboard: text goes in, within the click that asks for it; nothing is read from it.

/// Puts a text into the clipboard.
pub(super) fn copy(text: &str) {
    if let Some(window) = web_sys::window() {
        // A browser that refuses leaves the text where it stands, to be copied by hand.
        drop(window.navigator().clipboard().write_text(text));
    }
}
