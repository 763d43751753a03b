//! When campaigns may send: their schedules and their caps of a day, what of these is shut now, and the deliveries that
//! wait for a domain that was written to often enough.

use std::time::Duration;

use jiff::tz::TimeZone;
use protocol::id::{CampaignId, DeliveryId, InboxId};
use protocol::schedule::Schedule;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::budget::day_before;
use super::catch_up::CatchUp;
use super::clocks::Moment;
use super::delivery::put_rank;
use super::{Store, StoreError, number, number_or_null, small, text, text_or_null, to_json};
use crate::record::{Sending, Shut, ShutBy};
use crate::schedule::{Gate, find_zone, gate};

/// How long a campaign waits for the ends of attempts under way, where these would use up its cap.
pub(super) const SOON: Duration = Duration::from_secs(5);
/// Deliveries that stop waiting for a domain at once.
const UNPARKED_AT_ONCE: u64 = 500;
/// Domains that are looked at, at once, for whether their day is over.
const DOMAINS_AT_ONCE: i64 = 50;

/// A schedule with its zone.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub(super) schedule: Schedule,
    pub(super) zone: TimeZone,
}

impl Windows {
    /// What stands in the column `schedule`; `None` where a campaign may send at any time.
    pub(super) fn from_row(row: &AnyRow) -> Result<Option<Self>, StoreError> {
        let Some(body) = text_or_null(row, "schedule")? else {
            return Ok(None);
        };
        let corrupt = || StoreError::Corrupt { what: "schedule" };
        let schedule: Schedule = serde_json::from_str(&body).map_err(|_| corrupt())?;
        let zone = find_zone(&schedule.zone).ok_or_else(corrupt)?;
        Ok(Some(Self { schedule, zone }))
    }

    /// Whether they are open at that instant.
    pub(super) fn gate(&self, at: Timestamp) -> Gate {
        gate(&self.schedule, &self.zone, at)
    }
}

/// What of a campaign's own keeps it from sending.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates {
    pub(super) windows: Option<Windows>,
    /// Until when its cap is used up; `None` where it is not.
    pub(super) full_until: Option<Timestamp>,
    /// Until when it keeps from sending because it catches up after an outage, if it does: `None` in it until a person
    /// lets it go on.
    #[expect(
        clippy::option_option,
        reason = "it is kept or not, and until when is known or not"
    )]
    pub(super) catches_up: Option<Option<Timestamp>>,
}

impl Gates {
    /// The earliest instant from `at` on at which they let a message leave, as things stand; `None`: never any more.
    pub(super) fn next(&self, at: Timestamp) -> Option<Timestamp> {
        let at = self.full_until.map_or(at, |until| at.max(until));
        let at = match self.catches_up {
            Some(until) => at.max(until?),
            None => at,
        };
        match &self.windows {
            Some(windows) => windows.gate(at).next(at),
            None => Some(at),
        }
    }

    /// What is shut at `now`; of several, the one that opens last.
    pub(super) fn shut(&self, now: Timestamp) -> Option<Shut> {
        let by_windows = self
            .windows
            .as_ref()
            .and_then(|windows| match windows.gate(now) {
                Gate::Open { .. } => None,
                Gate::Closed { opens_at } => Some(opens_at),
            });
        let full = self.full_until.map(Some);
        let all = [
            (ShutBy::CatchUp, self.catches_up),
            (ShutBy::Cap, full),
            (ShutBy::Schedule, by_windows),
        ];
        all.into_iter()
            .filter_map(|(by, until)| until.map(|until| Shut { by, until }))
            .filter(|shut| shut.until.is_none_or(|until| until > now))
            .max_by_key(|shut| shut.until.map_or(i64::MAX, Timestamp::as_ms))
    }
}

impl Store {
    /// When a campaign may send.
    pub async fn load_sending(&self, id: &CampaignId) -> Result<Sending, StoreError> {
        let row = sqlx::query(
            "SELECT schedule, daily_cap, domain_daily_cap FROM campaigns WHERE id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&self.reader)
        .await?
        .ok_or_else(|| not_found(id))?;
        let cap = |column| {
            number_or_null(&row, column)?
                .map(|_| small(&row, column))
                .transpose()
        };
        Ok(Sending {
            schedule: Windows::from_row(&row)?.map(|windows| windows.schedule),
            daily_cap: cap("daily_cap")?,
            domain_daily_cap: cap("domain_daily_cap")?,
        })
    }

    /// Changes when a campaign may send; the next claim asks the new one, and nothing that is due is moved.
    pub async fn update_sending(
        &self,
        id: &CampaignId,
        sending: &Sending,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        put_sending(&mut tx, id, sending).await?;
        // Whether they still wait is asked again.
        sqlx::query("UPDATE domain_waits SET until_r_ms = 0 WHERE campaign_id = $1")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// How many messages of a campaign were tried in the last 24 hours, as its cap counts them.
    pub async fn count_tried_of(&self, id: &CampaignId, now: Timestamp) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM attempts WHERE campaign_id = $1 AND tried_r_ms > $2",
        )
        .bind(id.to_string())
        .bind(day_before(self.moment(now)))
        .fetch_one(&self.reader)
        .await?;
        small(&row, "n")
    }
}

