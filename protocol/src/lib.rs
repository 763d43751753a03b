//! The vocabulary of Unpause: words, states, causes, providers and requests, as plain values and pure
//! decisions. It builds for the relay and for wasm32. There is no runtime here, no IO, no browser, no
//! clock and no randomness: those are arguments.

pub mod account;
pub mod alert;
pub mod budget;
pub mod campaign;
pub mod card;
pub mod catch_up;
pub mod cause;
pub mod connection;
pub mod delivery;
pub mod evidence;
pub mod hush;
pub mod id;
pub mod inbox;
pub mod key;
pub mod lead;
pub mod pairing;
pub mod password;
pub mod plan;
pub mod problem;
pub mod provider;
pub mod reading;
pub mod receipt;
pub mod reconnect;
pub mod renewal;
pub mod reply;
pub mod request;
pub mod schedule;
pub mod sealed;
pub mod secret;
pub mod sender;
pub mod shown;
pub mod signed;
pub mod stall;
pub mod standing;
pub mod suppression;
pub mod telling;
pub mod timestamp;
pub mod visit;
pub mod why;
