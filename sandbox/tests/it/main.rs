//! The sandbox over real sockets: HTTP, SMTP and IMAP with TLS, and the faults.
//! Nothing here reaches into it; what cannot be done over a socket is done through `Control`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in what its tests share too"
)]

mod control;
mod imap;
mod oauth;
mod peer;
mod smtp;

use std::time::Duration;

use sandbox::{Options, Person, Sandbox};

/// Far more than anything here takes; only a hang reaches it.
const SOON: Duration = Duration::from_secs(20);

const JANE: &str = "jane@acme.example";
const PASSWORD: &str = "correct horse";

async fn start() -> Sandbox {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut Options)) -> Sandbox {
    let person = |address: &str, name: &str| Person {
        address: address.to_owned(),
        name: name.to_owned(),
        password: PASSWORD.to_owned(),
    };
    let mut options = Options {
        people: vec![
            person(JANE, "Jane Doe"),
            person("john@acme.example", "John Roe"),
        ],
        client_secret: Some("the secret".to_owned()),
        ..Options::default()
    };
    change(&mut options);
    Sandbox::start(options).await.expect("the sandbox starts")
}

/// Waits until the condition holds.
async fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let hang = tokio::time::timeout(SOON, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    hang.await.unwrap_or_else(|_| panic!("never: {what}"));
}
