//! Deliveries: the ledger. Intent is committed before the first byte, the outcome after the reply, and
//! nothing durable says in between whether the body left. Every write of an attempt names its number.

use std::collections::BTreeMap;

use protocol::campaign::Step;
use protocol::cause::Cause;
use protocol::delivery::{Decision, Event, State, Suppression};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::lead::{Event as LeadEvent, State as LeadState};
use protocol::reading::Reading;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::{Moment, list_pairs, load_clock, note_running_time, put_queues, rest_from};
use super::{
    Store, StoreError, campaign, json, lead, number, number_or_null, small, text, text_or_null,
};
use crate::record::{Class, Queue, SentPlace, Turn};
use crate::secret::random_text;

mod view;

/// Attempts of one inbox at a time: one on the wire, and one whose outcome is being written.
pub const ATTEMPTING_AT_MOST: i64 = 2;
/// What the clock of a row of `deliveries` shows at the running time `$1`.
const READING: &str = "(SELECT p.ran_ms + CASE WHEN p.since_r_ms IS NULL THEN 0 ELSE $1 - p.since_r_ms END \
     FROM campaign_inboxes p \
     WHERE p.campaign_id = deliveries.campaign_id AND p.inbox_id = deliveries.inbox_id)";

/// A claimed delivery with everything that its message is made of.
#[derive(Clone, Debug)]
pub struct Job {
    /// The delivery.
    pub id: DeliveryId,
    /// Its lead.
    pub lead: LeadId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The number of this attempt: the fence.
    pub attempt: u32,
    /// How many attempts ended with a transient refusal of this recipient or message.
    pub deferrals: u32,
    /// The recipient.
    pub to: Address,
    /// The lead's fields.
    pub fields: BTreeMap<String, String>,
    /// The step, from 0.
    pub step_idx: usize,
    /// The campaign's steps.
    pub steps: Vec<Step>,
    /// What we write as `Message-ID`, without angle brackets: the same at every attempt.
    pub message_id: String,
    /// The ids of the steps before, oldest first, ours and the server's.
    pub thread: Vec<String>,
}

/// What a claim needs to know.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The inbox that sends.
    pub inbox: InboxId,
    /// Its domain, for a new message id.
    pub domain: String,
    /// The present instant, by the database's clock; with SQLite that is the relay's own.
    pub now: Timestamp,
    /// Until when the attempt is ours alone.
    pub lease_until: Timestamp,
    /// Where the sent folder stood before this batch.
    pub sent: Option<SentPlace>,
    /// Decides whose message goes next, of what is due; see `engine::turns`.
    pub take_turn: fn(&mut [Queue], i64) -> Option<Turn>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What the delivery is told.
    pub event: Event,
    /// The server's words, or what broke.
    pub words: String,
    /// What the server made of the id, where its reply names it.
    pub wire_id: Option<String>,
}

