//! A real relay, ended by SIGKILL at every point between a loss and its telling. What was told is counted where it
//! arrives.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::connection::Connection;
use protocol::reconnect::{Grant, State};
use protocol::secret::Secret;
use relay::clock::Clock;
use sandbox::{Options, Person};

use super::receiver::{Act, Receiver, SECRET};
use crate::app::{Client, Ground, PASSWORD, wait_for};
use crate::cli::{Serving, run, text};

/// Where the relay is killed.
#[derive(Clone, Debug)]
enum Point {
    /// So long after its server first refused: before, while and after the loss is committed.
    AfterRefusal(Duration),
    /// By the webhook's end.
    AtReceiver(Act),
}

fn points() -> Vec<Point> {
    let mut points: Vec<Point> = [0, 20, 45, 60, 80, 120]
        .map(|ms| Point::AfterRefusal(Duration::from_millis(ms)))
        .into();
    points.extend([
        Point::AtReceiver(Act::KillUnread),
        Point::AtReceiver(Act::KillUnanswered),
        Point::AtReceiver(Act::KillAnswered("200 OK")),
        Point::AtReceiver(Act::KillAnswered("500 Internal Server Error")),
    ]);
    points
}

#[tokio::test]
async fn every_loss_is_told_with_one_key_wherever_the_relay_is_killed() {
    let points = points();
    let address = |n: usize| format!("inbox{n}@acme.example");
    let people = (0..points.len()).map(|n| Person {
        address: address(n),
        name: format!("Inbox {n}"),
        password: PASSWORD.to_owned(),
    });
    let options = Options {
        people: people.collect(),
        ..Options::default()
    };
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100";
    let ground = Ground::at(Client::Public, Clock::system(), timing, "imap", options).await;

    let relay = ground.start().await;
    for n in 0..points.len() {
        let inbox = relay.add_inbox_of(&address(n), Duration::ZERO).await;
        let grant = Grant::Password {
            user: address(n),
            password: Secret::new(PASSWORD),
        };
        let reconnect = relay.grant(&inbox, &grant).await;
        let outcome = relay.outcome(&reconnect).await;
        assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    }
    relay.stop().await;

    let receiver = Receiver::start().await;
    let path = ground.path("unpause.toml");
    let config = format!(
        "{}[notify.webhook.ops]\nurl = \"http://{}/hook\"\nsecret = {SECRET:?}\nprivate = true\n",
        ground.text(),
        receiver.address
    );
    std::fs::write(&path, config).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let folder = path.parent().unwrap().to_owned();
    let start = async || {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || Serving::start(&folder))
            .await
            .unwrap()
    };

    let control = ground.sandbox.control();
    for (n, point) in points.iter().enumerate() {
        let serving = Arc::new(Mutex::new(Some(start().await)));
        let process = Arc::clone(&serving);
        // Dropped is killed and waited for.
        let kill = move || drop(process.lock().unwrap().take());
        match point {
            Point::AfterRefusal(after) => {
                control.forget_refusals(&address(n));
                control
                    .change_password(&address(n), "another-password")
                    .unwrap();
                wait_for("the server to refuse", async || {
                    control.first_refused_at_ms(&address(n))
                })
                .await;
                Clock::system().wait_for(*after).await;
                kill();
            }
            Point::AtReceiver(act) => {
                receiver.kill_by(kill);
                receiver.next(act.clone());
                control
                    .change_password(&address(n), "another-password")
                    .unwrap();
            }
        }
        wait_for("the relay to be killed", async || {
            serving.lock().unwrap().is_none().then_some(())
        })
        .await;
        assert!(!receiver.has_acts());
        let again = start().await;
        wait_for("the loss to be told", async || {
            let seen = receiver.seen();
            let is_told = |one: &&super::receiver::Seen| {
                one.taken && one.body["data"]["inbox"]["address"] == address(n)
            };
            seen.iter().any(|one| is_told(&one)).then_some(())
        })
        .await;
        // The next kill is to meet the next loss.
        wait_for("that to be on record", async || {
            let listed = run(&folder, &["alerts", "list", "--json"]);
            assert!(listed.status.success(), "{}", text(&listed.stderr));
            let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
            let mut channels = listed["channels"].as_array().unwrap().iter();
            channels
                .all(|channel| channel["waiting"] == 0)
                .then_some(())
        })
        .await;
        drop(again);
    }

    let mut keys: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for seen in receiver.seen() {
        assert_eq!(seen.body["type"], "disconnected", "{seen:?}");
        let inbox = seen.body["data"]["inbox"]["address"]
            .as_str()
            .unwrap()
            .to_owned();
        *keys.entry(inbox).or_default().entry(seen.id).or_default() += 1;
    }
    assert_eq!(keys.len(), points.len(), "{keys:?}");
    for (inbox, keys) in &keys {
        assert_eq!(keys.len(), 1, "{inbox}: one loss, one key: {keys:?}");
        // The one kill that met it may let it be told again.
        assert!(
            keys.values().all(|n| (1..=2).contains(n)),
            "{inbox}: {keys:?}"
        );
    }
    let n_posts: usize = keys.values().flat_map(BTreeMap::values).sum();
    println!(
        "{} losses, a kill at each, {n_posts} posts read, none lost",
        keys.len()
    );
    // The database agrees.
    let relay = ground.start().await;
    for n in 0..points.len() {
        let inboxes = relay.app().store.list_inboxes().await.unwrap();
        let inbox = inboxes
            .iter()
            .find(|inbox| inbox.address.as_str() == address(n));
        assert!(matches!(
            inbox.unwrap().connection,
            Connection::Disconnected { .. }
        ));
    }
    relay.stop().await;
}
