//! The crash run: the relay is ended by SIGKILL while it sends and while it verifies a reconnect, and
//! started again, over and over. What was sent is counted in the recipients' mailboxes.
//!
//! Against the sandbox the kills come at chosen points of the wire, and the provider drops connections after
//! DATA. Against Dovecot and `smtp-sink`, which nobody can hold, they come at moments that the seed decides.

mod at_moments;
mod at_points;
mod order;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protocol::delivery::{State, StateName};
use protocol::id::{CampaignId, InboxId, ReconnectId};
use protocol::request::campaign::{Counts, GetCampaign, StartCampaign};
use protocol::request::delivery::{Delivery, ListDeliveries};
use protocol::request::inbox::{ConnectionState, GetInbox};
use protocol::request::reconnect::{Reconnect, ReconnectState};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sandbox::control::DropAfterData;
use serde::Serialize;

use crate::story::hearing::{Heard, Hearing};
use crate::story::mailboxes::{Message, count, list_hurried};
use crate::story::play::{connect, create_list, sign_in};
use crate::story::reconnecting::Device;
use crate::story::relay::Relay;
use crate::story::servers::{Servers, jane};
use crate::story::telling::Telling;
use crate::wait::wait_for;

/// Leads for each kill: enough that there is always something to send when the next one comes.
const LEADS_PER_KILL: u64 = 12;
/// Leads at the least.
const LEADS_AT_LEAST: u64 = 60;
/// Between the acceptance of the first step and the second.
const WAIT: Duration = Duration::from_millis(500);
/// The least time between two messages: slow enough that a run outlasts its kills.
const GAP: Duration = Duration::from_millis(30);
/// The campaigns that share the inbox: their names, and how their leads are called.
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
/// More than a run leaves; one page of the list.
const UNSETTLED_AT_MOST: u32 = 1_000;
/// One kill in so many comes while a reconnect is verified.
const VERIFYING_SHARE: u32 = 5;

/// How the run ended: the last line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Leads times steps.
    pub planned: u64,
    /// Steps that stand in a mailbox.
    pub accepted: u64,
    /// Steps that are not to be sent.
    pub suppressed: u64,
    /// Steps that a person must decide, or that wait behind one.
    pub unsettled: u64,
    /// Steps that are none of these.
    pub lost: u64,
    /// Messages too many.
    pub duplicated: u64,
    /// Second steps that came before the first, or sooner than its wait, and messages out of their place among those
    /// that were never in doubt.
    pub disordered: u64,
    /// Messages that came out of their place, whatever held them up.
    pub displaced: u64,
    /// Leads that answered while the relay could not read.
    pub answered: u64,
    /// Leads whose message came back while the relay could not read.
    pub bounced: u64,
    /// Second steps to leads that had been heard of.
    pub written_on: u64,
    /// Kills.
    pub kills: u32,
    /// Kills by what the relay was at.
    pub kills_by_state: KillsByState,
    /// Deliveries that were in doubt, by how that ended.
    pub in_doubt: InDoubt,
    /// Reconnects that had to be clicked once more.
    pub reclicks: u64,
    /// The profile of the provider.
    pub profile: &'static str,
    /// Each delivery that a person must decide.
    pub unsettled_cases: Vec<UnsettledCase>,
}

/// A delivery that a person must decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnsettledCase {
    /// The lead's address.
    pub lead: String,
    /// The step, from 1.
    pub step: u32,
    /// Whether it stands in the lead's mailbox, which only this run can know.
    pub arrived: bool,
}

/// Kills by what the relay was at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KillsByState {
    /// Nothing was on the wire.
    pub idle: u32,
    /// Sending, where nobody can tell how far it was.
    pub sending: u32,
    /// Connecting, signing in.
    pub connecting: u32,
    /// MAIL sent, DATA not yet.
    pub before_data: u32,
    /// In the body.
    pub in_data: u32,
    /// After the final dot, before its reply.
    pub after_data: u32,
    /// The reply was sent, its record being made.
    pub committing: u32,
    /// Verifying a reconnect.
    pub verifying: u32,
}

impl KillsByState {
    /// Kills that met the relay at work.
    pub fn at_work(&self) -> u32 {
        self.sending
            + self.connecting
            + self.before_data
            + self.in_data
            + self.after_data
            + self.committing
            + self.verifying
    }
}

