//! The story in a browser: the extension is paired, an exchange fails with words that repeat the code, the inbox is
//! reconnected, and everything that extension and browser keep is collected.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use protocol::campaign::State;
use protocol::id::CampaignId;
use protocol::request::campaign::StartCampaign;
use rand::rngs::StdRng;
use sandbox::{Control, GrantType, Point};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

use super::gather::{Place, Sort, files};
use super::run::{Plant, Story, known_to_provider, password};
use super::search::{Kind, Marker};
use super::watched::{How, Watched};
use crate::browsers::{Browser, Settings, without_permission};
use crate::person::Person;
use crate::story::desk::{Desk, RECONNECT, Surface};
use crate::story::play::{connect, create_campaign, wait_state};
use crate::story::screens::Screens;
use crate::story::servers::{Servers, jane};
use crate::story::telling::Telling;
use crate::wait::wait_for;

/// Enough that messages are left whenever the permission ends.
const LEADS: u64 = 400;
/// Between two messages.
const GAP: Duration = Duration::from_millis(250);
/// For what takes a second.
const SOON: Duration = Duration::from_mins(1);

/// Reads all that the extension keeps, as one of its own pages can, and tries to take its key out of `IndexedDB`.
const READ: &str = "
    const kept = { areas: {}, keys: [], records: [], page: { ...localStorage }, tab: { ...sessionStorage } };
    for (const name of ['local', 'session', 'sync']) kept.areas[name] = await browser.storage[name].get(null);
    const answer = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    for (const { name } of await indexedDB.databases()) {
        const database = await answer(indexedDB.open(name));
        for (const store of database.objectStoreNames) {
            for (const record of await answer(database.transaction(store).objectStore(store).getAll())) {
                const value = record.private;
                kept.records.push({ ...record, private: undefined });
                const key = { store, is_key: value instanceof CryptoKey, extractable: value.extractable };
                for (const format of ['raw', 'jwk']) {
                    key[format] = await crypto.subtle.exportKey(format, value).then(
                        (bytes) => JSON.stringify(Array.from(new Uint8Array(bytes))), (error) => error.name);
                }
                kept.keys.push(key);
            }
        }
        database.close();
    }
    return kept;";

/// Plays it.
pub async fn play(
    mut settings: Settings,
    how: How,
    rng: &mut StdRng,
    telling: &Telling,
) -> Result<Story> {
    let copy = tempfile::tempdir()?;
    if how.confidential {
        // The other way too: the relay runs the sign-in in a tab.
        without_permission(&settings.extension, "identity", copy.path())?;
        settings.extension = copy.path().to_owned();
    }
    telling.say(&format!("the story in {}, {how:?}", settings.kind.name()));
    let servers = Servers::start_sandbox(1).await?;
    let control = servers
        .sandbox()
        .context("the story needs the sandbox")?
        .control()
        .clone();
    let mut watched = Watched::start(&servers, how).await?;
    let device = watched.pair().await?;
    let quiet = Telling::begin(true);
    let inbox = connect(&watched.operator, &device, &servers, GAP, &quiet).await?;
    let campaign =
        create_campaign(&watched.operator, &inbox, LEADS, Duration::from_hours(1)).await?;
    let jane = Person::new(&jane().address, &password(rng, "Jane"));
    control.change_password(&jane.address, &jane.password)?;
    let desk = Desk::new(Browser::start(settings).await?, Screens::into(None)?);
    set_up(&desk, &mut watched, &servers, &jane).await?;
    let start = StartCampaign {
        campaign_id: campaign.clone(),
    };
    watched.operator.call(&start).await?;
    let scene = Scene {
        desk: &desk,
        control: &control,
        watched: &watched,
        campaign: &campaign,
        jane: &jane,
    };

    telling.say("the extension is paired; the permission ends; a code is refused and repeated");
    control.echo_secrets(true);
    scene.lose().await?;
    scene.spoil_a_code().await?;
    let mut places = vec![read_storage(&desk, "after a refused code").await?];
    telling.say("Jane reconnects");
    scene.reconnect().await?;
    places.push(read_storage(&desk, "after a reconnect").await?);
    let plant = Plant::new(rng, "storage", &[Sort::Storage, Sort::Profile]);
    plant_in_storage(&desk, &plant).await?;
    places.push(read_storage(&desk, "with what was planted").await?);
    watched.ask_everything().await?;

    telling.say("the browser is closed, and its profile is read");
    let profile = desk.browser.close_and_keep().await?;
    places.extend(read_profile(&profile)?);
    let mut collected = watched.collect(&servers)?;
    collected.places.extend(places);
    collected.markers.extend(known_to_provider(&servers)?);
    collected
        .markers
        .push(Marker::new(Kind::Password, &jane.password));
    Ok(Story {
        collected,
        plants: vec![plant],
    })
}

