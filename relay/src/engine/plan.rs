//! When messages will leave, as things stand: the claim's own decisions, made ahead of time. Pure; the ledger at the
//! moment of asking is the argument. What nobody knows ahead, answers and refusals, is taken not to happen.
//!
//! Each message is one step of a loop, with queues that are heaps: n messages cost n·log n, and no more than
//! [`MESSAGES_AT_MOST`] are looked at.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use jiff::tz::TimeZone;
use protocol::budget::HeldBy;
use protocol::plan::Limit;
use protocol::schedule::Schedule;
use protocol::timestamp::Timestamp;

use super::pace::pace;
use super::turns::take_turn;
use crate::record::plan::{CampaignSide, Firsts, InboxSide, PairSide, Snapshot};
use crate::record::{Budgets, Class, LastTry, Pace, Queue};
use crate::schedule::{Gate, find_zone, gate, wait_from};

/// Messages that are looked at, those of other campaigns of the same inboxes among them: 100,000 leads with ten steps.
pub const MESSAGES_AT_MOST: u64 = 1_000_000;
/// How far is looked ahead.
pub const AHEAD: Duration = Duration::from_hours(24 * 366);
/// What a cap counts.
const DAY: Duration = Duration::from_hours(24);
/// What an inbox without a distance takes for a message.
const EACH: Duration = Duration::from_secs(1);
/// How long an inbox sends at half its pace after refusals.
const HALF_PACE_FOR: Duration = Duration::from_hours(24);

/// A message that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaves {
    /// When.
    pub at: Timestamp,
    /// Its inbox, by its place in the snapshot.
    pub inbox_idx: usize,
    /// Its campaign, by its place in the snapshot.
    pub campaign_idx: usize,
    /// Its step, from 1.
    pub step: u32,
    /// Its recipient's organisation, by its place; `None` where no cap asks for it.
    pub domain: Option<u32>,
    /// Whether it is a follow-up whose time had come at the moment of the snapshot.
    pub is_late: bool,
}

/// What happens, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happens {
    /// A message leaves; other campaigns' too.
    Leaves(Leaves),
    /// Something of the campaign that was asked for is due and is kept back.
    Held {
        /// From when.
        at: Timestamp,
        /// Until when.
        until: Timestamp,
        /// By what.
        by: Limit,
    },
}

/// Plays the campaigns of a snapshot until all of this one has left, nothing can leave any more, or it was looked far
/// enough, and tells what happens. Answers how many of its messages are left then.
pub fn play(snapshot: &Snapshot, campaign_idx: usize, mut tell: impl FnMut(Happens)) -> u64 {
    let mut play = Play::new(snapshot, campaign_idx);
    let ends_at = snapshot.at + AHEAD;
    let mut n_left_to_look_at = MESSAGES_AT_MOST;
    while let Some(Reverse((at, inbox_idx))) = play.next.pop() {
        if at > ends_at || n_left_to_look_at == 0 || play.n_left() == 0 {
            break;
        }
        match play.turn(inbox_idx, at) {
            Turned::Left(leaves) => {
                n_left_to_look_at -= 1;
                tell(Happens::Leaves(leaves));
                let distance = play.inbox_distance(inbox_idx);
                let next = if distance.is_zero() { at + EACH } else { at };
                play.next.push(Reverse((next, inbox_idx)));
            }
            Turned::Waits { until, by } => {
                if let Some(by) = by {
                    tell(Happens::Held { at, until, by });
                }
                play.next.push(Reverse((until, inbox_idx)));
            }
            Turned::Over => {}
        }
    }
    play.n_left()
}

/// The tries of the last day, as a cap counts them.
#[derive(Clone, Debug, Default)]
struct Tries(VecDeque<Timestamp>);

impl Tries {
    fn new(tries: &[Timestamp]) -> Self {
        Self(tries.iter().copied().collect())
    }

    fn count(&mut self, now: Timestamp) -> usize {
        while self.0.front().is_some_and(|at| *at + DAY <= now) {
            self.0.pop_front();
        }
        self.0.len()
    }