impl Store {
    /// Claims the next delivery of an inbox that is due, may be sent now, and whose lead has no earlier
    /// step that is not accepted. `None` when there is none.
    pub async fn claim_delivery(&self, claim: &Claim) -> Result<Option<Job>, StoreError> {
        let mut tx = self.writer.begin().await?;
        let job = claim_in(&mut tx, claim, self.moment(claim.now)).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// Writes how an attempt ended and, in the same commit, claims the next delivery.
    pub async fn finish_delivery(
        &self,
        job: &Job,
        ended: &Ended,
        now: Timestamp,
        next: Option<&Claim>,
    ) -> Result<Option<Job>, StoreError> {
        let mut tx = self.writer.begin().await?;
        finish_in(&mut tx, &job.id, job.attempt, ended, self.moment(now)).await?;
        let job = match next {
            Some(claim) => claim_in(&mut tx, claim, self.moment(claim.now)).await?,
            None => None,
        };
        tx.commit().await?;
        Ok(job)
    }

    /// Writes how an attempt ended that an earlier process made.
    pub(super) async fn finish_attempt(
        &self,
        id: &DeliveryId,
        attempt: u32,
        ended: &Ended,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        finish_in(&mut tx, id, attempt, ended, self.moment(now)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether the end of this attempt is on record.
    pub async fn has_ended(&self, job: &Job) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM attempts WHERE delivery_id = $1 AND attempt = $2")
            .bind(job.id.to_string())
            .bind(i64::from(job.attempt))
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }

    /// Keeps an attempt ours for longer.
    pub async fn renew_lease(&self, job: &Job, lease_until: Timestamp) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE deliveries SET lease_until_ms = $1 WHERE id = $2 AND state = 'attempting' AND attempt = $3",
        )
        .bind(lease_until.as_ms())
        .bind(job.id.to_string())
        .bind(i64::from(job.attempt))
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(fence_lost(&job.id, job.attempt))
        }
    }

    /// Puts every attempt whose owner is gone into doubt: all of them at start, those of expired leases
    /// (`expired_at`) later, but for those that this process is at. Answers how many.
    pub async fn doubt_orphans(
        &self,
        now: Timestamp,
        expired_at: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        let expired_at = expired_at.map_or(i64::MAX, Timestamp::as_ms);
        let rows = sqlx::query(
            "SELECT id FROM deliveries WHERE state = 'attempting' AND lease_until_ms <= $1",
        )
        .bind(expired_at)
        .fetch_all(&self.reader)
        .await?;
        // The transaction begins by writing: so it waits for whoever writes, instead of being refused at once.
        let mut tx = self.writer.begin().await?;
        let moment = self.moment(now);
        let mut n_doubts = 0;
        for row in &rows {
            let id = DeliveryId::new(text(row, "id")?);
            if self.holds.contains(&id) {
                continue;
            }
            let done = sqlx::query(sqlx::AssertSqlSafe(format!(
                "UPDATE deliveries SET state = 'in_doubt', in_doubt_since_ms = $2, lease_until_ms = NULL, \
                 doubted_ms = {READING} WHERE id = $3 AND state = 'attempting' AND lease_until_ms <= $4"
            )))
            .bind(moment.r_ms)
            .bind(now.as_ms())
            .bind(id.to_string())
            .bind(expired_at)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 0 {
                continue;
            }
            // It may have been sent, so its inbox keeps its distance to it.
            note_tried(&mut tx, &id, moment).await?;
            n_doubts += 1;
        }
        tx.commit().await?;
        Ok(n_doubts)
    }

    /// When the next delivery of an inbox is due, as things stand; `None` when nothing waits in a campaign that can
    /// send through it.
    pub async fn find_next_due(
        &self,
        inbox: &InboxId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.moment(now);
        let mut reader = self.reader.acquire().await?;
        let pairs = list_pairs(&mut reader, inbox).await?;
        let row = sqlx::query(
            "SELECT MIN(rest_until_ms) AS until_ms, MIN(rest_until_r_ms) AS until_r_ms FROM deliveries \
             WHERE inbox_id = $1 AND rest_until_ms IS NOT NULL",
        )
        .bind(inbox.to_string())
        .fetch_one(&mut *reader)
        .await?;
        let by_wall = number_or_null(&row, "until_ms")?.map(Timestamp::from_ms);
        let by_running_time = number_or_null(&row, "until_r_ms")?
            .map(|until| now.at + ms(until.saturating_sub(now.r_ms)));
        let rested_at = [by_wall, by_running_time].into_iter().flatten().min();
        let can_send = pairs.iter().any(|pair| pair.clock.runs());
        let due_at = pairs.iter().filter_map(|pair| pair.next_due_at(now));
        Ok(due_at.chain(rested_at.filter(|_| can_send)).min())
    }

    /// Lets the deliveries of an inbox that have rested long enough wait for their turn again. Answers how many.
    pub async fn wake_rested(&self, inbox: &InboxId, now: Timestamp) -> Result<u64, StoreError> {
        let now = self.moment(now);
        let done = sqlx::query(
            "UPDATE deliveries SET rest_until_ms = NULL, rest_until_r_ms = NULL, \
             rank = CASE WHEN is_first = 1 THEN place ELSE due_ms END \
             WHERE inbox_id = $1 AND rest_until_ms IS NOT NULL \
             AND (rest_until_ms <= $2 OR rest_until_r_ms <= $3)",
        )
        .bind(inbox.to_string())
        .bind(now.at.as_ms())
        .bind(now.r_ms)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// A person's word on an unsettled delivery.
    pub async fn decide_delivery(
        &self,
        id: &DeliveryId,
        decision: Decision,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        let at = now;
        let now = self.moment(now);
        transition(&mut tx, id, Event::Decided { decision, at }, now).await?;
        if decision == Decision::Cancel {
            let lead = load_lead_id(&mut tx, id).await?;
            lead::stop(&mut tx, &lead, Suppression::Person, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn claim_in(
    tx: &mut AnyConnection,
    claim: &Claim,
    now: Moment,
) -> Result<Option<Job>, StoreError> {
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n, \
         (SELECT served FROM inboxes WHERE id = $1) AS served \
         FROM deliveries WHERE inbox_id = $1 AND state = 'attempting'",
    )
    .bind(claim.inbox.to_string())
    .fetch_one(&mut *tx)
    .await?;
    if number(&row, "n")? >= ATTEMPTING_AT_MOST {
        return Ok(None);
    }
    let served = number_or_null(&row, "served")?.unwrap_or(0);
    let pairs = list_pairs(tx, &claim.inbox).await?;
    let mut queues: Vec<Queue> = pairs.iter().map(|pair| pair.queue_at(now)).collect();
    let turn = (claim.take_turn)(&mut queues, served);
    put_queues(tx, &claim.inbox, &pairs, &queues).await?;
    let Some(turn) = turn else { return Ok(None) };
    let Some(pair) = pairs.get(turn.queue_idx) else {
        return Ok(None);
    };
    let row = sqlx::query(
        "SELECT d.id AS id, d.lead_id AS lead_id, d.step AS step, d.attempt AS attempt, \
         d.message_id AS message_id, d.state AS state, d.due_ms AS due_ms, d.rest_until_ms AS rest_until_ms, \
         d.lease_until_ms AS lease_until_ms, d.accepted_at_ms AS accepted_at_ms, \
         d.in_doubt_since_ms AS in_doubt_since_ms, d.cause AS cause, d.why AS why, \
         l.address AS address, l.fields AS fields, c.steps AS steps \
         FROM deliveries d JOIN campaigns c ON c.id = d.campaign_id JOIN leads l ON l.id = d.lead_id \
         WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.is_first = $3 AND d.rank IS NOT NULL \
         ORDER BY d.rank, d.place LIMIT 1",
    )
    .bind(claim.inbox.to_string())
    .bind(pair.campaign.to_string())
    .bind(i64::from(turn.class == Class::First))
    .fetch_one(&mut *tx)
    .await?;
    let id = DeliveryId::new(text(&row, "id")?);
    let before: u32 = small(&row, "attempt")?;
    let attempt = before.saturating_add(1);
    let reading = pair.clock.read(now);
    let event = Event::Claimed {
        reading,
        lease_until: claim.lease_until,
        attempt,
    };
    let state = state_from(&row)?
        .apply(event)
        .map_err(|refused| StoreError::Conflict(refused.to_string()))?;
    let message_id = text_or_null(&row, "message_id")?
        .unwrap_or_else(|| format!("{}@{}", random_text(), claim.domain));
    put_state(tx, &id, before, &state, Some(attempt), now).await?;
    let sent = claim.sent.as_ref();
    sqlx::query(
        "UPDATE deliveries SET message_id = $1, sent_uid_validity = $2, sent_uid_next = $3, sent_folder = $4, \
         claim_no = (SELECT CAST(COALESCE(MAX(o.claim_no), 0) + 1 AS BIGINT) FROM deliveries o WHERE o.inbox_id = $5), \
         adoption = (SELECT i.adoption FROM inboxes i WHERE i.id = $5) WHERE id = $6",
    )
    .bind(message_id.clone())
    .bind(sent.map(|sent| i64::from(sent.position.uid_validity)))
    .bind(sent.map(|sent| i64::from(sent.position.uid_next)))
    .bind(sent.map(|sent| sent.folder.clone()))
    .bind(claim.inbox.to_string())
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE inboxes SET served = $1 WHERE id = $2")
        .bind(turn.served)
        .bind(claim.inbox.to_string())
        .execute(&mut *tx)
        .await?;
    note_running_time(tx, now).await?;
    let lead = LeadId::new(text(&row, "lead_id")?);
    let step = number(&row, "step")?;
    let deferrals = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM attempts WHERE delivery_id = $1 AND outcome = 'deferred'",
    )
    .bind(id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    Ok(Some(Job {
        attempt,
        deferrals: small(&deferrals, "n")?,
        to: text(&row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?,
        fields: json(&row, "fields")?,
        step_idx: usize::try_from(step - 1).map_err(|_| StoreError::Corrupt { what: "step" })?,
        steps: json(&row, "steps")?,
        message_id,
        thread: list_thread(tx, &lead, step).await?,
        campaign: pair.campaign.clone(),
        lead,
        id,
    }))
}

/// The ids of the steps before `step`, oldest first: for each what we wrote, then what the server made of
/// it where that differs.
pub(super) async fn list_thread(
    tx: &mut AnyConnection,
    lead: &LeadId,
    step: i64,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT message_id, wire_id FROM deliveries WHERE lead_id = $1 AND step < $2 ORDER BY step",
    )
    .bind(lead.to_string())
    .bind(step)
    .fetch_all(tx)
    .await?;
    let mut thread = Vec::new();
    for row in &rows {
        let ours = text_or_null(row, "message_id")?;
        let theirs = text_or_null(row, "wire_id")?.filter(|wire_id| Some(wire_id) != ours.as_ref());
        thread.extend(ours);
        thread.extend(theirs);
    }
    Ok(thread)
}

async fn finish_in(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    attempt: u32,
    ended: &Ended,
    now: Moment,
) -> Result<(), StoreError> {
    let before = load_state(tx, id).await?;
    let fenced = matches!(before, State::Attempting { attempt: held, .. } if held == attempt);
    if !fenced {
        return Err(fence_lost(id, attempt));
    }
    let state = before
        .apply(ended.event.clone())
        .map_err(|refused| StoreError::Conflict(refused.to_string()))?;
    put_state(tx, id, attempt, &state, None, now).await?;
    sqlx::query("UPDATE deliveries SET words = $1, wire_id = COALESCE($2, wire_id) WHERE id = $3")
        .bind(ended.words.clone())
        .bind(ended.wire_id.clone())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO attempts (delivery_id, attempt, outcome, words, ended_at_ms) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.to_string())
        .bind(i64::from(attempt))
        .bind(ended.event.name())
        .bind(ended.words.clone())
        .bind(now.at.as_ms())
        .execute(&mut *tx)
        .await?;
    follow(tx, id, &state, Base::Now, now).await
}

/// From when the wait of the next step counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// From now: the server has just answered, or a person has just decided.
    Now,
    /// From when it came into doubt: a copy shows that it was taken by then, whenever it was found.
    Doubt,
}

/// Moves a delivery by an event that is no attempt's, and does what follows from its new state.
pub(super) async fn transition(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    event: Event,
    now: Moment,
) -> Result<State, StoreError> {
    let attempt = load_attempt(tx, id).await?;
    let base = match &event {
        Event::Found { .. } => Base::Doubt,
        _ => Base::Now,
    };
    let state = load_state(tx, id)
        .await?
        .apply(event)
        .map_err(|refused| StoreError::Conflict(refused.to_string()))?;
    put_state(tx, id, attempt, &state, None, now).await?;
    follow(tx, id, &state, base, now).await?;
    Ok(state)
}

/// What a new state means for the lead and the campaign: an accepted step plans the next, a rejected one
/// stops the lead, the last one finishes it. An inbox keeps its distance to whatever was tried through it.
async fn follow(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    state: &State,
    base: Base,
    now: Moment,
) -> Result<(), StoreError> {
    match state {
        State::Accepted { .. } => {
            if base == Base::Now {
                note_tried(tx, id, now).await?;
            }
            plan_next(tx, id, base, now).await
        }
        // It may have been sent.
        State::InDoubt { .. } => {
            note_doubt(tx, id, now).await?;
            note_tried(tx, id, now).await
        }
        State::Rejected { .. } => {
            note_tried(tx, id, now).await?;
            let lead = load_lead_id(tx, id).await?;
            lead::stop(tx, &lead, Suppression::Rejected, now).await?;
            Ok(())
        }
        State::Deferred { .. } => {
            note_tried(tx, id, now).await?;
            suppress_if_stopped(tx, id, now).await
        }
        State::Planned { .. } => suppress_if_stopped(tx, id, now).await,
        _ => Ok(()),
    }
}

/// Notes what the clock of a delivery showed when it came into doubt.
async fn note_doubt(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE deliveries SET doubted_ms = {READING} WHERE id = $2"
    )))
    .bind(now.r_ms)
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

