//! The decisions of the relay that only it makes: plain functions from values to values. There is no
//! `async` here, no IO, no clock and no randomness; the workers perform what is decided.
//! Decisions that the extension shares are in `protocol`; what texts say is read in `text`.

pub mod calendar;
pub mod doubt;
pub mod identity;
pub mod jitter;
pub mod outcome;
pub mod pace;
pub mod plan;
pub mod turns;
pub mod why;
