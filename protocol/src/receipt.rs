//! The ledger of one resume: what was held, what will be sent, what was not and why.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::delivery::Suppression;
use crate::id::{CampaignId, DeliveryId, InboxId, LeadId, ReceiptId, ReconnectId};
use crate::timestamp::Timestamp;

pub mod document;

/// The proof of one resume. `held == to_send + skipped + in_doubt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// Its name.
    pub id: ReceiptId,
    /// The reconnect that ended the outage.
    pub reconnect: ReconnectId,
    /// The inbox.
    pub inbox: InboxId,
    /// The campaigns that went on.
    pub campaigns: Vec<CampaignId>,
    /// Why the inbox had been lost.
    pub cause: Cause,
    /// When the first failure was met.
    pub lost_at: Timestamp,
    /// When the campaigns went on.
    pub resumed_at: Timestamp,
    /// Milliseconds by which the waits were shifted.
    pub shifted_by_ms: u64,
    /// Deliveries that would have left between the loss and the resume, each once; where the inbox keeps a distance
    /// between its messages, as many as fit into that time.
    pub held: u64,
    /// Of those, still to be sent.
    pub to_send: u64,
    /// Of those, not to be sent any more: answered, bounced or stopped by a person meanwhile.
    pub skipped: u64,
    /// Of those, neither: their fate is being settled.
    pub in_doubt: u64,
    /// The first of the lines, 100 at the most; there is one for each delivery that was held.
    pub lines: Vec<Line>,
}

/// One delivery in a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Line {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The lead.
    pub lead: LeadId,
    /// The step, from 1.
    pub step: u32,
    /// What became of it.
    pub fate: Fate,
}

/// What a resume did with a delivery that was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// It will be sent.
    Shifted {
        /// When it was due.
        was_due_at: Timestamp,
        /// When it is due now.
        due_at: Timestamp,
    },
    /// It will not be sent.
    Skipped {
        /// Why.
        why: Suppression,
    },
    /// Its fate is being settled.
    InDoubt,
}