async fn note_tried(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE inboxes SET last_tried_at_ms = $1, last_tried_r_ms = $2 \
         WHERE id = (SELECT inbox_id FROM deliveries WHERE id = $3)",
    )
    .bind(now.at.as_ms())
    .bind(now.r_ms)
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    note_running_time(tx, now).await
}

/// Plans the step after an accepted one; after the last step the lead is done.
async fn plan_next(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    base: Base,
    now: Moment,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT d.lead_id AS lead_id, d.campaign_id AS campaign_id, d.inbox_id AS inbox_id, d.step AS step, \
         d.place AS place, d.doubted_ms AS doubted_ms, l.state AS lead_state, c.steps AS steps \
         FROM deliveries d JOIN leads l ON l.id = d.lead_id \
         JOIN campaigns c ON c.id = d.campaign_id WHERE d.id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    let campaign = CampaignId::new(text(&row, "campaign_id")?);
    let inbox = InboxId::new(text(&row, "inbox_id")?);
    let step: usize = small(&row, "step")?;
    let steps: Vec<Step> = json(&row, "steps")?;
    let lead = LeadId::new(text(&row, "lead_id")?);
    let lead_state = lead::state_from(&row, "lead_state")?;
    if let Ok(after) = lead_state.apply(LeadEvent::Finished) {
        // Steps are numbered from 1, so the next one stands at the index `step`.
        if let Some(next) = steps.get(step) {
            let reading = load_clock(tx, &campaign, &inbox).await?.read(now);
            let doubted = number_or_null(&row, "doubted_ms")?.map(Reading::from_ms);
            let from = match base {
                Base::Now => reading,
                Base::Doubt => doubted.unwrap_or(reading),
            };
            let new = campaign::NewDelivery {
                campaign,
                lead,
                inbox,
                step: number(&row, "step")? + 1,
                place: number(&row, "place")?,
            };
            let wait = std::time::Duration::from_millis(next.wait_ms);
            campaign::plan(tx, &new, from + wait).await?;
            return note_running_time(tx, now).await;
        }
        lead::put_state(tx, &lead, after).await?;
    }
    campaign::finish_if_done(tx, &campaign, now).await
}

