//! Strays: people who were written to by messages that the ledger has no delivery for. Whoever of them stands in a list
//! that is started later is held for a person.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::id::{CampaignId, DeliveryId, InboxId};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::super::clocks::Moment;
use super::super::{StoreError, text};
use super::hold;
use crate::text::message::to_listed;

/// Somebody who was written to without a delivery.
pub(in crate::store) struct Stray<'a> {
    /// Names the message, or what else shows it.
    pub(in crate::store) tag: String,
    pub(in crate::store) inbox: &'a InboxId,
    /// In small letters.
    pub(in crate::store) address: &'a str,
}

/// Keeps a stray; whether it was not known.
pub(in crate::store) async fn add_stray(
    tx: &mut AnyConnection,
    stray: &Stray<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO strays (tag, inbox_id, address, found_at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (tag) DO NOTHING",
    )
    .bind(stray.tag.clone())
    .bind(stray.inbox.to_string())
    .bind(to_listed(stray.address))
    .bind(now.as_ms())
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Holds the first messages of a campaign that is started to people who were written to by messages that the ledger
/// has lost: they may stand in the list because it was imported again.
pub(in crate::store) async fn hold_written_to(
    tx: &mut AnyConnection,
    campaign: &CampaignId,
    now: Moment,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        // In this order, and along the person: SQLite keeps the order of a CROSS JOIN ("Query Planning"), and an
        // expression has no index.
        "SELECT d.id AS id FROM strays s CROSS JOIN leads l CROSS JOIN deliveries d \
         WHERE s.address <> '' AND l.person = s.address AND l.campaign_id || '' = $1 \
         AND d.lead_id = l.id AND d.step = 1 AND d.state = 'planned'",
    )
    .bind(campaign.to_string())
    .fetch_all(&mut *tx)
    .await?;
    // Several strays may be of one person.
    let ids: BTreeSet<String> = rows
        .iter()
        .map(|row| text(row, "id"))
        .collect::<Result<_, _>>()?;
    for id in ids {
        hold(tx, &DeliveryId::new(id), Duration::ZERO, now).await?;
    }
    Ok(())
}
