//! The tabs in which people sign in. A tab may be opened only while the click counts, so it is opened empty, and is
//! shown the sign-in once the relay has answered.

use std::collections::BTreeMap;

use gloo::utils::window;
use protocol::id::InboxId;
use protocol::secret::Secret;
use web_sys::Window;

/// The tabs, one for each inbox.
#[derive(Default)]
pub(super) struct Tabs(BTreeMap<InboxId, Window>);

impl Tabs {
    /// Opens an empty tab; a browser that blocks it is asked again with the address.
    pub(super) fn open(&mut self, inbox: InboxId) {
        if let Ok(Some(tab)) = window().open_with_url_and_target("", "_blank") {
            // What is shown there is the provider's, and has no business with this page.
            let _ = tab.set_opener(&wasm_bindgen::JsValue::NULL);
            self.0.insert(inbox, tab);
        }
    }

    /// Shows the sign-in. Where no tab was allowed, this one goes there, and finds its way back by what is kept.
    pub(super) fn show(&mut self, inbox: &InboxId, url: &Secret) {
        let tab = self.0.get(inbox).cloned().unwrap_or_else(window);
        // One that the person has closed shows nothing; the card says what is awaited, and can be called off.
        let _ = tab.location().replace(url.expose());
    }

    /// Closes the tab while it is still empty. Once it shows the provider, it is the person's: it knows nothing of
    /// this page, so it is not this page's to close, and the relay refuses what comes of it.
    pub(super) fn close(&mut self, inbox: &InboxId) {
        let Some(tab) = self.0.remove(inbox) else {
            return;
        };
        // The address of another site's page is not told.
        if tab.location().href().is_ok() {
            let _ = tab.close();
        }
    }
}
