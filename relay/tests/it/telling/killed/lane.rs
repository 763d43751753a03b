//! One kind of alert with a relay of its own, which is killed at one point after the other; and the two receivers at
//! which is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use protocol::id::{CampaignId, InboxId};
use protocol::reconnect::{Grant, State};
use protocol::request::suppression::Whom;
use protocol::secret::Secret;
use relay::clock::Clock;
use sandbox::{AccountDoes, AccountFault, Options, Person, Sandbox, Stage};
use serde_json::Value;

use super::kind::Kind;
use super::point::Point;
use crate::app::person::operator;
use crate::app::{Ground, PASSWORD, Relay, wait_for};
use crate::cli::{Serving, unpause};
use crate::telling::receiver::{Act, Process, Receiver, SECRET, Seen};

/// Who mails alerts, at a server of its own.
const SENDER: &str = "relay@alerts.example";

pub(super) struct Lane {
    kind: Kind,
    ground: Ground,
    folder: PathBuf,
    hook: Receiver,
    mail: Sandbox,
    process: Process,
    inboxes: Vec<InboxId>,
    /// Of each inbox, where it is about one.
    campaigns: Vec<CampaignId>,
}

/// What arrived.
pub(super) struct Counted {
    pub(super) posts: usize,
    pub(super) mails: usize,
}

impl Lane {
    /// Connects the inboxes and brings them to where it may happen.
    pub(super) async fn prepare(kind: Kind, ground: Ground, authority: &Path, n: usize) -> Self {
        let relay = ground.start().await;
        let (inboxes, campaigns) = connect(kind, &ground, &relay, n).await;
        relay.stop().await;
        let hook = Receiver::start().await;
        let options = Options {
            people: vec![Person {
                address: SENDER.to_owned(),
                name: "Relay".to_owned(),
                password: PASSWORD.to_owned(),
            }],
            data: Some(authority.to_owned()),
            ..Options::default()
        };
        let mail = Sandbox::start(options).await.unwrap();
        let path = ground.path("unpause.toml");
        std::fs::write(&path, config(&ground, &hook, &mail)).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let lane = Self {
            kind,
            folder: path.parent().unwrap().to_owned(),
            ground,
            hook,
            mail,
            process: Arc::default(),
            inboxes,
            campaigns,
        };
        lane.hook.may_kill(&lane.process);
        lane
    }

    /// Lets it happen to inbox `n`, kills the relay at this point, starts it again, and waits until it is told to both.
    pub(super) async fn kill_at(&self, n: usize, point: &Point) {
        self.bring_near(n).await;
        match point {
            Point::After(after) => {
                self.let_happen(n).await;
                let began_after = self.kind.begins_after();
                Clock::system().wait_for(began_after + *after).await;
                self.kill().await;
            }
            Point::AtWebhook(act) => {
                for _ in 0..self.kind.told_before() {
                    self.hook.next(Act::Answer("204 No Content", String::new()));
                }
                self.hook.next(act.clone());
                self.let_happen(n).await;
                let killed = async || self.process.lock().await.is_none().then_some(());
                wait_for(&format!("{:?} to be met at {point:?}", self.kind), killed).await;
            }
            Point::AtMail(point) => {
                let control = self.mail.control();
                let mut held = control.hold(*point);
                self.let_happen(n).await;
                for _ in 0..self.kind.told_before() {
                    held.reached().await;
                    let next = control.hold(*point);
                    held.release();
                    held = next;
                }
                let reached = tokio::time::timeout(crate::app::SOON, held.reached()).await;
                let met = format!("{:?} to be met at {point:?}", self.kind);
                reached.expect(&met);
                self.kill().await;
                held.release();
            }
        }
        assert!(!self.hook.has_acts(), "{:?} at {point:?}", self.kind);
        self.start(self.kind == Kind::StillDisconnected).await;
        if self.kind.begins_by_command() {
            self.connect_again(n).await;
        }
        if self.kind == Kind::Finished {
            self.start_again(n).await;
        }
        self.wait_told(self.kind.name(), n).await;
    }

