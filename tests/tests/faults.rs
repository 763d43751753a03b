//! The short form of `cargo xtask faults`: some of everything, with a relay that waits briefly.
#![cfg(test)]

use tests::faults::{IN_TROUBLE_AT_ONCE, Patience, Script, run};
use tests::story::telling::Telling;

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_does_no_harm_and_what_does_not_is_found() {
    let script = Script {
        inboxes: 10,
        transient: 60,
        real: 10,
        at_once: IN_TROUBLE_AT_ONCE,
        seed: 1,
        patience: Patience::Short,
    };
    let summary = run(script, Telling::begin(true)).await.unwrap();
    assert!(summary.is_exact(), "{summary:#?}");
}
