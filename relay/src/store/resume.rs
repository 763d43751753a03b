//! The one transaction that lets campaigns go on: their clocks run again, receipt written.

use protocol::campaign::{Event as CampaignEvent, PausedBy, State as CampaignState};
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::delivery::State as DeliveryState;
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId, ReceiptId, ReconnectId};
use protocol::reading::Reading;
use protocol::receipt::{Fate, Line, Receipt};
use protocol::reconnect::Event;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::clocks::{Moment, Of, load_clock, settle_clocks};
use super::{Store, StoreError, campaign, delivery, json, reconnect, small, text, to_json};
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
    /// its campaigns run again, and the receipt says what became of everything.
    pub async fn resume(
        &self,
        id: &ReconnectId,
        now: Timestamp,
    ) -> Result<(Receipt, reconnect::Changed), StoreError> {
        let mut tx = self.writer.begin().await?;
        let receipt = ReceiptId::new(format!("{}{}", ReceiptId::PREFIX, random_text()));
        let event = Event::GapRead {
            receipt: receipt.clone(),
            at: now,
        };
        let changed = reconnect::apply(&mut tx, id, event, reconnect::Put::default()).await?;
        let reconnect = &changed.before;
        let outage: Outage = serde_json::from_str(reconnect.payload.as_deref().unwrap_or_default())
            .map_err(|_| StoreError::Corrupt { what: "outage" })?;
        let campaigns = list_campaigns_of(&mut tx, &reconnect.inbox).await?;
        let moment = self.moment(now);
        // A campaign may have waited for longer than the last failure: an earlier reconnect that did not
        // last did not let it go on.
        let paused = campaigns.iter().filter_map(|(_, status)| match status {
            CampaignState::Paused { since, .. } => Some(*since),
            _ => None,
        });
        let lost_at = paused.chain(outage.since).min().unwrap_or(now);
        let shift = now.since(lost_at);
        let mut lines = Vec::new();
        for (campaign, status) in &campaigns {
            let outage = (lost_at, moment);
            lines.extend(list_lines(&mut tx, &reconnect.inbox, campaign, outage).await?);
            if let CampaignState::Paused { .. } = status {
                campaign::apply(&mut tx, campaign, CampaignEvent::Reconnected, moment).await?;
                campaign::finish_if_done(&mut tx, campaign, moment).await?;
            }
        }
        let count = |wanted: fn(&Fate) -> bool| {
            lines.iter().filter(|line| wanted(&line.fate)).count() as u64
        };
        let receipt = Receipt {
            id: receipt,
            reconnect: id.clone(),
            inbox: reconnect.inbox.clone(),
            campaigns: campaigns
                .into_iter()
                .map(|(campaign, _)| campaign)
                .collect(),
            cause: outage.cause,
            lost_at,
            resumed_at: now,
            shifted_by_ms: u64::try_from(shift.as_millis()).unwrap_or(u64::MAX),
            held: lines.len() as u64,
            to_send: count(|fate| matches!(fate, Fate::Shifted { .. })),
            skipped: count(|fate| matches!(fate, Fate::Skipped { .. })),
            in_doubt: count(|fate| matches!(fate, Fate::InDoubt)),
            lines,
        };
        sqlx::query(
            "INSERT INTO receipts (id, inbox_id, body, created_at_ms) VALUES ($1, $2, $3, $4)",
        )
        .bind(receipt.id.to_string())
        .bind(receipt.inbox.to_string())
        .bind(to_json("receipt", &receipt)?)
        .bind(now.as_ms())
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE inboxes SET gap_open = 0 WHERE id = $1")
            .bind(receipt.inbox.to_string())
            .execute(&mut *tx)
            .await?;
        settle_clocks(&mut tx, Of::Inbox(&receipt.inbox), moment).await?;
        tx.commit().await?;
        Ok((receipt, changed))
    }

    /// One receipt.
    pub async fn load_receipt(&self, id: &ReceiptId) -> Result<Receipt, StoreError> {
        let row = sqlx::query("SELECT body FROM receipts WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                what: "receipt",
                id: id.to_string(),
            })?;
        json(&row, "body")
    }

    /// Receipts, newest first, without their lines.
    pub async fn list_receipts(&self) -> Result<Vec<Receipt>, StoreError> {
        let rows =
            sqlx::query("SELECT body FROM receipts ORDER BY created_at_ms DESC, id LIMIT 100")
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| {
                json::<Receipt>(row, "body").map(|receipt| Receipt {
                    lines: Vec::new(),
                    ..receipt
                })
            })
            .collect()
    }
}

