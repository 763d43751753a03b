//! The whole relay on a real file, beside a database that goes away in the middle of a message: what the server
//! said of it is known once, and stays known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::delivery::State;
use protocol::id::{CampaignId, InboxId};
use protocol::reconnect::{Grant, State as ReconnectState};
use protocol::request::delivery::Delivery;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use sandbox::{Options, Point, Sandbox, Stage};
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::RunningApp;
use crate::app::{App, DATABASE_FILE};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::credentials::reconnect_context;
use crate::record::NewLead;
use crate::store::aside;
use crate::store::inbox::NewInbox;

const JANE: &str = "jane@acme.example";
const PASSWORD: &str = "sandbox-password";
/// Everything is loopback; the database's own patience is 5 s, and this is for a busy machine.
const SOON: Duration = Duration::from_mins(1);

async fn wait_for<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let looks = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(SOON, looks).await;
    found.unwrap_or_else(|_| panic!("waited {SOON:?} in vain for {what}"))
}

/// What outlives a relay.
struct Ground {
    sandbox: Sandbox,
    folder: TempDir,
    clock: Clock,
    timing: &'static str,
}

struct Relay {
    running: RunningApp,
    runtime: Runtime,
}

impl Ground {
    async fn new(clock: Clock, timing: &'static str) -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), sandbox.ca_pem()).unwrap();
        Self {
            sandbox,
            folder,
            clock,
            timing,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn outcomes(&self) -> PathBuf {
        self.path("data").join(aside::FILE)
    }

    fn config(&self) -> Config {
        let path = |name| self.path(name).display().to_string();
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata = {:?}\nkey_file = {:?}\nextra_roots_file = {:?}\n\
             [timing]\n{}\n[providers.imap]\n\
             smtp.host = \"127.0.0.1\"\nsmtp.port = {}\nimap.host = \"127.0.0.1\"\nimap.port = {}\n",
            path("data"),
            path("unpause.key"),
            path("ca.pem"),
            self.timing,
            self.sandbox.smtps().port(),
            self.sandbox.imaps().port(),
        );
        Config::parse(&text, Path::new("test.toml"), &Environment::default()).unwrap()
    }

    async fn start(&self) -> Relay {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let running = wait_for("the database to be free", async || {
            let starting = RunningApp::start(self.config(), self.clock.clone());
            runtime.spawn(starting).await.unwrap().ok()
        })
        .await;
        Relay { running, runtime }
    }

    /// A connected inbox, and a campaign whose first message the server has whole and has not answered.
    async fn send_to(&self, relay: &Relay, leads: &[&str]) -> (InboxId, CampaignId, sandbox::Held) {
        let inbox = relay.connect().await;
        let held = self.sandbox.control().hold(Point::SmtpDotReceived);
        let campaign = relay.start_campaign(&inbox, leads).await;
        held.reached().await;
        (inbox, campaign, held)
    }

    fn check_sent_once(&self, leads: &[&str]) {
        let mut sent: Vec<_> = self
            .sandbox
            .control()
            .delivered()
            .into_iter()
            .map(|message| message.recipient)
            .collect();
        sent.sort();
        assert_eq!(sent, leads, "nothing lost, nothing twice");
    }
}

impl Relay {
    fn app(&self) -> &Arc<App> {
        self.running.app()
    }

    fn kill(self) {
        drop(self.running);
        self.runtime.shutdown_background();
    }

    async fn connect(&self) -> InboxId {
        let app = self.app();
        let now = app.clock.now();
        let (id, provider) = app.config.providers.first_key_value().unwrap();
        let new = NewInbox {
            address: JANE.parse().unwrap(),
            provider: id.clone(),
            smtp: provider.smtp.clone(),
            imap: provider.imap.clone(),
            budget: Budget::default(),
        };
        let never = Connection::Disconnected {
            cause: Cause::NeverConnected,
            evidence: None,
            since: now,
        };
        let inbox = app.store.create_inbox(new, &never, now).await.unwrap().id;
        app.bell.wake_inbox(&inbox);
        let until = now + app.config.timing.reconnect_for;
        let (reconnect, _) = app.store.start_reconnect(&inbox, now, until).await.unwrap();
        let grant = Grant::Password {
            user: JANE.to_owned(),
            password: Secret::new(PASSWORD),
        };
        let sealed = app
            .keys
            .seal(&reconnect_context(&reconnect.id), &grant)
            .unwrap();
        app.store
            .grant_reconnect(&reconnect.id, &sealed)
            .await
            .unwrap();
        app.bell.wake_reconnect(&reconnect.id);
        let state = wait_for("the reconnect to be over", async || {
            let state = app.store.load_reconnect(&reconnect.id).await.unwrap().state;
            state.is_over().then_some(state)
        })
        .await;
        assert!(matches!(state, ReconnectState::Resumed { .. }), "{state:?}");
        inbox
    }

