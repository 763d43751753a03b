//! The short form of `cargo xtask restore`: some restores where the server makes copies, and some where it makes none.
#![cfg(test)]

use sandbox::{Profile, profile};
use tests::restore::{Summary, run};
use tests::story::servers::{Plays, Servers};
use tests::story::telling::Telling;

async fn restored(profile: &'static Profile) -> Summary {
    let servers = Servers::start_sandbox_as(Plays::verified(profile), 1)
        .await
        .unwrap();
    run(&servers, 4, 1, &Telling::begin(true)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_mails_nobody_again_where_the_server_makes_copies() {
    let summary = restored(&profile::GENERIC).await;
    assert!(summary.is_clean(), "{summary:#?}");
    assert!(summary.forgotten > 0, "{summary:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_shows_is_held_and_listed_where_the_server_makes_none() {
    let summary = restored(&profile::PLAIN).await;
    assert!(summary.is_clean(), "{summary:#?}");
    assert!(summary.held > 0, "{summary:#?}");
}