/// Writes when a campaign may send.
pub(super) async fn put_sending(
    tx: &mut AnyConnection,
    id: &CampaignId,
    sending: &Sending,
) -> Result<(), StoreError> {
    let schedule = sending.schedule.as_ref();
    let done = sqlx::query(
        "UPDATE campaigns SET schedule = $1, daily_cap = $2, domain_daily_cap = $3 WHERE id = $4",
    )
    .bind(schedule.map(|it| to_json("schedule", it)).transpose()?)
    .bind(sending.daily_cap.map(i64::from))
    .bind(sending.domain_daily_cap.map(i64::from))
    .bind(id.to_string())
    .execute(tx)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(not_found(id))
    }
}

/// A campaign's gates; `row` has its columns `schedule`, `daily_cap`, `after_outage_cap` and `catch_up_until_r_ms`, and
/// under a cap as `n_tried` what was tried or is being tried of it.
pub(super) async fn load_gates(
    connection: &mut AnyConnection,
    campaign: &CampaignId,
    row: &AnyRow,
    now: Moment,
) -> Result<Gates, StoreError> {
    let id = campaign.to_string();
    let n_tried = number(row, "n_tried")?;
    let full_until = match number_or_null(row, "daily_cap")? {
        Some(cap) if n_tried >= cap => {
            Some(now.at + full_for(connection, ("campaign_id", &id), cap, now).await?)
        }
        _ => None,
    };
    let catches_up = match CatchUp::from_row(row, now)?.cap(now.at) {
        Some((0, until)) => Some(until),
        Some((cap, until)) if n_tried >= i64::from(cap) => {
            let wait = full_for(connection, ("campaign_id", &id), i64::from(cap), now).await?;
            // It is over before the day of its tries is.
            Some(until.map(|until| until.min(now.at + wait)))
        }
        _ => None,
    };
    Ok(Gates {
        windows: Windows::from_row(row)?,
        full_until,
        catches_up,
    })
}

/// How long until fewer than `cap` tries of the last day are left of a campaign or at a domain, which `of` says by the
/// column and its value. Where attempts under way are among them, that is soon known.
async fn full_for(
    connection: &mut AnyConnection,
    (column, value): (&'static str, &str),
    cap: i64,
    now: Moment,
) -> Result<Duration, StoreError> {
    let since = day_before(now);
    // The index gives them newest first, and the cap is how many are looked at.
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT tried_r_ms FROM attempts WHERE {column} = $1 AND tried_r_ms > $2 \
         ORDER BY tried_r_ms DESC LIMIT 1 OFFSET $3"
    )))
    .bind(value.to_owned())
    .bind(since)
    .bind(cap - 1)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(SOON) };
    let wait_ms = number(&row, "tried_r_ms")?.saturating_sub(since);
    Ok(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
}

/// How many more messages a domain may be tried with under a cap.
async fn room_at(
    connection: &mut AnyConnection,
    domain: &str,
    cap: i64,
    now: Moment,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM attempts a WHERE a.to_domain = $1 AND a.tried_r_ms > $2) \
         + (SELECT COUNT(*) FROM deliveries d WHERE d.to_domain = $1 AND d.state = 'attempting') AS n_tried",
    )
    .bind(domain.to_owned())
    .bind(day_before(now))
    .fetch_one(connection)
    .await?;
    Ok((cap - number(&row, "n_tried")?).max(0))
}

/// Lets a delivery wait for its domain where that was tried as often as its campaign lets it be; answers whether it has
/// to. It is out of the way of others meanwhile. `row` has the campaign's `domain_daily_cap`.
pub(super) async fn park_if_full(
    tx: &mut AnyConnection,
    row: &AnyRow,
    (campaign, inbox, domain): (&CampaignId, &InboxId, &str),
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(cap) = number_or_null(row, "domain_daily_cap")? else {
        return Ok(false);
    };
    if room_at(tx, domain, cap, now).await? > 0 {
        return Ok(false);
    }
    let wait = full_for(tx, ("to_domain", domain), cap, now).await?;
    sqlx::query("UPDATE deliveries SET parked_for = $1, rank = NULL WHERE id = $2")
        .bind(domain.to_owned())
        .bind(text(row, "id")?)
        .execute(&mut *tx)
        .await?;
    put_wait(tx, (campaign, inbox, domain), wait, now).await?;
    Ok(true)
}

/// Until when a domain was tried as often as a campaign lets it be; `None` where it has room.
pub(super) async fn find_full_until(
    reader: &mut AnyConnection,
    campaign: &CampaignId,
    domain: &str,
    now: Moment,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("SELECT domain_daily_cap FROM campaigns WHERE id = $1")
        .bind(campaign.to_string())
        .fetch_one(&mut *reader)
        .await?;
    let Some(cap) = number_or_null(&row, "domain_daily_cap")? else {
        return Ok(None);
    };
    if room_at(reader, domain, cap, now).await? > 0 {
        return Ok(None);
    }
    let wait = full_for(reader, ("to_domain", domain), cap, now).await?;
    Ok(Some(now.at + wait))
}

