//! The relay's dashboard: campaigns, inboxes, receipts, settings, in one page that the relay serves. Everything it
//! knows is in [`model`]; what follows from an event is decided in [`decide`], without a browser; [`app`] performs it;
//! [`view`] draws. Absent on purpose: what later parts bring (charts, calendar, search, export), and a way to make
//! campaigns and inboxes, which the command line has.

pub mod app;
pub mod decide;
pub mod event;
#[cfg(test)]
mod example;
pub mod model;
pub mod passkey;
pub mod route;
pub mod view;

/// Takes the page over.
pub fn run() {
    yew::Renderer::<app::App>::new().render();
}
