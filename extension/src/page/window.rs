//! The popup's page in a window of its own: opened for one inbox, whose password is to be typed.

use gloo::utils::document;
use protocol::id::InboxId;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;
use yew::{hook, use_effect_with};

/// The field that is typed into first.
const FIELD: &str = "form.password input[type=password]";

/// The inbox that this window was opened for; `None` in the toolbar's popup.
pub(super) fn wanted() -> Option<InboxId> {
    let hash = web_sys::window()?.location().hash().ok()?;
    let id = hash.trim_start_matches('#');
    (!id.is_empty()).then(|| InboxId::new(id))
}

/// Whoever opened the window did so to type: once the card is there, its field has the keyboard.
#[hook]
pub(super) fn use_focus(is_window: bool, is_drawn: bool) {
    use_effect_with(is_window && is_drawn, |is_due| {
        let field = is_due
            .then(|| document().query_selector(FIELD).ok().flatten())
            .flatten()
            .and_then(|field| field.dyn_into::<HtmlElement>().ok());
        if let Some(field) = field {
            // A field that takes no focus can still be clicked.
            let _ = field.focus();
        }
    });
}
