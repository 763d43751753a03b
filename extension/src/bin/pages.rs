//! The module of the popup and the prompt.

use extension::page::{draw, popup::Popup, prompt::Prompt, view_name};

fn main() {
    match view_name().as_deref() {
        Some("popup") => draw::<Popup>(),
        Some("prompt") => draw::<Prompt>(),
        _ => {}
    }
}
