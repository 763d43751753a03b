//! The passwords that are tried first: 337,000 of 15 characters or more, from lists of what was stolen elsewhere. What is
//! kept of each is 32 bits of a hash, so one in 12,700 others is refused as well. `cargo xtask passwords` makes the list and
//! says from what.

use protocol::secret::Secret;
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Four bytes: how many; then the gaps between the hashes, each by its multiples of two to [`LOW_BITS`] as so many ones and
/// a zero, and the rest in as many bits (Golomb-Rice).
static LIST: &[u8] = include_bytes!("tried.bin");
const LOW_BITS: u32 = 13;

/// Whether a password is one of them, in capitals or not.
pub fn is_tried(password: &Secret) -> bool {
    let text: Zeroizing<String> = Zeroizing::new(password.expose().nfkc().collect());
    let text = Zeroizing::new(text.to_lowercase());
    let digest = Sha256::digest(text.as_bytes());
    let wanted = digest.first_chunk().map(|start| u32::from_be_bytes(*start));
    hashes().any(|hash| Some(hash) == wanted)
}

/// The hashes, from the least.
fn hashes() -> impl Iterator<Item = u32> {
    let (n, coded) = LIST.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let mut bits = coded
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut hash = 0_u32;
    (0..u32::from_be_bytes(*n)).map_while(move |_| {
        let mut gap = 0_u32;
        while bits.next()? == 1 {
            gap += 1 << LOW_BITS;
        }
        let mut rest = 0;
        for _ in 0..LOW_BITS {
            rest = rest << 1 | u32::from(bits.next()?);
        }
        hash = hash.wrapping_add(gap + rest);
        Some(hash)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stolen_elsewhere_is_known_in_any_capitals_and_little_else_is() {
        for known in [
            "1qaz2wsx3edc4rfv",
            "1QAZ2wsx3edc4RFV",
            "polniypizdec0211",
            "q1w2e3r4t5y6u7i8",
            "passwordpassword",
            "qwertyuiop12345",
        ] {
            assert!(is_tried(&Secret::new(known)), "{known}");
        }
        for good in [
            "tall ships sail at noon",
            "ünïcödé wörds gehen auch",
            "unpause the old grey heron",
        ] {
            assert!(!is_tried(&Secret::new(good)), "{good}");
        }
        for n in 0..10 {
            let other = Secret::new(format!("some words and {n}"));
            assert!(!is_tried(&other), "{n}");
        }
    }

    #[test]
    fn the_list_is_whole_and_has_more_than_the_3000_that_are_asked_for() {
        let all: Vec<_> = hashes().collect();
        assert!(all.len() > 300_000, "{}", all.len());
        assert!(all.is_sorted());
        let n = LIST.first_chunk().map(|n| u32::from_be_bytes(*n));
        assert_eq!(n, u32::try_from(all.len()).ok());
    }
}
