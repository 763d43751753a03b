//! The decisions of the relay that only it makes: plain functions from values to values. There is no
//! `async` here, no IO, no clock and no randomness; the workers perform what is decided.
//! Decisions that the extension shares are in `protocol`.

pub mod arrival;
pub mod doubt;
pub mod identity;
pub mod leads;
pub mod message;
pub mod outcome;
pub mod template;