/// The campaigns that this inbox sends for, without those that a person paused.
async fn list_campaigns_of(
    tx: &mut AnyConnection,
    inbox: &InboxId,
) -> Result<Vec<(CampaignId, CampaignState)>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.id AS id, c.status AS status FROM campaigns c \
         JOIN campaign_inboxes ci ON ci.campaign_id = c.id \
         WHERE ci.inbox_id = $1 AND c.state IN ('running', 'paused') ORDER BY c.created_at_ms, c.id",
    )
    .bind(inbox.to_string())
    .fetch_all(tx)
    .await?;
    let mut campaigns = Vec::new();
    for row in &rows {
        let status: CampaignState = json(row, "status")?;
        let is_a_persons = matches!(
            &status,
            CampaignState::Paused {
                by: PausedBy::Person,
                ..
            }
        );
        if !is_a_persons {
            campaigns.push((CampaignId::new(text(row, "id")?), status));
        }
    }
    Ok(campaigns)
}

/// A line for each delivery of the campaign that this inbox held when it was lost.
async fn list_lines(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    campaign: &CampaignId,
    (lost_at, now): (Timestamp, Moment),
) -> Result<Vec<Line>, StoreError> {
    // It stands since the loss, and shows what it showed then.
    let reading = load_clock(tx, campaign, inbox).await?.read(now);
    let rows = sqlx::query(
        "SELECT d.id AS id, d.lead_id AS lead_id, d.step AS step, d.state AS state, d.due_ms AS due_ms, d.rest_until_ms AS rest_until_ms, \
         d.lease_until_ms AS lease_until_ms, d.accepted_at_ms AS accepted_at_ms, \
         d.in_doubt_since_ms AS in_doubt_since_ms, d.cause AS cause, d.why AS why, d.attempt AS attempt \
         FROM deliveries d JOIN leads l ON l.id = d.lead_id WHERE d.campaign_id = $1 AND d.inbox_id = $2 AND ( \
           d.state IN ('planned', 'deferred', 'attempting', 'in_doubt', 'unsettled') \
           OR (d.state = 'suppressed' AND d.suppressed_at_ms >= $3)) ORDER BY l.position, d.step",
    )
    .bind(campaign.to_string())
    .bind(inbox.to_string())
    .bind(lost_at.as_ms())
    .fetch_all(tx)
    .await?;
    let shifted = |due: Reading, from: Timestamp| Fate::Shifted {
        was_due_at: lost_at + due.since(reading) - reading.since(due),
        due_at: from.max(now.at + due.since(reading)),
    };
    rows.iter()
        .map(|row| {
            let fate = match delivery::state_from(row)? {
                DeliveryState::Planned { due } => shifted(due, now.at),
                DeliveryState::Deferred {
                    due, rest_until, ..
                } => shifted(due, now.at.max(rest_until)),
                DeliveryState::Suppressed { why } => Fate::Skipped { why },
                _ => Fate::InDoubt,
            };
            Ok(Line {
                delivery: DeliveryId::new(text(row, "id")?),
                lead: LeadId::new(text(row, "lead_id")?),
                step: small(row, "step")?,
                fate,
            })
        })
        .collect()
}
