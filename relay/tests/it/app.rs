//! The whole relay in process, with a sandbox as its provider: started, stopped, killed and started again
//! on the same data. What it must do is in `whole_relay`; who signs in is in `person`.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::budget::Budget;
use protocol::campaign::Step;
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::{CampaignId, InboxId, ReconnectId};
use protocol::reconnect::{Grant, State};
use protocol::request::delivery::Delivery;
use relay::app::App;
use relay::clock::Clock;
use relay::config::{Config, Environment};
use relay::credentials::reconnect_context;
use relay::record::NewLead;
use relay::running::{RunningApp, StartError};
use relay::store::OpenError;
use relay::store::inbox::{Inbox, NewInbox};
use sandbox::{CONFIDENTIAL_CLIENT, Options, PUBLIC_CLIENT, Person, Sandbox};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) mod person;

pub(crate) const JANE: &str = "jane@acme.example";
pub(crate) const JOHN: &str = "john@acme.example";
pub(crate) const PASSWORD: &str = "sandbox-password";

/// Everything here is loopback and in process; a second is long, and this is for a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The value that `condition` gives as soon as it gives one.
pub(crate) async fn wait_for<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let looks = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    let found = tokio::time::timeout(SOON, looks).await;
    found.unwrap_or_else(|_| panic!("waited {SOON:?} in vain for {what}"))
}

/// How the relay is registered at the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Public,
    Confidential,
}

impl Client {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Public => PUBLIC_CLIENT,
            Self::Confidential => CONFIDENTIAL_CLIENT,
        }
    }
}

/// A provider, a folder and a clock: what outlives a relay.
pub(crate) struct Ground {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    folder: TempDir,
    timing: &'static str,
    /// What the relay takes the sandbox for.
    provider: &'static str,
}

impl Ground {
    pub(crate) async fn new(client: Client) -> Self {
        let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\nrest_minute_ms = 20";
        Self::with(client, Duration::from_hours(1), Clock::system(), timing).await
    }

    pub(crate) async fn with(
        client: Client,
        access_token_for: Duration,
        clock: Clock,
        timing: &'static str,
    ) -> Self {
        let options = Options {
            access_token_for,
            ..Options::default()
        };
        Self::at(client, clock, timing, "sandbox", options).await
    }

    /// With a sandbox of these options, in which Jane and John have accounts too, as this provider.
    pub(crate) async fn at(
        client: Client,
        clock: Clock,
        timing: &'static str,
        provider: &'static str,
        options: Options,
    ) -> Self {
        let person = |address: &str, name: &str| Person {
            address: address.to_owned(),
            name: name.to_owned(),
            password: PASSWORD.to_owned(),
        };
        let options = Options {
            people: [person(JANE, "Jane Doe"), person(JOHN, "John Doe")]
                .into_iter()
                .chain(options.people.into_iter().filter(|one| one.address != JANE))
                .collect(),
            ..options
        };
        let sandbox = Arc::new(Sandbox::start(options).await.unwrap());
        Self {
            folder: folder_of(&sandbox),
            sandbox,
            clock,
            client,
            timing,
            provider,
        }
    }

