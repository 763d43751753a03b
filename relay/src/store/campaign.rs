//! Campaigns: their steps, their state, and what became of their deliveries.

use protocol::campaign::{Event, PausedBy, State, Step};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::request::campaign::{Campaign, Counts};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::{Store, StoreError, json, small, text, to_json};
use crate::secret::random_text;

impl Store {
    /// Creates a campaign as a draft.
    pub async fn create_campaign(
        &self,
        name: &str,
        inboxes: &[InboxId],
        steps: &[Step],
        now: Timestamp,
    ) -> Result<Campaign, StoreError> {
        let id = CampaignId::new(format!("{}{}", CampaignId::PREFIX, random_text()));
        let mut tx = self.writer.begin().await?;
        sqlx::query(
            "INSERT INTO campaigns (id, name, steps, n_steps, state, status, created_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.to_string())
        .bind(name.to_owned())
        .bind(to_json("steps", &steps)?)
        .bind(i64::try_from(steps.len()).unwrap_or(i64::MAX))
        .bind(State::Draft.name())
        .bind(to_json("status", &State::Draft)?)
        .bind(now.as_ms())
        .execute(&mut *tx)
        .await?;
        for (position, inbox) in (0_i64..).zip(inboxes) {
            let known = sqlx::query("SELECT 1 FROM inboxes WHERE id = $1")
                .bind(inbox.to_string())
                .fetch_optional(&mut *tx)
                .await?;
            if known.is_none() {
                return Err(StoreError::NotFound {
                    what: "inbox",
                    id: inbox.to_string(),
                });
            }
            sqlx::query("INSERT INTO campaign_inboxes (campaign_id, inbox_id, position) VALUES ($1, $2, $3)")
                .bind(id.to_string())
                .bind(inbox.to_string())
                .bind(position)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        self.load_campaign(&id).await
    }

    /// Every campaign, newest first.
    pub async fn list_campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        let rows = sqlx::query("SELECT id FROM campaigns ORDER BY created_at_ms DESC, id")
            .fetch_all(&self.reader)
            .await?;
        let mut campaigns = Vec::with_capacity(rows.len());
        for row in &rows {
            campaigns.push(
                self.load_campaign(&CampaignId::new(text(row, "id")?))
                    .await?,
            );
        }
        Ok(campaigns)
    }

    /// One campaign with its counts.
    pub async fn load_campaign(&self, id: &CampaignId) -> Result<Campaign, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let row = sqlx::query("SELECT id, name, steps, status FROM campaigns WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *reader)
            .await?
            .ok_or_else(|| not_found(id))?;
        let steps: Vec<Step> = json(&row, "steps")?;
        let counts = count(&mut reader, id, steps.len()).await?;
        Ok(Campaign {
            id: id.clone(),
            name: text(&row, "name")?,
            inboxes: list_inboxes_of(&mut reader, id).await?,
            steps,
            status: json(&row, "status")?,
            counts,
        })
    }

    /// Starts a draft: the first step of every lead is planned for now.
    pub async fn start_campaign(&self, id: &CampaignId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        apply(&mut tx, id, Event::Start, now).await?;
        let leads =
            sqlx::query("SELECT id, inbox_id FROM leads WHERE campaign_id = $1 ORDER BY position")
                .bind(id.to_string())
                .fetch_all(&mut *tx)
                .await?;
        for lead in &leads {
            let new = NewDelivery {
                campaign: id.clone(),
                lead: LeadId::new(text(lead, "id")?),
                inbox: InboxId::new(text(lead, "inbox_id")?),
                step: 1,
            };
            plan(&mut tx, &new, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Pauses a campaign for a person.
    pub async fn pause_campaign(&self, id: &CampaignId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        apply(&mut tx, id, Event::Pause, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Resumes a campaign that a person paused: every wait is longer by the pause.
    pub async fn resume_campaign(&self, id: &CampaignId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        let before = load_status(&mut tx, id).await?;
        apply(&mut tx, id, Event::Resume, now).await?;
        if let State::Paused { since, .. } = before {
            sqlx::query(
                "UPDATE deliveries SET due_at_ms = due_at_ms + $1 \
                 WHERE campaign_id = $2 AND state IN ('planned', 'deferred')",
            )
            .bind(protocol::timestamp::duration_ms(now.since(since)))
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        }
        finish_if_done(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What a new delivery is made of.
pub(super) struct NewDelivery {
    pub(super) campaign: CampaignId,
    pub(super) lead: LeadId,
    pub(super) inbox: InboxId,
    /// From 1.
    pub(super) step: i64,
}

/// Plans a delivery for `due_at`.
pub(super) async fn plan(
    tx: &mut AnyConnection,
    new: &NewDelivery,
    due_at: Timestamp,
) -> Result<DeliveryId, StoreError> {
    let id = DeliveryId::new(format!("{}{}", DeliveryId::PREFIX, random_text()));
    sqlx::query(
        "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_at_ms, attempt) \
         VALUES ($1, $2, $3, $4, $5, 'planned', $6, 0)",
    )
    .bind(id.to_string())
    .bind(new.campaign.to_string())
    .bind(new.lead.to_string())
    .bind(new.inbox.to_string())
    .bind(new.step)
    .bind(due_at.as_ms())
    .execute(tx)
    .await?;
    Ok(id)
}

/// Moves a campaign by an event, or says why it cannot.
pub(super) async fn apply(
    tx: &mut AnyConnection,
    id: &CampaignId,
    event: Event,
    now: Timestamp,
) -> Result<(), StoreError> {
    let status = load_status(tx, id).await?;
    let advice = advise(&status);
    let next = status
        .apply(event, now)
        .map_err(|refused| StoreError::Conflict(format!("{refused}: {advice}")))?;
    put_status(tx, id, &next).await
}

/// What a person can do about a campaign that cannot be told what it was told.
fn advise(status: &State) -> String {
    match status {
        State::Draft => "start it first".to_owned(),
        State::Running => "it sends by itself what is due; pause it to hold it".to_owned(),
        State::Paused {
            by: PausedBy::Person,
            ..
        } => "a person paused it; resume it".to_owned(),
        State::Paused {
            by: PausedBy::Cause { inbox, cause },
            ..
        } => format!(
            "the inbox {inbox} was lost ({}); reconnect that inbox, and the campaign goes on by itself",
            cause.code()
        ),
        State::Finished { .. } | State::Cancelled { .. } => {
            "it is over; make another campaign".to_owned()
        }
    }
}

/// Stores where a campaign stands.
pub(super) async fn put_status(
    tx: &mut AnyConnection,
    id: &CampaignId,
    status: &State,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE campaigns SET state = $1, status = $2 WHERE id = $3")
        .bind(status.name())
        .bind(to_json("status", status)?)
        .bind(id.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// Where a campaign stands, read inside a transaction.
pub(super) async fn load_status(
    tx: &mut AnyConnection,
    id: &CampaignId,
) -> Result<State, StoreError> {
    let row = sqlx::query("SELECT status FROM campaigns WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?
        .ok_or_else(|| not_found(id))?;
    json(&row, "status")
}

/// Finishes a running campaign whose last active lead is done. One that is paused is finished when it goes on.
pub(super) async fn finish_if_done(
    tx: &mut AnyConnection,
    id: &CampaignId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let active =
        sqlx::query("SELECT 1 FROM leads WHERE campaign_id = $1 AND state = 'active' LIMIT 1")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
    let open = sqlx::query(
        "SELECT 1 FROM deliveries WHERE campaign_id = $1 \
         AND state IN ('planned', 'deferred', 'attempting', 'in_doubt', 'unsettled') LIMIT 1",
    )
    .bind(id.to_string())
    .fetch_optional(&mut *tx)
    .await?;
    if active.is_none() && open.is_none() {
        let status = load_status(tx, id).await?;
        if let Ok(next) = status.apply(Event::Finish, now) {
            put_status(tx, id, &next).await?;
        }
    }
    Ok(())
}

/// A lead of a finished campaign is to be written to again; one that is not finished goes on as it does.
pub(super) async fn reopen(
    tx: &mut AnyConnection,
    id: &CampaignId,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Ok(next) = load_status(tx, id).await?.apply(Event::Reopen, now) {
        put_status(tx, id, &next).await?;
    }
    Ok(())
}

async fn list_inboxes_of(
    reader: &mut AnyConnection,
    id: &CampaignId,
) -> Result<Vec<InboxId>, StoreError> {
    let rows = sqlx::query(
        "SELECT inbox_id FROM campaign_inboxes WHERE campaign_id = $1 ORDER BY position",
    )
    .bind(id.to_string())
    .fetch_all(reader)
    .await?;
    rows.iter()
        .map(|row| Ok(InboxId::new(text(row, "inbox_id")?)))
        .collect()
}

async fn count(
    reader: &mut AnyConnection,
    id: &CampaignId,
    n_steps: usize,
) -> Result<Counts, StoreError> {
    let row = sqlx::query("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM leads WHERE campaign_id = $1")
        .bind(id.to_string())
        .fetch_one(&mut *reader)
        .await?;
    let leads: u64 = small(&row, "n")?;
    let planned = leads.saturating_mul(n_steps as u64);
    let mut counts = Counts {
        leads,
        planned,
        ..Counts::default()
    };
    let rows = sqlx::query(
        "SELECT state, CAST(COUNT(*) AS BIGINT) AS n FROM deliveries WHERE campaign_id = $1 GROUP BY state",
    )
    .bind(id.to_string())
    .fetch_all(&mut *reader)
    .await?;
    for row in &rows {
        tally(&mut counts, row)?;
    }
    let settled = counts.attempting
        + counts.accepted
        + counts.bounced
        + counts.rejected
        + counts.in_doubt
        + counts.unsettled
        + counts.suppressed
        + counts.cancelled;
    // Steps that have no row yet wait for the step before them.
    counts.waiting = planned.saturating_sub(settled);
    Ok(counts)
}

fn tally(counts: &mut Counts, row: &AnyRow) -> Result<(), StoreError> {
    let n: u64 = small(row, "n")?;
    match text(row, "state")?.as_str() {
        "planned" | "deferred" => {}
        "attempting" => counts.attempting = n,
        "accepted" => counts.accepted = n,
        "bounced" => counts.bounced = n,
        "rejected" => counts.rejected = n,
        "in_doubt" => counts.in_doubt = n,
        "unsettled" => counts.unsettled = n,
        "suppressed" => counts.suppressed = n,
        "cancelled" => counts.cancelled = n,
        _ => return Err(StoreError::Corrupt { what: "state" }),
    }
    Ok(())
}

fn not_found(id: &CampaignId) -> StoreError {
    StoreError::NotFound {
        what: "campaign",
        id: id.to_string(),
    }
}