    /// How long until there are fewer than `cap`; zero where there are.
    fn full_for(&mut self, cap: u32, now: Timestamp) -> Duration {
        let cap = usize::try_from(cap).unwrap_or(usize::MAX);
        let n = self.count(now);
        let Some(idx) = n.checked_sub(cap) else {
            return Duration::ZERO;
        };
        self.0.get(idx).map_or(DAY, |at| (*at + DAY).since(now))
    }
}

/// A message that waits: due, place, step, organisation, whether it was late. The order is that of the claim.
type Waiting = (Timestamp, i64, u32, Option<u32>, bool);

/// A campaign of the play.
struct Campaign<'a> {
    side: &'a CampaignSide,
    zone: Option<TimeZone>,
    tries: Tries,
    /// What its schedule said last, and from when to when that holds.
    said: Option<(Timestamp, Timestamp, Gate)>,
    /// Its messages that have not left; those that are not planned yet are not among them.
    n_left: u64,
}

impl Campaign<'_> {
    fn schedule(&self) -> Option<(&Schedule, &TimeZone)> {
        self.side.sending.schedule.as_ref().zip(self.zone.as_ref())
    }

    /// Whether its windows are open, asked of the schedule once for each of them.
    fn gate(&mut self, now: Timestamp) -> Gate {
        let forever = Timestamp::from_ms(i64::MAX);
        if let Some((from, until, said)) = self.said
            && from <= now
            && now < until
        {
            return said;
        }
        let Some((schedule, zone)) = self.schedule() else {
            return Gate::Open { until: forever };
        };
        let said = gate(schedule, zone, now);
        let until = match said {
            Gate::Open { until } => until,
            Gate::Closed { opens_at } => opens_at.unwrap_or(forever),
        };
        self.said = Some((now, until, said));
        said
    }

    /// How long its cap is used up, and whether that is the one under which it catches up.
    fn full_for(&mut self, now: Timestamp) -> (Duration, bool) {
        let by_cap = match self.side.sending.daily_cap {
            Some(cap) => self.tries.full_for(cap, now),
            None => Duration::ZERO,
        };
        let catching_up = match self.side.catch_up {
            Some((cap, until)) if now < until => {
                self.tries.full_for(cap, now).min(until.since(now))
            }
            _ => Duration::ZERO,
        };
        (by_cap.max(catching_up), catching_up > by_cap)
    }

    /// What of it is shut, and until when; `None` where nothing is. Of two, the one that opens last.
    fn shut(&mut self, now: Timestamp) -> Option<(Limit, Option<Timestamp>)> {
        let (full_for, is_catching_up) = self.full_for(now);
        let by_cap = if is_catching_up {
            Limit::CatchUp
        } else {
            Limit::CampaignCap
        };
        let full_until = now + full_for;
        match self.gate(now) {
            Gate::Open { .. } if full_for.is_zero() => None,
            Gate::Open { .. } => Some((by_cap, Some(full_until))),
            Gate::Closed { opens_at } if opens_at.is_some_and(|at| at < full_until) => {
                Some((by_cap, Some(full_until)))
            }
            Gate::Closed { opens_at } => Some((Limit::Schedule, opens_at)),
        }
    }
}

/// A campaign at an inbox in the play.
struct Pair<'a> {
    side: &'a PairSide,
    queue: Queue,
    n_firsts_taken: u64,
    /// First messages that waited for something else, by their places.
    returned: BinaryHeap<Reverse<(i64, Option<u32>)>>,
    follow_ups: BinaryHeap<Reverse<Waiting>>,
    /// What waits for its organisation, in the order in which it comes back: follow-ups first.
    parked: BTreeMap<u32, BinaryHeap<Reverse<(bool, Waiting)>>>,
    /// When an organisation is looked at again.
    rooms: BinaryHeap<Reverse<(Timestamp, u32)>>,
}