/// A delivery that is due again although its lead was stopped meanwhile is suppressed like the others.
async fn suppress_if_stopped(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    now: Moment,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT l.state AS state, l.campaign_id AS campaign_id, (SELECT MIN(o.why) FROM deliveries o \
         WHERE o.lead_id = l.id AND o.state = 'suppressed') AS why \
         FROM deliveries d JOIN leads l ON l.id = d.lead_id WHERE d.id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    if lead::state_from(&row, "state")? != LeadState::Stopped {
        return Ok(());
    }
    // The last step of a lead has no suppressed sibling; only an answer stops a lead at that point.
    let why =
        text_or_null(&row, "why")?.map_or(Ok(Suppression::Replied), |why| lead::parse_why(&why))?;
    let attempt = load_attempt(tx, id).await?;
    put_state(tx, id, attempt, &State::Suppressed { why }, None, now).await?;
    sqlx::query("UPDATE deliveries SET suppressed_at_ms = $1 WHERE id = $2")
        .bind(now.at.as_ms())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    campaign::finish_if_done(tx, &CampaignId::new(text(&row, "campaign_id")?), now).await
}

/// Writes a state over the one that attempt number `attempt` left; `raised` is the new number of a claim.
async fn put_state(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    attempt: u32,
    state: &State,
    raised: Option<u32>,
    now: Moment,
) -> Result<(), StoreError> {
    let mut columns = Columns::default();
    match state {
        State::Planned { .. } => columns.is_ready = true,
        State::Attempting { lease_until, .. } => columns.lease_until = Some(*lease_until),
        State::Accepted { at } | State::Bounced { accepted_at: at } => {
            columns.accepted_at = Some(*at);
        }
        State::Deferred {
            cause, rest_until, ..
        } => {
            columns.cause = Some(*cause);
            columns.rest_until = Some(rest_from(now, *rest_until));
        }
        State::Rejected { cause } => columns.cause = Some(*cause),
        State::InDoubt { since, .. } | State::Unsettled { since, .. } => {
            columns.in_doubt_since = Some(*since);
        }
        State::Suppressed { why } => columns.why = Some(*why),
        State::Cancelled => {}
    }
    let done = sqlx::query(
        "UPDATE deliveries SET state = $1, lease_until_ms = $2, accepted_at_ms = $3, in_doubt_since_ms = $4, \
         cause = $5, why = $6, attempt = $7, rest_until_ms = $8, rest_until_r_ms = $9, \
         rank = CASE WHEN $10 = 0 THEN NULL WHEN is_first = 1 THEN place ELSE due_ms END \
         WHERE id = $11 AND attempt = $12",
    )
    .bind(state.name())
    .bind(columns.lease_until.map(Timestamp::as_ms))
    .bind(columns.accepted_at.map(Timestamp::as_ms))
    .bind(columns.in_doubt_since.map(Timestamp::as_ms))
    .bind(columns.cause.map(|cause| cause.code().to_owned()))
    .bind(columns.why.map(|why| lead::why_name(why).to_owned()))
    .bind(i64::from(raised.unwrap_or(attempt)))
    .bind(columns.rest_until.map(|(by_wall, _)| by_wall))
    .bind(columns.rest_until.map(|(_, by_running_time)| by_running_time))
    .bind(i64::from(columns.is_ready))
    .bind(id.to_string())
    .bind(i64::from(attempt))
    .execute(tx)
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::FenceLost {
            delivery: id.to_string(),
            attempt,
        })
    }
}

