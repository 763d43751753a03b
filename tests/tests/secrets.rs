//! No secret anywhere: the story with marked values, every file, line and answer searched. In browsers, the tests
//! beside this one do the same.
#![cfg(test)]

use tests::secrets::run::run;
use tests::story::telling::Telling;

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_left_anywhere() {
    let report = run(None, 1, &Telling::begin(true)).await.unwrap();
    assert_eq!(report.planted_missed, [""; 0]);
    assert_eq!(report.outcome, "clean", "{:#?}", report.found);
}