impl Pair<'_> {
    fn n_firsts(&self) -> u64 {
        let n = match &self.side.firsts {
            Firsts::Count(n) => *n,
            Firsts::To(domains) => domains.len() as u64,
        };
        n - self.n_firsts_taken + self.returned.len() as u64
    }

    /// Whether something of it may leave by itself.
    fn is_due(&self, now: Timestamp) -> bool {
        self.n_firsts() > 0 || self.follow_up_due().is_some_and(|due| due <= now)
    }

    fn follow_up_due(&self) -> Option<Timestamp> {
        self.follow_ups.peek().map(|Reverse((due, ..))| *due)
    }

    /// Takes the first message to the lead that stands first.
    fn take_first(&mut self, now: Timestamp) -> Option<Waiting> {
        // Who was passed over stood before all that were not.
        if let Some(Reverse((place, domain))) = self.returned.pop() {
            return Some((now, place, 1, domain, false));
        }
        let idx = self.n_firsts_taken;
        let domain = match &self.side.firsts {
            Firsts::Count(n) if idx < *n => None,
            Firsts::Count(_) => return None,
            Firsts::To(domains) => Some(*domains.get(usize::try_from(idx).ok()?)?),
        };
        self.n_firsts_taken += 1;
        let place = i64::try_from(idx).unwrap_or(i64::MAX);
        Some((now, place, 1, domain, false))
    }
}

/// An inbox of the play.
struct Inbox<'a> {
    side: &'a InboxSide,
    budgets: Budgets,
    tries: Tries,
    /// When its last try was by what relays have lived, and whose it was.
    lived_at: Timestamp,
    last_campaign: Option<usize>,
    come: (Duration, Option<Timestamp>),
    served: i64,
    pairs: Vec<usize>,
}

struct Play<'a> {
    begun_at: Timestamp,
    asked_idx: usize,
    inboxes: Vec<Inbox<'a>>,
    campaigns: Vec<Campaign<'a>>,
    pairs: Vec<Pair<'a>>,
    domains: Vec<Tries>,
    organisations: Vec<Tries>,
    /// When each inbox is looked at next.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

/// What became of a look at an inbox.
enum Turned {
    /// A message left.
    Left(Leaves),
    /// Nothing does before.
    Waits {
        until: Timestamp,
        /// What keeps the campaign back that was asked for, where something of it is due.
        by: Option<Limit>,
    },
    /// Nothing does any more.
    Over,
}

impl<'a> Play<'a> {
    fn new(snapshot: &'a Snapshot, asked_idx: usize) -> Self {
        let mut campaigns: Vec<Campaign<'a>> = snapshot
            .campaigns
            .iter()
            .map(|side| Campaign {
                side,
                zone: side
                    .sending
                    .schedule
                    .as_ref()
                    .and_then(|it| find_zone(&it.zone)),
                tries: Tries::new(&side.tries),
                said: None,
                n_left: 0,
            })
            .collect();
        let mut pairs = Vec::with_capacity(snapshot.pairs.len());
        for side in &snapshot.pairs {
            let mut pair = Pair {
                side,
                queue: side.queue,
                n_firsts_taken: 0,
                returned: BinaryHeap::new(),
                follow_ups: BinaryHeap::new(),
                parked: BTreeMap::new(),
                rooms: BinaryHeap::new(),
            };
            for one in &side.waiting {
                let is_late = one.step > 1 && one.due_at <= snapshot.at;
                let waiting = (one.due_at, one.place, one.step, one.domain, is_late);
                if one.step == 1 && one.due_at <= snapshot.at {
                    pair.returned.push(Reverse((one.place, one.domain)));
                } else {
                    pair.follow_ups.push(Reverse(waiting));
                }
            }
            if let Some(campaign) = campaigns.get_mut(side.campaign_idx) {
                campaign.n_left += pair.n_firsts() + pair.follow_ups.len() as u64;
            }
            pairs.push(pair);
        }
        let n_organisations = snapshot
            .inboxes
            .iter()
            .map(|side| side.organisation_idx + 1);
        let mut organisations = vec![Tries::default(); n_organisations.max().unwrap_or(0)];
        for side in &snapshot.inboxes {
            if let Some(tries) = organisations.get_mut(side.organisation_idx) {
                let mut all: Vec<Timestamp> = tries
                    .0
                    .iter()
                    .copied()
                    .chain(side.tries.iter().copied())
                    .collect();
                if tries.0.is_empty() {
                    all.extend(&side.of_organisation);
                }
                all.sort();
                *tries = Tries(all.into());
            }
        }
        let inboxes = snapshot.inboxes.iter().enumerate().map(|(idx, side)| {
            let passed = side
                .budgets
                .last_try
                .map_or(Duration::ZERO, |last| last.passed);
            Inbox {
                side,
                budgets: side.budgets.clone(),
                tries: Tries::new(&side.tries),
                lived_at: snapshot.at - passed,
                last_campaign: None,
                come: side
                    .ramp
                    .map_or((Duration::ZERO, None), |ramp| (ramp.come, ramp.at)),
                served: side.served,
                pairs: snapshot
                    .pairs
                    .iter()
                    .enumerate()
                    .filter(|(_, pair)| pair.inbox_idx == idx)
                    .map(|(pair_idx, _)| pair_idx)
                    .collect(),
            }
        });
        Self {
            begun_at: snapshot.at,
            asked_idx,
            inboxes: inboxes.collect(),
            campaigns,
            pairs,
            domains: snapshot
                .domains
                .iter()
                .map(|tries| Tries::new(tries))
                .collect(),
            organisations,
            next: (0..snapshot.inboxes.len())
                .map(|idx| Reverse((snapshot.at, idx)))
                .collect(),
        }
    }

