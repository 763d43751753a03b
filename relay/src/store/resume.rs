//! The one transaction that lets campaigns go on: their clocks run again, receipt written.

use protocol::alert::What;
use protocol::campaign::{Event as CampaignEvent, State as CampaignState};
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::{ReceiptId, ReconnectId};
use protocol::receipt::Receipt;
use protocol::reconnect::Event;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::clocks::{Of, update_clocks};
use super::lead::SLICE;
use super::receipt::Writing;
use super::{Store, StoreError, alert, campaign, catch_up, held, receipt, reconnect};
use crate::secret::random_text;

/// The outage that a reconnect ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Why the inbox was lost.
    pub cause: Cause,
    /// When the first failure was met; `None` when there was none: the inbox worked, or is new.
    pub since: Option<Timestamp>,
}

impl Outage {
    /// The outage that this connection is in.
    pub fn of(connection: &Connection) -> Self {
        match connection {
            Connection::Connected { .. } => Self {
                cause: Cause::Unrecognised,
                since: None,
            },
            Connection::Suspect {
                evidence, since, ..
            } => Self {
                cause: protocol::cause::classify(evidence),
                since: Some(*since),
            },
            Connection::Disconnected {
                cause: Cause::NeverConnected,
                ..
            } => Self {
                cause: Cause::NeverConnected,
                since: None,
            },
            Connection::Disconnected { cause, since, .. } => Self {
                cause: *cause,
                since: Some(*since),
            },
        }
    }
}

impl Store {
    /// Lets an inbox's campaigns go on after its gap was read, exactly once: its clocks, which stood in the outage, and
    /// its campaigns run again, and the receipt says what became of what was held. Where that is much, its lines are
    /// written in slices before; nothing of them is sent meanwhile, since the clocks stand.
    pub async fn resume(
        &self,
        id: &ReconnectId,
        now: Timestamp,
    ) -> Result<(Receipt, reconnect::Changed), StoreError> {
        let moment = self.moment(now);
        let mut receipt = ReceiptId::new(format!("{}{}", ReceiptId::PREFIX, random_text()));
        let mut tx = self.begin().await?;
        let reconnect = reconnect::load(&mut tx, id).await?;
        // Refused before anything is written, where it cannot be resumed.
        let outage = outage_of(&reconnect, &receipt, now)?;
        let (lost, held) = held::load(&mut tx, &reconnect.inbox, &outage, now).await?;
        let is_much = held.total() > SLICE as u64;
        if is_much {
            tx.commit().await?;
            receipt = self
                .open_receipt(&receipt, id, &reconnect.inbox, now)
                .await?;
            tx = self.begin().await?;
        }
        let (lost_at, campaigns) = (lost.at, lost.stops.clone());
        let stood: Vec<_> = campaigns
            .iter()
            .map(|stop| (stop.campaign.clone(), now.since(lost.from(stop))))
            .collect();
        let mut writing = Writing::new(receipt.clone(), lost, now);
        while is_much && writing.write_slice(&mut tx).await? {
            tx.commit().await?;
            tx = self.begin().await?;
        }
        let event = Event::GapRead {
            receipt: receipt.clone(),
            at: now,
        };
        let changed = reconnect::apply(&mut tx, id, event, reconnect::Put::default()).await?;
        let mut receipt = Receipt {
            id: receipt,
            reconnect: id.clone(),
            inbox: reconnect.inbox,
            campaigns: campaigns.iter().map(|stop| stop.campaign.clone()).collect(),
            cause: outage.cause,
            lost_at,
            resumed_at: now,
            shifted_by_ms: u64::try_from(now.since(lost_at).as_millis()).unwrap_or(u64::MAX),
            held: 0,
            to_send: 0,
            skipped: 0,
            in_doubt: 0,
            lines: Vec::new(),
        };
        if !is_much {
            // Its lines name it.
            receipt::put(&mut tx, &receipt).await?;
            while writing.write_slice(&mut tx).await? {}
        }
        let written = writing.written();
        receipt.held = written.total();
        receipt.to_send = written.to_send;
        receipt.skipped = written.skipped;
        receipt.in_doubt = written.in_doubt;
        receipt::put(&mut tx, &receipt).await?;
        for stop in &campaigns {
            if let CampaignState::Paused { .. } = stop.status {
                let id = &stop.campaign;
                campaign::apply(&mut tx, id, CampaignEvent::Reconnected, moment).await?;
                campaign::finish_if_done(&mut tx, id, moment).await?;
            }
        }
        if receipt.to_send > 0 {
            for (campaign, stood) in &stood {
                catch_up::begin(&mut tx, campaign, *stood, moment).await?;
            }
        }
        sqlx::query("UPDATE inboxes SET gap_open = 0 WHERE id = $1")
            .bind(receipt.inbox.to_string())
            .execute(&mut *tx)
            .await?;
        update_clocks(&mut tx, Of::Inbox(&receipt.inbox), moment).await?;
        if let Some(since) = outage.since
            && alert::was_told(&mut tx, &receipt.inbox, since, now).await?
        {
            let what = What::Resumed {
                since,
                held: receipt.held,
                to_send: receipt.to_send,
                skipped: receipt.skipped,
                in_doubt: receipt.in_doubt,
            };
            alert::tell_of_inbox(&mut tx, &receipt.inbox, what, now).await?;
        }
        tx.commit().await?;
        Ok((receipt, changed))
    }
}

/// The outage that a reconnect ends, as it was noted when what was handed over was adopted.
fn outage_of(
    reconnect: &reconnect::Reconnect,
    receipt: &ReceiptId,
    now: Timestamp,
) -> Result<Outage, StoreError> {
    let event = Event::GapRead {
        receipt: receipt.clone(),
        at: now,
    };
    let resumed = reconnect.state.clone().apply(event);
    resumed.map_err(reconnect::Refusal::from)?;
    serde_json::from_str(reconnect.payload.as_deref().unwrap_or_default())
        .map_err(|_| StoreError::Corrupt { what: "outage" })
}
