//! How campaigns go on after an outage: with fewer messages a day for as long as it took, or not before a person lets
//! them. Neither stops a clock or moves a due: it is one more gate of the claim.

use std::time::Duration;

use protocol::catch_up::AfterOutage;
use protocol::id::CampaignId;
use protocol::timestamp::{Timestamp, duration_ms};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::Moment;
use super::{Store, StoreError, number_or_null, small};

/// How a campaign goes on, and whether it catches up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// What it does after an outage.
    pub after: AfterOutage,
    /// For how long it still does that, since one is over; `None` where it does not.
    pub left: Option<Duration>,
}

impl CatchUp {
    /// What stands in the columns `after_outage_cap` and `catch_up_until_r_ms`.
    pub(super) fn from_row(row: &AnyRow, now: Moment) -> Result<Self, StoreError> {
        let after = match number_or_null(row, "after_outage_cap")? {
            None => AfterOutage::GoOn,
            Some(0) => AfterOutage::Wait,
            Some(_) => AfterOutage::Slowly {
                daily_cap: small(row, "after_outage_cap")?,
            },
        };
        let left = number_or_null(row, "catch_up_until_r_ms")?.map(|until| now.until(until));
        let is_over = match after {
            AfterOutage::GoOn => true,
            AfterOutage::Slowly { .. } => left == Some(Duration::ZERO),
            AfterOutage::Wait => false,
        };
        Ok(Self {
            after,
            left: left.filter(|_| !is_over),
        })
    }

    /// The cap of a day under which it is now, 0 where a person lets it go on, and until when that holds; `None` where it
    /// is under none, and until nobody knows.
    pub fn cap(&self, now: Timestamp) -> Option<(u32, Option<Timestamp>)> {
        let left = self.left?;
        match self.after {
            AfterOutage::GoOn => None,
            AfterOutage::Slowly { daily_cap } => Some((daily_cap, Some(now + left))),
            AfterOutage::Wait => Some((0, None)),
        }
    }
}

impl Store {
    /// How a campaign goes on after an outage.
    pub async fn load_catch_up(
        &self,
        id: &CampaignId,
        now: Timestamp,
    ) -> Result<CatchUp, StoreError> {
        let row = sqlx::query(
            "SELECT after_outage_cap, catch_up_until_r_ms FROM campaigns WHERE id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&self.reader)
        .await?
        .ok_or_else(|| not_found(id))?;
        CatchUp::from_row(&row, self.moment(now))
    }

    /// Changes how a campaign goes on after an outage; the next claim asks it.
    pub async fn update_after_outage(
        &self,
        id: &CampaignId,
        after: AfterOutage,
    ) -> Result<(), StoreError> {
        let cap = match after {
            AfterOutage::GoOn => None,
            AfterOutage::Slowly { daily_cap } => Some(i64::from(daily_cap)),
            AfterOutage::Wait => Some(0),
        };
        let done = sqlx::query(
            "UPDATE campaigns SET after_outage_cap = $1, \
             catch_up_until_r_ms = CASE WHEN $1 IS NULL THEN NULL ELSE catch_up_until_r_ms END WHERE id = $2",
        )
        .bind(cap)
        .bind(id.to_string())
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(not_found(id))
        }
    }

    /// Lets a campaign that catches up go on as fast as ever.
    pub async fn release_campaign(&self, id: &CampaignId) -> Result<(), StoreError> {
        sqlx::query("UPDATE campaigns SET catch_up_until_r_ms = NULL WHERE id = $1")
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

/// An outage of so long a time is over for a campaign: where it is to catch up, it does so for as long.
pub(super) async fn begin(
    tx: &mut AnyConnection,
    id: &CampaignId,
    stood: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    let until = now.r_ms.saturating_add(duration_ms(stood));
    sqlx::query(
        "UPDATE campaigns SET catch_up_until_r_ms = $1 WHERE id = $2 AND after_outage_cap IS NOT NULL \
         AND (catch_up_until_r_ms IS NULL OR catch_up_until_r_ms < $1)",
    )
    .bind(until)
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

fn not_found(id: &CampaignId) -> StoreError {
    StoreError::NotFound {
        what: "campaign",
        id: id.to_string(),
    }
}
