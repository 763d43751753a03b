//! What every one of these tests begins with: a provider, a relay, a campaign that runs, and a browser whose
//! extension is paired, with Jane signed in at her provider.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use protocol::campaign;
use protocol::id::CampaignId;
use protocol::reconnect::State;
use protocol::request::campaign::StartCampaign;
use sandbox::Profile;
use sandbox::profile::GENERIC;
use sqlx::{Connection as _, Row as _};
use tests::browsers::{Browser, Kind, Settings};
use tests::entrance::{Front, Way};
use tests::page_server::{Page, PageServer};
use tests::story::api::Api;
use tests::story::desk::Desk;
use tests::story::play::{connect, create_campaign, wait_state};
use tests::story::reconnecting::Device;
use tests::story::relay::Relay;
use tests::story::screens::Screens;
use tests::story::servers::{Plays, Servers, jane};
use tests::story::telling::Telling;
use tests::wait::wait_for;

/// Beside the build, where `cargo xtask test` puts the extension.
pub(crate) const EXTENSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/web/extension");
/// Enough that messages are left whenever the permission ends.
const LEADS: u64 = 400;
/// Between two messages.
const GAP: Duration = Duration::from_millis(200);
/// For what takes a second.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Where a test plays.
pub(crate) struct Stage {
    pub(crate) desk: Desk,
    pub(crate) servers: Servers,
    pub(crate) relay: Relay,
    pub(crate) operator: Api,
    pub(crate) campaign: CampaignId,
    /// What stands between the browser and the relay, if anything.
    pub(crate) front: Option<Front>,
}

/// What differs between the tests.
pub(crate) struct Set {
    pub(crate) browser: Settings,
    pub(crate) confidential: bool,
    pub(crate) profile: &'static Profile,
    /// How long a reconnect may take; `None`: as long as the relay grants by itself.
    pub(crate) reconnect_for: Option<Duration>,
    /// How the browser comes to the relay; `None`: straight, on loopback.
    pub(crate) way: Option<Way>,
}

impl Set {
    /// The built extension in this browser.
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            browser: Settings::headless(kind, PathBuf::from(EXTENSION)),
            confidential: false,
            profile: &GENERIC,
            reconnect_for: None,
            way: None,
        }
    }
}

impl Stage {
    /// Sets everything up; the campaign is not started.
    pub(crate) async fn set(mut set: Set) -> Result<Self> {
        let servers = Servers::start_sandbox_as(Plays::verified(set.profile), 1).await?;
        let secret = set.confidential.then(|| servers.client_secret());
        let limit = set.reconnect_for.map(|limit| {
            (
                "UNPAUSE_TIMING__RECONNECT_FOR_MS",
                limit.as_millis().to_string(),
            )
        });
        let (mut front, settings) = match set.way {
            Some(way) => {
                let (front, settings) = Front::prepare(way).await?;
                (Some(front), settings)
            }
            None => (None, Vec::new()),
        };
        let settings = settings.into_iter().chain(limit);
        let relay = Relay::start_with(&servers, secret, settings).await?;
        let operator = relay.operator()?;
        let device = match &mut front {
            Some(front) => {
                front.open(&relay).await?;
                set.browser.trusts = Some(front.trust().await?);
                Device::pair_by_tls(&operator, front.ca_pem()).await?
            }
            None => Device::pair(&relay.base(), &operator).await?,
        };
        let telling = Telling::begin(true);
        let inbox = connect(&operator, &device, &servers, GAP, &telling).await?;
        let campaign = create_campaign(&operator, &inbox, LEADS, Duration::from_hours(1)).await?;
        // A picture of what a failed test saw last is kept where the caller asks for it.
        let screens = std::env::var_os("UNPAUSE_SCREENSHOTS").map(PathBuf::from);
        let desk = Desk::new(Browser::start(set.browser).await?, Screens::into(screens)?);
        desk.pair(&relay).await?;
        desk.sign_in_at_provider(&servers, &jane()).await?;
        operator
            .call(&StartCampaign {
                campaign_id: campaign.clone(),
            })
            .await?;
        Ok(Self {
            desk,
            servers,
            relay,
            operator,
            campaign,
            front,
        })
    }

    /// The address at which the browser has the relay.
    pub(crate) fn url(&self) -> String {
        let front = self.front.as_ref();
        front.map_or_else(|| self.relay.base(), Front::url)
    }

    /// The provider ends the permission in the middle of the campaign, and the relay pauses it.
    pub(crate) async fn lose(&self) -> Result<()> {
        let before = self.servers.delivered()?.len();
        let sends = async || (self.servers.delivered().ok()?.len() > before).then_some(());
        wait_for("a message to arrive", sends, SOON).await?;
        self.servers.revoke(&jane().address).await?;
        wait_state(&self.operator, &self.campaign, |state| {
            matches!(state, campaign::State::Paused { .. })
        })
        .await?;
        Ok(())
    }

    /// That the campaign goes on, message by message, and that one reconnect alone made it so: `n_resumed` in all,
    /// the first connection included.
    pub(crate) async fn check_goes_on(&self, n_resumed: i64) -> Result<()> {
        wait_state(&self.operator, &self.campaign, |state| {
            matches!(state, campaign::State::Running)
        })
        .await?;
        let before = self.servers.delivered()?.len();
        let sends = async || (self.servers.delivered().ok()?.len() > before).then_some(());
        wait_for("the next message", sends, SOON)
            .await
            .context("the campaign does not send")?;
        let by_status = self.reconnects().await?;
        ensure!(
            by_status.get("resumed") == Some(&n_resumed)
                && by_status
                    .keys()
                    .all(|status| matches!(*status, "resumed" | "refused")),
            "reconnects in the relay's book: {by_status:?}"
        );
        Ok(())
    }

    /// The relay's book of reconnects: how many of each state.
    pub(crate) async fn reconnects(&self) -> Result<BTreeMap<&'static str, i64>> {
        let path = self.relay.data().join("unpause.db");
        let mut book =
            sqlx::SqliteConnection::connect(&format!("sqlite://{}?mode=ro", path.display()))
                .await?;
        let rows = sqlx::query("SELECT status FROM reconnects")
            .fetch_all(&mut book)
            .await?;
        let mut by_status = BTreeMap::new();
        for row in rows {
            let status: State = serde_json::from_str(row.try_get("status")?)?;
            *by_status.entry(status.name()).or_default() += 1;
        }
        Ok(by_status)
    }

    /// Ends the browser; whatever else there is ends with its value.
    pub(crate) async fn end(self) -> Result<()> {
        self.desk.browser.close().await
    }
}

/// The campaign page of another tool with a banner that speaks of Jane's inbox, and these headers.
pub(crate) fn other_tool(headers: Vec<(&'static str, String)>) -> BTreeMap<String, Page> {
    let html = "<!doctype html><html lang=\"en\"><head><title>Campaign</title></head><body><main>\
        <h1>Spring outreach</h1><div class=\"banner\" role=\"alert\">This campaign is paused: \
        jane@acme.example lost its connection. Sign in again to continue.</div></main></body></html>";
    let page = Page {
        html: html.to_owned(),
        headers,
    };
    BTreeMap::from([("/campaign".to_owned(), page)])
}

/// A server with that page.
pub(crate) async fn serve_other_tool(headers: Vec<(&'static str, String)>) -> Result<PageServer> {
    Ok(PageServer::start(other_tool(headers)).await?)
}

/// The folder of npm's packages that `cargo xtask test` installs.
pub(crate) fn npm() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tests/npm")
}
