//! How fast inboxes send: showing it, and changing it at any time.

use std::time::Duration;

use protocol::budget::{Budget, DAILY_CAP_AT_MOST, DISTANCE_AT_MOST, HeldBy};
use protocol::request::pace::{GetPace, ListPaces, Pace, Paces, Rest, UpdatePace};

use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::copies;
use crate::engine::pace::pace;
use crate::record::Pace as Decided;
use crate::store::inbox::Inbox;

impl Serve for ListPaces {
    async fn serve(self, context: Context) -> Result<Paces, ServeError> {
        let mut paces = Vec::new();
        for inbox in context.sight().inboxes().await? {
            let app = inbox.app();
            paces.push(view(app, inbox.into_inner()).await?);
        }
        Ok(Paces { paces })
    }
}

impl Serve for GetPace {
    async fn serve(self, context: Context) -> Result<Pace, ServeError> {
        let inbox = context.sight().inbox(&self.inbox_id).await?;
        let app = inbox.app();
        view(app, inbox.into_inner()).await
    }
}

impl Serve for UpdatePace {
    async fn serve(self, context: Context) -> Result<Pace, ServeError> {
        let app = context.app()?;
        let inbox = app.store.load_inbox(&self.inbox_id).await?;
        let budget = read_budget(inbox.budget, self.distance_ms, self.daily_cap)?;
        app.store.update_budget(&inbox.id, budget).await?;
        // What it waits for may come sooner now.
        app.bell.wake_inbox(&inbox.id);
        view(app, inbox).await
    }
}

/// A budget with what a request says of it; the rest stays as it is.
pub(super) fn read_budget(
    before: Budget,
    distance_ms: Option<u64>,
    daily_cap: Option<u32>,
) -> Result<Budget, ServeError> {
    let distance = distance_ms.map_or(before.distance, Duration::from_millis);
    if distance > DISTANCE_AT_MOST {
        let detail = format!(
            "expected at most {} milliseconds, which is a day, found {}",
            DISTANCE_AT_MOST.as_millis(),
            distance.as_millis()
        );
        return Err(ServeError::invalid("distance_ms", detail));
    }
    let daily_cap = match daily_cap {
        None => before.daily_cap,
        Some(0) => None,
        Some(cap) if cap > DAILY_CAP_AT_MOST => {
            let detail = format!(
                "expected at most {DAILY_CAP_AT_MOST}, or 0 for as many as there are, found {cap}"
            );
            return Err(ServeError::invalid("daily_cap", detail));
        }
        cap => cap,
    };
    Ok(Budget {
        distance,
        daily_cap,
    })
}

async fn view(app: &App, inbox: Inbox) -> Result<Pace, ServeError> {
    let now = app.clock.now();
    let budgets = app.store.load_budgets(&inbox.id, now).await?;
    let paced = match pace(&budgets, now) {
        Decided::Go => None,
        Decided::NotBefore { at, by } => Some((at, by)),
    };
    let copied = copies::open_until(app, &inbox).await?;
    let copied = copied.filter(|at| *at > now).map(|at| (at, HeldBy::Copies));
    let (not_before, held_by) = [paced, copied]
        .into_iter()
        .flatten()
        .max_by_key(|(at, _)| *at)
        .unzip();
    Ok(Pace {
        tried: app.store.count_tried(&inbox.id, now).await?,
        distance_ms: u64::try_from(budgets.budget.distance.as_millis()).unwrap_or(u64::MAX),
        daily_cap: budgets.budget.daily_cap,
        not_before,
        held_by,
        rest: app.bell.find_rest(&inbox.id).map(|rest| Rest {
            since: rest.since,
            until: rest.until,
            words: rest.words,
        }),
        inbox_id: inbox.id,
        address: inbox.address,
    })
}