    async fn start_campaign(&self, inbox: &InboxId, leads: &[&str]) -> CampaignId {
        let app = self.app();
        let now = app.clock.now();
        let step = Step {
            subject: "Hello".to_owned(),
            body: "This is the message.".to_owned(),
            wait_ms: 0,
            ..Step::default()
        };
        let inboxes = [inbox.clone()];
        let store = &app.store;
        let campaign = store
            .create_campaign("Spring", &inboxes, &[step], now)
            .await
            .unwrap()
            .id;
        let leads: Vec<_> = (2..)
            .zip(leads)
            .map(|(row, address)| NewLead {
                row,
                address: address.parse().unwrap(),
                fields: std::collections::BTreeMap::new(),
            })
            .collect();
        store.import_leads(&campaign, &leads).await.unwrap();
        store.start_campaign(&campaign, now).await.unwrap();
        app.bell.wake_inbox(inbox);
        campaign
    }

    async fn list(&self, campaign: &CampaignId) -> Vec<Delivery> {
        let store = &self.app().store;
        store.list_deliveries(campaign, None, 100).await.unwrap()
    }

    async fn wait_until_accepted(&self, campaign: &CampaignId) {
        wait_for("every message to be on record as accepted", async || {
            let all = self.list(campaign).await;
            for row in &all {
                let in_doubt =
                    matches!(row.status, State::InDoubt { .. } | State::Unsettled { .. });
                assert!(!in_doubt, "{row:?}");
            }
            let accepted = |row: &Delivery| matches!(row.status, State::Accepted { .. });
            all.iter().all(accepted).then_some(())
        })
        .await;
    }
}

/// How a database goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// Another process holds the write lock for longer than SQLite waits.
    Busy,
    /// The disk is full.
    Full,
    /// It takes no writes.
    ReadOnly,
}

impl Away {
    /// Begins it; what is answered holds a lock for as long as it lives.
    async fn begin(self, ground: &Ground, relay: &Relay) -> Option<AnyConnection> {
        let store = &relay.app().store;
        match self {
            Self::Busy => {
                let file = ground.path("data").join(DATABASE_FILE);
                let url = format!("sqlite://{}", file.display());
                let mut other = AnyConnection::connect(&url).await.unwrap();
                sqlx::query("BEGIN IMMEDIATE")
                    .execute(&mut other)
                    .await
                    .unwrap();
                return Some(other);
            }
            Self::Full => store.limit(true).await,
            Self::ReadOnly => store.refuse_writes(true).await,
        }
        None
    }

    async fn end(self, relay: &Relay, lock: Option<AnyConnection>) {
        drop(lock);
        let store = &relay.app().store;
        match self {
            Self::Busy => {}
            Self::Full => store.limit(false).await,
            Self::ReadOnly => store.refuse_writes(false).await,
        }
    }
}

const LEADS: [&str; 3] = ["ann@a.example", "bob@b.example", "cy@c.example"];
const HASTY: &str = "first_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100";

/// A reply that takes pages of its own on record.
fn long_reply() -> String {
    let line = "x".repeat(400);
    let mut lines = vec![format!("250-2.0.0 {line}"); 40];
    lines.push("250 2.0.0 taken".to_owned());
    lines.join("\r\n")
}

