//! The relay as a library, so that its tests can start the whole application in process.
//! The arrows: `cli → running → http, worker → app`; `worker → engine`; `http, worker → smtp, imap, oauth,
//! store, notify`. The engine decides and performs nothing; each module's own arrows stand in
//! `xtask/src/tidy/arrows.rs`.

pub mod api;
pub mod app;
pub mod backup;
pub mod bell;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod config;
pub mod copies;
pub mod credentials;
pub mod doctor;
pub mod engine;
pub mod failure;
pub mod greeting;
pub mod http;
pub mod imap;
pub mod log;
pub mod mark;
pub mod notify;
pub mod oauth;
pub mod ownership;
pub mod passkey;
pub mod provider;
pub mod reconnect;
pub mod record;
pub mod renewal;
pub mod running;
pub mod schedule;
pub mod secret;
pub mod sign_in;
pub mod smtp;
pub mod store;
pub mod systemd;
pub mod tag;
pub mod text;
pub mod tls;
pub mod wish;
pub mod worker;
