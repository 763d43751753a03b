//! A relay is backed up while it sends, sends on, and is lost with its machine. What `unpause restore` puts into an
//! empty folder goes on, and everybody has each step once: counted in the recipients' mailboxes, never by the relay.
//! Whoever has the backup and no key opens nothing with it.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use protocol::delivery::{Decision, NoEvidence, StateName};
use protocol::id::CampaignId;
use protocol::request::campaign::{GetCampaign, StartCampaign};
use protocol::request::delivery::{Delivery, ListDeliveries, SettleDeliveries, SettleDelivery};
use sandbox::{Profile, profile};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tests::story::mailboxes::count;
use tests::story::play::{connect, create_list};
use tests::story::reconnecting::Device;
use tests::story::relay::Relay;
use tests::story::servers::{Plays, Servers};
use tests::story::telling::Telling;
use tests::wait::wait_for;

const LEADS: u64 = 200;
/// Of a campaign that is never started: they make the database large enough that a copy takes its time.
const OTHER_LEADS: u64 = 20_000;
/// Between the acceptance of the first step and the second.
const WAIT: Duration = Duration::from_millis(500);
/// The least time between two messages.
const GAP: Duration = Duration::from_millis(5);
/// Messages that have left when the backup is begun, and those that leave after it and before the loss.
const BEFORE: usize = 120;
const AFTER: usize = 60;
/// How long some messages, or the rest of them, may take on a busy machine.
const WITHIN: Duration = Duration::from_mins(3);
/// Between two messages while a backup is made: the transactions of a send wait for nothing of it.
const NO_LONGER_THAN: Duration = Duration::from_secs(2);

/// What of the old machine is left beside the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The key file, from where it was kept.
    Key,
    /// Mark and stops too, as they were at the backup: nothing outside the database tells how far the relay had come.
    OldMark,
}

/// What is met on the way.
#[derive(Debug, Default)]
struct Met {
    /// Messages that arrived while the backup was made.
    during: usize,
    /// The longest time between two of them.
    longest: Duration,
    /// Those that the backup did not know.
    forgotten: usize,
    /// Deliveries that the relay held for a person.
    held: BTreeSet<String>,
}

async fn lose_and_restore(profile: &'static Profile, left: Left) -> Result<Met> {
    let servers = Servers::start_sandbox_as(Plays::verified(profile), 1).await?;
    let secret = servers
        .demands_secret()
        .then(|| servers.client_secret().to_owned());
    let mut relay = Relay::start(&servers, secret.as_deref()).await?;
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let inbox = connect(&operator, &device, &servers, GAP, &Telling::begin(true)).await?;
    create_list(&operator, &inbox, "other", "other", OTHER_LEADS, WAIT).await?;
    let campaign = create_list(&operator, &inbox, "spring", "lead", LEADS, WAIT).await?;
    let start = StartCampaign {
        campaign_id: campaign.clone(),
    };
    operator.call(&start).await?;
    arrive(&servers, BEFORE).await?;

    let elsewhere = tempfile::tempdir()?;
    let keys = relay.folder().join("keys");
    if left == Left::OldMark {
        for name in ["unpause.mark", "unpause.stops"] {
            if keys.join(name).exists() {
                fs::copy(keys.join(name), elsewhere.path().join(name))?;
            }
        }
    }
    let mut met = Met::default();
    let backup = elsewhere.path().join("unpause.backup");
    let before = servers.delivered()?.len();
    let saved = command(&relay, &["backup", "--json", "--to", text(&backup)?]).await?;
    let after = servers.delivered()?.len();
    ensure!(saved.status.success(), "{saved:?}");
    met.during = after - before;
    met.longest = longest_between(&servers, before, after)?;
    let saved: Value = serde_json::from_slice(&saved.stdout)?;
    ensure!(saved["leads"] == LEADS + OTHER_LEADS, "{saved}");
    ensure!(saved["key_is_there"] == true, "{saved}");

    arrive(&servers, after + AFTER).await?;
    relay.kill()?;
    met.forgotten =
        servers.delivered()?.len() - usize::try_from(saved["accepted"].as_u64().unwrap_or(0))?;
    // The machine is gone; the key file was kept somewhere else.
    fs::copy(
        keys.join("unpause.key"),
        elsewhere.path().join("unpause.key"),
    )?;
    fs::remove_dir_all(relay.data())?;
    fs::remove_dir_all(&keys)?;
    fs::create_dir(&keys)?;
    without_the_key_it_opens_nothing(&relay, &backup, elsewhere.path()).await?;
    let names: &[&str] = match left {
        Left::Key => &["unpause.key"],
        Left::OldMark => &["unpause.key", "unpause.mark", "unpause.stops"],
    };
    for name in names
        .iter()
        .filter(|name| elsewhere.path().join(name).exists())
    {
        fs::copy(elsewhere.path().join(name), keys.join(name))?;
    }
    let restored = command(&relay, &["restore", "--from", text(&backup)?]).await?;
    ensure!(restored.status.success(), "{restored:?}");
    relay.start_again().await?;
    finish(&servers, &relay, &campaign, &mut met).await?;

    let messages = servers.delivered()?;
    let counted = count(&messages, WAIT);
    ensure!(
        counted.accepted == [LEADS; 2] && counted.duplicated == 0,
        "{counted:?} of {LEADS}: {met:?}"
    );
    relay.end()?;
    Ok(met)
}