    /// As a person does whose click met a relay that was away: once more, until the campaign has its end.
    async fn start_again(&self, n: usize) {
        let url = format!("http://localhost/v1/campaigns/{}", self.campaigns[n]);
        wait_for("the campaign to be finished", async || {
            let asked = operator(&self.ground).get(&url);
            let campaign: Value = asked.send().await.ok()?.json().await.ok()?;
            match campaign["status"]["state"].as_str()? {
                "finished" => return Some(()),
                "draft" => self.call(n, "start").await,
                _ => {}
            }
            None
        })
        .await;
    }

    /// As a person does where the command has failed: once more, until the inbox is connected.
    async fn connect_again(&self, n: usize) {
        let url = format!("http://localhost/v1/inboxes/{}", self.inboxes[n]);
        wait_for("the inbox to be connected", async || {
            let asked = operator(&self.ground).get(&url);
            let inbox: Value = asked.send().await.ok()?.json().await.ok()?;
            if inbox["connection"]["state"] == "connected" {
                return Some(());
            }
            // A reconnect that is under way already is told so, and goes on.
            self.hand_over(n).await.unwrap();
            None
        })
        .await;
    }

    /// The command by which a password is handed over, until its end.
    fn hand_over(&self, n: usize) -> tokio::task::JoinHandle<()> {
        let address = self.kind.address(n);
        let mut command = unpause(
            &self.folder,
            &["reconnect", "start", &address, "--password"],
        );
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            // It may have ended before it reads.
            let _ = writeln!(stdin, "{PASSWORD}");
            drop(stdin);
            child.wait().unwrap();
        })
    }

    /// All that happens before what is watched, told and on record.
    async fn bring_near(&self, n: usize) {
        let control = self.ground.sandbox.control();
        let address = self.kind.address(n);
        match self.kind {
            Kind::Reconnected | Kind::Resumed => {
                control.switch_imap_off(&address, true);
                control.end_sessions(&address).unwrap();
                self.wait_told("disconnected", n).await;
                control.switch_imap_off(&address, false);
            }
            Kind::StillDisconnected => {
                self.kill().await;
                self.start(false).await;
                control.change_password(&address, "another").unwrap();
                self.wait_told("disconnected", n).await;
                self.kill().await;
            }
            Kind::Waiting => {
                // A try that the last kill met is settled and told before, or the next kill would meet that.
                for id in &self.campaigns[..n] {
                    self.has_unsettled(id).await;
                }
                self.wait_on_record().await;
            }
            Kind::Disconnected | Kind::Unsettled | Kind::Finished => {}
        }
    }

    async fn let_happen(&self, n: usize) {
        let control = self.ground.sandbox.control();
        let address = self.kind.address(n);
        match self.kind {
            Kind::Disconnected => control.change_password(&address, "another").unwrap(),
            Kind::StillDisconnected => self.start(true).await,
            Kind::Reconnected | Kind::Resumed => {
                // It ends with the relay; whether it has handed the password over by then is part of where it is killed.
                self.hand_over(n);
            }
            Kind::Waiting => self.call(n, "resume").await,
            Kind::Unsettled => self.call(n, "start").await,
            Kind::Finished => {
                // Its end is told before the call is answered, so that a kill by who is told may meet the answer.
                let url = format!("http://localhost/v1/campaigns/{}/start", self.campaigns[n]);
                let asked = operator(&self.ground).post(&url);
                let _ = asked.json(&serde_json::json!({})).send().await;
            }
        }
    }

    async fn call(&self, n: usize, verb: &str) {
        call(&self.ground, &self.campaigns[n], verb).await;
    }

    /// Starts the relay that tells; `reminds`: what was told and nobody acted on is told once more at once.
    pub(super) async fn start(&self, reminds: bool) {
        let mut command = unpause(&self.folder, &["serve"]);
        if reminds {
            command.env("UNPAUSE_NOTIFY__REMIND_AFTER_MS", "1");
        }
        let mut process = self.process.lock().await;
        let starting = tokio::task::spawn_blocking(|| Serving::start_by(command));
        *process = Some(starting.await.unwrap());
    }

    async fn kill(&self) {
        // Dropped is killed and waited for.
        drop(self.process.lock().await.take());
    }

    /// What an alert names.
    fn subject(&self, n: usize) -> String {
        match self.kind {
            Kind::Unsettled | Kind::Finished => self.campaigns[n].to_string(),
            _ => self.kind.address(n),
        }
    }

    /// Waits until something of `n` is told to both, and is on record as told: the next kill is to meet the next one.
    async fn wait_told(&self, what: &str, n: usize) {
        let subject = self.subject(n);
        wait_for(&format!("{what} of {subject} to be told"), async || {
            let seen = self.hook.seen();
            let is_meant = |seen: &&Seen| {
                seen.taken && seen.body["type"] == what && named_by(&seen.body) == subject
            };
            let key = seen.iter().find(is_meant)?.id.clone();
            self.mailed().contains_key(&key).then_some(())
        })
        .await;
        self.wait_on_record().await;
    }

    /// Whether a message of a campaign is unsettled, once none is in doubt.
    async fn has_unsettled(&self, id: &CampaignId) -> bool {
        let url = format!("http://localhost/v1/campaigns/{id}");
        wait_for("no message to be in doubt", async || {
            let asked = operator(&self.ground).get(&url);
            let campaign: Value = asked.send().await.ok()?.json().await.ok()?;
            let count = |name: &str| campaign["counts"][name].as_u64();
            (count("in_doubt")? == 0).then_some(count("unsettled")? > 0)
        })
        .await
    }

    async fn wait_on_record(&self) {
        wait_for("what happened to be on record as told", async || {
            let asked = operator(&self.ground).get("http://localhost/v1/alerts");
            let listed: Value = asked.send().await.ok()?.json().await.ok()?;
            let mut channels = listed["channels"].as_array()?.iter();
            channels
                .all(|channel| channel["waiting"] == 0)
                .then_some(())
        })
        .await;
    }

    /// How often each key came by mail.
    fn mailed(&self) -> BTreeMap<String, usize> {
        let mut keys = BTreeMap::new();
        for one in self.mail.control().delivered() {
            assert_eq!(one.recipient, "ops@alerts.example");
            let id = one.message_id.expect("a Message-ID");
            let key = id.trim_matches(['<', '>']).strip_suffix("@alerts.example");
            *keys.entry(key.unwrap().to_owned()).or_default() += 1;
        }
        keys
    }

    /// Everything that happened was told to both with one key, and nothing else was.
    pub(super) async fn count(&self, n: usize) -> Counted {
        let mut expected: Vec<(String, String)> = Vec::new();
        if self.kind == Kind::Waiting {
            // A kill in the middle of a try leaves it unsettled, as the ledger says.
            for id in &self.campaigns {
                if self.has_unsettled(id).await {
                    expected.push(("unsettled".to_owned(), id.to_string()));
                }
            }
            self.wait_on_record().await;
        }
        self.kill().await;
        for n in 0..n {
            let tells = self.kind.tells().iter();
            expected.extend(tells.map(|what| ((*what).to_owned(), self.subject(n))));
        }
        expected.sort();
        let mut keys: BTreeMap<(String, String), BTreeMap<String, usize>> = BTreeMap::new();
        for seen in self.hook.seen() {
            let what = seen.body["type"].as_str().unwrap().to_owned();
            let of_one = keys.entry((what, named_by(&seen.body))).or_default();
            *of_one.entry(seen.id).or_default() += 1;
        }
        let told: Vec<_> = keys.keys().cloned().collect();
        assert_eq!(told, expected, "{:?}", self.kind);
        let mailed = self.mailed();
        let (gathers, mut n_within) = (self.kind == Kind::Waiting, 0);
        for (what, keys) in &keys {
            assert_eq!(keys.len(), 1, "{what:?} has one key: {keys:?}");
            let (key, n_posts) = keys.first_key_value().unwrap();
            // The one kill that met it may let it be told again.
            assert!((1..=2).contains(n_posts), "{what:?}: {keys:?}");
            // What is due at once goes in one mail, which bears the key of the first and how many it tells.
            let of_it = mailed.iter().filter(|(id, _)| {
                *id == key || gathered(id).is_some_and(|(first, _)| first == key)
            });
            let n_mails: usize = of_it.map(|(_, n)| n).sum();
            if n_mails == 0 && gathers && what.0 == "unsettled" {
                n_within += 1;
                continue;
            }
            assert!((1..=2).contains(&n_mails), "{what:?}: {n_mails} mails");
        }
        let together: Vec<_> = mailed.keys().filter_map(|id| gathered(id)).collect();
        assert!(gathers || together.is_empty(), "{mailed:?}");
        let n_more: usize = together.iter().map(|(_, n)| n - 1).sum();
        assert!(n_within <= n_more, "{n_within} in no mail: {mailed:?}");
        let all: BTreeSet<_> = keys.values().flat_map(BTreeMap::keys).collect();
        for id in mailed.keys() {
            let first = gathered(id).map_or(id.as_str(), |(first, _)| first);
            assert!(all.iter().any(|key| *key == first), "{id} is of nothing");
        }
        Counted {
            posts: keys.values().flat_map(BTreeMap::values).sum(),
            mails: mailed.values().sum(),
        }
    }
}

