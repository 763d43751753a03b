//! Conversations with scripted peers, and the whole application in process. End-to-end stories live in
//! the `tests` crate.

mod app;
mod causes;
mod cli;
mod cli_next;
mod cli_reconnect;
mod cli_words;
mod doctor;
mod dues;
mod held;
mod hostile;
mod http;
mod imap;
mod inbox;
mod ledger;
mod oauth;
mod pace;
mod peer;
mod renewal;
mod sending;
mod setup;
mod size;
mod smtp;
mod target_folder;
mod telling;
mod transitions;
mod whole_relay;