    /// Messages of the campaign that was asked for which have not left.
    fn n_left(&self) -> u64 {
        self.campaigns
            .get(self.asked_idx)
            .map_or(0, |campaign| campaign.n_left)
    }

    fn inbox_distance(&self, inbox_idx: usize) -> Duration {
        self.inboxes
            .get(inbox_idx)
            .map_or(Duration::ZERO, |inbox| inbox.budgets.budget.distance)
    }

    /// Lets an inbox send what it may at `now`, or finds when it may.
    fn turn(&mut self, inbox_idx: usize, now: Timestamp) -> Turned {
        self.unpark(inbox_idx, now);
        let Some((pace, is_ramp)) = self.ask_pace(inbox_idx, now) else {
            return Turned::Over;
        };
        if let Pace::NotBefore { at, by } = pace {
            let by = self.find_limit(inbox_idx, now, |inbox| match by {
                HeldBy::OrganisationCap => Limit::OrganisationCap,
                HeldBy::DailyCap if is_ramp => Limit::Ramp,
                HeldBy::DailyCap => Limit::InboxCap,
                HeldBy::Distance | HeldBy::Copies => {
                    let is_others = inbox
                        .last_campaign
                        .is_some_and(|idx| idx != inbox.asked_idx);
                    if is_others {
                        Limit::OtherCampaigns
                    } else {
                        Limit::Distance
                    }
                }
            });
            return Turned::Waits { until: at, by };
        }
        while let Some((pair_idx, message)) = self.take(inbox_idx, now) {
            if let Some(leaves) = self.leave(inbox_idx, pair_idx, message, now) {
                return Turned::Left(leaves);
            }
        }
        let Some(until) = self.find_next(inbox_idx, now) else {
            return Turned::Over;
        };
        let by = self.find_limit(inbox_idx, now, |_| Limit::DomainCap);
        Turned::Waits { until, by }
    }

    /// Whether an inbox may try something, and whether its cap is that of its ramp.
    fn ask_pace(&mut self, inbox_idx: usize, now: Timestamp) -> Option<(Pace, bool)> {
        let inbox = self.inboxes.get_mut(inbox_idx)?;
        let budgets = &mut inbox.budgets;
        if let Some(last) = &mut budgets.last_try {
            last.passed = now.since(inbox.lived_at);
        }
        budgets.is_at_half_pace &= now < self.begun_at + HALF_PACE_FOR;
        let ramp_cap = inbox
            .side
            .ramp
            .map(|side| side.ramp.cap(come(inbox.side, inbox.come, now)));
        let own_cap = budgets.budget.daily_cap;
        let cap = [own_cap, ramp_cap].into_iter().flatten().min();
        budgets.full_for = cap.map_or(Duration::ZERO, |cap| inbox.tries.full_for(cap, now));
        let organisation = self.organisations.get_mut(inbox.side.organisation_idx);
        budgets.organisation_full_for = match (budgets.organisation_daily_cap, organisation) {
            (Some(cap), Some(tries)) => tries.full_for(cap, now),
            _ => Duration::ZERO,
        };
        let is_ramp = ramp_cap.is_some_and(|ramp| own_cap.is_none_or(|own| ramp < own));
        Some((pace(budgets, now), is_ramp))
    }