/// Pairs the extension and signs in at dashboard and provider, all by way of the recorder.
async fn set_up(
    desk: &Desk,
    watched: &mut Watched,
    servers: &Servers,
    jane: &Person,
) -> Result<()> {
    let (relay, recorder) = (watched.relay.base(), watched.recorder.base());
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let link = watched.run(&["pair"], "").await?;
    let link = link.lines().next().context("no pairing link")?;
    let by_recorder = link.replace(&encoded(&relay), &encoded(&recorder));
    ensure!(
        by_recorder != link,
        "the pairing link does not name the relay"
    );
    desk.pair_by(&by_recorder).await?;
    let link = watched.run(&["login"], "").await?;
    let link = link.lines().next().context("no sign-in link")?;
    desk.sign_in_at_dashboard_by(&link.replace(&relay, &recorder))
        .await?;
    desk.sign_in_at_provider(servers, jane).await
}

/// What the steps need.
#[derive(Clone, Copy)]
struct Scene<'a> {
    desk: &'a Desk,
    control: &'a Control,
    watched: &'a Watched,
    campaign: &'a CampaignId,
    jane: &'a Person,
}

impl Scene<'_> {
    async fn lose(&self) -> Result<()> {
        let before = self.control.delivered().len();
        let sends = async || (self.control.delivered().len() > before).then_some(());
        wait_for("a message to arrive", sends, SOON).await?;
        self.control.revoke(&self.jane.address)?;
        wait_state(&self.watched.operator, self.campaign, |state| {
            matches!(state, State::Paused { .. })
        })
        .await?;
        Ok(())
    }

    /// The person allows it, and the provider ends everything before the code is exchanged.
    async fn spoil_a_code(&self) -> Result<()> {
        let session = self.desk.session();
        let popup = session.open_tab().await?;
        session.goto(&self.desk.browser.page("popup.html")).await?;
        self.desk.wait_card("popup", Surface::Page).await?;
        let held = self.control.hold(Point::TokenRequestReceived {
            grant_type: GrantType::AuthorizationCode,
        });
        let before = session.windows().await?;
        self.desk
            .press_on_card("popup", Surface::Page, RECONNECT)
            .await?;
        self.desk.finish_at_provider(&before).await?;
        let reached = tokio::time::timeout(SOON, held.reached()).await;
        ensure!(reached.is_ok(), "no code was exchanged");
        self.control.revoke(&self.jane.address)?;
        held.release();
        session.show(&popup).await?;
        // The card says that it failed, and offers the next try.
        self.desk.wait_card("popup", Surface::Page).await?;
        Ok(())
    }

    async fn reconnect(&self) -> Result<()> {
        let session = self.desk.session();
        let popup = session.open_tab().await?;
        session.goto(&self.desk.browser.page("popup.html")).await?;
        self.desk.reconnect("popup", Surface::Page, &popup).await?;
        wait_state(&self.watched.operator, self.campaign, |state| {
            matches!(state, State::Running)
        })
        .await?;
        Ok(())
    }
}

/// All that the extension keeps; an error where its key can be taken out.
async fn read_storage(desk: &Desk, when: &str) -> Result<Place> {
    let session = desk.session();
    session.open_tab().await?;
    session.goto(&desk.browser.page("options.html")).await?;
    let script = format!("return (async () => {{ {READ} }})();");
    let kept = session.execute(&script, json!([])).await?;
    let keys = kept
        .get("keys")
        .and_then(Value::as_array)
        .context("the extension's storage cannot be read")?;
    ensure!(!keys.is_empty(), "the extension has no key of its own");
    for key in keys {
        let is_shut = key.get("is_key") == Some(&json!(true))
            && key.get("extractable") == Some(&json!(false))
            && ["raw", "jwk"]
                .iter()
                .all(|format| key.get(*format) == Some(&json!("InvalidAccessError")));
        ensure!(is_shut, "the extension's key can be exported: {key}");
    }
    let name = format!("storage of the extension in {}, {when}", desk.kind().name());
    Ok(Place::new(Sort::Storage, name, serde_json::to_vec(&kept)?))
}

async fn plant_in_storage(desk: &Desk, plant: &Plant) -> Result<()> {
    let script = "return Promise.all(['local', 'session', 'sync'].map((name) =>
        browser.storage[name].set({ planted: arguments[0] }))).then(() => true);";
    desk.session().execute(script, json!([plant.text])).await?;
    Ok(())
}

fn read_profile(folder: &TempDir) -> Result<Vec<Place>> {
    let places = files(&folder.path().join("profile"), "the profile", |_| {
        Some(Sort::Profile)
    })?;
    ensure!(!places.is_empty(), "the browser left no profile");
    Ok(places)
}
