//! A forecast as people read it: days of the schedule's zone, what leaves on each, and what makes it take so long.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use protocol::campaign::State;
use protocol::plan::{Assumption, Day, HeldBack, Limit, Plan};
use protocol::schedule::Date;
use protocol::timestamp::Timestamp;

use super::plan::{Happens, play};
use crate::record::plan::Snapshot;
use crate::schedule::{date_in, find_zone, name_of};

/// What is known of a day.
#[derive(Default)]
struct OfDay {
    steps: Vec<u64>,
    backlog: u64,
    held: BTreeMap<Limit, Duration>,
    /// Whether something that was due did not leave on it.
    is_short: bool,
}

/// The calendar of the campaign at this place of a snapshot, of so many days at the most.
pub fn render(
    snapshot: &Snapshot,
    campaign_idx: usize,
    status: &State,
    n_days: usize,
) -> Option<Plan> {
    let campaign = snapshot.campaigns.get(campaign_idx)?;
    let schedule = campaign.sending.schedule.as_ref();
    let zone = schedule.and_then(|schedule| find_zone(&schedule.zone));
    let zone = zone.unwrap_or(TimeZone::UTC);
    let mut of_days: BTreeMap<Date, OfDay> = BTreeMap::new();
    let mut held_back: BTreeMap<Limit, Duration> = BTreeMap::new();
    let mut last = None;
    let never = play(snapshot, campaign_idx, |happens| match happens {
        Happens::Leaves(leaves) if leaves.campaign_idx == campaign_idx => {
            let day = of_days.entry(date_in(&zone, leaves.at)).or_default();
            day.steps.resize(campaign.waits_ms.len(), 0);
            let step_idx = usize::try_from(leaves.step).unwrap_or(usize::MAX) - 1;
            if let Some(n) = day.steps.get_mut(step_idx) {
                *n += 1;
            }
            day.backlog += u64::from(leaves.is_late);
            last = Some(leaves.at);
        }
        Happens::Leaves(_) => {}
        Happens::Held { at, until, by } => {
            let date = date_in(&zone, at);
            let day = of_days.entry(date).or_default();
            let held = until.since(at);
            *day.held.entry(by).or_default() += held;
            day.is_short |= date_in(&zone, until) > date;
            *held_back.entry(by).or_default() += held;
        }
    });
    let mut later = 0;
    let mut days = Vec::new();
    for (date, of) in of_days {
        let n: u64 = of.steps.iter().sum();
        if n == 0 {
            continue;
        }
        if days.len() >= n_days {
            later += n;
            continue;
        }
        let held_by = if of.is_short {
            longest_first(of.held)
        } else {
            Vec::new()
        };
        days.push(Day {
            date,
            steps: of.steps,
            backlog: of.backlog,
            held_by: held_by.into_iter().map(|held| held.by).collect(),
        });
    }
    Some(Plan {
        campaign_id: campaign.id.clone(),
        at: snapshot.at,
        zone: name_of(&zone).unwrap_or("UTC").to_owned(),
        days,
        later,
        never,
        unknown: campaign.n_unknown,
        done_at: done_at(last, never),
        held_back: longest_first(held_back),
        assumes: list_assumptions(snapshot, campaign.waits, status),
    })
}

fn done_at(last: Option<Timestamp>, never: u64) -> Option<Timestamp> {
    last.filter(|_| never == 0)
}

fn longest_first(held: BTreeMap<Limit, Duration>) -> Vec<HeldBack> {
    let mut held: Vec<HeldBack> = held
        .into_iter()
        .map(|(by, held)| HeldBack {
            by,
            for_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX),
        })
        .collect();
    held.sort_by_key(|held| std::cmp::Reverse(held.for_ms));
    held
}

fn list_assumptions(snapshot: &Snapshot, waits: bool, status: &State) -> Vec<Assumption> {
    let mut assumes = Vec::new();
    match status {
        State::Draft => assumes.push(Assumption::Started),
        State::Paused { .. } => assumes.push(Assumption::GoesOn),
        State::Running | State::Finished { .. } => {}
    }
    if waits {
        assumes.push(Assumption::Released);
    }
    for inbox in &snapshot.inboxes {
        let inbox_id = inbox.id().clone();
        if !inbox.can_send {
            assumes.push(Assumption::InboxWorks { inbox_id });
        }
    }
    for inbox in &snapshot.inboxes {
        let inbox_id = inbox.id().clone();
        if inbox.budgets.budget.distance.is_zero() {
            assumes.push(Assumption::ASecondEach { inbox_id });
        }
    }
    assumes.extend([Assumption::NobodyAnswers, Assumption::NothingChanges]);
    assumes
}
