//! The restore run: while two campaigns send through an inbox, the relay's files are saved again and again, and put back
//! later, when more has been sent. What the database has forgotten may not be sent again: counted in the recipients'
//! mailboxes by recipient and words, never by an id of ours. Answers and failures arrive in the time that is lost, and
//! while the relay is off: whoever is heard of so is written to no more.
//!
//! A person decides what the relay holds, by what truly arrived. Deliberately absent: any look into the relay but its
//! API.

mod saved;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protocol::delivery::{Decision, NoEvidence, StateName};
use protocol::id::CampaignId;
use protocol::request::campaign::{Counts, GetCampaign, StartCampaign};
use protocol::request::delivery::{Delivery, ListDeliveries, SettleDelivery};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::profile::SentCopy;
use serde::Serialize;

use self::saved::{How, Saved, What};
use crate::story::hearing::{self, Hearing};
use crate::story::mailboxes::{MARKS, count};
use crate::story::play::{connect, create_list};
use crate::story::reconnecting::Device;
use crate::story::relay::Relay;
use crate::story::servers::{Servers, jane};
use crate::story::telling::Telling;
use crate::wait::wait_for;

/// Leads of each campaign for each restore: enough that there is always something to send.
const LEADS_PER_RESTORE: u64 = 7;
/// Leads at the least.
const LEADS_AT_LEAST: u64 = 40;
/// Between the acceptance of the first step and the second.
const WAIT: Duration = Duration::from_millis(500);
/// The least time between two messages.
const GAP: Duration = Duration::from_millis(15);
/// How long some messages may take, on a busy machine and with what is waited for after a restore.
const SOME_WITHIN: Duration = Duration::from_secs(40);
/// How long nothing may move at the end, before the rest is given up.
const STILL_FOR: Duration = Duration::from_mins(1);
/// Leads that answer at a time; one more message comes back.
const ANSWERS: usize = 3;
/// One page of a list.
const LIST_AT_MOST: u32 = 1_000;

/// How the run ended: the last line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How often the files were put back.
    pub times: u32,
    /// Messages too many.
    pub duplicated: u64,
    /// Deliveries that were held for a person after a restore.
    pub held: u64,
    /// Of these, those that the API listed with the reason.
    pub listed: u64,
    /// Steps that reached nobody in the end.
    pub lost: u64,
    /// Messages that a restored database did not know.
    pub forgotten: u64,
    /// Leads that answered or whose message came back, in the time that was lost or while the relay was off.
    pub heard: u64,
    /// Second steps to leads that had been heard of.
    pub written_on: u64,
    /// The profile of the provider.
    pub profile: &'static str,
}

impl Summary {
    /// Whether nobody was mailed twice and nobody forgotten.
    pub fn is_clean(&self) -> bool {
        self.duplicated == 0
            && self.lost == 0
            && self.written_on == 0
            && (self.held == 0) == (self.listed == 0)
    }
}

/// Plays the run against these servers.
pub async fn run(servers: &Servers, times: u32, seed: u64, telling: &Telling) -> Result<Summary> {
    let secret = servers
        .demands_secret()
        .then(|| servers.client_secret().to_owned());
    let relay = Relay::start(servers, secret.as_deref()).await?;
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let inbox = connect(&operator, &device, servers, GAP, &Telling::begin(true)).await?;
    let leads = LEADS_AT_LEAST.max(LEADS_PER_RESTORE * u64::from(times));
    let mut campaigns = Vec::new();
    for name in ["spring", "autumn"] {
        campaigns.push(create_list(&operator, &inbox, name, name, leads, WAIT).await?);
    }
    for campaign_id in campaigns.clone() {
        operator.call(&StartCampaign { campaign_id }).await?;
    }
    telling.say(&format!(
        "two campaigns of {leads} leads, two steps each, seed {seed}: {times} restores follow"
    ));
    let mut run = Run {
        servers,
        rng: StdRng::seed_from_u64(seed),
        relay,
        campaigns,
        summary: Summary {
            profile: servers.profile(),
            ..Summary::default()
        },
        held: BTreeSet::new(),
        hearing: Hearing::default(),
    };
    for number in 1..=times {
        let what = run
            .restore_once()
            .await
            .with_context(|| format!("restore {number}"))?;
        run.summary.times += 1;
        telling.say(&format!("restore {number}: {what}"));
    }
    run.finish(leads, telling).await
}

