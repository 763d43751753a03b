//! The short form of `cargo xtask bench lists`: everything that it measures can be done. What it costs is the bench's.
#![cfg(test)]

use tests::lists::measure;

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_measured_on_long_lists_can_be_done() {
    let measured = measure(&[200, 400]).await.unwrap();
    let table = measured.table();
    for name in [
        "import", "start", "claim", "accepted", "arrival", "status", "resume", "receipt",
    ] {
        assert!(table.contains(name), "{name} is missing\n{table}");
    }
    assert!(measured.json().to_string().contains("\"bench\":\"lists\""));
}
