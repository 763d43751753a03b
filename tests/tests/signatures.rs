//! The short form of `cargo xtask signatures`: some hundred changed requests, and as many changed answers.
#![cfg(test)]

use tests::signatures::{Script, run};
use tests::story::telling::Telling;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_changed_on_its_way_is_believed_and_all_else_is() {
    let script = Script {
        mutations: 400,
        seed: 1,
    };
    let summary = run(script, Telling::begin(true)).await.unwrap();
    assert!(summary.is_clean(), "{summary:#?}");
    for count in [&summary.requests, &summary.answers] {
        assert_eq!((count.changes(), count.untouched), (400, 40), "{count:#?}");
        assert!(count.changed.len() >= 18, "{count:#?}");
    }
}
