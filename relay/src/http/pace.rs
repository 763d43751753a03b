//! How fast inboxes send: showing it, and changing it at any time.

use std::time::Duration;

use protocol::budget::{Budget, DAILY_CAP_AT_MOST, DISTANCE_AT_MOST, HeldBy, Ramp};
use protocol::request::pace::{GetPace, ListPaces, Pace, Paces, Rest, UpdatePace};

use super::sight::Sight;
use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::copies;
use crate::engine::pace::pace;
use crate::record::Pace as Decided;
use crate::store::inbox::Inbox;

impl Serve for ListPaces {
    async fn serve(self, context: Context) -> Result<Paces, ServeError> {
        let mut paces = Vec::new();
        let sight = context.sight();
        for inbox in sight.inboxes().await? {
            let app = inbox.app();
            let pace = view(app, inbox.into_inner()).await?;
            paces.push(told_to(sight, pace));
        }
        Ok(Paces { paces })
    }
}

impl Serve for GetPace {
    async fn serve(self, context: Context) -> Result<Pace, ServeError> {
        let sight = context.sight();
        let inbox = sight.inbox(&self.inbox_id).await?;
        let app = inbox.app();
        Ok(told_to(sight, view(app, inbox.into_inner()).await?))
    }
}

impl Serve for UpdatePace {
    async fn serve(self, context: Context) -> Result<Pace, ServeError> {
        let app = context.app()?;
        let inbox = app.store.load_inbox(&self.inbox_id).await?;
        let budget = read_budget(inbox.budget, self.distance_ms, self.daily_cap)?;
        let budgets = app.store.load_budgets(&inbox.id, app.clock.now()).await?;
        let before = budgets.ramp.map(|(ramp, _)| ramp);
        let ramp = read_ramp(before, self.ramp, self.no_ramp)?;
        let organisation = self
            .organisation_daily_cap
            .map(|cap| read_cap("organisation_daily_cap", Some(cap)))
            .transpose()?;
        app.store.update_budget(&inbox.id, budget).await?;
        // The same one goes on from where it is.
        if ramp != before {
            app.store.update_ramp(&inbox.id, ramp).await?;
        }
        if let Some(cap) = organisation {
            app.store.update_organisation(&inbox.id, cap).await?;
        }
        // What they wait for may come sooner now.
        for id in app.store.list_organisation(&inbox.id).await? {
            app.bell.wake_inbox(&id);
        }
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
        cap => read_cap("daily_cap", cap)?,
    };
    Ok(Budget {
        distance,
        daily_cap,
    })
}

/// A cap that is asked for; 0 for none.
pub(super) fn read_cap(field: &str, asked: Option<u32>) -> Result<Option<u32>, ServeError> {
    match asked {
        Some(cap) if cap > DAILY_CAP_AT_MOST => {
            let detail = format!(
                "expected at most {DAILY_CAP_AT_MOST}, or 0 for as many as there are, found {cap}"
            );
            Err(ServeError::invalid(field, detail))
        }
        cap => Ok(cap.filter(|cap| *cap > 0)),
    }
}

/// A ramp with what a request says of it.
fn read_ramp(
    before: Option<Ramp>,
    asked: Option<Ramp>,
    none: bool,
) -> Result<Option<Ramp>, ServeError> {
    match asked {
        Some(_) if none => {
            let detail = "expected a ramp or no_ramp, found both: no_ramp takes it away";
            Err(ServeError::invalid("no_ramp", detail))
        }
        Some(ramp) if ramp.first == 0 || ramp.first > DAILY_CAP_AT_MOST => {
            let detail = format!(
                "expected 1 to {DAILY_CAP_AT_MOST} messages on the first day, found {}",
                ramp.first
            );
            Err(ServeError::invalid("ramp.first", detail))
        }
        Some(ramp) if ramp.more > DAILY_CAP_AT_MOST => {
            let detail = format!(
                "expected at most {DAILY_CAP_AT_MOST} messages more a day, found {}",
                ramp.more
            );
            Err(ServeError::invalid("ramp.more", detail))
        }
        Some(ramp) => Ok(Some(ramp)),
        None => Ok(before.filter(|_| !none)),
    }
}

/// When an organisation's count lets its inboxes through again is the time of a try that may be another's.
fn told_to(sight: Sight<'_>, mut pace: Pace) -> Pace {
    if !sight.sees_everything() && pace.held_by == Some(HeldBy::OrganisationCap) {
        pace.not_before = None;
    }
    pace
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
        ramp: budgets.ramp.map(|(ramp, _)| ramp),
        ramp_cap: budgets.ramp.map(|(ramp, come)| ramp.cap(come)),
        organisation_daily_cap: budgets.organisation_daily_cap,
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