/// The backup in somebody else's hands: it is refused by name, and so is a relay that is started on it.
async fn without_the_key_it_opens_nothing(
    relay: &Relay,
    backup: &Path,
    elsewhere: &Path,
) -> Result<()> {
    let key = fs::read_to_string(elsewhere.join("unpause.key"))?;
    let master = key.lines().nth(1).context("a key file of two lines")?;
    let bytes = fs::read(backup)?;
    ensure!(
        !bytes
            .windows(master.len())
            .any(|window| window == master.as_bytes()),
        "the key is in the backup"
    );
    let refused = command(relay, &["restore", "--from", text(backup)?]).await?;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(1) && words.contains("unpause.key is missing"),
        "{words}"
    );
    ensure!(!relay.data().exists(), "half restored");
    // By hand, past the command.
    fs::create_dir(relay.data())?;
    fs::copy(backup, relay.data().join("unpause.db"))?;
    let refused = command(relay, &["serve"]).await?;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(1) && words.contains("unpause.key is missing"),
        "{words}"
    );
    Ok(fs::remove_dir_all(relay.data())?)
}

/// Waits until everything has left. A person who knows the mailboxes says which of the held messages arrived, and has
/// all others sent at once.
async fn finish(
    servers: &Servers,
    relay: &Relay,
    campaign: &CampaignId,
    met: &mut Met,
) -> Result<()> {
    let operator = relay.operator()?;
    let look = async || {
        let request = GetCampaign {
            campaign_id: campaign.clone(),
        };
        let counts = operator.call(&request).await.ok()?.counts;
        if counts.unsettled == 0 {
            let open = counts.waiting + counts.attempting + counts.in_doubt;
            return (open == 0).then_some(());
        }
        let mut sent_before = Vec::new();
        let held = list_unsettled(relay, campaign).await.ok()?;
        let arrived: BTreeSet<(String, usize)> = servers
            .delivered()
            .ok()?
            .into_iter()
            .map(|message| (message.recipient, message.step))
            .collect();
        for one in &held {
            if one.no_evidence == Some(NoEvidence::Restored) {
                met.held.insert(one.id.to_string());
            }
            if arrived.contains(&(one.to.to_string(), one.step as usize)) {
                sent_before.push(one.id.clone());
            }
        }
        for delivery_id in &sent_before {
            let request = SettleDelivery {
                delivery_id: delivery_id.clone(),
                decision: Decision::Leave,
            };
            operator.call(&request).await.ok()?;
        }
        // A later step of a message that had left may be held by now: it is looked at first.
        if sent_before.is_empty() && !held.is_empty() {
            let request = SettleDeliveries {
                campaign_id: campaign.clone(),
                decision: Decision::SendAgain,
            };
            operator.call(&request).await.ok()?;
        }
        None
    };
    Ok(wait_for("the rest to be sent", look, WITHIN).await?)
}

async fn list_unsettled(relay: &Relay, campaign: &CampaignId) -> Result<Vec<Delivery>> {
    let request = ListDeliveries {
        campaign_id: campaign.clone(),
        state: Some(StateName::Unsettled),
        limit: Some(1_000),
        after: None,
    };
    Ok(relay.operator()?.call(&request).await?.deliveries)
}

async fn arrive(servers: &Servers, n: usize) -> Result<()> {
    let arrived = async || (servers.delivered().ok()?.len() >= n).then_some(());
    Ok(wait_for("some messages", arrived, WITHIN).await?)
}

