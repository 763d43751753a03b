//! The short form of `cargo xtask crash --power-cuts`: the power is cut while the relay sends, verifies and starts, and
//! its disk forgets what was not synced. A disk that lies shows that the count would tell.
#![cfg(test)]

use sandbox::{Profile, profile};
use tests::crash::{How, Summary, run};
use tests::disk::Faith;
use tests::story::servers::{Plays, Servers};
use tests::story::telling::Telling;

const SEED: u64 = 2;

async fn cut(profile: &'static Profile, faith: Faith, kills: u32) -> Summary {
    let servers = Servers::start_sandbox_as(Plays::verified(profile), SEED)
        .await
        .unwrap();
    let how = How {
        kills,
        seed: SEED,
        inboxes: 1,
        deliveries: Some(120),
        disk: Some(faith),
    };
    let summary = run(&servers, how, &Telling::begin(true)).await.unwrap();
    let tally = summary.power_cuts.unwrap();
    assert!(tally.took_something(), "{summary:#?}");
    assert_eq!(summary.planned, 120, "{summary:#?}");
    summary
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_where_the_power_is_cut() {
    let summary = cut(&profile::GENERIC, Faith::Honest, 6).await;
    assert!(summary.is_exact(), "{summary:#?}");
    // The server's copies tell of every doubt.
    assert_eq!(summary.unsettled, 0, "{summary:#?}");
    assert!(summary.kills_by_state.at_work() >= 4, "{summary:#?}");
}

// Where the server makes copies, these show what a disk has forgotten: a run with them would be exact all the same.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_server_makes_no_copies_all_depends_on_what_the_disk_says() {
    let summary = cut(&profile::PLAIN, Faith::Honest, 4).await;
    assert!(summary.is_exact(), "{summary:#?}");
    let summary = cut(&profile::PLAIN, Faith::Lying, 4).await;
    assert!(summary.duplicated > 0, "{summary:#?}");
}
