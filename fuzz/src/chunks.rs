//! The same bytes in other portions, as a network may bring them.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Ways to cut `bytes`, none of them empty: in portions of `usual` bytes, in single bytes where that is no great
/// number, and at places that follow from the bytes alone.
pub fn ways(bytes: &[u8], usual: usize) -> Vec<Vec<&[u8]>> {
    let mut ways = vec![bytes.chunks(usual).collect::<Vec<_>>()];
    if bytes.len() <= 2048 {
        ways.push(bytes.chunks(1).collect());
    }
    // FNV-1a, so that the same bytes are cut at the same places.
    let seed = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut rng = StdRng::seed_from_u64(seed);
    let mut rest = bytes;
    let mut portions = Vec::new();
    while !rest.is_empty() {
        let length = rng.random_range(1..=usual.min(rest.len()).min(64));
        let (portion, left) = rest.split_at(length);
        portions.push(portion);
        rest = left;
    }
    ways.push(portions);
    ways
}
