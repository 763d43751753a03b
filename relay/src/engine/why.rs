//! What each message of a campaign waits for, from what the claim itself asks: its gates, its pace, its turn.

use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use protocol::why::{Gate, Waiting};

use crate::record::{Facts, Pace, Shut, ShutBy, Stands};
use crate::schedule::{find_zone, gate};

/// What is known of an inbox of a campaign beside its ledger.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Whether it may try a message now, as [`super::pace::pace`] says.
    pub pace: Pace,
    /// Until when copies of what was sent before may come; `None` where none may.
    pub copies_until: Option<Timestamp>,
    /// Until when it rests after a failure; `None` where it does not, or nobody knows.
    pub rests_until: Option<Timestamp>,
    /// Whether another relay works on the ledger.
    pub is_shared: bool,
}

/// What the messages of a running campaign at one of its inboxes wait for, each of them once.
pub fn explain(facts: &Facts, around: &Around, now: Timestamp) -> Vec<Waiting> {
    let inbox = &facts.inbox;
    let mut all = vec![
        waiting(Gate::Attempting, facts.n_attempting, None, inbox),
        waiting(Gate::InDoubt, facts.n_in_doubt, None, inbox),
        waiting(Gate::Unsettled, facts.n_unsettled, None, inbox),
        waiting(Gate::StepBefore, facts.n_behind, None, inbox),
        waiting(Gate::NotDue, facts.n_not_due, facts.due_at, inbox),
        waiting(Gate::LeadRests, facts.n_resting, facts.rested_at, inbox),
        waiting(Gate::Held, facts.n_held, None, inbox),
        waiting(Gate::Away, facts.n_away, facts.back_at, inbox),
    ];
    all.extend(facts.domains.iter().map(|(domain, n, until)| Waiting {
        domain: Some(domain.clone()),
        ..waiting(Gate::DomainCap, *n, *until, inbox)
    }));
    let (gate, until) = hold_due(facts, around, now);
    all.push(waiting(gate, facts.n_due, until, inbox));
    all.retain(|one| one.n > 0);
    all
}

/// When a message of a campaign may leave through this inbox at the earliest, as things stand; `None` where that is
/// nobody's to say, or nothing waits.
pub fn find_next(facts: &Facts, around: &Around, now: Timestamp) -> Option<Timestamp> {
    let waits_for_a_person = Some(Shut {
        by: ShutBy::CatchUp,
        until: None,
    });
    if around.is_shared || facts.shut == waits_for_a_person {
        return None;
    }
    let starts_at = match facts.stands {
        None => now,
        Some(Stands::Rests) => around.rests_until?.max(now),
        Some(Stands::Refused { until }) => until?.max(now),
        // What arrived counts as read once copies have had their time.
        Some(Stands::Unread) => around.copies_until?.max(now),
        Some(Stands::Lost | Stands::Suspect) => return None,
    };
    let due_at = facts.due_in.map(|wait| starts_at + wait);
    let rooms = facts.domains.iter().filter_map(|(_, _, until)| *until);
    let at = due_at
        .into_iter()
        .chain(facts.rested_at)
        .chain(facts.back_at)
        .chain(rooms)
        .min()?
        .max(starts_at);
    let at = [
        around.copies_until,
        around.pace.until(),
        facts.blocked_until,
        facts.full_until,
    ]
    .into_iter()
    .flatten()
    .fold(at, Timestamp::max);
    let Some(schedule) = &facts.schedule else {
        return Some(at);
    };
    gate(schedule, &find_zone(&schedule.zone)?, at).next(at)
}

/// What keeps back all that is due, and until when.
fn hold_due(facts: &Facts, around: &Around, now: Timestamp) -> (Gate, Option<Timestamp>) {
    if around.is_shared {
        return (Gate::AnotherRelay, None);
    }
    match facts.stands {
        Some(Stands::Lost) => return (Gate::InboxLost, None),
        Some(Stands::Suspect) => return (Gate::InboxSuspect, None),
        Some(Stands::Unread) => {
            let copies = around.copies_until.map(|until| (Gate::Copies, Some(until)));
            return copies.unwrap_or((Gate::InboxUnread, None));
        }
        Some(Stands::Rests) => return (Gate::InboxRests, around.rests_until),
        Some(Stands::Refused { until }) => return (Gate::InboxRefused, until),
        None => {}
    }
    if let Some(until) = facts.blocked_until.filter(|until| *until > now) {
        return (Gate::Doubts, Some(until));
    }
    if let Some(shut) = facts.shut {
        let gate = match shut.by {
            ShutBy::Schedule => Gate::Schedule,
            ShutBy::Cap => Gate::CampaignCap,
            ShutBy::CatchUp => Gate::CatchUp,
        };
        return (gate, shut.until);
    }
    if let Some(until) = around.copies_until.filter(|until| *until > now) {
        return (Gate::Copies, Some(until));
    }
    match around.pace {
        Pace::Go => (Gate::Turn, None),
        Pace::NotBefore { at, by } => {
            let gate = match by {
                protocol::budget::HeldBy::Distance => Gate::Distance,
                protocol::budget::HeldBy::DailyCap => Gate::InboxCap,
                protocol::budget::HeldBy::OrganisationCap => Gate::OrganisationCap,
                protocol::budget::HeldBy::Copies => Gate::Copies,
            };
            (gate, Some(at))
        }
    }
}

fn waiting(gate: Gate, n: u64, until: Option<Timestamp>, inbox: &InboxId) -> Waiting {
    Waiting {
        gate,
        n,
        until,
        inbox_id: Some(inbox.clone()),
        domain: None,
    }
}
