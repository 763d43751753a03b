//! The story without a browser: every way to lose an inbox and to get it back, or not, with a provider that repeats
//! what it was shown.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use protocol::campaign::{State, Step};
use protocol::id::{CampaignId, InboxId, ReconnectId};
use protocol::reconnect::{Grant, sealing_context};
use protocol::request::campaign::{CreateCampaign, StartCampaign};
use protocol::request::inbox::{ConnectionState, GetInbox};
use protocol::request::reconnect::{
    NothingObtained, ReconnectState, RefuseReconnect, StartReconnect,
};
use protocol::sender::Sender;
use rand::rngs::StdRng;
use sandbox::{Control, GrantType, Point, Stage};

use super::gather::Sort;
use super::run::{Plant, Story, known_to_provider, password};
use super::search::{Kind, Marker};
use super::watched::{Collected, How, Watched};
use crate::person::Person;
use crate::story::play::{connect, create_campaign, wait_state};
use crate::story::reconnecting::Device;
use crate::story::servers::{Servers, jane, john};
use crate::story::telling::Telling;
use crate::wait::wait_for;

/// Enough that messages are left whenever the inbox is lost.
const LEADS: u64 = 600;
/// Between two messages.
const GAP: Duration = Duration::from_millis(150);
/// The second step is not waited for.
const WAIT: Duration = Duration::from_hours(1);
/// What takes a second; the rest is for a busy machine.
const SOON: Duration = Duration::from_mins(1);
/// How long a reconnect is left open that nobody finishes.
const OPEN_FOR_MS: u64 = 1_500;

/// What the story has.
struct Scene {
    servers: Servers,
    control: Control,
    watched: Watched,
    device: Device,
    inbox: InboxId,
    campaign: CampaignId,
    jane: Person,
    markers: Vec<Marker>,
    telling: Telling,
}

/// Plays it.
pub async fn play(how: How, rng: &mut StdRng, telling: &Telling) -> Result<Story> {
    telling.say(&format!("the story, {how:?}"));
    let (mut scene, mut plants) = begin(how, rng).await?;
    scene.control.echo_secrets(true);

    telling.say("the permission ends; a wrong person, a cancellation, a refusal, a code that is no good any more");
    scene.lose_permission().await?;
    let in_tab = scene.start_reconnect().await?;
    let jane = scene.jane.clone();
    scene.watched.reconnect_in_tab(&in_tab, &jane).await?;
    scene.wait_over(&in_tab, ReconnectState::Resumed).await?;
    scene.lose_permission().await?;
    let john = Person::new(&john().address, &password(rng, "John"));
    scene.change_password(&john)?;
    let quiet = Telling::begin(true);
    let wrong = scene.device.hand_over(&scene.inbox, &john, &quiet).await?;
    scene.wait_over(&wrong, ReconnectState::Refused).await?;
    let refused = NothingObtained::Provider {
        error: "access_denied".to_owned(),
        description: Some("the person said no".to_owned()),
    };
    for why in [NothingObtained::Cancelled, refused] {
        let id = scene.start_reconnect().await?;
        let request = RefuseReconnect {
            reconnect_id: id.clone(),
            why,
        };
        scene.device.api.call(&request).await?;
        scene.wait_over(&id, ReconnectState::Refused).await?;
    }
    scene.spoil_a_code().await?;

    telling.say("a server's own words are planted; nobody finishes a reconnect; then Jane does");
    let words = Plant::new(
        rng,
        "words",
        &[Sort::Output, Sort::Answer, Sort::Database, Sort::Killed],
    );
    scene
        .control
        .next_reply(Stage::Auth, format!("535 5.7.8 {}", words.text));
    let refused = scene
        .device
        .hand_over(&scene.inbox, &scene.jane, &quiet)
        .await?;
    scene.wait_over(&refused, ReconnectState::Refused).await?;
    plants.push(words);
    let open_for = ("UNPAUSE_TIMING__RECONNECT_FOR_MS", OPEN_FOR_MS.to_string());
    scene.start_again(Some(open_for)).await?;
    let expired = scene.start_reconnect().await?;
    scene.wait_over(&expired, ReconnectState::Refused).await?;
    scene.start_again(None).await?;
    let jane = scene.jane.clone();
    scene
        .watched
        .reconnect_at_terminal(&scene.inbox, &jane)
        .await?;
    scene.wait_running().await?;

    telling.say("the servers refuse messages, and say with which token they were asked");
    for (stage, reply) in [
        (Stage::Mail, "450 4.7.1 slow down"),
        (Stage::Rcpt, "451 4.3.0 try later"),
        (Stage::Data, "451 4.3.0 not now"),
        (Stage::AfterData, "550 5.7.1 looks like spam"),
        (Stage::Mail, "421 4.7.0 too many connections"),
    ] {
        scene.control.next_reply(stage, reply);
        scene.wait_messages(2).await?;
    }

    telling.say("a password instead: a wrong one, the right one, and then it is changed");
    scene.lose_permission().await?;
    let wrong = password(rng, "Wrong");
    scene.password(&wrong).await?;
    let right = scene.jane.password.clone();
    scene.password(&right).await?;
    scene.wait_running().await?;
    let sealed = scene.start_reconnect().await?;
    scene.hand_over_password(&sealed, &wrong).await?;
    scene.wait_over(&sealed, ReconnectState::Refused).await?;
    scene.wait_messages(2).await?;
    scene.jane.password = password(rng, "Changed");
    let jane = scene.jane.clone();
    scene.change_password(&jane)?;
    scene.wait_lost().await?;

    telling.say("killed while it asks who signed in, while it signs in, and while it sends");
    for point in [Point::UserInfo, Point::ImapAuthenticating] {
        let held = scene.control.hold(point);
        let id = scene
            .device
            .hand_over(&scene.inbox, &scene.jane, &quiet)
            .await?;
        let reached = tokio::time::timeout(SOON, held.reached()).await;
        ensure!(reached.is_ok(), "the relay did not come to {point:?}");
        scene.watched.kill()?;
        held.release();
        scene.start_again(None).await?;
        scene.wait_over(&id, ReconnectState::Resumed).await?;
        scene.wait_running().await?;
        scene.wait_messages(2).await?;
        if point == Point::UserInfo {
            scene.lose_permission().await?;
        }
    }
    let held = scene.control.hold(Point::SmtpDotReceived);
    let reached = tokio::time::timeout(SOON, held.reached()).await;
    ensure!(reached.is_ok(), "the relay did not send");
    scene.watched.kill()?;
    held.release();
    scene.start_again(None).await?;

    telling.say("every command and every endpoint is asked, carefully and not");
    scene.ask_everything().await?;
    scene.end(plants)
}

