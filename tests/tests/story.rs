//! The whole story with servers that are not ours: a certified OpenID provider, Dovecot, and `smtp-sink`
//! behind it. With the sandbox, `cargo xtask demo` plays the same.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use tests::story::play::{Ending, Script, play};
use tests::story::servers::Servers;
use tests::story::telling::Telling;

/// Beside the build, where `cargo xtask test` puts the package as well.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tests/oidc");
/// Slow enough that the permission ends while messages are left.
const GAP: Duration = Duration::from_millis(100);

async fn play_with_real_servers(confidential: bool) -> Ending {
    let servers = Servers::start_real(Path::new(PACKAGES), &[]).await.unwrap();
    let script = Script {
        confidential,
        leads: 40,
        gap: GAP,
    };
    play(&servers, script, &Telling::begin(true)).await.unwrap()
}

fn check(ending: &Ending) {
    assert_eq!(ending.outcome, "resumed", "{ending:?}");
    assert_eq!(
        (ending.accepted_step_1, ending.accepted_step_2),
        (40, 40),
        "{ending:?}"
    );
    assert_eq!(
        (ending.lost, ending.duplicated, ending.unsettled),
        (0, 0, 0),
        "{ending:?}"
    );
    assert_eq!(
        ending.paused_cause.as_deref(),
        Some("permission_ended"),
        "{ending:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_resumes_exactly_with_dovecot_and_oidc_provider() {
    check(&play_with_real_servers(false).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confidential_client_resumes_exactly_with_dovecot_and_oidc_provider() {
    check(&play_with_real_servers(true).await);
}
