//! Conversations with scripted peers, and the whole application in process. End-to-end stories live in
//! the `tests` crate.

mod cli;
mod cli_reconnect;
mod http;
mod imap;
mod oauth;
mod peer;
mod smtp;
