//! The crash run: the relay is ended by SIGKILL while it sends and while it verifies a reconnect, and
//! started again, over and over. What was sent is counted in the recipients' mailboxes.
//!
//! Against the sandbox the kills come at chosen points of the wire, and the provider drops connections after
//! DATA. Against Dovecot and `smtp-sink`, which nobody can hold, they come at moments that the seed decides.
//!
//! Where the power is cut, the relay's data and keys lie on a disk of the tests' own ([`crate::disk`]), and each kill
//! takes from it what was not synced. Half of these come as the disk is asked for something, and some of them while the
//! relay starts after the one before.
//!
//! With more than one inbox, the first campaign sends in windows of two minutes, a third one has a cap of a day that it
//! meets, and leads ask not to be written to.

mod at_changes;
mod at_moments;
mod at_points;
mod order;
mod summary;
mod walls;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protocol::delivery::{State, StateName};
use protocol::id::{CampaignId, InboxId, ReconnectId};
use protocol::request::campaign::{Counts, GetCampaign, StartCampaign};
use protocol::request::delivery::{Delivery, ListDeliveries};
use protocol::request::inbox::{ConnectionState, GetInbox};
use protocol::request::reconnect::{Reconnect, ReconnectState};
use protocol::request::sending::UpdateSending;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::Control;
use sandbox::control::DropAfterData;

use self::order::Senders;
pub use self::summary::{InDoubt, KillsByState, Summary, UnsettledCase};
use self::walls::Walls;
use crate::clock::now_ms;
use crate::disk::{Disk, Faith};
use crate::person::Person;
use crate::story::hearing::{Heard, Hearing};
use crate::story::mailboxes::{MARKS, Message, count, list_hurried};
use crate::story::play::{List, connect_person, create_list_of, sign_in};
use crate::story::reconnecting::Device;
use crate::story::relay::Relay;
use crate::story::servers::{Servers, senders};
use crate::story::telling::Telling;
use crate::wait::wait_for;

/// Leads for each kill: enough that there is always something to send when the next one comes.
const LEADS_PER_KILL: u64 = 12;
/// Leads at the least.
const LEADS_AT_LEAST: u64 = 60;
/// Between the acceptance of the first step and the second.
const WAIT: Duration = Duration::from_millis(500);
/// The same for each of many inboxes, so that leads of all of them wait for their second step.
const WAIT_OF_MANY: Duration = Duration::from_secs(2);
/// The least time between two messages, for each inbox: slow enough that a run outlasts its kills.
const GAP: Duration = Duration::from_millis(30);
/// The campaign with a cap of a day, as the others below.
const CAPPED: (&str, &str) = ("Capped list", "capped");
/// One message in so many is one that the cap lets through.
const CAPPED_SHARE: u64 = 50;
/// The campaigns that share the inboxes: their names, and how their leads are called.
const LISTS: [(&str, &str); 2] = [("Spring outreach", "lead"), ("Second list", "friend")];
/// Leads that answer while an inbox is lost, each time; one more message comes back.
const ANSWERS_IN_AN_OUTAGE: usize = 2;
/// One kill while sending in so many finds an answer when the relay is back.
const HEARD_SHARE: u32 = 7;
/// How often the provider drops the connection after DATA.
const DROPS: DropAfterData = DropAfterData {
    chance: 0.04,
    stored_share: 0.5,
};
/// How long a point is waited for; when nothing is due the relay is idle.
const POINT_WITHIN: Duration = Duration::from_secs(5);
/// How long nothing may move after the last kill, before the rest is given up. The longest pause of a relay that
/// works is that of a doubt, which waits for a copy in the sent folder.
const STILL_FOR: Duration = Duration::from_mins(2);
/// How the relay says that its database is not the newest.
const TAKEN_FOR_OLD: &str = "the database is behind its mark";
/// More than a run leaves; one page of the list.
const UNSETTLED_AT_MOST: u32 = 1_000;
/// One kill in so many comes while a reconnect is verified.
const VERIFYING_SHARE: u32 = 5;

/// How a run is played.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// How often the relay is killed.
    pub kills: u32,
    /// What decides where.
    pub seed: u64,
    /// Inboxes; with more than one there are windows and a cap.
    pub inboxes: usize,
    /// Messages of the campaigns that are sent to their end; `None`: as many as the kills need.
    pub deliveries: Option<u64>,
    /// The disk that loses its power at each kill; `None`: the relay's own files stay as they are.
    pub disk: Option<Faith>,
}

