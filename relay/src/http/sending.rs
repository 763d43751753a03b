//! When campaigns send: showing it, changing it at any time, and saying why nothing is sent now.

use protocol::campaign::State;
use protocol::id::{CampaignId, InboxId};
use protocol::request::sending::{GetSending, Sending, UpdateSending, Why, WhyCampaign};
use protocol::schedule::Schedule;
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use protocol::why::{Gate, Waiting};

use super::pace::read_cap;
use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::config::nearest::count_edits;
use crate::copies;
use crate::engine::pace::pace;
use crate::engine::why::{Around, explain, find_next};
use crate::record::{Left, Sending as Kept};
use crate::schedule::{self, find_zone, gate, list_zones, name_of};

/// Zones that are named to somebody who mistyped one.
const NEAR_AT_MOST: usize = 3;

impl Serve for GetSending {
    async fn serve(self, context: Context) -> Result<Sending, ServeError> {
        let campaign = context.sight().campaign(&self.campaign_id).await?;
        view(campaign.app(), &self.campaign_id).await
    }
}

impl Serve for UpdateSending {
    async fn serve(self, context: Context) -> Result<Sending, ServeError> {
        let app = context.app()?;
        let campaign = app.store.load_campaign(&self.campaign_id).await?;
        let mut sending = app.store.load_sending(&self.campaign_id).await?;
        if self.any_time && self.schedule.is_some() {
            let detail = "expected a schedule or any_time, found both: any_time takes it away";
            return Err(ServeError::invalid("any_time", detail));
        }
        if self.any_time {
            sending.schedule = None;
        }
        if let Some(asked) = self.schedule {
            sending.schedule = Some(read_schedule(asked, app.clock.now())?);
        }
        if self.daily_cap.is_some() {
            sending.daily_cap = read_cap("daily_cap", self.daily_cap)?;
        }
        if self.domain_daily_cap.is_some() {
            sending.domain_daily_cap = read_cap("domain_daily_cap", self.domain_daily_cap)?;
        }
        app.store
            .update_sending(&self.campaign_id, &sending)
            .await?;
        // What it waits for may come sooner now.
        for inbox in &campaign.inboxes {
            app.bell.wake_inbox(inbox);
        }
        view(app, &self.campaign_id).await
    }
}

impl Serve for WhyCampaign {
    async fn serve(self, context: Context) -> Result<Why, ServeError> {
        let campaign = context.sight().campaign(&self.campaign_id).await?;
        let app = campaign.app();
        let now = app.clock.now();
        let rests = Rests::of(app.config.timing.rest_minute);
        let left = app.store.load_left(&self.campaign_id, &rests, now).await?;
        let mut waiting = list_shared(&campaign.status, &left);
        let mut next_at = None;
        for facts in &left.facts {
            let around = look_around(app, &facts.inbox, now).await?;
            waiting.extend(explain(facts, &around, now));
            let next = find_next(facts, &around, now);
            next_at = [next_at, next].into_iter().flatten().min();
        }
        waiting.retain(|one| one.n > 0);
        if !context.sight().sees_everything() {
            hide_others(&mut waiting, &mut next_at);
        }
        Ok(Why {
            left: waiting.iter().map(|one| one.n).sum(),
            campaign_id: self.campaign_id,
            at: now,
            next_at,
            waiting,
        })
    }
}

/// When a count over everybody's tries lets somebody through again is the time of a try that may be another's.
fn hide_others(waiting: &mut [Waiting], next_at: &mut Option<Timestamp>) {
    for one in waiting {
        if matches!(one.gate, Gate::DomainCap | Gate::OrganisationCap) {
            (one.until, one.domain, *next_at) = (None, None, None);
        }
    }
}

/// What waits whatever its inbox does: all of it where the campaign does not run, and else the steps that are planned
/// once the step before them is accepted.
fn list_shared(status: &State, left: &Left) -> Vec<Waiting> {
    let of = |gate, n| Waiting {
        gate,
        n,
        until: None,
        inbox_id: None,
        domain: None,
    };
    let n_waiting = left.n_open + left.n_unplanned;
    let gate = match status {
        // It may have been started, or have ended, since the campaign was loaded.
        _ if !left.facts.is_empty() => return vec![of(Gate::StepBefore, left.n_unplanned)],
        State::Draft => Gate::NotStarted,
        State::Paused { .. } => Gate::Paused,
        State::Running | State::Finished { .. } => Gate::StepBefore,
    };
    vec![
        of(Gate::Attempting, left.n_attempting),
        of(Gate::InDoubt, left.n_in_doubt),
        of(Gate::Unsettled, left.n_unsettled),
        of(gate, n_waiting),
    ]
}

