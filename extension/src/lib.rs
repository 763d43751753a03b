//! The browser extension: for now one page, which says how to pair it with a relay.
//!
//! Not here yet: the background worker, detection on pages, and the calls to the relay.

pub mod page;

use wasm_bindgen::prelude::wasm_bindgen;

/// Shows the page. The browser calls it once the module is loaded.
///
/// The HTML holds an element with the id [`page::MOUNT`]; without it there is nothing to show
/// the page in, and the document stays as it is.
#[wasm_bindgen(start)]
pub fn start() {
    if let Some(element) = gloo::utils::document().get_element_by_id(page::MOUNT) {
        yew::Renderer::<page::Page>::with_root(element).render();
    }
}