/// Deliveries that were in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InDoubt {
    /// Found in the sent folder.
    pub found: u64,
    /// Proved not to be there.
    pub refuted: u64,
    /// Neither.
    pub unsettled: u64,
}

/// Plays the run against these servers.
pub async fn run(servers: &Servers, kills: u32, seed: u64, telling: &Telling) -> Result<Summary> {
    let secret = servers
        .demands_secret()
        .then(|| servers.client_secret().to_owned());
    let relay = Relay::start(servers, secret.as_deref()).await?;
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let quiet = Telling::begin(true);
    let inbox = connect(&operator, &device, servers, GAP, &quiet).await?;
    let leads = LEADS_AT_LEAST.max(LEADS_PER_KILL * u64::from(kills));
    let mut campaigns = Vec::new();
    for (name, prefix) in LISTS {
        let n_leads = leads / LISTS.len() as u64;
        campaigns.push(create_list(&operator, &inbox, name, prefix, n_leads, WAIT).await?);
    }
    if let Some(sandbox) = servers.sandbox() {
        sandbox.control().drop_after_data(DROPS);
    }
    for campaign_id in &campaigns {
        let campaign_id = campaign_id.clone();
        operator.call(&StartCampaign { campaign_id }).await?;
    }
    telling.say(&format!(
        "{leads} leads in two campaigns of one inbox, two steps, seed {seed}: {kills} kills follow"
    ));
    let mut run = Run {
        servers,
        rng: StdRng::seed_from_u64(seed),
        relay,
        device,
        inbox,
        campaigns,
        hearing: Hearing::default(),
        summary: Summary {
            profile: servers.profile(),
            ..Summary::default()
        },
        quiet,
    };
    for number in 1..=kills {
        let verifying = number % VERIFYING_SHARE == 0;
        let what = match (servers.sandbox(), verifying) {
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
    inbox: InboxId,
    campaigns: Vec<CampaignId>,
    /// Who was heard of while the relay could not read, and how.
    hearing: Hearing,
    summary: Summary,
    quiet: Telling,
}

impl Run<'_> {
    async fn sign_in(&self) -> Result<ReconnectId> {
        sign_in(
            &self.device,
            &self.inbox,
            self.servers,
            &jane(),
            &self.quiet,
        )
        .await
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
        let look = async || {
            let inbox = operator
                .call(&GetInbox {
                    inbox_id: self.inbox.clone(),
                })
                .await
                .ok()?;
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
        let counted = count(&messages, WAIT);
        for words in list_hurried(&messages, WAIT) {
            telling.say(&words);
        }
        let (unsettled, cases) = self.count_unsettled(&messages).await?;
        let doubted = self.list_doubted().await?;
        let written_on = self.hearing.list_written_on(&messages, &doubted);
        for words in &written_on {
            telling.say(words);
        }
        self.relay.end()?;
        let summary = &mut self.summary;
        summary.planned = counts.planned;
        summary.accepted = counted.accepted.iter().sum();
        summary.suppressed = counts.suppressed;
        summary.unsettled = unsettled;
        summary.unsettled_cases = cases;
        summary.lost = summary
            .planned
            .saturating_sub(summary.accepted + summary.suppressed + summary.unsettled);
        summary.duplicated = counted.duplicated;
        summary.in_doubt = count_verdicts(&self.relay);
        summary.displaced = order::count_displaced(&messages);
        for words in order::list_breaks(&messages) {
            telling.say(&words);
        }
        // A message in doubt rests while others go on, and a server may take it after its connection was lost.
        let in_place = order::count_displaced(&order::leave_out(&messages, &doubted));
        summary.disordered = counted.disordered + counted.hurried + in_place;
        summary.answered = self.hearing.count(Heard::Answered);
        summary.bounced = self.hearing.count(Heard::Bounced);
        summary.written_on = written_on.len() as u64;
        telling.say(&format!(
            "{} messages have arrived at the provider",
            messages.len()
        ));
        Ok(self.summary)
    }

    /// What the relay says of the inbox, and the last lines of its log.
    async fn describe_inbox(&self) -> Result<String> {
        let request = GetInbox {
            inbox_id: self.inbox.clone(),
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
        for campaign_id in &self.campaigns {
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
