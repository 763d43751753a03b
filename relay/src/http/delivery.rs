//! Deliveries: the list, and a person's word on one of which nobody knows whether it was sent.

use protocol::delivery::State;
use protocol::problem::{Code, Problem};
use protocol::request::delivery::{
    Deliveries, Delivery, Kept, ListDeliveries, Moved, PutBackDeliveries, SettleDeliveries,
    SettleDelivery,
};

use super::{Context, Serve, ServeError};
use crate::store::StoreError;
use crate::store::standing::Which;

/// How many are listed where nothing is said.
const LIMIT: u32 = 100;
/// How many are listed at the most.
const LIMIT_AT_MOST: u32 = 1_000;

impl Serve for ListDeliveries {
    async fn serve(self, context: Context) -> Result<Deliveries, ServeError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_AT_MOST).contains(&limit) {
            let detail = format!("expected 1 to {LIMIT_AT_MOST}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        // An unknown campaign has no deliveries either; the caller is told which of the two it is.
        let campaign = context.sight().campaign(&self.campaign_id).await?;
        let app = campaign.app();
        let store = &app.store;
        let state = self.state;
        let listed = match &self.after {
            None => store.list_deliveries(&self.campaign_id, state, limit).await,
            Some(after) => {
                let id = &self.campaign_id;
                store.list_deliveries_after(id, state, after, limit).await
            }
        };
        let deliveries = match listed {
            Err(StoreError::NotFound { .. }) => {
                let detail = "expected the id of a delivery of this campaign, as `next` gives it";
                return Err(ServeError::invalid("after", detail));
            }
            listed => listed?,
        };
        let in_doubt = |delivery: &Delivery| matches!(delivery.status, State::InDoubt { .. });
        if deliveries.iter().any(in_doubt) {
            for inbox in &campaign.inboxes {
                app.bell.ask_for_look(inbox);
            }
        }
        let is_full = deliveries.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = deliveries.last().filter(|_| is_full);
        let next = next.map(|last| last.id.clone());
        Ok(Deliveries { deliveries, next })
    }
}

impl Serve for SettleDelivery {
    async fn serve(self, context: Context) -> Result<Delivery, ServeError> {
        let app = context.app()?;
        let before = app.store.load_delivery(&self.delivery_id).await?;
        let refused = match &before.status {
            State::InDoubt { .. } | State::Unsettled { .. } => None,
            State::Attempting { lease_until, .. } => Some(format!(
                "this delivery is being attempted: wait until its end is known, or until it is in doubt, which is at \
                 {lease_until} or a minute later"
            )),
            other => Some(format!(
                "this delivery is {}; only one that is in doubt or unsettled can be decided",
                other.name()
            )),
        };
        if let Some(detail) = refused {
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        app.store
            .record_decision(&self.delivery_id, self.decision, app.clock.now())
            .await?;
        app.bell.wake_inboxes();
        Ok(app.store.load_delivery(&self.delivery_id).await?)
    }
}

impl Serve for SettleDeliveries {
    async fn serve(self, context: Context) -> Result<Moved, ServeError> {
        let app = context.app()?;
        app.store.load_campaign(&self.campaign_id).await?;
        let moved = app
            .store
            .record_decisions(&self.campaign_id, self.decision, app.clock.now())
            .await?;
        app.bell.wake_inboxes();
        Ok(Moved {
            moved,
            kept: Vec::new(),
        })
    }
}

impl Serve for PutBackDeliveries {
    async fn serve(self, context: Context) -> Result<Moved, ServeError> {
        let app = context.app()?;
        app.store.load_campaign(&self.campaign_id).await?;
        let which = Which {
            delivery: self.delivery_id,
            cause: self.cause,
            alike: self.alike,
        };
        let back = app
            .store
            .put_back_deliveries(&self.campaign_id, &which, app.clock.now())
            .await?;
        app.bell.wake_inboxes();
        let kept = back.kept.into_iter().map(|(why, n)| Kept { why, n });
        Ok(Moved {
            moved: back.moved,
            kept: kept.collect(),
        })
    }
}