async fn put_wait(
    tx: &mut AnyConnection,
    (campaign, inbox, domain): (&CampaignId, &InboxId, &str),
    wait: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO domain_waits (campaign_id, inbox_id, domain, until_r_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (campaign_id, inbox_id, domain) DO UPDATE SET until_r_ms = excluded.until_r_ms",
    )
    .bind(campaign.to_string())
    .bind(inbox.to_string())
    .bind(domain.to_owned())
    .bind(now.r_ms.saturating_add(protocol::timestamp::duration_ms(wait)))
    .execute(&mut *tx)
    .await?;
    super::clocks::note_running_time(tx, now).await
}

/// Lets deliveries of an inbox wait for their turn again whose domains have room, as many as fit, in their order. Answers
/// how many.
pub(super) async fn unpark(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<u64, StoreError> {
    let over = sqlx::query(
        "SELECT w.campaign_id AS campaign_id, w.domain AS domain, c.domain_daily_cap AS domain_daily_cap \
         FROM domain_waits w JOIN campaigns c ON c.id = w.campaign_id \
         WHERE w.inbox_id = $1 AND w.until_r_ms <= $2 ORDER BY w.until_r_ms LIMIT $3",
    )
    .bind(inbox.to_string())
    .bind(now.r_ms)
    .bind(DOMAINS_AT_ONCE)
    .fetch_all(&mut *tx)
    .await?;
    let mut n_unparked = 0;
    for row in &over {
        let campaign = CampaignId::new(text(row, "campaign_id")?);
        let domain = text(row, "domain")?;
        let at_most = i64::try_from(UNPARKED_AT_ONCE).unwrap_or(i64::MAX);
        let cap = number_or_null(row, "domain_daily_cap")?;
        let room = match cap {
            Some(cap) => room_at(tx, &domain, cap, now).await?.min(at_most),
            None => at_most,
        };
        let first = sqlx::query(
            "SELECT id FROM deliveries WHERE inbox_id = $1 AND campaign_id = $2 AND parked_for = $3 \
             ORDER BY is_first, due_ms, place LIMIT $4",
        )
        .bind(inbox.to_string())
        .bind(campaign.to_string())
        .bind(domain.clone())
        // One more than fit says whether some are left.
        .bind(room + 1)
        .fetch_all(&mut *tx)
        .await?;
        let fit = usize::try_from(room).unwrap_or(usize::MAX);
        for row in first.iter().take(fit) {
            let id = DeliveryId::new(text(row, "id")?);
            sqlx::query("UPDATE deliveries SET parked_for = NULL WHERE id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            put_rank(tx, &id).await?;
            n_unparked += 1;
        }
        if first.len() <= fit {
            sqlx::query(
                "DELETE FROM domain_waits WHERE campaign_id = $1 AND inbox_id = $2 AND domain = $3",
            )
            .bind(campaign.to_string())
            .bind(inbox.to_string())
            .bind(domain)
            .execute(&mut *tx)
            .await?;
            continue;
        }
        // Those that fit use the room up; the others wait for what was tried before to be a day old.
        let wait = match cap {
            Some(cap) if room == 0 => full_for(tx, ("to_domain", &domain), cap, now).await?,
            Some(_) => next_room(tx, &domain, now).await?,
            None => Duration::ZERO,
        };
        put_wait(tx, (&campaign, inbox, &domain), wait, now).await?;
    }
    Ok(n_unparked)
}

/// How long until the oldest try of the last day at a domain is older than that; a day where there is none.
async fn next_room(
    connection: &mut AnyConnection,
    domain: &str,
    now: Moment,
) -> Result<Duration, StoreError> {
    let since = day_before(now);
    let row = sqlx::query(
        "SELECT MIN(tried_r_ms) AS r_ms FROM attempts WHERE to_domain = $1 AND tried_r_ms > $2",
    )
    .bind(domain.to_owned())
    .bind(since)
    .fetch_one(connection)
    .await?;
    let r_ms = number_or_null(&row, "r_ms")?.unwrap_or(now.r_ms);
    let wait_ms = r_ms.saturating_sub(since);
    Ok(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
}

/// When a domain that deliveries of an inbox wait for may have room; `None` where none waits.
pub(super) async fn find_room_at(
    reader: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<Option<Timestamp>, StoreError> {
    let row =
        sqlx::query("SELECT MIN(until_r_ms) AS until_r_ms FROM domain_waits WHERE inbox_id = $1")
            .bind(inbox.to_string())
            .fetch_one(reader)
            .await?;
    let until = number_or_null(&row, "until_r_ms")?;
    Ok(until.map(|until| now.at + now.until(until)))
}

fn not_found(id: &CampaignId) -> StoreError {
    StoreError::NotFound {
        what: "campaign",
        id: id.to_string(),
    }
}