async fn look_around(app: &App, inbox: &InboxId, now: Timestamp) -> Result<Around, ServeError> {
    let budgets = app.store.load_budgets(inbox, now).await?;
    let copies_until = copies::open_until(app, &app.store.load_inbox(inbox).await?).await?;
    Ok(Around {
        pace: pace(&budgets, now),
        copies_until: copies_until.filter(|at| *at > now),
        rests_until: app.bell.find_rest(inbox).map(|rest| rest.until),
        is_shared: app.store.find_another_relay().await?.is_some(),
    })
}

async fn view(app: &App, id: &CampaignId) -> Result<Sending, ServeError> {
    let now = app.clock.now();
    let Kept {
        schedule,
        daily_cap,
        domain_daily_cap,
    } = app.store.load_sending(id).await?;
    let zone = schedule.as_ref().and_then(|it| find_zone(&it.zone));
    let (is_open, changes_at) = match (&schedule, zone) {
        (Some(schedule), Some(zone)) => match gate(schedule, &zone, now) {
            schedule::Gate::Open { until } => (true, Some(until)),
            schedule::Gate::Closed { opens_at } => (false, opens_at),
        },
        _ => (true, None),
    };
    Ok(Sending {
        tried: app.store.count_tried_of(id, now).await?,
        campaign_id: id.clone(),
        schedule,
        daily_cap,
        domain_daily_cap,
        is_open,
        changes_at,
    })
}

/// A schedule that can be kept, its zone by the name that the database has for it.
pub(super) fn read_schedule(asked: Schedule, now: Timestamp) -> Result<Schedule, ServeError> {
    asked
        .check()
        .map_err(|fault| ServeError::invalid(&format!("schedule.{}", fault.field), fault.words))?;
    let Some(zone) = find_zone(&asked.zone) else {
        return Err(ServeError::invalid(
            "schedule.zone",
            describe_no_zone(&asked.zone),
        ));
    };
    if gate(&asked, &zone, now).next(now).is_none() {
        let days = match (asked.starts_on, asked.ends_on) {
            (Some(first), Some(last)) => format!("from {first} to {last}"),
            (None, Some(last)) => format!("until {last}"),
            (Some(first), None) => format!("from {first} on"),
            (None, None) => "ever".to_owned(),
        };
        let detail = format!(
            "expected a window that opens some day, found none {days}: the days of the week, the days that are left out and the first and last day leave nothing that lies ahead"
        );
        return Err(ServeError::invalid("schedule", detail));
    }
    let zone = name_of(&zone).unwrap_or(&asked.zone).to_owned();
    Ok(Schedule { zone, ..asked })
}

fn describe_no_zone(found: &str) -> String {
    let expected = format!(
        "expected a zone of the IANA database, as in Europe/Berlin, found {:?}",
        protocol::shown::line(found).to_string()
    );
    match list_near(found).as_slice() {
        [] => expected,
        near => format!("{expected}; did you mean {}?", near.join(" or ")),
    }
}

/// Zones that somebody who wrote `found` may have meant: by their whole names, or by their cities'.
fn list_near(found: &str) -> Vec<String> {
    let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '-'], "_");
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    // No name is as long as this; a text without an end is compared with none.
    let found: String = plain(found).chars().take(50).collect();
    let found_city = city(&found);
    let mut near: Vec<(usize, String)> = list_zones()
        .filter_map(|name| {
            let known = plain(&name);
            let by_name = (count_edits(&found, &known), known.len());
            let by_city = (count_edits(&found_city, &city(&known)), city(&known).len());
            let (edits, n_letters) = by_name.min(by_city);
            // A third of the letters may differ; beyond that a suggestion misleads.
            (edits * 3 <= n_letters).then_some((edits, name))
        })
        .collect();
    near.sort();
    near.into_iter()
        .take(NEAR_AT_MOST)
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_there_is_not_is_refused_with_those_that_are_like_it() {
        for (found, near) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("Europe/Sidney", "Australia/Sydney"),
        ] {
            let words = describe_no_zone(found);
            assert!(words.contains(near), "{words}");
            assert!(words.contains(found), "{words}");
        }
        let words = describe_no_zone("Middle-earth/Hobbiton");
        assert!(
            words.ends_with("found \"Middle-earth/Hobbiton\""),
            "{words}"
        );
    }
}