/// When leads are heard of that are written to no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// In the time that is lost with the database.
    Lost,
    /// While the relay is off.
    Off,
    Never,
}

struct Run<'a> {
    servers: &'a Servers,
    rng: StdRng,
    relay: Relay,
    campaigns: Vec<CampaignId>,
    summary: Summary,
    held: BTreeSet<String>,
    hearing: Hearing,
}

impl Run<'_> {
    /// Saves the files at some moment, lets more be sent, ends the relay and puts them back.
    async fn restore_once(&mut self) -> Result<String> {
        let some = self.rng.random_range(1..6);
        self.wait_for_more(some).await?;
        let all = [What::Data, What::Data, What::Database, What::Everything];
        // Where nobody makes copies and the mark is put back as well, nothing tells a restore from a relay that was off.
        let known = if self.makes_copies() { 4 } else { 3 };
        let what = *self.choose(all.get(..known).unwrap_or(&all))?;
        let how = *self.choose(&[How::Stopped, How::Stopped, How::Vacuumed])?;
        let saved = Saved::take(&self.relay, how).await?;
        let before = self.servers.delivered()?.len();
        let more = self.rng.random_range(2..14);
        self.wait_for_more(more).await?;
        let when = *self.choose(&[Heard::Lost, Heard::Off, Heard::Never])?;
        if when == Heard::Lost {
            self.let_some_be_known().await?;
        }
        if self.rng.random_bool(0.3) {
            self.relay.end()?;
        } else {
            self.relay.kill()?;
        }
        if when == Heard::Off {
            self.let_some_be_heard_of();
        }
        let forgotten = self.servers.delivered()?.len() - before;
        self.summary.forgotten += forgotten as u64;
        saved.put_back(&self.relay, what)?;
        self.relay.start_again().await?;
        Ok(format!(
            "{what:?}, {how:?}, {forgotten} messages forgotten, heard of {when:?}"
        ))
    }

    /// Lets some leads answer, and a message come back, where the servers can play it.
    fn let_some_be_heard_of(&mut self) -> Vec<String> {
        let Some(sandbox) = self.servers.sandbox() else {
            return Vec::new();
        };
        let mut heard = vec![hearing::Heard::Answered; ANSWERS];
        heard.push(hearing::Heard::Bounced);
        self.hearing
            .let_some(sandbox.control(), &jane().address, &heard)
    }

    /// The same, and waits until the relay knows of it. Whoever got the second step first is not meant.
    async fn let_some_be_known(&mut self) -> Result<()> {
        let mut open = self.let_some_be_heard_of();
        let known = async || {
            let stopped: BTreeSet<String> = self
                .list_deliveries(StateName::Suppressed)
                .await
                .ok()?
                .into_iter()
                .map(|one| one.to.to_string())
                .collect();
            let messages = self.servers.delivered().ok()?;
            let is_written_on = |lead: &str| {
                let mut seconds = messages.iter().filter(|one| one.step > 1);
                seconds.any(|one| one.recipient == lead)
            };
            let mut written_on = Vec::new();
            open.retain(|lead| {
                if is_written_on(lead) {
                    written_on.push(lead.clone());
                    return false;
                }
                !stopped.contains(lead)
            });
            for lead in &written_on {
                self.hearing.leave_out(lead);
            }
            open.is_empty().then_some(())
        };
        wait_for("what arrived to be known", known, SOME_WITHIN).await?;
        Ok(())
    }

    fn makes_copies(&self) -> bool {
        self.servers
            .sandbox()
            .is_none_or(|sandbox| matches!(sandbox.profile().sent_copy, SentCopy::ByServer { .. }))
    }

    fn choose<'c, T>(&mut self, among: &'c [T]) -> Result<&'c T> {
        let idx = self.rng.random_range(0..among.len());
        among.get(idx).context("a choice among none")
    }

    /// Waits until so many more messages have arrived. What is held is decided meanwhile, or nothing might be left.
    async fn wait_for_more(&mut self, n: usize) -> Result<()> {
        let wanted = self.servers.delivered()?.len() + n;
        let all = self.campaigns.len() * MARKS.len();
        let mut looks = 0_u32;
        let passed = async || {
            looks += 1;
            let arrived = self.servers.delivered().ok()?.len();
            if looks.is_multiple_of(20) {
                self.decide_held().await.ok()?;
                return (arrived >= wanted || self.is_over().await.ok()?).then_some(());
            }
            (arrived >= wanted).then_some(())
        };
        wait_for("some messages", passed, SOME_WITHIN)
            .await
            .with_context(|| format!("{all} steps a lead"))?;
        Ok(())
    }

    /// A person who knows the mailboxes decides what the relay cannot.
    async fn decide_held(&mut self) -> Result<()> {
        let arrived: BTreeSet<(String, usize)> = self
            .servers
            .delivered()?
            .into_iter()
            .map(|message| (message.recipient, message.step))
            .collect();
        let operator = self.relay.operator()?;
        for one in self.list_unsettled().await? {
            if one.no_evidence == Some(NoEvidence::Restored) {
                self.held.insert(one.id.to_string());
            }
            let place = (one.to.to_string(), usize::try_from(one.step)?);
            let decision = if arrived.contains(&place) {
                Decision::Leave
            } else {
                Decision::SendAgain
            };
            let request = SettleDelivery {
                delivery_id: one.id.clone(),
                decision,
            };
            if let Err(error) = operator.call(&request).await {
                // What has arrived meanwhile may have said so first.
                let open = self.list_unsettled().await?;
                if open.iter().any(|left| left.id == one.id) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn list_unsettled(&self) -> Result<Vec<Delivery>> {
        self.list_deliveries(StateName::Unsettled).await
    }

    async fn list_deliveries(&self, state: StateName) -> Result<Vec<Delivery>> {
        let mut all = Vec::new();
        for campaign_id in self.campaigns.clone() {
            let mut after = None;
            loop {
                let request = ListDeliveries {
                    campaign_id: campaign_id.clone(),
                    state: Some(state),
                    limit: Some(LIST_AT_MOST),
                    after,
                };
                let page = self.relay.operator()?.call(&request).await?;
                all.extend(page.deliveries);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(all)
    }

    async fn counts(&self) -> Result<Vec<Counts>> {
        let mut all = Vec::new();
        for campaign_id in self.campaigns.clone() {
            let request = GetCampaign { campaign_id };
            all.push(self.relay.operator()?.call(&request).await?.counts);
        }
        Ok(all)
    }

    async fn is_over(&self) -> Result<bool> {
        let counts = self.counts().await?;
        Ok(counts
            .iter()
            .all(|one| one.waiting + one.attempting + one.in_doubt + one.unsettled == 0))
    }

    async fn finish(mut self, leads: u64, telling: &Telling) -> Result<Summary> {
        telling.say("the restores are over; the rest is sent");
        let mut last = self.counts().await?;
        while !self.is_over().await? {
            self.decide_held().await?;
            let moved = async || {
                let counts = self.counts().await.ok()?;
                (counts != last).then_some(counts)
            };
            match wait_for("the rest to move", moved, STILL_FOR).await {
                Ok(counts) => last = counts,
                Err(error) => {
                    telling.say(&format!("{error:#}: {last:?}"));
                    break;
                }
            }
        }
        let messages = self.servers.delivered()?;
        let counted = count(&messages, WAIT);
        let planned = leads * (self.campaigns.len() * MARKS.len()) as u64;
        let reached: u64 = counted.accepted.iter().sum();
        self.summary.duplicated = counted.duplicated;
        self.summary.heard = self.hearing.n_leads();
        let written_on = self
            .hearing
            .list_written_on(&messages, &BTreeSet::default());
        self.summary.written_on = written_on.len() as u64;
        for words in &written_on {
            telling.say(words);
        }
        // Their second steps are not to reach them.
        let not_meant = self.summary.heard - self.summary.written_on;
        self.summary.lost = planned.saturating_sub(reached + not_meant);
        self.summary.listed = self.held.len() as u64;
        self.summary.held = held_by_the_log(&self.relay);
        if self.summary.forgotten == 0 {
            bail!("no database was behind when it was put back");
        }
        self.relay.end()?;
        Ok(self.summary)
    }
}

/// How many deliveries the relay says that it held, over all its lives.
fn held_by_the_log(relay: &Relay) -> u64 {
    let held = |line: &serde_json::Value| line.pointer("/fields/held")?.as_u64();
    relay.log().iter().filter_map(held).sum()
}
