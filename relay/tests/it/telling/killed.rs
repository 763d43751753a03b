//! Real relays, ended by SIGKILL at every point between what happens and its telling, for every kind of alert.
//! What was told is counted where it arrives, by webhook and by mail.

mod kind;
mod lane;
mod point;

use futures_util::future::join_all;
use relay::clock::Clock;
use sandbox::profile::{FolderSpec, GENERIC, SentCopy};
use sandbox::{Options, Person, Profile};

use crate::app::{Client, Ground, PASSWORD};
use kind::KINDS;
use lane::Lane;
use point::points;

/// A mail server without a sent folder: what becomes of a message whose reply was lost nothing shows, and at once.
static NAMELESS: Profile = Profile {
    folders: &[FolderSpec {
        name: "INBOX",
        special_use: None,
    }],
    sent_copy: SentCopy::ByClient,
    ..GENERIC
};

/// What relays that are watched wait for.
const TIMING: &str = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\nrest_minute_ms = 5";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_is_told_with_one_key_wherever_the_relay_is_killed() {
    let points = points();
    let people = KINDS.iter().flat_map(|kind| {
        (0..points.len()).map(|n| Person {
            address: kind.address(n),
            name: format!("Inbox {n}"),
            password: PASSWORD.to_owned(),
        })
    });
    let authority = tempfile::tempdir().unwrap();
    let options = Options {
        profile: &NAMELESS,
        people: people.collect(),
        data: Some(authority.path().to_owned()),
        ..Options::default()
    };
    let ground = Ground::at(Client::Public, Clock::system(), TIMING, "imap", options).await;
    // A process that is being started shares the locks of this one until it runs its own program: so all are prepared
    // before the first is started.
    let prepared = KINDS.map(async |kind| {
        let ground = ground.beside(kind.prepared_at());
        Lane::prepare(kind, ground, authority.path(), points.len()).await
    });
    let lanes = join_all(prepared).await;
    let played = lanes.iter().map(async |lane| {
        lane.start(false).await;
        for (n, point) in points.iter().enumerate() {
            lane.kill_at(n, point).await;
        }
        lane.count(points.len()).await
    });
    for (kind, counted) in KINDS.iter().zip(join_all(played).await) {
        println!(
            "{kind:?}: {} kills, {} posts and {} mails, none lost",
            points.len(),
            counted.posts,
            counted.mails
        );
    }
}
