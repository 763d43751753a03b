//! Small changes to an input, as a seed decides them.

use rand::RngExt as _;
use rand::rngs::StdRng;

/// The longest input that is made.
pub const AT_MOST_BYTES: usize = 64 * 1024;

/// What changes are made of.
#[derive(Debug)]
pub struct Material<'a> {
    /// Other inputs, to take pieces of.
    pub others: &'a [Vec<u8>],
    /// Words that the reader knows.
    pub words: &'a [Vec<u8>],
}

/// `bytes` with one to eight changes.
pub fn mutate(mut bytes: Vec<u8>, material: &Material<'_>, rng: &mut StdRng) -> Vec<u8> {
    for _ in 0..rng.random_range(1..=8) {
        change(&mut bytes, material, rng);
        bytes.truncate(AT_MOST_BYTES);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, material: &Material<'_>, rng: &mut StdRng) {
    match rng.random_range(0..8) {
        0 => {
            let at = place(bytes, rng);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
        1 => {
            let byte = rng.random();
            let at = place(bytes, rng);
            bytes.insert(at, byte);
        }
        2 => {
            let (from, to) = range(bytes, rng);
            bytes.drain(from..to);
        }
        3 => {
            // The same again, now and then very often.
            let (from, to) = range(bytes, rng);
            let piece = bytes.get(from..to).unwrap_or_default();
            let times = if rng.random_bool(0.1) { 300 } else { 1 };
            let more = piece.repeat(times.min(1 + AT_MOST_BYTES / piece.len().max(1)));
            put(bytes, to, &more);
        }
        4 => {
            if let Some(other) = pick(material.others, rng) {
                let (from, to) = range(other, rng);
                let piece = other.get(from..to).unwrap_or_default();
                let at = place(bytes, rng);
                put(bytes, at, piece);
            }
        }
        5 => {
            // A number that is larger than anybody expects, or just as large.
            let number = pick(
                &[
                    "0",
                    "255",
                    "65536",
                    "4294967296",
                    "18446744073709551616",
                    "-1",
                ],
                rng,
            );
            let at = place(bytes, rng);
            put(bytes, at, number.copied().unwrap_or_default().as_bytes());
        }
        _ => {
            if let Some(word) = pick(material.words, rng) {
                let at = place(bytes, rng);
                put(bytes, at, word);
            }
        }
    }
}

fn pick<'a, T>(all: &'a [T], rng: &mut StdRng) -> Option<&'a T> {
    if all.is_empty() {
        return None;
    }
    all.get(rng.random_range(0..all.len()))
}

/// From the first byte to behind the last one.
fn place(bytes: &[u8], rng: &mut StdRng) -> usize {
    rng.random_range(0..=bytes.len())
}

/// Two places, the first not behind the second, mostly near each other.
fn range(bytes: &[u8], rng: &mut StdRng) -> (usize, usize) {
    let from = place(bytes, rng);
    let most = if rng.random_bool(0.8) {
        24
    } else {
        bytes.len()
    };
    let to = from + rng.random_range(0..=most.min(bytes.len() - from));
    (from, to)
}

fn put(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}
