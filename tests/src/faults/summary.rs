//! How a run of faults ended: what became of the messages, of the inboxes and of those who were told. The
//! mailboxes, the API and the log are the judges.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use protocol::cause::Cause;
use protocol::request::delivery::{Delivery, ListDeliveries};
use protocol::request::inbox::{ConnectionState, ListInboxes};
use sandbox::Sandbox;
use serde::Serialize;

use super::World;
use super::kind::Real;
use super::subject::Report;
use crate::story::mailboxes::{Message, count};
use crate::wait::wait_for;

/// How long the rest may take after the last fault. A recipient that was refused for now is tried again after a
/// minute, after two more, four and eight, and faults that were meant for the inbox may have met the same recipient
/// each time; an inbox rests for ten minutes at the most.
const REST_WITHIN: Duration = Duration::from_mins(26);
/// How many of those that did not arrive are told.
const TELL_MISSING: usize = 20;

/// How the run ended: the last line.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `exact` when everything is as it should be.
    pub outcome: &'static str,
    /// What decided.
    pub seed: u64,
    /// Inboxes.
    pub inboxes: usize,
    /// Faults that passed by themselves and were met.
    pub transient: usize,
    /// The same by kind.
    pub by_kind: BTreeMap<&'static str, usize>,
    /// Faults that a person had to mend.
    pub real: u64,
    /// The same by kind.
    pub real_by_kind: BTreeMap<&'static str, usize>,
    /// Those of them that were found.
    pub found: usize,
    /// Disconnections that nothing justified.
    pub false_disconnections: usize,
    /// Inboxes whose credentials did not work any more although nobody ended them.
    pub tokens_lost: usize,
    /// Alerts beyond one for each disconnection.
    pub alerts_repeated: u64,
    /// Disconnections without an alert.
    pub alerts_missed: u64,
    /// Reconnects that took one more click; no fault of the kinds that are counted here.
    pub clicks_again: u64,
    /// Real faults that were called something else, on the inbox or in the alert.
    pub wrong_causes: usize,
    /// Leads times steps.
    pub planned: u64,
    /// Steps that reached nobody and that nobody is asked about.
    pub lost: u64,
    /// Messages too many.
    pub duplicated: u64,
    /// Second steps before the first, or sooner than their wait.
    pub disordered: u64,
    /// Deliveries that a person must decide.
    pub unsettled: u64,
    /// From the first refused conversation to the disconnection, without what is in `stalled_ms`.
    pub detected_within_ms: Times,
    /// For how long the machine stood still meanwhile, in the worst case.
    pub stalled_ms: i64,
    /// From a passing fault to the next message that was sent.
    pub recovered_within_ms: Times,
    /// Everything that went wrong, in words.
    pub wrong: Vec<String>,
}

/// Some times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// The one in the middle.
    pub median: i64,
    /// The longest.
    pub worst: i64,
    /// What the longest may be; `None` where nothing is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<i64>,
}

impl Times {
    fn of(mut times: Vec<i64>, budget: Option<Duration>) -> Self {
        times.sort_unstable();
        Self {
            median: times.get(times.len() / 2).copied().unwrap_or_default(),
            worst: times.last().copied().unwrap_or_default(),
            budget: budget.and_then(|budget| i64::try_from(budget.as_millis()).ok()),
        }
    }
}

impl Summary {
    /// Whether everything is as it should be.
    pub fn is_exact(&self) -> bool {
        self.outcome == EXACT
    }
}

const EXACT: &str = "exact";

/// A real fault that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: Real,
    /// What the inbox says.
    pub(super) cause: Option<Cause>,
    /// What the alert said.
    pub(super) alert: Option<String>,
    pub(super) detected_ms: i64,
    /// For how much of it the machine stood still; then no relay can do anything, and it is not counted.
    pub(super) stalled_ms: i64,
    pub(super) from_fault_ms: i64,
    /// The inbox's last failures at that time, in words.
    pub(super) met: Vec<String>,
}

impl Found {
    /// What the relay took, without what the machine took.
    fn own_ms(&self) -> i64 {
        self.detected_ms - self.stalled_ms
    }

    fn is_named(&self) -> bool {
        self.cause == Some(self.kind.cause())
            && self.alert.as_deref() == Some(self.kind.cause().code())
    }
}

/// What has not arrived, with where the relay has it, in words.
async fn list_missing(world: &World, reports: &[Report]) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for report in reports {
        for campaign_id in &report.campaigns {
            let request = ListDeliveries {
                campaign_id: campaign_id.clone(),
                state: None,
                limit: None,
                after: None,
            };
            let deliveries = world.operator.call(&request).await?.deliveries;
            let has_arrived = |delivery: &Delivery| {
                let step = usize::try_from(delivery.step).unwrap_or(usize::MAX);
                world.watch.has_arrived(delivery.to.as_str(), step)
            };
            for delivery in deliveries.iter().filter(|one| !has_arrived(one)) {
                missing.push(format!("{} has not sent {delivery:?}", report.address));
                if missing.len() == TELL_MISSING {
                    return Ok(missing);
                }
            }
        }
    }
    Ok(missing)
}