/// The columns that carry a state's data; all null but those of the state.
#[derive(Default)]
struct Columns {
    /// It waits for its due and its turn, and for nothing else.
    is_ready: bool,
    /// By the wall and by the running time.
    rest_until: Option<(i64, i64)>,
    lease_until: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    in_doubt_since: Option<Timestamp>,
    cause: Option<Cause>,
    why: Option<Suppression>,
}

async fn load_state(tx: &mut AnyConnection, id: &DeliveryId) -> Result<State, StoreError> {
    let row = sqlx::query(
        "SELECT state, due_ms, rest_until_ms, lease_until_ms, accepted_at_ms, in_doubt_since_ms, cause, why, attempt \
         FROM deliveries WHERE id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(tx)
    .await?
    .ok_or_else(|| not_found(id))?;
    state_from(&row)
}

async fn load_attempt(tx: &mut AnyConnection, id: &DeliveryId) -> Result<u32, StoreError> {
    let row = sqlx::query("SELECT attempt FROM deliveries WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(tx)
        .await?
        .ok_or_else(|| not_found(id))?;
    small(&row, "attempt")
}

async fn load_lead_id(tx: &mut AnyConnection, id: &DeliveryId) -> Result<LeadId, StoreError> {
    let row = sqlx::query("SELECT lead_id FROM deliveries WHERE id = $1")
        .bind(id.to_string())
        .fetch_one(tx)
        .await?;
    Ok(LeadId::new(text(&row, "lead_id")?))
}

/// The state that a row's columns describe.
pub(super) fn state_from(row: &AnyRow) -> Result<State, StoreError> {
    let instant = |column: &'static str| {
        number_or_null(row, column)?
            .map(Timestamp::from_ms)
            .ok_or(StoreError::Corrupt { what: column })
    };
    let due = || Ok::<_, StoreError>(Reading::from_ms(number(row, "due_ms")?));
    let cause = || -> Result<Cause, StoreError> {
        let code = text_or_null(row, "cause")?.ok_or(StoreError::Corrupt { what: "cause" })?;
        // A cause that a newer or older version knew is shown as unrecognised rather than lost.
        Ok(serde_json::from_value(serde_json::Value::String(code)).unwrap_or(Cause::Unrecognised))
    };
    Ok(match text(row, "state")?.as_str() {
        "planned" => State::Planned { due: due()? },
        "attempting" => State::Attempting {
            attempt: small(row, "attempt")?,
            lease_until: instant("lease_until_ms")?,
            due: due()?,
        },
        "accepted" => State::Accepted {
            at: instant("accepted_at_ms")?,
        },
        "deferred" => State::Deferred {
            cause: cause()?,
            due: due()?,
            // `NULL` once it has rested.
            rest_until: Timestamp::from_ms(number_or_null(row, "rest_until_ms")?.unwrap_or(0)),
        },
        "rejected" => State::Rejected { cause: cause()? },
        "in_doubt" => State::InDoubt {
            since: instant("in_doubt_since_ms")?,
            due: due()?,
        },
        "unsettled" => State::Unsettled {
            since: instant("in_doubt_since_ms")?,
            due: due()?,
        },
        "suppressed" => {
            let why = text_or_null(row, "why")?.ok_or(StoreError::Corrupt { what: "why" })?;
            State::Suppressed {
                why: lead::parse_why(&why)?,
            }
        }
        "cancelled" => State::Cancelled,
        "bounced" => State::Bounced {
            accepted_at: instant("accepted_at_ms")?,
        },
        _ => return Err(StoreError::Corrupt { what: "state" }),
    })
}

fn fence_lost(id: &DeliveryId, attempt: u32) -> StoreError {
    StoreError::FenceLost {
        delivery: id.to_string(),
        attempt,
    }
}

fn not_found(id: &DeliveryId) -> StoreError {
    StoreError::NotFound {
        what: "delivery",
        id: id.to_string(),
    }
}

/// A duration of so many milliseconds; none at all where they are fewer than none.
fn ms(ms: i64) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
