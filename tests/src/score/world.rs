//! A relay of its own for one input: a fresh database, a sandbox as its provider, and Jane's inbox, connected.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use protocol::budget::Budget;
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::InboxId;
use protocol::reconnect::Grant;
use protocol::secret::Secret;
use relay::app::App;
use relay::clock::Clock;
use relay::config::{Config, Environment};
use relay::credentials::reconnect_context;
use relay::http::operator::SOCKET_FILE;
use relay::running::RunningApp;
use relay::store::inbox::NewInbox;
use sandbox::{Options, Sandbox};
use tempfile::TempDir;

use crate::http_client::http_client_within;
use crate::wait::wait_for;

/// Whose inbox it is.
pub(super) const JANE: &str = "jane@acme.example";
/// The sandbox's own password for her.
const PASSWORD: &str = "sandbox-password";
/// Everything is on this computer; this is for a busy one.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// The largest list, read on a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_mins(5);

/// The relay and what stands around it.
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) running: RunningApp,
    pub(super) inbox: InboxId,
    folder: TempDir,
}

impl World {
    /// Starts everything and connects the inbox.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let sandbox = Sandbox::start(Options::default()).await?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), sandbox.ca_pem())?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata = {:?}\nkey_file = {:?}\nextra_roots_file = {:?}\n\
             [timing]\nslow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\n\
             [providers.imap]\nsmtp.host = \"127.0.0.1\"\nsmtp.port = {}\nimap.host = \"127.0.0.1\"\nimap.port = {}\n",
            path("data"),
            path("unpause.key"),
            path("ca.pem"),
            sandbox.smtps().port(),
            sandbox.imaps().port(),
        );
        let config = Config::parse(&text, Path::new("score.toml"), &Environment::default())?;
        let running = RunningApp::start(config, Clock::system()).await?;
        let inbox = add_inbox(running.app()).await?;
        let world = Self {
            sandbox,
            running,
            inbox,
            folder,
        };
        world.connect().await?;
        Ok(world)
    }

    pub(super) fn app(&self) -> &App {
        self.running.app()
    }

    async fn connect(&self) -> anyhow::Result<()> {
        let app = self.app();
        let now = app.clock.now();
        let until = now + app.config.timing.reconnect_for;
        let (reconnect, _) = app.store.start_reconnect(&self.inbox, now, until).await?;
        let grant = Grant::Password {
            user: JANE.to_owned(),
            password: Secret::new(PASSWORD),
        };
        let sealed = app.keys.seal(&reconnect_context(&reconnect.id), &grant)?;
        app.store.grant_reconnect(&reconnect.id, &sealed).await?;
        app.bell.wake_reconnect(&reconnect.id);
        wait_for(
            "the inbox to be connected and read",
            async || {
                let inbox = app.store.load_inbox(&self.inbox).await.ok()?;
                let connected = matches!(inbox.connection, Connection::Connected { .. });
                (connected && inbox.read_position.is_some()).then_some(())
            },
            SOON,
        )
        .await?;
        Ok(())
    }

    /// Asks the relay as its operator; the status and the body of its answer.
    pub(super) async fn post(
        &self,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<(u16, serde_json::Value)> {
        let socket = self.folder.path().join("data").join(SOCKET_FILE);
        let asked = http_client_within(ANSWER_WITHIN, Some(&socket))?
            .post(format!("http://localhost{path}"))
            .header("content-type", kind)
            .body(body);
        let answer = asked.send().await.context("the relay does not answer")?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
        Ok((status, body))
    }

    /// Ends the relay.
    pub(super) async fn stop(self) {
        self.running.stop().await;
    }
}

async fn add_inbox(app: &App) -> anyhow::Result<InboxId> {
    let (id, provider) = app
        .config
        .providers
        .first_key_value()
        .context("no provider is configured")?;
    let new = NewInbox {
        address: JANE.parse()?,
        provider: id.clone(),
        smtp: provider.smtp.clone(),
        imap: provider.imap.clone(),
        budget: Budget::default(),
    };
    let now = app.clock.now();
    let connection = Connection::Disconnected {
        cause: Cause::NeverConnected,
        evidence: None,
        since: now,
    };
    let inbox = app.store.create_inbox(new, &connection, now).await?;
    app.bell.wake_inbox(&inbox.id);
    Ok(inbox.id)
}
