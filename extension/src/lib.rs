//! The browser extension, in three modules: the background, which sees, decides and signs in; the options; and
//! the popup and the prompt, which show and ask. Pure decisions are in [`detect`] and [`flow`]; only [`browser`] speaks to `browser.*`.

pub mod background;
pub mod browser;
pub mod detect;
pub mod flow;
pub mod message;
pub mod origin;
pub mod page;
pub mod site;
pub mod vault;
