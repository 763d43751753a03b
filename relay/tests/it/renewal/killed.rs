//! A real relay whose keys are renewed again and again in the middle of its campaigns, and which is ended by SIGKILL at
//! every point of that. What was sent is counted where it arrives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use relay::app::DATABASE_FILE;
use relay::clock::Clock;
use relay::secret::{KeyFile, list_beside};
use sandbox::Options;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::{TIMING, connect, expect_gone, list_sealed};
use crate::app::{Client, Ground, JOHN, wait_for};
use crate::cli::{Serving, run, text, unpause};

/// What is seen just before the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    NewFile,
    Commit,
    OneResealed,
    KeyGone,
    OldFile,
    Placed,
    Told,
}

const ALL: [Seen; 7] = [
    Seen::NewFile,
    Seen::Commit,
    Seen::OneResealed,
    Seen::KeyGone,
    Seen::OldFile,
    Seen::Placed,
    Seen::Told,
];
const LEADS: usize = 60;

async fn number(pool: &SqlitePool, query: &'static str) -> i64 {
    let row = sqlx::query(query).fetch_one(pool).await;
    row.map_or(0, |row| row.get(0))
}

async fn is_seen(seen: Seen, pool: &SqlitePool, path: &Path, before: &str) -> bool {
    let has = |ending: &str| {
        let beside = list_beside(path).unwrap();
        let ends = |one: &&std::path::PathBuf| one.extension().is_some_and(|found| found == ending);
        beside.iter().filter(ends).count()
    };
    let n_keys = number(pool, "SELECT COUNT(*) FROM keys_at_rest").await;
    let n_before = i64::try_from(has("old")).unwrap();
    match seen {
        Seen::NewFile => has("new") > 0,
        Seen::Commit => n_keys > n_before + 1,
        Seen::OneResealed => {
            let kept = "SELECT COUNT(*) FROM inboxes i JOIN keys_at_rest k ON \
                        SUBSTR(i.credentials, 1, 13) = k.id || '.' AND k.sealed IS NULL \
                        AND k.number = (SELECT MAX(number) FROM keys_at_rest) \
                        WHERE (SELECT COUNT(*) FROM keys_at_rest WHERE sealed IS NOT NULL) > 0";
            number(pool, kept).await > 0
        }
        Seen::KeyGone => {
            let left = "SELECT COUNT(*) FROM keys_at_rest WHERE sealed IS NOT NULL";
            n_keys > n_before + 1 && number(pool, left).await == 0
        }
        Seen::OldFile => {
            let name = format!(".{before}.old");
            let beside = list_beside(path).unwrap();
            beside
                .iter()
                .any(|one| one.display().to_string().ends_with(&name))
        }
        Seen::Placed => KeyFile::load(path, false).unwrap().id() != before,
        Seen::Told => false,
    }
}

fn show(folder: &Path) -> Value {
    let shown = run(folder, &["keys", "show", "--json"]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    serde_json::from_slice(&shown.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn campaigns_go_on_over_renewals_wherever_the_relay_is_killed() {
    let options = Options::default();
    let ground = Ground::at(Client::Public, Clock::system(), TIMING, "sandbox", options).await;
    let relay = ground.start().await;
    let distance = Duration::from_millis(60);
    let jane = relay.connect(&ground, distance).await;
    let john = connect(&relay, JOHN, distance).await;
    let path = relay.app().config.key_file.clone();
    let data = relay.app().config.data.clone();
    for (inbox, domain) in [(&jane, "a.example"), (&john, "b.example")] {
        let leads: Vec<String> = (0..LEADS).map(|n| format!("lead{n}@{domain}")).collect();
        let leads: Vec<&str> = leads.iter().map(String::as_str).collect();
        relay.plan_steps(inbox, &leads, &[0, 1_000]).await;
    }
    let mut sealed = list_sealed(&relay.app().store).await;
    relay.stop().await;
    let config = ground.path("unpause.toml");
    fs::write(&config, ground.text()).unwrap();
    let folder = config.parent().unwrap().to_owned();
    let start = async || {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || Serving::start(&folder))
            .await
            .unwrap()
    };
    let database = SqliteConnectOptions::new().filename(data.join(DATABASE_FILE));

    let mut n_renewed = 0;
    let mut serving = start().await;
    for seen in ALL {
        let pool = SqlitePool::connect_lazy_with(database.clone());
        let before = show(&folder)["id"].as_str().unwrap().to_owned();
        for row in sqlx::query("SELECT credentials FROM inboxes")
            .fetch_all(&pool)
            .await
            .unwrap()
        {
            sealed.push(row.get(0));
        }
        let mut renewing = unpause(&folder, &["keys", "rotate"]).spawn().unwrap();
        wait_for("the renewal to come that far", async || {
            let is_told = renewing.try_wait().unwrap().is_some();
            (is_told || is_seen(seen, &pool, &path, &before).await).then_some(())
        })
        .await;
        // Dropped is killed and waited for.
        drop(serving);
        renewing.wait().unwrap();
        pool.close().await;
        serving = start().await;
        let now = wait_for("the renewal to be over", async || {
            let shown = show(&folder);
            (shown["is_renewing"] == false).then_some(shown)
        })
        .await;
        assert_eq!(now["to_reseal"], 0, "{seen:?}");
        let id = now["id"].as_str().unwrap();
        assert_eq!(KeyFile::load(&path, false).unwrap().id(), id, "{seen:?}");
        n_renewed += usize::from(id != before);
    }
    assert!(n_renewed >= ALL.len() - 1, "{n_renewed}");
    let mid = ground.sandbox.control().delivered().len();
    // As long as it goes on: how fast is the machine's.
    let mut n_sent = mid;
    while n_sent < 4 * LEADS {
        let what = format!("more than {n_sent} of {} messages to be sent", 4 * LEADS);
        n_sent = wait_for(&what, async || {
            let n_now = ground.sandbox.control().delivered().len();
            (n_now > n_sent).then_some(n_now)
        })
        .await;
    }
    drop(serving);
    // The truth is what arrived.
    let mut arrived: BTreeMap<(String, String), usize> = BTreeMap::new();
    for one in ground.sandbox.control().delivered() {
        let id = one.message_id.clone().unwrap_or_default();
        *arrived.entry((one.recipient, id)).or_default() += 1;
    }
    assert_eq!(arrived.len(), 4 * LEADS, "each step once");
    assert!(arrived.values().all(|n| *n == 1), "{arrived:?}");
    // The files that had the place are needed by nothing any more.
    let old = list_beside(&path).unwrap();
    assert_eq!(old.len(), n_renewed, "{old:?}");
    for old in old {
        fs::remove_file(old).unwrap();
    }
    let relay = ground.start().await;
    for (inbox, lead) in [(&jane, "last@a.example"), (&john, "last@b.example")] {
        relay.start_campaign(inbox, &[lead], 1).await;
    }
    wait_for("both inboxes to send", async || {
        let delivered = ground.sandbox.control().delivered();
        let last = delivered
            .iter()
            .filter(|one| one.recipient.starts_with("last@"));
        (last.count() == 2).then_some(())
    })
    .await;
    relay.stop().await;
    expect_gone(&data, &sealed);
    println!(
        "{n_renewed} renewals, {} kills, {mid} of {} messages sent by then",
        ALL.len(),
        4 * LEADS
    );
}
