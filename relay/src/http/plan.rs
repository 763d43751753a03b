//! When the messages of a campaign are expected to leave.

use protocol::plan::Plan;
use protocol::request::sending::PlanCampaign;
use tokio::sync::Semaphore;

use super::{Context, Serve, ServeError};
use crate::engine::calendar;
use crate::store::StoreError;

/// Days that are listed where nothing is said, and at the most.
const DAYS: u32 = 60;
const DAYS_AT_MOST: u32 = 366;
/// Forecasts that are made at a time: one of a hundred thousand leads is a second of work.
static ROOM: Semaphore = Semaphore::const_new(1);

impl Serve for PlanCampaign {
    async fn serve(self, context: Context) -> Result<Plan, ServeError> {
        let n_days = self.days.unwrap_or(DAYS);
        if !(1..=DAYS_AT_MOST).contains(&n_days) {
            let detail = format!("expected 1 to {DAYS_AT_MOST}, found {n_days}");
            return Err(ServeError::invalid("days", detail));
        }
        let n_days = usize::try_from(n_days).unwrap_or(usize::MAX);
        let campaign = context.sight().campaign(&self.campaign_id).await?;
        let app = campaign.app();
        let _one_at_a_time = ROOM.acquire().await;
        let now = app.clock.now();
        let foreseen = app.store.load_foreseen(&self.campaign_id, now).await?;
        let Some(campaign_idx) = foreseen.campaign_idx else {
            return Ok(Plan {
                campaign_id: self.campaign_id,
                at: now,
                zone: "UTC".to_owned(),
                days: Vec::new(),
                later: 0,
                never: 0,
                unknown: 0,
                done_at: None,
                held_back: Vec::new(),
                assumes: Vec::new(),
            });
        };
        // It waits for nothing, so it would keep others from being served.
        let made = tokio::task::spawn_blocking(move || {
            calendar::render(&foreseen.snapshot, campaign_idx, &foreseen.status, n_days)
        });
        let plan = made.await.ok().flatten();
        plan.ok_or_else(|| StoreError::Corrupt { what: "plan" }.into())
    }
}