/// Sends a message whose reply comes when the database is away, and waits until it could not be written.
async fn lose_database(away: Away) -> (Ground, Relay, InboxId, CampaignId, Option<AnyConnection>) {
    let ground = Ground::new(Clock::system(), HASTY).await;
    let relay = ground.start().await;
    let (inbox, campaign, held) = ground.send_to(&relay, &LEADS).await;
    let control = ground.sandbox.control();
    control.next_reply(Stage::AfterData, long_reply());
    let lock = away.begin(&ground, &relay).await;
    held.release();
    wait_for("the outcome to be kept beside the database", async || {
        let text = std::fs::read_to_string(ground.outcomes()).ok()?;
        text.ends_with("}\n").then_some(())
    })
    .await;
    assert_eq!(control.delivered().len(), 1, "nothing more is claimed");
    (ground, relay, inbox, campaign, lock)
}

async fn check_that_it_goes_on(away: Away) {
    let (ground, relay, _, campaign, lock) = lose_database(away).await;
    // However long it takes: its lease runs out, and it is still nobody else's.
    let store = &relay.app().store;
    let far = Timestamp::from_ms(i64::MAX);
    let orphans = store.doubt_orphans(ground.clock.now(), Some(far));
    assert_eq!(orphans.await.unwrap(), 0);
    away.end(&relay, lock).await;
    relay.wait_until_accepted(&campaign).await;
    ground.check_sent_once(&LEADS);
    for row in relay.list(&campaign).await {
        assert_eq!(row.attempts, 1, "{row:?}");
    }
    wait_for("the file beside the database to be gone", async || {
        (!ground.outcomes().exists()).then_some(())
    })
    .await;
    relay.kill();
}

async fn check_that_the_next_start_knows(away: Away) {
    let (ground, relay, _, campaign, lock) = lose_database(away).await;
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(ground.outcomes()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(ground.outcomes()).unwrap();
    assert!(!text.contains(PASSWORD), "it holds a secret");
    // It also survives that a machine ended in the middle of writing another one.
    std::fs::write(ground.outcomes(), format!("{text}{{\"delivery\":\"dl")).unwrap();
    relay.kill();
    drop(lock);
    let relay = ground.start().await;
    let first = relay.list(&campaign).await.remove(0);
    assert!(matches!(first.status, State::Accepted { .. }), "{first:?}");
    assert_eq!(first.attempts, 1);
    assert!(!ground.outcomes().exists());
    relay.wait_until_accepted(&campaign).await;
    ground.check_sent_once(&LEADS);
    relay.kill();
}

#[tokio::test]
async fn a_locked_database_loses_no_outcome() {
    check_that_it_goes_on(Away::Busy).await;
}

#[tokio::test]
async fn a_full_disk_loses_no_outcome() {
    check_that_it_goes_on(Away::Full).await;
}

#[tokio::test]
async fn a_database_that_takes_no_writes_loses_no_outcome() {
    check_that_it_goes_on(Away::ReadOnly).await;
}

#[tokio::test]
async fn a_relay_that_ends_while_its_database_is_locked_knows_the_outcome_at_its_next_start() {
    check_that_the_next_start_knows(Away::Busy).await;
}

#[tokio::test]
async fn a_relay_that_ends_while_the_disk_is_full_knows_the_outcome_at_its_next_start() {
    check_that_the_next_start_knows(Away::Full).await;
}

#[tokio::test]
async fn a_relay_that_ends_while_it_cannot_write_knows_the_outcome_at_its_next_start() {
    check_that_the_next_start_knows(Away::ReadOnly).await;
}

#[tokio::test]
async fn our_own_failure_asks_the_servers_ever_more_seldom() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let ground = Ground::new(clock.clone(), "poll_ms = 1000").await;
    let relay = ground.start().await;
    relay.connect().await;
    let control = ground.sandbox.control();
    relay.app().store.refuse_writes(true).await;
    let mut events = control.events();
    let mut asked_at = Vec::new();
    wait_for("the servers to be asked", async || {
        clock.advance(Duration::from_secs(1));
        while let Ok(event) = events.try_recv() {
            if event.point == Point::ImapSelected {
                asked_at.push(clock.now());
            }
        }
        (asked_at.len() >= 7).then_some(())
    })
    .await;
    // 1 s, doubled each time and a fifth more or less, makes 63 s in six; the first may have been under way. Asked
    // again at once, or every second, it is far below.
    let took = asked_at[6].since(asked_at[0]);
    let bounds = Duration::from_secs(24)..=Duration::from_mins(5);
    assert!(bounds.contains(&took), "asked seven times in {took:?}");
    relay.kill();
}
