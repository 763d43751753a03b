//! The short form of `cargo xtask burn`: every kind of server once or twice, with shorter lists.
#![cfg(test)]

use tests::burn::{Script, run};
use tests::story::telling::Telling;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_pays_for_what_is_anothers() {
    let script = Script {
        account_wide: 8,
        by_dsn: 3,
        recipient_side: 3,
        after_dot: 1,
        leads: 40,
        seed: 1,
    };
    let summary = run(script, Telling::begin(true)).await.unwrap();
    assert!(summary.is_clean(), "{summary:#?}");
    assert!(summary.recipient_side.set_aside > 0, "{summary:#?}");
}