async fn begin(how: How, rng: &mut StdRng) -> Result<(Scene, Vec<Plant>)> {
    let servers = Servers::start_sandbox(1).await?;
    let sandbox = servers.sandbox().context("the story needs the sandbox")?;
    let control = sandbox.control().clone();
    let watched = Watched::start(&servers, how).await?;
    let device = watched.pair().await?;
    let telling = Telling::begin(true);
    // With the password that every story's Jane has; the marked one takes its place at once.
    let inbox = connect(&watched.operator, &device, &servers, GAP, &telling).await?;
    let campaign = create_campaign(&watched.operator, &inbox, LEADS, WAIT).await?;
    let name = Plant::new(
        rng,
        "campaign",
        &[Sort::Output, Sort::Answer, Sort::Database, Sort::Killed],
    );
    let request = CreateCampaign {
        name: name.text.clone(),
        inboxes: vec![inbox.clone()],
        sender: Sender::default(),
        steps: vec![Step {
            subject: "Hello".to_owned(),
            body: "Hello".to_owned(),
            wait_ms: 0,
            ..Step::default()
        }],
        schedule: None,
    };
    watched.operator.call(&request).await?;
    watched
        .operator
        .call(&StartCampaign {
            campaign_id: campaign.clone(),
        })
        .await?;
    let mut scene = Scene {
        servers,
        control,
        watched,
        device,
        inbox,
        campaign,
        jane: jane(),
        markers: Vec::new(),
        telling,
    };
    scene.change_password(&Person::new(&jane().address, &password(rng, "Jane")))?;
    scene.jane = Person::new(&jane().address, &marked(&scene.markers)?);
    scene.wait_messages(3).await?;
    Ok((scene, vec![name]))
}

fn marked(markers: &[Marker]) -> Result<String> {
    let last = markers.last().context("no marker")?;
    Ok(String::from_utf8(last.value.clone())?)
}

impl Scene {
    /// At the provider; the password is a marker from now on.
    fn change_password(&mut self, person: &Person) -> Result<()> {
        self.control
            .change_password(&person.address, &person.password)?;
        self.markers
            .push(Marker::new(Kind::Password, &person.password));
        Ok(())
    }

    async fn lose_permission(&mut self) -> Result<()> {
        self.control.revoke(&self.jane.address)?;
        self.wait_lost().await
    }