    /// What keeps the campaign back that was asked for, where something of it is due at this inbox: what of its own is
    /// shut, else what `otherwise` says.
    fn find_limit(
        &mut self,
        inbox_idx: usize,
        now: Timestamp,
        otherwise: impl FnOnce(&Held) -> Limit,
    ) -> Option<Limit> {
        let inbox = self.inboxes.get(inbox_idx)?;
        let held = Held {
            last_campaign: inbox.last_campaign,
            asked_idx: self.asked_idx,
        };
        let mut own = inbox.pairs.iter().filter_map(|idx| self.pairs.get(*idx));
        let pair = own.find(|pair| pair.side.campaign_idx == self.asked_idx)?;
        if !pair.is_due(now) {
            return (!pair.parked.is_empty()).then_some(Limit::DomainCap);
        }
        let shut = self.campaigns.get_mut(self.asked_idx)?.shut(now);
        Some(shut.map_or_else(|| otherwise(&held), |(by, _)| by))
    }

    /// Takes the message whose turn it is.
    fn take(&mut self, inbox_idx: usize, now: Timestamp) -> Option<(usize, Waiting)> {
        let inbox = self.inboxes.get_mut(inbox_idx)?;
        let mut queues = Vec::with_capacity(inbox.pairs.len());
        for idx in &inbox.pairs {
            let pair = self.pairs.get(*idx)?;
            let campaign = self.campaigns.get_mut(pair.side.campaign_idx)?;
            let may_send = pair.is_due(now) && campaign.shut(now).is_none();
            queues.push(Queue {
                has_follow_up: may_send && pair.follow_up_due().is_some_and(|due| due <= now),
                has_first: may_send && pair.n_firsts() > 0,
                ..pair.queue
            });
        }
        let turn = take_turn(&mut queues, inbox.served);
        for (idx, queue) in inbox.pairs.iter().zip(&queues) {
            self.pairs.get_mut(*idx)?.queue = *queue;
        }
        let turn = turn?;
        inbox.served = turn.served;
        let pair_idx = *inbox.pairs.get(turn.queue_idx)?;
        let pair = self.pairs.get_mut(pair_idx)?;
        let message = match turn.class {
            Class::FollowUp => pair.follow_ups.pop().map(|Reverse(waiting)| waiting),
            Class::First => pair.take_first(now),
        };
        Some((pair_idx, message?))
    }

    /// Lets a message leave; `None` where it waits for its organisation instead.
    fn leave(
        &mut self,
        inbox_idx: usize,
        pair_idx: usize,
        message: Waiting,
        now: Timestamp,
    ) -> Option<Leaves> {
        let pair = self.pairs.get_mut(pair_idx)?;
        let campaign = self.campaigns.get_mut(pair.side.campaign_idx)?;
        let (_, place, step, domain, is_late) = message;
        let tries = domain.and_then(|idx| self.domains.get_mut(usize::try_from(idx).ok()?));
        if let (Some(tries), Some(idx)) = (tries, domain) {
            if let Some(cap) = campaign.side.sending.domain_daily_cap {
                let full_for = tries.full_for(cap, now);
                if !full_for.is_zero() {
                    let parked = pair.parked.entry(idx).or_default();
                    if parked.is_empty() {
                        pair.rooms.push(Reverse((now + full_for, idx)));
                    }
                    parked.push(Reverse((step == 1, message)));
                    return None;
                }
            }
            tries.0.push_back(now);
        }
        campaign.n_left -= 1;
        campaign.tries.count(now);
        campaign.tries.0.push_back(now);
        let step_idx = usize::try_from(step).unwrap_or(usize::MAX);
        if let Some(wait_ms) = campaign.side.waits_ms.get(step_idx) {
            let wait = match &campaign.zone {
                Some(zone) => wait_from(zone, now, *wait_ms),
                None => Duration::from_millis(*wait_ms),
            };
            let next = (now + wait, place, step + 1, domain, false);
            pair.follow_ups.push(Reverse(next));
            campaign.n_left += 1;
        }
        let campaign_idx = pair.side.campaign_idx;
        let inbox = self.inboxes.get_mut(inbox_idx)?;
        inbox.come = (come(inbox.side, inbox.come, now), Some(now));
        inbox.tries.count(now);
        inbox.tries.0.push_back(now);
        inbox.lived_at = now;
        inbox.last_campaign = Some(campaign_idx);
        inbox.budgets.last_try = Some(LastTry {
            at: now,
            passed: Duration::ZERO,
        });
        if let Some(tries) = self.organisations.get_mut(inbox.side.organisation_idx) {
            tries.count(now);
            tries.0.push_back(now);
        }
        Some(Leaves {
            at: now,
            inbox_idx,
            campaign_idx,
            step,
            domain,
            is_late,
        })
    }

