//! What a reader costs, counted and not timed: the bytes that it asks the allocator for, in all, however soon it
//! gives them back. A reader that copies what it has read again and again is found by it.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs `read`, which must ask for at most `flat` bytes and `each` more for every byte of `input`. Whatever else
/// runs in the process counts too, so nothing else should.
pub fn bounded<T>(input: &[u8], flat: usize, each: usize, read: impl FnOnce() -> T) -> T {
    let region = Region::new(ALLOCATOR);
    let value = read();
    let asked = region.change().bytes_allocated;
    let at_most = flat.saturating_add(each.saturating_mul(input.len()));
    assert!(
        asked <= at_most,
        "reading {} bytes asked for {asked} bytes of memory, expected at most {at_most}",
        input.len()
    );
    value
}

#[cfg(test)]
mod tests {
    use super::bounded;

    #[test]
    #[should_panic(expected = "expected at most 310")]
    fn a_reader_that_copies_too_much_is_found() {
        bounded(&[0; 10], 300, 1, || vec![0_u8; 100_000].len());
    }
}
