//! The engine of the tests: the corpus as it stands, then a fixed number of changed inputs that a seed decides. It
//! sees no coverage; `cargo xtask fuzz` does.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Target;
use crate::corpus;
use crate::mutation::{Material, mutate};

/// Runs the corpus, then `n_runs` inputs made from it. An input that breaks a promise is written to `found`, and
/// the panic goes on.
pub fn run(target: Target, seed: u64, n_runs: u32, found: &Path) -> io::Result<()> {
    let inputs = corpus::load(target.name)?;
    let words = corpus::load_words(target.name)?;
    for input in &inputs {
        attempt(target, &input.bytes, &found.join(&input.name))?;
    }
    let others: Vec<Vec<u8>> = inputs.into_iter().map(|input| input.bytes).collect();
    let material = Material {
        others: &others,
        words: &words,
    };
    let mut rng = StdRng::seed_from_u64(seed);
    for idx in 0..n_runs {
        let base = others
            .get(rng.random_range(0..others.len().max(1)))
            .cloned()
            .unwrap_or_default();
        let bytes = mutate(base, &material, &mut rng);
        let name = format!("{}-{seed}-{idx}", target.name);
        attempt(target, &bytes, &found.join(name))?;
    }
    Ok(())
}

fn attempt(target: Target, bytes: &[u8], file: &Path) -> io::Result<()> {
    match catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))) {
        Ok(()) => Ok(()),
        Err(panic) => {
            std::fs::write(file, bytes)?;
            resume_unwind(panic)
        }
    }
}
