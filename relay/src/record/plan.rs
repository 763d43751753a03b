//! What a forecast begins with: one moment of the ledger, as far as it decides when messages leave.

use std::time::Duration;

use protocol::budget::Ramp;
use protocol::id::{CampaignId, InboxId};
use protocol::timestamp::Timestamp;

use super::{Budgets, Queue, Sending};

/// One moment, with all that shares its inboxes with the campaign that is asked for.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// The inboxes of the campaign.
    pub inboxes: Vec<InboxSide>,
    /// The campaign, and the others that send through these inboxes.
    pub campaigns: Vec<CampaignSide>,
    /// Which campaign at which inbox.
    pub pairs: Vec<PairSide>,
    /// Tries of the last day at each recipient's organisation, oldest first. Without caps of organisations there is none.
    pub domains: Vec<Vec<Timestamp>>,
}

/// An inbox, and what it has tried.
#[derive(Clone, Debug)]
pub struct InboxSide {
    /// How fast it may send; what of it counts tries is counted anew.
    pub budgets: Budgets,
    /// Its ramp as it was at its last try, and when that was; `None` where it has none.
    pub ramp: Option<RampSide>,
    /// The last turn that was taken.
    pub served: i64,
    /// Its tries of the last day, oldest first.
    pub tries: Vec<Timestamp>,
    /// Tries of the last day of other inboxes of its organisation, oldest first.
    pub of_organisation: Vec<Timestamp>,
    /// Inboxes of one organisation have the same.
    pub organisation_idx: usize,
    /// Whether it can send now.
    pub can_send: bool,
}

impl InboxSide {
    /// Its id.
    pub fn id(&self) -> &InboxId {
        &self.budgets.inbox
    }
}

/// A ramp and how far it had come.
#[derive(Clone, Copy, Debug)]
pub struct RampSide {
    /// The ramp.
    pub ramp: Ramp,
    /// How far it had come.
    pub come: Duration,
    /// When; `None` before its first message.
    pub at: Option<Timestamp>,
}

/// A campaign.
#[derive(Clone, Debug)]
pub struct CampaignSide {
    /// Which.
    pub id: CampaignId,
    /// The wait before each step, in milliseconds.
    pub waits_ms: Vec<u64>,
    /// When it may send.
    pub sending: Sending,
    /// While it catches up after an outage: the cap of a day, and until when.
    pub catch_up: Option<(u32, Timestamp)>,
    /// Whether it waits for a person after an outage.
    pub waits: bool,
    /// Its tries of the last day, oldest first.
    pub tries: Vec<Timestamp>,
    /// Its messages whose fate is not known.
    pub n_unknown: u64,
}

/// A campaign at an inbox.
#[derive(Clone, Debug)]
pub struct PairSide {
    /// The inbox, by its place.
    pub inbox_idx: usize,
    /// The campaign, by its place.
    pub campaign_idx: usize,
    /// Its turns.
    pub queue: Queue,
    /// First messages that wait for their turn.
    pub firsts: Firsts,
    /// What is planned or rests otherwise, in any order.
    pub waiting: Vec<Planned>,
}

/// First messages in the order of the list.
#[derive(Clone, Debug)]
pub enum Firsts {
    /// So many.
    Count(u64),
    /// To these recipients' organisations, by their places.
    To(Vec<u32>),
}

/// A message that is not in the order of the list.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// When it may leave by itself; it may lie in the past.
    pub due_at: Timestamp,
    /// Its lead's place in the list.
    pub place: i64,
    /// Its step, from 1.
    pub step: u32,
    /// Its recipient's organisation, by its place; `None` where no cap asks for it.
    pub domain: Option<u32>,
}