    async fn wait_lost(&self) -> Result<()> {
        let look = async || {
            let request = GetInbox {
                inbox_id: self.inbox.clone(),
            };
            let inbox = self.watched.operator.call(&request).await.ok()?;
            (inbox.connection.state == ConnectionState::Disconnected).then_some(())
        };
        wait_for("the lost connection to be confirmed", look, SOON * 2).await?;
        Ok(())
    }

    async fn wait_running(&self) -> Result<()> {
        wait_state(&self.watched.operator, &self.campaign, |state| {
            matches!(state, State::Running)
        })
        .await?;
        Ok(())
    }

    async fn wait_messages(&self, more: usize) -> Result<()> {
        let before = self.control.delivered().len();
        let enough = async || (self.control.delivered().len() >= before + more).then_some(());
        wait_for("messages to arrive", enough, SOON * 2).await?;
        Ok(())
    }

    async fn start_reconnect(&self) -> Result<ReconnectId> {
        let request = StartReconnect {
            inbox_id: self.inbox.clone(),
        };
        Ok(self.device.api.call(&request).await?.reconnect.id)
    }

    async fn wait_over(&self, id: &ReconnectId, wanted: ReconnectState) -> Result<()> {
        let over = self.device.wait_over(id).await?;
        ensure!(over.state == wanted, "expected {wanted:?}, found {over:?}");
        Ok(())
    }

    async fn start_again(&mut self, setting: Option<(&'static str, String)>) -> Result<()> {
        self.watched.start_again(setting).await
    }

    /// The code is exchanged too late: the provider has ended everything of Jane's, and repeats what it refuses.
    async fn spoil_a_code(&mut self) -> Result<()> {
        let held = self.control.hold(Point::TokenRequestReceived {
            grant_type: GrantType::AuthorizationCode,
        });
        let control = self.control.clone();
        let jane = self.jane.clone();
        let spoil = async {
            let reached = tokio::time::timeout(SOON, held.reached()).await;
            let revoked = control.revoke(&jane.address);
            held.release();
            (reached, revoked)
        };
        let at_terminal = self.watched.reconnect_at_terminal(&self.inbox, &jane);
        let (done, (reached, revoked)) = tokio::join!(at_terminal, spoil);
        done?;
        revoked?;
        ensure!(reached.is_ok(), "no code was exchanged");
        Ok(())
    }

    /// By the command of the operator, and confirmed where it takes the place of an account.
    async fn password(&mut self, password: &str) -> Result<()> {
        self.markers.push(Marker::new(Kind::Password, password));
        let inbox = self.inbox.clone();
        let arguments = ["reconnect", "start", inbox.as_str(), "--password"];
        let id = self.start_reconnect().await?;
        let given = format!("{password}\n");
        let (told, over) = tokio::join!(
            self.watched.run(&arguments, &given),
            self.device.wait_over(&id)
        );
        told?;
        over?;
        Ok(())
    }

    /// As a device does it.
    async fn hand_over_password(&self, id: &ReconnectId, password: &str) -> Result<()> {
        let grant = Grant::Password {
            user: self.jane.address.clone(),
            password: protocol::secret::Secret::new(password),
        };
        let context = sealing_context(id, &self.inbox);
        self.device.grant(id, &context, &grant).await
    }

    async fn ask_everything(&mut self) -> Result<()> {
        for arguments in [
            &["login"][..],
            &["pair"],
            &["inbox", "list"],
            &["campaign", "list"],
            &["device", "list"],
            &["config"],
            &["openapi"],
            &["reconnect", "show", "rec_nobody"],
        ] {
            self.watched.run(arguments, "").await?;
        }
        let again = self.watched.pair().await?;
        drop(again);
        self.watched.ask_everything().await?;
        let known = known_to_provider(&self.servers)?;
        let one_of = |kind| known.iter().rev().find(|marker| marker.kind == kind);
        for marker in [Kind::AccessToken, Kind::Code]
            .into_iter()
            .filter_map(one_of)
            .chain(self.markers.first())
        {
            let text = String::from_utf8(marker.value.clone())?;
            self.watched.ask_carelessly(&text).await?;
        }
        Ok(())
    }

    fn end(self, plants: Vec<Plant>) -> Result<Story> {
        let Collected {
            places,
            mut markers,
        } = self.watched.collect(&self.servers)?;
        markers.extend(known_to_provider(&self.servers)?);
        markers.extend(self.markers);
        self.telling.say("collected");
        Ok(Story {
            collected: Collected { places, markers },
            plants,
        })
    }
}
