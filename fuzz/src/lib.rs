//! What strangers may send us, made up at random: each target drives one real reader and panics where a promise
//! about it is broken. Two engines call the same targets: the seeded one of the tests ([`seeded`]), and libFuzzer
//! by `cargo xtask fuzz`. Nothing here is in a product.

#![expect(
    clippy::missing_panics_doc,
    reason = "a target says what is wrong by a panic, as both engines want it"
)]

pub mod chunks;
pub mod corpus;
pub mod cost;
pub mod mutation;
pub mod seeded;
mod target;

pub use target::{TARGETS, Target, find};