    /// Another folder and another clock at the same provider.
    pub(crate) fn beside(&self, clock: Clock) -> Self {
        Self {
            folder: folder_of(&self.sandbox),
            sandbox: Arc::clone(&self.sandbox),
            clock,
            client: self.client,
            timing: self.timing,
            provider: self.provider,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> Config {
        let text = self.text();
        Config::parse(&text, Path::new("test.toml"), &Environment::default()).unwrap()
    }

    /// The same as a file has it; a table may follow.
    pub(crate) fn text(&self) -> String {
        let path = |name| self.path(name).display().to_string();
        let secret = match self.client {
            Client::Public => String::new(),
            Client::Confidential => {
                format!("client_secret = {:?}\n", self.sandbox.client_secret())
            }
        };
        let registered = if self.provider == "imap" {
            // It takes nothing but passwords.
            String::new()
        } else {
            let (issuer, client) = (self.sandbox.issuer(), self.client.id());
            format!("issuer = {issuer:?}\nclient_id = {client:?}\n{secret}")
        };
        format!(
            "listen = \"127.0.0.1:0\"\ndata = {:?}\nkey_file = {:?}\nextra_roots_file = {:?}\n\
             [timing]\n{}\n[providers.{}]\n{registered}\
             smtp.host = \"127.0.0.1\"\nsmtp.port = {}\nimap.host = \"127.0.0.1\"\nimap.port = {}\n",
            path("data"),
            path("unpause.key"),
            path("ca.pem"),
            self.timing,
            self.provider,
            self.sandbox.smtps().port(),
            self.sandbox.imaps().port(),
        )
    }

    /// Starts a relay; one that was killed just now may still hold the database for a moment.
    pub(crate) async fn start(&self) -> Relay {
        wait_for("the database to be free", async || {
            match self.try_start().await {
                Ok(relay) => Some(relay),
                Err(StartError::Database(OpenError::InUse { .. }) | StartError::Mark(_)) => None,
                Err(error) => panic!("{error}"),
            }
        })
        .await
    }

    pub(crate) async fn try_start(&self) -> Result<Relay, StartError> {
        self.try_start_with(self.config()).await
    }

    /// Starts the first relay on this ground, configured so.
    pub(crate) async fn start_with(&self, config: Config) -> Relay {
        self.try_start_with(config).await.unwrap()
    }

    pub(crate) async fn try_start_with(&self, config: Config) -> Result<Relay, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let starting = runtime.spawn(RunningApp::start(config, self.clock.clone()));
        match starting.await.unwrap() {
            Ok(running) => Ok(Relay { running, runtime }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Moves the relay's clock on, second by second, until something holds.
    pub(crate) async fn drive_until<T>(
        &self,
        what: &str,
        mut condition: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        wait_for(what, async || {
            self.clock.advance(Duration::from_secs(1));
            condition().await
        })
        .await
    }
}

fn folder_of(sandbox: &Sandbox) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), sandbox.ca_pem()).unwrap();
    folder
}

/// A relay that runs, on threads of its own, so that it can be ended wherever it stands.
pub(crate) struct Relay {
    running: RunningApp,
    runtime: Runtime,
}

impl Relay {
    pub(crate) fn app(&self) -> &Arc<App> {
        self.running.app()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address())
    }