/// Plays the run against these servers.
pub async fn run(servers: &Servers, how: How, telling: &Telling) -> Result<Summary> {
    let How { kills, seed, .. } = how;
    let disk = how.disk;
    let secret = servers
        .demands_secret()
        .then(|| servers.client_secret().to_owned());
    let relay = match disk {
        None => Relay::start(servers, secret.as_deref()).await?,
        Some(faith) => Relay::start_on_disk(servers, secret.as_deref(), faith, seed).await?,
    };
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let quiet = Telling::begin(true);
    let n_inboxes = u32::try_from(how.inboxes)?;
    let mut inboxes = Vec::new();
    for person in senders(how.inboxes) {
        let gap = GAP * n_inboxes;
        let id = connect_person(&operator, &device, servers, &person, gap, &quiet).await?;
        inboxes.push((person, id));
    }
    let mut run = Run {
        servers,
        rng: StdRng::seed_from_u64(seed),
        relay,
        device,
        inboxes,
        meant: 0,
        wait: match n_inboxes {
            1 => WAIT,
            n => WAIT_OF_MANY * n,
        },
        campaigns: Vec::new(),
        walls: None,
        capped: None,
        hearing: Hearing::default(),
        summary: Summary {
            profile: servers.profile(),
            ..Summary::default()
        },
        quiet,
    };
    let leads = run.create_lists(how).await?;
    if let Some(sandbox) = servers.sandbox() {
        sandbox.control().drop_after_data(DROPS);
    }
    run.start_lists().await?;
    if let (Some(Faith::Lying), Some(disk)) = (disk, run.relay.disk()) {
        // Its cache holds what is sent, and not how that began: a run in which nothing is started shows nothing.
        disk.write_out();
    }
    telling.say(&format!(
        "{leads} leads in two campaigns of {}, two steps, seed {seed}: {kills} {} follow",
        match how.inboxes {
            1 => "one inbox".to_owned(),
            n => format!("{n} inboxes"),
        },
        if disk.is_some() {
            "power cuts"
        } else {
            "kills"
        }
    ));
    for number in 1..=kills {
        let verifying = number % VERIFYING_SHARE == 0;
        let what = match (servers.sandbox(), verifying) {
            _ if disk.is_some() && number % 2 == 0 => run.kill_at_change(verifying).await,
            (Some(sandbox), false) => run.kill_sending_at_point(sandbox.control()).await,
            (Some(sandbox), true) => run.kill_verifying_at_point(sandbox).await,
            (None, false) => run.kill_sending_at_moment().await,
            (None, true) => run.kill_verifying_at_moment().await,
        };
        let what = what.with_context(|| format!("kill {number}"))?;
        run.summary.kills += 1;
        telling.say(&format!("kill {number}: {what}"));
    }
    run.finish(telling).await
}

struct Run<'a> {
    servers: &'a Servers,
    rng: StdRng,
    relay: Relay,
    device: Device,
    inboxes: Vec<(Person, InboxId)>,
    /// The inbox that loses its connection, and whose leads are heard of.
    meant: usize,
    /// Between a first step and the second.
    wait: Duration,
    /// Those that are sent to their end.
    campaigns: Vec<CampaignId>,
    /// The windows of the first of them.
    walls: Option<Walls>,
    /// The campaign with a cap, and the cap.
    capped: Option<(CampaignId, u64)>,
    /// Who was heard of while the relay could not read, and how.
    hearing: Hearing,
    summary: Summary,
    quiet: Telling,
}

