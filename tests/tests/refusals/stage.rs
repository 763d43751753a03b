//! A running relay with everything that a request can be wrong about: inboxes that work, that were lost and
//! that were never connected; campaigns in their states; a device, a used code, reconnects.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use protocol::campaign::{State, Step};
use protocol::id::{CampaignId, InboxId};
use protocol::provider::ProviderId;
use protocol::request::campaign::{
    CreateCampaign, ImportLeads, ListCampaigns, StartCampaign, UnusableRows,
};
use protocol::request::device::ListDevices;
use protocol::request::inbox::{CreateInbox, ListInboxes};
use protocol::request::reconnect::{ListReceipts, StartReconnect};
use protocol::sender::Sender;
use serde_json::Value;
use tempfile::TempDir;
use tests::http_client::{http_client, http_client_at};
use tests::person::Person;
use tests::story::api::Api;
use tests::story::play::wait_state;
use tests::story::reconnecting::Device;
use tests::story::relay::Relay;
use tests::story::servers::{Servers, jane, john};
use tests::story::telling::Telling;
use url::Url;

use crate::kept::count_rows;
use crate::row::{Ask, Content, How, Met, Row, Who};

/// The second step of the campaign that runs comes long after the test.
const WAIT: Duration = Duration::from_hours(24);

/// The running relay and what it has.
pub(crate) struct Stage {
    pub(crate) servers: Servers,
    pub(crate) relay: Relay,
    http: reqwest::Client,
    pub(crate) operator: Api,
    by_socket: reqwest::Client,
    /// The token of a session of the dashboard.
    pub(crate) session: String,
    files: TempDir,
    /// A device that is paired, once it is.
    device: Option<Device>,
    /// What `{name}` stands for.
    names: BTreeMap<&'static str, String>,
}

/// What a refusal must not change.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    rows: BTreeMap<String, i64>,
    answers: [Value; 4],
    n_delivered: usize,
}

impl Stage {
    /// Sets everything up.
    pub(crate) async fn set_up() -> Result<Self> {
        let servers = Servers::start_sandbox(1).await?;
        let relay = Relay::start(&servers, None).await?;
        let operator = relay.operator()?;
        let mut stage = Self {
            servers,
            http: http_client(&[])?,
            by_socket: http_client_at(&relay.socket())?,
            session: operator.sign_in(&relay.base()).await?,
            operator,
            relay,
            files: tempfile::tempdir()?,
            device: None,
            names: BTreeMap::new(),
        };
        stage.pair().await?;
        let device = Device::pair(&stage.relay.base(), &stage.operator).await?;
        let works = stage.connect(&device, &jane()).await?;
        let lost = stage.connect(&device, &john()).await?;
        let never = stage.create_inbox("mary@acme.example").await?;
        let waits = stage.create_inbox("anna@acme.example").await?;

        stage.create_campaign("empty", &works, false).await?;
        stage.create_campaign("stranded", &never, true).await?;
        stage.create_campaign("draft", &works, true).await?;
        let running = stage.create_campaign("running", &works, true).await?;
        let broken = stage.create_campaign("lost", &lost, true).await?;
        let sandbox = stage.servers.sandbox().context("the stage has a sandbox")?;
        sandbox.control().revoke(&john().address)?;
        for campaign in [&running, &broken] {
            let campaign_id = campaign.clone();
            stage.operator.call(&StartCampaign { campaign_id }).await?;
        }
        wait_state(&stage.operator, &broken, |state| {
            matches!(state, State::Paused { .. })
        })
        .await?;
        tests::wait::wait_for(
            "the first message of the campaign that runs",
            async || (stage.n_delivered() == 1).then_some(()),
            Duration::from_mins(1),
        )
        .await?;

        let started = device.api.call(&StartReconnect { inbox_id: waits }).await?;
        stage.names.insert("open", started.reconnect.id.to_string());
        Ok(stage)
    }