/// Between one message and the next, from the last before a moment to the first after another.
fn longest_between(servers: &Servers, before: usize, after: usize) -> Result<Duration> {
    let mut at: Vec<i64> = servers
        .delivered()?
        .iter()
        .filter_map(|message| message.at_ms)
        .collect();
    at.sort_unstable();
    let of_it = at.get(before.saturating_sub(1)..after.min(at.len()));
    let longest = of_it
        .unwrap_or_default()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap_or(0);
    Ok(Duration::from_millis(u64::try_from(longest)?))
}

async fn command(relay: &Relay, arguments: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::from(relay.command(arguments));
    Ok(command.kill_on_drop(true).output().await?)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_machine_is_restored_and_everybody_has_each_step_once_where_the_server_makes_copies()
{
    let met = lose_and_restore(&profile::GENERIC, Left::Key)
        .await
        .unwrap();
    println!("{met:?}");
    assert!(met.forgotten >= AFTER, "{met:?}");
    assert!(met.during > 0 && met.longest < NO_LONGER_THAN, "{met:?}");
    assert!(met.held.is_empty(), "{met:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_shows_after_a_loss_is_held_named_and_decided_in_bulk() {
    let met = lose_and_restore(&profile::PLAIN, Left::Key).await.unwrap();
    println!("{met:?}");
    assert!(met.forgotten >= AFTER, "{met:?}");
    assert!(met.during > 0 && met.longest < NO_LONGER_THAN, "{met:?}");
    assert!(!met.held.is_empty(), "{met:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_known_for_one_also_where_the_mark_was_put_back_with_it() {
    let met = lose_and_restore(&profile::PLAIN, Left::OldMark)
        .await
        .unwrap();
    println!("{met:?}");
    assert!(met.forgotten >= AFTER && !met.held.is_empty(), "{met:?}");
}

/// A relay with a large database and nothing to send.
async fn idle(servers: &Servers) -> Result<Relay> {
    let relay = Relay::start(servers, None).await?;
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let inbox = connect(&operator, &device, servers, GAP, &Telling::begin(true)).await?;
    create_list(&operator, &inbox, "other", "other", OTHER_LEADS, WAIT).await?;
    Ok(relay)
}

/// Files of this folder that a command did not finish.
fn unfinished(folder: &TempDir) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "part") {
            found.push(path);
        }
    }
    Ok(found)
}