    /// Ends in order.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
        self.runtime.shutdown_background();
    }

    /// Ends it in the middle of whatever it does, as SIGKILL would.
    pub(crate) fn kill(self) {
        drop(self.running);
        self.runtime.shutdown_background();
    }

    /// Makes the inbox's task look now.
    pub(crate) fn nudge(&self, inbox: &InboxId) {
        self.app().bell.wake_inbox(inbox);
    }

    /// Adds Jane's inbox, not connected yet.
    pub(crate) async fn add_inbox(&self, distance: Duration) -> InboxId {
        self.add_inbox_of(JANE, distance).await
    }

    /// Adds somebody's inbox, not connected yet.
    pub(crate) async fn add_inbox_of(&self, address: &str, distance: Duration) -> InboxId {
        let app = self.app();
        let (id, provider) = app.config.providers.first_key_value().unwrap();
        let new = NewInbox {
            address: address.parse().unwrap(),
            provider: id.clone(),
            smtp: provider.smtp.clone(),
            imap: provider.imap.clone(),
            budget: Budget {
                distance,
                daily_cap: None,
            },
        };
        let now = app.clock.now();
        let connection = Connection::Disconnected {
            cause: Cause::NeverConnected,
            evidence: None,
            since: now,
        };
        let inbox = app.store.create_inbox(new, &connection, now).await.unwrap();
        self.nudge(&inbox.id);
        inbox.id
    }

    /// Adds Jane's inbox and connects it by her sign-in.
    pub(crate) async fn connect(&self, ground: &Ground, distance: Duration) -> InboxId {
        let inbox = self.add_inbox(distance).await;
        let grant = ground.sign_in(JANE, person::ALL).await;
        let reconnect = self.grant(&inbox, &grant).await;
        let outcome = self.outcome(&reconnect).await;
        assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
        inbox
    }

    /// Starts a reconnect and hands over what was obtained.
    pub(crate) async fn grant(&self, inbox: &InboxId, grant: &Grant) -> ReconnectId {
        let app = self.app();
        let now = app.clock.now();
        let until = now + app.config.timing.reconnect_for;
        let (reconnect, _) = app.store.start_reconnect(inbox, now, until).await.unwrap();
        self.hand_over(&reconnect.id, grant).await;
        app.bell.wake_reconnect(&reconnect.id);
        reconnect.id
    }

    /// Puts what was obtained on record, and tells nobody.
    pub(crate) async fn hand_over(&self, reconnect: &ReconnectId, grant: &Grant) {
        let app = self.app();
        let sealed = app.keys.seal(&reconnect_context(reconnect), grant).unwrap();
        app.store.grant_reconnect(reconnect, &sealed).await.unwrap();
    }

    /// Where a reconnect stands in the end.
    pub(crate) async fn outcome(&self, reconnect: &ReconnectId) -> State {
        wait_for("the reconnect to be over", async || {
            let state = self
                .app()
                .store
                .load_reconnect(reconnect)
                .await
                .unwrap()
                .state;
            state.is_over().then_some(state)
        })
        .await
    }

    pub(crate) async fn inbox(&self, id: &InboxId) -> Inbox {
        self.app().store.load_inbox(id).await.unwrap()
    }

    /// Creates and starts a campaign; each step waits an hour for the one before.
    pub(crate) async fn start_campaign(
        &self,
        inbox: &InboxId,
        leads: &[&str],
        n_steps: usize,
    ) -> CampaignId {
        let campaign = self.plan_campaign(inbox, leads, n_steps).await;
        self.nudge(inbox);
        campaign
    }

    /// The same, and nobody is told: the inbox's task sees it at its next look.
    pub(crate) async fn plan_campaign(
        &self,
        inbox: &InboxId,
        leads: &[&str],
        n_steps: usize,
    ) -> CampaignId {
        let waits = waits_of(n_steps);
        self.plan_steps(inbox, leads, &waits).await
    }

    /// The same with these waits before the steps, in milliseconds.
    pub(crate) async fn plan_steps(
        &self,
        inbox: &InboxId,
        leads: &[&str],
        waits_ms: &[u64],
    ) -> CampaignId {
        let campaign = self.draft_steps(inbox, leads, waits_ms).await;
        let app = self.app();
        let now = app.clock.now();
        app.store.start_campaign(&campaign, now).await.unwrap();
        campaign
    }

    /// Creates a campaign that nobody has started.
    pub(crate) async fn draft_campaign(
        &self,
        inbox: &InboxId,
        leads: &[&str],
        n_steps: usize,
    ) -> CampaignId {
        self.draft_steps(inbox, leads, &waits_of(n_steps)).await
    }

    async fn draft_steps(&self, inbox: &InboxId, leads: &[&str], waits_ms: &[u64]) -> CampaignId {
        let app = self.app();
        let now = app.clock.now();
        let steps: Vec<_> = waits_ms
            .iter()
            .enumerate()
            .map(|(step_idx, wait_ms)| Step {
                subject: if step_idx == 0 { "Hello" } else { "" }.to_owned(),
                body: format!("This is message {}.", step_idx + 1),
                wait_ms: *wait_ms,
                ..Step::default()
            })
            .collect();
        let inboxes = [inbox.clone()];
        let campaign = app
            .store
            .create_campaign("Spring outreach", &inboxes, &steps, now)
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
        app.store.import_leads(&campaign, &leads).await.unwrap();
        campaign
    }

    pub(crate) async fn list(&self, campaign: &CampaignId, state: Option<&str>) -> Vec<Delivery> {
        let state = state.map(|name| name.parse().unwrap());
        self.app()
            .store
            .list_deliveries(campaign, state, 1_000)
            .await
            .unwrap()
    }
}

/// An hour before each step but the first.
fn waits_of(n_steps: usize) -> Vec<u64> {
    (0..n_steps)
        .map(|step_idx| if step_idx == 0 { 0 } else { 3_600_000 })
        .collect()
}