impl Run<'_> {
    /// The campaigns as drafts; answers how many leads those have that are sent to their end.
    async fn create_lists(&mut self, how: How) -> Result<u64> {
        let operator = self.relay.operator()?;
        let inboxes: Vec<_> = self.inboxes.iter().map(|(_, id)| id.clone()).collect();
        let needed = LEADS_AT_LEAST.max(LEADS_PER_KILL * u64::from(how.kills));
        let leads = how.deliveries.map_or(needed, |n| n / MARKS.len() as u64);
        let has_walls = inboxes.len() > 1;
        self.walls = has_walls.then(|| Walls::from_now(now_ms()));
        let mut schedule = self.walls.map(Walls::schedule).transpose()?;
        for (name, prefix) in LISTS {
            let list = List {
                name,
                prefix,
                leads: leads / LISTS.len() as u64,
                schedule: schedule.take(),
            };
            let id = create_list_of(&operator, &inboxes, list, self.wait).await?;
            self.campaigns.push(id);
        }
        if has_walls {
            let cap = (leads / CAPPED_SHARE).max(inboxes.len() as u64);
            let (name, prefix) = CAPPED;
            let list = List {
                name,
                prefix,
                leads: cap,
                schedule: None,
            };
            let campaign_id = create_list_of(&operator, &inboxes, list, self.wait).await?;
            let request = UpdateSending {
                campaign_id: campaign_id.clone(),
                schedule: None,
                any_time: false,
                daily_cap: Some(u32::try_from(cap)?),
                domain_daily_cap: None,
            };
            operator.call(&request).await?;
            self.capped = Some((campaign_id, cap));
        }
        Ok(leads)
    }

    async fn start_lists(&self) -> Result<()> {
        let operator = self.relay.operator()?;
        let capped = self.capped.iter().map(|(id, _)| id);
        for campaign_id in self.campaigns.iter().chain(capped) {
            let campaign_id = campaign_id.clone();
            operator.call(&StartCampaign { campaign_id }).await?;
        }
        Ok(())
    }

    /// Another inbox is meant from now on, where there is one.
    fn mean_another(&mut self) {
        if self.inboxes.len() > 1 {
            self.meant = self.rng.random_range(0..self.inboxes.len());
        }
    }

    /// Whose inbox is meant.
    fn person(&self) -> Result<Person> {
        let (person, _) = self.inboxes.get(self.meant).context("no inbox")?;
        Ok(person.clone())
    }

    fn inbox(&self) -> Result<InboxId> {
        let (_, id) = self.inboxes.get(self.meant).context("no inbox")?;
        Ok(id.clone())
    }

    /// Lets `n` leads of the inbox answer and one more message come back, and one ask to be let out where there are
    /// many inboxes.
    fn let_some_be_heard_of(&mut self, control: &Control, n: usize) -> Result<()> {
        let mut heard = vec![Heard::Answered; n];
        heard.push(Heard::Bounced);
        if self.inboxes.len() > 1 {
            heard.push(Heard::Unsubscribed);
        }
        let of = self.person()?.address;
        self.hearing.let_some(control, &of, &heard);
        Ok(())
    }

    async fn sign_in(&self) -> Result<ReconnectId> {
        let (inbox, person) = (self.inbox()?, self.person()?);
        sign_in(&self.device, &inbox, self.servers, &person, &self.quiet).await
    }

    /// Only an interruption may cost a click; then the second one must succeed.
    async fn click_again(&mut self, over: &Reconnect) -> Result<()> {
        if over.cause.map(protocol::cause::Cause::code) != Some("interrupted") {
            bail!("the reconnect was refused for another reason than the kill: {over:?}");
        }
        self.summary.reclicks += 1;
        let id = self.sign_in().await?;
        let second = self.device.wait_over(&id).await?;
        if second.state != ReconnectState::Resumed {
            bail!("the second click was refused: {second:?}");
        }
        Ok(())
    }

    async fn wait_disconnected(&self) -> Result<()> {
        let operator = self.relay.operator()?;
        let inbox_id = self.inbox()?;
        let look = async || {
            let request = GetInbox {
                inbox_id: inbox_id.clone(),
            };
            let inbox = operator.call(&request).await.ok()?;
            (inbox.connection.state == ConnectionState::Disconnected).then_some(())
        };
        Ok(wait_for(
            "the lost connection to be confirmed",
            look,
            POINT_WITHIN * 6,
        )
        .await?)
    }

    /// What the campaigns say together.
    async fn counts(&self) -> Result<Counts> {
        let mut all = Counts::default();
        let operator = self.relay.operator()?;
        for campaign_id in &self.campaigns {
            let campaign_id = campaign_id.clone();
            let counts = operator.call(&GetCampaign { campaign_id }).await?.counts;
            all.planned += counts.planned;
            all.waiting += counts.waiting;
            all.attempting += counts.attempting;
            all.accepted += counts.accepted;
            all.bounced += counts.bounced;
            all.in_doubt += counts.in_doubt;
            all.unsettled += counts.unsettled;
            all.suppressed += counts.suppressed;
        }
        Ok(all)
    }

    /// Sends and settles what is left, for as long as anything moves.
    async fn wait_for_rest(&self) -> Result<Counts> {
        let mut last = self.counts().await?;
        loop {
            if self.is_over(&last).await? {
                return Ok(last);
            }
            let moved = async || {
                let counts = self.counts().await.ok()?;
                (counts != last).then_some(counts)
            };
            last = wait_for("the rest of the campaign to move", moved, STILL_FOR)
                .await
                .with_context(|| format!("{last:?}"))?;
        }
    }

    /// Whether nothing is left but what waits behind deliveries that a person must decide.
    async fn is_over(&self, counts: &Counts) -> Result<bool> {
        if counts.attempting + counts.in_doubt > 0 {
            return Ok(false);
        }
        if counts.waiting == 0 {
            return Ok(true);
        }
        // Each list is of a moment of its own; what moves between them is seen at the next look.
        Ok(counts.unsettled > 0 && counts.waiting <= behind(&self.list_unsettled().await?))
    }

    async fn finish(mut self, telling: &Telling) -> Result<Summary> {
        telling.say("the kills are over; the rest is sent and settled");
        let counts = match self.wait_for_rest().await {
            Ok(counts) => counts,
            Err(error) => {
                telling.say(&format!("{error:#}"));
                telling.say(&self.describe_inbox().await?);
                self.counts().await?
            }
        };
        let messages = self.servers.delivered()?;
        let wait = self.wait;
        let (capped, to_the_end): (Vec<_>, Vec<_>) =
            (messages.iter().cloned()).partition(|message| message.recipient.starts_with(CAPPED.1));
        let counted = count(&messages, wait);
        for words in list_hurried(&messages, wait) {
            telling.say(&words);
        }
        let (unsettled, cases) = self.count_unsettled(&messages).await?;
        let doubted = self.list_doubted().await?;
        let senders = self.list_senders();
        let first = |message: &&Message| message.recipient.starts_with(LISTS[0].1);
        if let Some(walls) = self.walls {
            let (outside, windows) = walls.count(messages.iter().filter(first));
            self.summary.out_of_window = outside;
            self.summary.windows = windows;
        }
        if let Some((_, cap)) = &self.capped {
            self.summary.capped = capped.len() as u64;
            self.summary.over_cap = self.summary.capped.saturating_sub(*cap);
        }
        let written_on = self.hearing.list_written_on(&messages, &doubted);
        for words in &written_on {
            telling.say(words);
        }
        self.relay.end()?;
        self.summary.power_cuts = self.relay.disk().map(Disk::tally);
        let summary = &mut self.summary;
        summary.planned = counts.planned;
        summary.accepted = count(&to_the_end, wait).accepted.iter().sum();
        summary.suppressed = counts.suppressed;
        summary.unsettled = unsettled;
        summary.unsettled_cases = cases;
        summary.lost = summary
            .planned
            .saturating_sub(summary.accepted + summary.suppressed + summary.unsettled);
        summary.duplicated = counted.duplicated;
        summary.in_doubt = count_verdicts(&self.relay);
        summary.taken_for_old = count_taken_for_old(&self.relay);
        summary.displaced = order::count_displaced(&messages, &senders);
        for words in order::list_breaks(&messages, &senders) {
            telling.say(&words);
        }
        // A message in doubt rests while others go on, and a server may take it after its connection was lost.
        let in_place = order::count_displaced(&order::leave_out(&messages, &doubted), &senders);
        summary.disordered = counted.disordered + counted.hurried + in_place;
        summary.answered = self.hearing.count(Heard::Answered);
        summary.bounced = self.hearing.count(Heard::Bounced);
        summary.unsubscribed = self.hearing.count(Heard::Unsubscribed);
        summary.written_on = written_on.len() as u64;
        telling.say(&format!(
            "{} messages have arrived at the provider",
            messages.len()
        ));
        Ok(self.summary)
    }

    /// Which inbox wrote to whom, by the envelopes; empty where there is only one.
    fn list_senders(&self) -> Senders {
        let delivered = self
            .servers
            .sandbox()
            .map(|sandbox| sandbox.control().delivered());
        let all = delivered.unwrap_or_default().into_iter();
        all.map(|one| (one.recipient, one.envelope_from)).collect()
    }

    /// What the relay says of the inbox, and the last lines of its log.
    async fn describe_inbox(&self) -> Result<String> {
        let request = GetInbox {
            inbox_id: self.inbox()?,
        };
        let inbox = self.relay.operator()?.call(&request).await?;
        let log = self.relay.log();
        let last: Vec<_> = log
            .iter()
            .rev()
            .take(20)
            .rev()
            .map(ToString::to_string)
            .collect();
        Ok(format!("{inbox:?}\n{}", last.join("\n")))
    }

    async fn list_unsettled(&self) -> Result<Vec<Delivery>> {
        let mut all = Vec::new();
        for campaign_id in &self.campaigns {
            let request = ListDeliveries {
                campaign_id: campaign_id.clone(),
                state: Some(StateName::Unsettled),
                limit: Some(UNSETTLED_AT_MOST),
                after: None,
            };
            let found = self.relay.operator()?.call(&request).await?.deliveries;
            if found.len() >= UNSETTLED_AT_MOST as usize {
                bail!(
                    "{} unsettled deliveries are more than one page",
                    found.len()
                );
            }
            all.extend(found);
        }
        Ok(all)
    }

    /// Whoever was in doubt, over all lives of the relay, with the step.
    async fn list_doubted(&self) -> Result<BTreeSet<(String, usize)>> {
        let is_verdict = |line: &serde_json::Value| line.pointer("/fields/verdict").is_some();
        let ids: BTreeSet<String> = self
            .relay
            .log()
            .iter()
            .filter(|line| is_verdict(line))
            .filter_map(|line| {
                line.pointer("/fields/delivery")?
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        let mut doubted = BTreeSet::new();
        let capped = self.capped.iter().map(|(id, _)| id);
        for campaign_id in self.campaigns.iter().chain(capped) {
            let mut after = None;
            loop {
                let request = ListDeliveries {
                    campaign_id: campaign_id.clone(),
                    state: None,
                    limit: Some(UNSETTLED_AT_MOST),
                    after,
                };
                let page = self.relay.operator()?.call(&request).await?;
                let is_doubted = |one: &&Delivery| {
                    ids.contains(one.id.as_str()) || matches!(one.status, State::Unsettled { .. })
                };
                let found = page.deliveries.iter().filter(is_doubted);
                doubted.extend(found.map(|one| (one.to.to_string(), one.step as usize)));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(doubted)
    }

    /// Steps that a person must decide and that reached nobody, with the steps that wait behind them.
    async fn count_unsettled(&self, messages: &[Message]) -> Result<(u64, Vec<UnsettledCase>)> {
        let arrived: BTreeSet<(&str, usize)> = messages
            .iter()
            .map(|message| (message.recipient.as_str(), message.step))
            .collect();
        let unsettled = self.list_unsettled().await?;
        let cases: Vec<_> = unsettled
            .iter()
            .map(|one| UnsettledCase {
                lead: one.to.to_string(),
                step: one.step,
                arrived: arrived.contains(&(one.to.as_str(), one.step as usize)),
            })
            .collect();
        let unknown = cases.iter().filter(|one| !one.arrived).count() as u64;
        Ok((unknown + behind(&unsettled), cases))
    }
}

/// Second steps that wait behind a first one that a person must decide.
fn behind(unsettled: &[Delivery]) -> u64 {
    unsettled.iter().filter(|one| one.step == 1).count() as u64
}

/// How often the relay said so, over all its lives.
fn count_taken_for_old(relay: &Relay) -> u64 {
    let log = relay.log();
    let said = log.iter().filter_map(|line| {
        let message = line.pointer("/fields/message")?.as_str()?;
        message.starts_with(TAKEN_FOR_OLD).then_some(())
    });
    said.count() as u64
}

/// What the relay said of its doubts, over all its lives.
fn count_verdicts(relay: &Relay) -> InDoubt {
    let mut verdicts = InDoubt::default();
    for line in relay.log() {
        match line
            .pointer("/fields/verdict")
            .and_then(serde_json::Value::as_str)
        {
            Some("found") => verdicts.found += 1,
            Some("refuted") => verdicts.refuted += 1,
            Some("unsettled") => verdicts.unsettled += 1,
            _ => {}
        }
    }
    verdicts
}