    /// Lets what waits for an organisation with room wait for its turn again, as many as fit.
    fn unpark(&mut self, inbox_idx: usize, now: Timestamp) {
        let Some(inbox) = self.inboxes.get(inbox_idx) else {
            return;
        };
        for pair_idx in &inbox.pairs {
            let Some(pair) = self.pairs.get_mut(*pair_idx) else {
                continue;
            };
            let campaign = self.campaigns.get(pair.side.campaign_idx);
            let cap = campaign.and_then(|campaign| campaign.side.sending.domain_daily_cap);
            while let Some(Reverse((at, idx))) = pair.rooms.peek().copied()
                && at <= now
            {
                pair.rooms.pop();
                let tries = self
                    .domains
                    .get_mut(usize::try_from(idx).unwrap_or(usize::MAX));
                let (Some(tries), Some(cap)) = (tries, cap) else {
                    continue;
                };
                let n_tried = u32::try_from(tries.count(now)).unwrap_or(u32::MAX);
                let Some(parked) = pair.parked.get_mut(&idx) else {
                    continue;
                };
                for _ in 0..cap.saturating_sub(n_tried) {
                    let Some(Reverse((is_first, waiting))) = parked.pop() else {
                        break;
                    };
                    if is_first {
                        pair.returned.push(Reverse((waiting.1, waiting.3)));
                    } else {
                        pair.follow_ups.push(Reverse(waiting));
                    }
                }
                if parked.is_empty() {
                    pair.parked.remove(&idx);
                } else {
                    // Those that fit use the room up; the others wait for the oldest try to be a day old.
                    let wait = match tries.full_for(cap, now) {
                        Duration::ZERO => tries.full_for(1, now),
                        full_for => full_for,
                    };
                    let wait = if wait.is_zero() { DAY } else { wait };
                    pair.rooms.push(Reverse((now + wait, idx)));
                }
            }
        }
    }

    /// When something of an inbox may leave next, behind `now`; `None`: nothing any more.
    fn find_next(&mut self, inbox_idx: usize, now: Timestamp) -> Option<Timestamp> {
        let inbox = self.inboxes.get(inbox_idx)?;
        let mut next: Option<Timestamp> = None;
        for pair_idx in &inbox.pairs {
            let pair = self.pairs.get(*pair_idx)?;
            let campaign = self.campaigns.get_mut(pair.side.campaign_idx)?;
            let due_at = match pair.n_firsts() {
                0 => pair.follow_up_due(),
                _ => Some(now),
            };
            let opens_at = due_at.and_then(|due| {
                let at = due.max(now);
                let at = at.max(now + campaign.full_for(now).0);
                campaign.gate(at).next(at)
            });
            let room_at = pair.rooms.peek().map(|Reverse((at, _))| *at);
            next = [next, opens_at, room_at].into_iter().flatten().min();
        }
        // Never the same instant again.
        next.map(|at| at.max(now + Duration::from_millis(1)))
    }
}

/// What a limit may depend on.
struct Held {
    last_campaign: Option<usize>,
    asked_idx: usize,
}

/// How far the ramp of an inbox has come at `now`.
fn come(side: &InboxSide, (before, at): (Duration, Option<Timestamp>), now: Timestamp) -> Duration {
    match (side.ramp, at) {
        (Some(ramp), Some(at)) => {
            ramp.ramp
                .come(before, now.since(at), side.budgets.budget.daily_cap)
        }
        // It begins with its first message.
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests;