/// Waits for the rest, and counts.
pub(super) async fn finish(
    world: &World,
    sandbox: &Sandbox,
    reports: &[Report],
) -> Result<Summary> {
    let planned: u64 = reports.iter().map(|report| report.planned).sum();
    world
        .telling
        .say("the faults are over; the rest is sent and settled");
    let rest = async || (world.watch.count_arrived() as u64 >= planned).then_some(());
    let mut wrong = Vec::new();
    if let Err(error) = wait_for("the rest of the messages", rest, REST_WITHIN).await {
        wrong.push(error.to_string());
        wrong.extend(list_missing(world, reports).await?);
    }
    // One that is suspect is being made sure of, and is lost to nobody yet.
    let settled = async || {
        let is_sure = |report: &Report| {
            let seen = world.watch.connection(&report.address);
            seen.is_some_and(|(state, _)| state != ConnectionState::Checking)
        };
        reports.iter().all(is_sure).then_some(())
    };
    if let Err(error) = wait_for("what is suspect to be made sure of", settled, REST_WITHIN).await {
        wrong.push(error.to_string());
    }
    let delivered = sandbox.control().delivered();
    let messages: Vec<Message> = delivered
        .iter()
        .filter_map(|one| Message::parse(&one.recipient, &one.raw, i64::try_from(one.at_ms).ok()))
        .collect();
    let counted = count(&messages, world.wait);
    let inboxes = world.operator.call(&ListInboxes {}).await?.inboxes;
    let unsettled: u64 = inboxes.iter().map(|inbox| inbox.unsettled).sum();
    let still_lost = inboxes
        .iter()
        .filter(|inbox| inbox.connection.state != ConnectionState::Connected);
    for inbox in still_lost.clone() {
        let words = world.watch.last_words(inbox.address.as_str());
        let (address, connection) = (&inbox.address, &inbox.connection);
        wrong.push(format!("{address} is left {connection:?}; {words:?}"));
    }
    let found = || reports.iter().flat_map(|report| &report.found);
    for one in found().filter(|one| !one.is_named()) {
        wrong.push(format!("wrong cause: {one:?}"));
    }
    for report in reports {
        let tell = |what: &'static str| move |words: &String| format!("{what}: {words}");
        let Report {
            false_disconnections,
            tokens_lost,
            not_found,
            ..
        } = report;
        wrong.extend(false_disconnections.iter().map(tell("false disconnection")));
        wrong.extend(tokens_lost.iter().map(tell("lost credential")));
        wrong.extend(not_found.iter().cloned());
    }
    if let Some(slowest) = found().max_by_key(|one| one.own_ms()) {
        world.telling.say(&format!(
            "the longest from a refusal to its disconnection: {} ms ({}), {} ms from the fault; {:#?}",
            slowest.detected_ms,
            slowest.kind.name(),
            slowest.from_fault_ms,
            slowest.met
        ));
    }
    let mut by_kind: BTreeMap<&'static str, usize> = BTreeMap::new();
    for name in reports.iter().flat_map(|report| &report.met) {
        *by_kind.entry(name).or_default() += 1;
    }
    let mut real_by_kind: BTreeMap<&'static str, usize> = BTreeMap::new();
    for one in found() {
        *real_by_kind.entry(one.kind.name()).or_default() += 1;
    }
    let budget = world.script.patience.budget();
    let budget_ms = i64::try_from(budget.as_millis()).unwrap_or(i64::MAX);
    for one in found().filter(|one| one.own_ms() > budget_ms) {
        wrong.push(format!("beyond the budget: {one:?}"));
    }
    let accepted: u64 = counted.accepted.iter().sum();
    let strangers = world.watch.count_alerts();
    let known = |address: &String| reports.iter().any(|report| report.address == *address);
    let of_strangers: usize = strangers
        .iter()
        .filter(|(address, _)| !known(address))
        .map(|(_, n_alerts)| n_alerts)
        .sum();
    let mut summary = Summary {
        outcome: "not_exact",
        seed: world.script.seed,
        inboxes: reports.len(),
        transient: by_kind.values().sum(),
        by_kind,
        real: reports.iter().map(|report| report.real).sum(),
        real_by_kind,
        found: found().count(),
        false_disconnections: reports
            .iter()
            .map(|report| report.false_disconnections.len())
            .sum::<usize>()
            + still_lost.count(),
        tokens_lost: reports
            .iter()
            .filter(|report| !report.tokens_lost.is_empty())
            .count(),
        alerts_repeated: reports
            .iter()
            .map(|report| report.alerts_repeated)
            .sum::<u64>()
            + of_strangers as u64,
        alerts_missed: reports.iter().map(|report| report.alerts_missed).sum(),
        clicks_again: reports.iter().map(|report| report.clicks_again).sum(),
        wrong_causes: found().filter(|one| !one.is_named()).count(),
        planned,
        lost: planned.saturating_sub(accepted + unsettled),
        duplicated: counted.duplicated,
        disordered: counted.disordered + counted.hurried,
        unsettled,
        detected_within_ms: Times::of(found().map(Found::own_ms).collect(), Some(budget)),
        stalled_ms: found().map(|one| one.stalled_ms).max().unwrap_or_default(),
        recovered_within_ms: Times::of(
            reports
                .iter()
                .flat_map(|report| report.recovered_ms.iter().copied())
                .collect(),
            None,
        ),
        wrong,
    };
    let detected = summary.detected_within_ms;
    let clean = [
        summary.false_disconnections as u64,
        summary.tokens_lost as u64,
        summary.alerts_repeated,
        summary.alerts_missed,
        summary.wrong_causes as u64,
        summary.lost,
        summary.duplicated,
        summary.disordered,
        summary.unsettled,
    ];
    let complete = summary.transient == world.script.transient
        && summary.real == world.script.real as u64
        && summary.found == world.script.real
        && summary.inboxes == world.script.inboxes;
    if clean.iter().all(|n| *n == 0)
        && complete
        && detected
            .budget
            .is_some_and(|budget| detected.worst <= budget)
    {
        summary.outcome = EXACT;
    }
    Ok(summary)
}
