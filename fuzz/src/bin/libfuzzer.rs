//! The targets under libFuzzer. `cargo xtask fuzz` builds it, gives it a target's name in `UNPAUSE_FUZZ_TARGET`,
//! and everything else as arguments, which libFuzzer reads.

#![no_main]

use std::sync::OnceLock;

use fuzz::Target;

static CHOSEN: OnceLock<Target> = OnceLock::new();

#[expect(
    clippy::panic,
    reason = "libFuzzer leaves no other way to end before it begins"
)]
fn choose() -> Target {
    let name = std::env::var("UNPAUSE_FUZZ_TARGET").unwrap_or_default();
    fuzz::find(&name).unwrap_or_else(|| panic!("UNPAUSE_FUZZ_TARGET names no target: {name:?}"))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (CHOSEN.get_or_init(choose).run)(bytes);
});
