//! The restore run: while two campaigns send through an inbox, the relay's files are saved again and again, and put back
//! later, when more has been sent. What the database has forgotten may not be sent again: counted in the recipients'
//! mailboxes by recipient and words, never by an id of ours.
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
use crate::story::mailboxes::{MARKS, count};
use crate::story::play::{connect, create_list};
use crate::story::reconnecting::Device;
use crate::story::relay::Relay;
use crate::story::servers::Servers;
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
    /// The profile of the provider.
    pub profile: &'static str,
}

impl Summary {
    /// Whether nobody was mailed twice and nobody forgotten.
    pub fn is_clean(&self) -> bool {
        self.duplicated == 0 && self.lost == 0 && (self.held == 0) == (self.listed == 0)
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

struct Run<'a> {
    servers: &'a Servers,
    rng: StdRng,
    relay: Relay,
    campaigns: Vec<CampaignId>,
    summary: Summary,
    held: BTreeSet<String>,
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
        if self.rng.random_bool(0.3) {
            self.relay.end()?;
        } else {
            self.relay.kill()?;
        }
        let forgotten = self.servers.delivered()?.len() - before;
        self.summary.forgotten += forgotten as u64;
        saved.put_back(&self.relay, what)?;
        self.relay.start_again().await?;
        Ok(format!("{what:?}, {how:?}, {forgotten} messages forgotten"))
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
            operator
                .call(&SettleDelivery {
                    delivery_id: one.id,
                    decision,
                })
                .await?;
        }
        Ok(())
    }

    async fn list_unsettled(&self) -> Result<Vec<Delivery>> {
        let mut all = Vec::new();
        for campaign_id in self.campaigns.clone() {
            let mut after = None;
            loop {
                let request = ListDeliveries {
                    campaign_id: campaign_id.clone(),
                    state: Some(StateName::Unsettled),
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
        self.summary.lost = planned.saturating_sub(reached);
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
