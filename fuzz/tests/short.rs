//! The short run of every target: its corpus, and a few thousand inputs made from it. The long one is
//! `cargo xtask fuzz`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fuzz::{TARGETS, corpus, find, seeded};

/// Inputs made from the corpus; as many as a debug build reads in a few seconds.
const N_RUNS: u32 = 2_000;

/// What is allocated is counted for the whole process, so under `cargo test` one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

macro_rules! short_runs {
    ($($name:ident,)*) => {
        /// The targets that have a test below.
        const TESTED: &[&str] = &[$(stringify!($name),)*];

        $(
            #[test]
            fn $name() {
                let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
                let target = find(stringify!($name)).expect("the target is in the list");
                let found = Path::new(env!("CARGO_TARGET_TMPDIR"));
                seeded::run(target, 1, N_RUNS, found).unwrap();
            }
        )*
    };
}

short_runs! {
    smtp_reply,
    imap_answer,
    bounce,
    leads_csv,
    eyes_message,
    api_body,
    passkey,
}

#[test]
fn every_target_has_a_short_run_and_a_corpus() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let listed: BTreeSet<_> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let tested: BTreeSet<_> = TESTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(tested, listed);
    let folders: BTreeSet<_> = std::fs::read_dir(corpus::folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, listed);
    for name in &listed {
        assert!(corpus::load(name).unwrap().len() >= 5, "{name}");
        assert!(!corpus::load_words(name).unwrap().is_empty(), "{name}");
    }
}
