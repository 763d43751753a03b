//! How a campaign goes on after an outage: shown, changed, and ended.

use protocol::catch_up::AfterOutage;
use protocol::id::CampaignId;
use protocol::request::catch_up::{CatchUp, GetCatchUp, SetCatchUp};

use super::pace::read_cap;
use super::{Context, Serve, ServeError};
use crate::app::App;

impl Serve for GetCatchUp {
    async fn serve(self, context: Context) -> Result<CatchUp, ServeError> {
        let campaign = context.sight().campaign(&self.campaign_id).await?;
        view(campaign.app(), &self.campaign_id).await
    }
}

impl Serve for SetCatchUp {
    async fn serve(self, context: Context) -> Result<CatchUp, ServeError> {
        let app = context.app()?;
        let id = &self.campaign_id;
        let campaign = app.store.load_campaign(id).await?;
        if let Some(after) = self.after_outage {
            if let AfterOutage::Slowly { daily_cap } = after
                && read_cap("after_outage.daily_cap", Some(daily_cap))?.is_none()
            {
                let detail =
                    "expected at least 1 message a day, found 0: to hold all of it, use wait";
                return Err(ServeError::invalid("after_outage.daily_cap", detail));
            }
            app.store.update_after_outage(id, after).await?;
        }
        if self.release {
            app.store.release_campaign(id).await?;
        }
        // What it waits for may be over.
        for inbox in &campaign.inboxes {
            app.bell.wake_inbox(inbox);
        }
        view(app, id).await
    }
}

async fn view(app: &App, id: &CampaignId) -> Result<CatchUp, ServeError> {
    let now = app.clock.now();
    let catch_up = app.store.load_catch_up(id, now).await?;
    Ok(CatchUp {
        campaign_id: id.clone(),
        after_outage: catch_up.after,
        is_catching_up: catch_up.left.is_some(),
        until: catch_up.cap(now).and_then(|(_, until)| until),
    })
}