fn size_of(folder: &TempDir) -> u64 {
    let found = unfinished(folder).unwrap_or_default();
    let sizes = found.iter().filter_map(|path| fs::metadata(path).ok());
    sizes.map(|about| about.len()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_leaves_nothing_that_looks_whole() {
    let servers = Servers::start_sandbox(1).await.unwrap();
    let relay = idle(&servers).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let saved = command(&relay, &["backup", "--to", text(&whole).unwrap()])
        .await
        .unwrap();
    assert!(saved.status.success(), "{saved:?}");
    let n_bytes = fs::metadata(&whole).unwrap().len();
    let (mut n_killed, mut n_partial) = (0, 0);
    for tenth in 0..=10 {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("backup");
        let mut child = relay
            .command(&["backup", "--to", text(&to).unwrap()])
            .spawn()
            .unwrap();
        // Up to the last of its bytes, and after that at the note and the checks.
        let wanted = n_bytes * tenth / 10;
        while child.try_wait().unwrap().is_none()
            && (unfinished(&folder).unwrap().is_empty() || size_of(&folder) < wanted)
        {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        let is_killed = !child.wait().unwrap().success();
        n_killed += u32::from(is_killed);
        assert!(
            is_killed != to.exists(),
            "killed after {tenth} tenths: half there"
        );
        for part in unfinished(&folder).unwrap() {
            let size = fs::metadata(&part).unwrap().len();
            let checked = command(&relay, &["backup", "--check", text(&part).unwrap()])
                .await
                .unwrap();
            // The last of them may have all of it but its name.
            assert!(
                checked.status.code() == Some(1) || (size >= n_bytes && tenth == 10),
                "{size} of {n_bytes} bytes: {checked:?}"
            );
            n_partial += u32::from(checked.status.code() == Some(1));
        }
    }
    println!("{n_killed} killed, {n_partial} left a part, of {n_bytes} bytes");
    assert!(n_killed >= 8 && n_partial >= 8, "{n_killed} {n_partial}");
}

/// Changes a backup and makes its digest anew, as whoever may write to it can.
async fn forge(path: &Path, statement: &'static str) -> Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Memory);
    let mut database: SqliteConnection = options.connect().await?;
    sqlx::raw_sql(statement).execute(&mut database).await?;
    let note: String = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'backup'")
        .fetch_one(&mut database)
        .await?;
    database.close().await?;
    let note: serde_json::Value = serde_json::from_str(&note)?;
    let digits = note["sha256"]
        .as_str()
        .context("no digest")?
        .as_bytes()
        .to_vec();
    let mut bytes = fs::read(path)?;
    let at = bytes
        .windows(digits.len())
        .position(|window| window == digits);
    let at = at.context("the digest is nowhere")?;
    bytes[at..at + digits.len()].fill(b'0');
    let made = Sha256::digest(&bytes)
        .iter()
        .fold(String::new(), |made, byte| made + &format!("{byte:02x}"));
    bytes[at..at + digits.len()].copy_from_slice(made.as_bytes());
    Ok(fs::write(path, bytes)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_backup_turns_unnoticed_and_a_killed_restore_is_made_again() {
    let servers = Servers::start_sandbox(1).await.unwrap();
    let mut relay = idle(&servers).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let backup_name = text(&backup).unwrap().to_owned();
    let saved = command(&relay, &["backup", "--to", &backup_name])
        .await
        .unwrap();
    assert!(saved.status.success(), "{saved:?}");
    assert!(unfinished(&folder).unwrap().is_empty());
    let good = fs::read(&backup).unwrap();
    let changed = folder.path().join("changed");
    // The first page, in the middle of leads, and the last byte.
    for at in [30, 100, good.len() / 3, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&changed, &bytes).unwrap();
        let checked = command(&relay, &["backup", "--check", text(&changed).unwrap()])
            .await
            .unwrap();
        let words = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert_eq!(checked.status.code(), Some(1), "byte {at}");
        assert!(words.contains("is damaged"), "byte {at}: {words}");
    }
    let checked = command(&relay, &["backup", "--check", &backup_name])
        .await
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    // Somebody who makes the digest anew is found out by what no version of ours makes.
    for (statement, named) in [
        (
            "CREATE TRIGGER t AFTER INSERT ON audit BEGIN UPDATE accounts SET role = 'owner'; END",
            "its trigger t is not as unpause makes it",
        ),
        (
            "ALTER TABLE strays RENAME TO others; CREATE VIEW strays AS SELECT * FROM others",
            "is not as unpause makes it",
        ),
        ("DROP TABLE strays", "is missing"),
    ] {
        fs::write(&changed, &good).unwrap();
        forge(&changed, statement).await.unwrap();
        for arguments in [["backup", "--check"], ["restore", "--from"]] {
            let [name, flag] = arguments;
            let refused = command(&relay, &[name, flag, text(&changed).unwrap()])
                .await
                .unwrap();
            let words = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(1), "{statement}: {words}");
            assert!(
                name == "restore" || words.contains(named),
                "{statement}: {words}"
            );
        }
    }
    // Where others could exchange what is being written, nothing is.
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    for (mode, is_taken) in [(0o777, false), (0o1777, true), (0o700, true)] {
        fs::set_permissions(&open, Permissions::from_mode(mode)).unwrap();
        let to = open.join(format!("{mode:o}.backup"));
        let saved = command(&relay, &["backup", "--to", text(&to).unwrap()])
            .await
            .unwrap();
        assert_eq!(saved.status.success(), is_taken, "{mode:o}: {saved:?}");
        assert_eq!(to.exists(), is_taken);
    }
    relay.end().unwrap();
    fs::remove_dir_all(relay.data()).unwrap();
    // Killed as soon as it writes.
    let mut child = relay
        .command(&["restore", "--from", &backup_name])
        .spawn()
        .unwrap();
    while child.try_wait().unwrap().is_none() && !relay.data().exists() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    let is_killed = !child.wait().unwrap().success();
    assert!(is_killed != relay.data().join("unpause.db").exists());
    if is_killed {
        let restored = command(&relay, &["restore", "--from", &backup_name])
            .await
            .unwrap();
        assert!(restored.status.success(), "{restored:?}");
    }
    assert_eq!(fs::read(relay.data().join("unpause.db")).unwrap(), good);
    relay.start_again().await.unwrap();
    relay.end().unwrap();
}