/// Of a mail that tells several alerts: the key of the first, and how many.
fn gathered(key: &str) -> Option<(&str, usize)> {
    let (first, n) = key.rsplit_once('.')?;
    Some((first, n.parse().ok()?))
}

/// What a post is about: the inbox's address, or the campaign's id.
fn named_by(body: &Value) -> String {
    let data = &body["data"];
    let named = data["inbox"]["address"]
        .as_str()
        .or_else(|| data["campaign"].as_str());
    named.unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// Connects `n` inboxes, each with a campaign where it is about one.
async fn connect(
    kind: Kind,
    ground: &Ground,
    relay: &Relay,
    n: usize,
) -> (Vec<InboxId>, Vec<CampaignId>) {
    let mut inboxes = Vec::new();
    for n in 0..n {
        let address = kind.address(n);
        let inbox = relay.add_inbox_of(&address, Duration::ZERO).await;
        let grant = Grant::Password {
            user: address,
            password: Secret::new(PASSWORD),
        };
        inboxes.push((relay.grant(&inbox, &grant).await, inbox));
    }
    let control = ground.sandbox.control();
    let mut campaigns = Vec::new();
    for (n, (reconnect, inbox)) in inboxes.iter().enumerate() {
        let outcome = relay.outcome(reconnect).await;
        assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
        let (address, lead) = (kind.address(n), format!("lead{n}@{}.example", kind.name()));
        let (stage, does) = match kind {
            Kind::Waiting => (Stage::Mail, AccountDoes::Say(b"451 4.7.1 later".to_vec())),
            Kind::Unsettled => (Stage::AfterData, AccountDoes::Lose),
            // Nobody is left to be written to. (A message that a kill meets would be one that nothing shows, and keep
            // its campaign open.)
            Kind::Finished => {
                let whom: Whom = lead.parse().unwrap();
                let store = &relay.app().store;
                store.suppress(&whom, ground.clock.now()).await.unwrap();
                campaigns.push(relay.draft_campaign(inbox, &[&lead], 1).await);
                continue;
            }
            _ => continue,
        };
        let fault = AccountFault {
            stage,
            after: 0,
            does,
        };
        control.trouble_account(&address, Some(fault));
        let campaign = relay
            .draft_campaign(inbox, &[&lead.replace('_', "-")], 1)
            .await;
        if kind == Kind::Waiting {
            call(ground, &campaign, "start").await;
            let after_hours = ground.clock.now() + Duration::from_mins(100);
            wait_for("its server to put it off", async || {
                let store = &relay.app().store;
                store.find_stall(inbox, after_hours).await.unwrap()
            })
            .await;
            call(ground, &campaign, "pause").await;
        }
        campaigns.push(campaign);
    }
    let inboxes = inboxes.into_iter().map(|(_, inbox)| inbox).collect();
    (inboxes, campaigns)
}

async fn call(ground: &Ground, campaign: &CampaignId, verb: &str) {
    let url = format!("http://localhost/v1/campaigns/{campaign}/{verb}");
    let asked = operator(ground).post(url).json(&serde_json::json!({}));
    let answer = asked.send().await.unwrap();
    assert!(answer.status().is_success(), "{verb}: {answer:?}");
}

fn config(ground: &Ground, hook: &Receiver, mail: &Sandbox) -> String {
    format!(
        "{}[notify.mail]\nto = [\"ops@alerts.example\"]\nfrom = {SENDER:?}\nserver = \"127.0.0.1\"\nport = {}\n\
         user = {SENDER:?}\npassword = {PASSWORD:?}\ngather_ms = 0\n\
         [notify.webhook.ops]\nurl = \"http://{}/hook\"\nsecret = {SECRET:?}\nprivate = true\n",
        ground.text(),
        mail.smtps().port(),
        hook.address
    )
}
