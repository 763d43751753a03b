//! What servers say in the run, made up at random: codes by RFC 5321 and RFC 3463, and words that mean nothing.

use rand::RngExt as _;
use rand::rngs::StdRng;

/// A reply that refuses, permanently for class 5 and for now for class 4.
pub(super) fn refusal(random: &mut StdRng, class: u16) -> String {
    // RFC 5321 §4.2.3: the mail system's own.
    let code = class * 100 + 50 + random.random_range(0..=4);
    let enhanced = if random.random_bool(0.7) {
        format!("{} ", status(random, class))
    } else {
        String::new()
    };
    format!("{code} {enhanced}{}", words(random))
}

/// An enhanced status code.
pub(super) fn status(random: &mut StdRng, class: u16) -> String {
    let subject = random.random_range(0..=7);
    let detail = random.random_range(0..=900);
    format!("{class}.{subject}.{detail}")
}

/// Words of no language.
pub(super) fn words(random: &mut StdRng) -> String {
    let n = random.random_range(2..7);
    let all: Vec<String> = (0..n).map(|_| word(random)).collect();
    all.join(" ")
}

fn word(random: &mut StdRng) -> String {
    let n = random.random_range(2..10);
    (0..n)
        .map(|_| char::from(random.random_range(b'a'..=b'z')))
        .collect()
}