    /// Plays a row and checks that nothing but the refusal came of it.
    pub(crate) async fn play(&self, row: &Row) -> Result<Met> {
        let before = self.look().await?;
        let met = match &row.how {
            How::Import(content) => self.import(content).await?,
            How::Steps(content) => {
                std::fs::write(self.file("steps.toml"), content)?;
                let line = "campaign create --name Autumn --inbox {inbox} --steps steps.toml";
                self.command(&line.split(' ').collect::<Vec<_>>()).await?
            }
            How::Command(arguments) => self.command(arguments).await?,
            How::Ask(ask) => self.ask(ask).await?,
            How::Alone(alone) => crate::home::Home::play(alone).await?,
            How::Scene(_, scene) => scene(self).await?,
        };
        let after = self.look().await?;
        ensure!(before == after, "half done: {before:#?} became {after:#?}");
        Ok(met)
    }

    /// A command of the operator.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Result<Met> {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| self.fill(argument))
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut command = tokio::process::Command::from(self.relay.command(&arguments));
        let output = command.current_dir(self.files.path()).output().await?;
        ensure!(output.stdout.is_empty(), "it printed {:?}", output.stdout);
        Met::of_command(output.status.code(), &String::from_utf8(output.stderr)?)
    }

    /// What the relay answers to the import of a body, read from its answer.
    pub(crate) fn read(status: u16, body: &[u8]) -> Result<Met> {
        let body: Value = serde_json::from_slice(body)
            .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(body)))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if status == 200 {
            // A mail outcome is data: the reconnect says itself that it was refused.
            return Ok(Met {
                code: format!(
                    "{status} {}: {}",
                    text(&body["state"]),
                    text(&body["cause"])
                ),
                place: String::new(),
                words: format!(
                    "{}. {}",
                    text(&body["card"]["title"]).trim_end_matches('.'),
                    text(&body["card"]["explanation"])
                ),
            });
        }
        ensure!(body["status"] == status, "it names another status: {body}");
        let field = body["field"].as_str().map(|field| format!("field {field}"));
        let row = body["row"].as_u64().map(|row| format!("row {row}"));
        let place: Vec<_> = field.into_iter().chain(row).collect();
        Ok(Met {
            code: format!("{status} {}", text(&body["code"])),
            place: place.join(", "),
            words: text(&body["detail"]),
        })
    }

    /// A file beside the operator.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The text with what its `{name}`s stand for.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    async fn import(&self, content: &[u8]) -> Result<Met> {
        std::fs::write(self.file("leads.csv"), content)?;
        let told = self
            .command(&["campaign", "import", "{draft}", "leads.csv"])
            .await?;
        ensure!(
            told.code == "exit 1",
            "the command ended with {}",
            told.code
        );
        let url = format!(
            "{}{}",
            self.relay.base(),
            self.fill("/v1/campaigns/{draft}/leads")
        );
        let answer = self
            .http
            .post(url)
            .bearer_auth(&self.session)
            .header(CONTENT_TYPE, "text/csv")
            .body(content.to_vec())
            .send()
            .await?;
        let met = Self::read(answer.status().as_u16(), &answer.bytes().await?)?;
        ensure!(
            (&told.words, &told.place) == (&met.words, &met.place),
            "the command line says {told:?}, the API {met:?}"
        );
        Ok(met)
    }

    async fn ask(&self, ask: &Ask) -> Result<Met> {
        let (method, path) = ask.line.split_once(' ').context("method and path")?;
        let http = match ask.who {
            Who::Operator => &self.by_socket,
            _ => &self.http,
        };
        let mut asked = http.request(
            method.parse()?,
            format!("{}{}", self.relay.base(), self.fill(path)),
        );
        let token = match ask.who {
            Who::Stranger => Some("made-up".to_owned()),
            // The operator is known by where he comes from, a device by its signature.
            Who::Operator | Who::Device | Who::Nobody => None,
        };
        if let Some(token) = token {
            asked = asked.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(host) = ask.host {
            asked = asked.header(HOST, host);
        }
        let body = match ask.body {
            Content::Text(text) => self.fill(text),
            Content::Bytes(n) => format!("{{\"name\":\"{}\"}}", "x".repeat(n)),
        };
        let kind = (!body.is_empty()).then_some("application/json");
        if let (Who::Device, Some(device)) = (&ask.who, &self.device) {
            let url = Url::parse(&format!("{}{}", self.relay.base(), self.fill(path)))?;
            for (name, value) in device.api.sign(method, &url, kind, body.as_bytes()) {
                asked = asked.header(name, value);
            }
        }
        if let Some(kind) = kind {
            asked = asked.header(CONTENT_TYPE, kind).body(body);
        }
        let answer = asked.send().await?;
        Self::read(answer.status().as_u16(), &answer.bytes().await?)
    }

    async fn look(&self) -> Result<Standing> {
        let operator = &self.operator;
        Ok(Standing {
            rows: count_rows(&self.relay.data().join("unpause.db")).await?,
            answers: [
                serde_json::to_value(operator.call(&ListInboxes {}).await?)?,
                serde_json::to_value(operator.call(&ListCampaigns {}).await?)?,
                serde_json::to_value(operator.call(&ListDevices {}).await?)?,
                serde_json::to_value(operator.call(&ListReceipts { after: None }).await?)?,
            ],
            n_delivered: self.n_delivered(),
        })
    }

    fn n_delivered(&self) -> usize {
        self.servers
            .delivered()
            .map_or(0, |messages| messages.len())
    }

    async fn pair(&mut self) -> Result<()> {
        let device = Device::pair(&self.relay.base(), &self.operator).await?;
        let proof = serde_json::to_value(&device.proof)?;
        let proof = proof.as_str().context("a proof is a text")?;
        self.names.insert("proof", proof.to_owned());
        self.device = Some(device);
        Ok(())
    }

    async fn connect(&mut self, device: &Device, person: &Person) -> Result<InboxId> {
        let inbox = self.create_inbox(&person.address).await?;
        let reconnect = device
            .hand_over(&inbox, person, &Telling::begin(true))
            .await?;
        let over = device.wait_over(&reconnect).await?;
        ensure!(over.receipt.is_some(), "not connected: {over:?}");
        self.names.insert("finished", reconnect.to_string());
        self.names.insert("inbox", inbox.to_string());
        Ok(inbox)
    }

    async fn create_inbox(&self, address: &str) -> Result<InboxId> {
        let request = CreateInbox {
            address: address.parse()?,
            provider: ProviderId::new(self.servers.provider()),
            smtp: None,
            imap: None,
            distance_ms: Some(0),
            daily_cap: Some(0),
        };
        Ok(self.operator.call(&request).await?.id)
    }

    async fn create_campaign(
        &mut self,
        name: &'static str,
        inbox: &InboxId,
        has_lead: bool,
    ) -> Result<CampaignId> {
        let step = |subject: &str, body: &str, wait: Duration| -> Result<Step> {
            Ok(Step {
                subject: subject.to_owned(),
                body: body.to_owned(),
                wait_ms: u64::try_from(wait.as_millis())?,
                ..Step::default()
            })
        };
        let [first, second] = tests::story::mailboxes::MARKS;
        let request = CreateCampaign {
            name: name.to_owned(),
            inboxes: vec![inbox.clone()],
            sender: Sender::default(),
            steps: vec![
                step("Hi {{name}}", first, Duration::ZERO)?,
                step("", second, WAIT)?,
            ],
            schedule: None,
        };
        let campaign_id = self.operator.call(&request).await?.id;
        if has_lead {
            let csv = b"email,name\nknown@leads.example,Kim\n".to_vec();
            let request = ImportLeads {
                campaign_id: campaign_id.clone(),
                unusable_rows: UnusableRows::Refuse,
                encoding: None,
            };
            self.operator.call_with_csv(&request, csv).await?;
        }
        self.names.insert(name, campaign_id.to_string());
        Ok(campaign_id)
    }
}
