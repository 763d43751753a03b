//! Deliveries: the ledger. Intent is committed before the first byte, the outcome after the reply, and
//! nothing durable says in between whether the body left. Every write of an attempt names its number.

use std::collections::BTreeMap;

use protocol::campaign::Step;
use protocol::cause::Cause;
use protocol::delivery::{Decision, Event, State, Suppression};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::request::delivery::Delivery;
use protocol::standing::{Effect, End, Rests};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::standing::{self, Told};
use super::{
    Store, StoreError, campaign, json, lead, number, number_or_null, small, text, text_or_null,
};
use crate::record::FolderPosition;
use crate::secret::random_text;

/// Attempts of one inbox at a time: one on the wire, and one whose outcome is being written.
pub const ATTEMPTING_AT_MOST: i64 = 2;
/// Deliveries in one answer, at most.
const LIST_AT_MOST: u32 = 1_000;

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
    pub sent: Option<FolderPosition>,
    /// How long the inbox rests after refusals and doubts.
    pub rests: Rests,
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
    /// What it says of the inbox's standing, which may move this delivery elsewhere than the event does, and others
    /// too; `None` where no server answered, and the event alone counts.
    pub told: Option<Told>,
}

/// What followed from an attempt's end.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// The next delivery, where one was to be claimed.
    pub next: Option<Job>,
    /// Two leads of two domains met what is said to be the inbox's.
    pub is_suspect: bool,
}

/// The columns of a delivery that is to be claimed.
pub(super) const CLAIMED: &str = "d.id AS id, d.lead_id AS lead_id, d.campaign_id AS campaign_id, d.step AS step, \
     d.attempt AS attempt, d.message_id AS message_id, d.state AS state, d.due_at_ms AS due_at_ms, \
     d.lease_until_ms AS lease_until_ms, d.accepted_at_ms AS accepted_at_ms, \
     d.in_doubt_since_ms AS in_doubt_since_ms, d.cause AS cause, d.why AS why, \
     l.address AS address, l.fields AS fields, c.steps AS steps";

/// What may be claimed for inbox `$1` at `$2`: due, in a running campaign, and no earlier step of its lead is open.
pub(super) const CLAIMABLE: &str = "FROM deliveries d JOIN campaigns c ON c.id = d.campaign_id \
     JOIN leads l ON l.id = d.lead_id \
     WHERE d.inbox_id = $1 AND d.state IN ('planned', 'deferred') AND d.due_at_ms <= $2 \
     AND c.state = 'running' AND l.state = 'active' AND NOT EXISTS ( \
       SELECT 1 FROM deliveries e WHERE e.lead_id = d.lead_id AND e.step < d.step AND e.state <> 'accepted')";

impl Store {
    /// Claims the next delivery of an inbox that is due, may be sent now, and whose lead has no earlier
    /// step that is not accepted. `None` when there is none.
    pub async fn claim_delivery(&self, claim: &Claim) -> Result<Option<Job>, StoreError> {
        let mut tx = self.writer.begin().await?;
        let job = claim_in(&mut tx, claim).await?;
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
    ) -> Result<Finished, StoreError> {
        let mut tx = self.writer.begin().await?;
        let is_suspect = finish_in(&mut tx, job, ended, now).await?;
        let next = match next {
            Some(claim) => claim_in(&mut tx, claim).await?,
            None => None,
        };
        tx.commit().await?;
        Ok(Finished { next, is_suspect })
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
            Err(fence_lost(job))
        }
    }

    /// Puts every attempt whose owner is gone into doubt: all of them at start, those of expired leases
    /// (`expired_at`) later. Answers how many.
    pub async fn doubt_orphans(
        &self,
        now: Timestamp,
        expired_at: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        let expired_at = expired_at.map_or(i64::MAX, Timestamp::as_ms);
        let mut tx = self.writer.begin().await?;
        // They may have been sent, so their inboxes keep their distance to them.
        sqlx::query(
            "UPDATE inboxes SET last_sent_at_ms = $1 WHERE id IN ( \
             SELECT inbox_id FROM deliveries WHERE state = 'attempting' AND lease_until_ms <= $2)",
        )
        .bind(now.as_ms())
        .bind(expired_at)
        .execute(&mut *tx)
        .await?;
        let done = sqlx::query(
            "UPDATE deliveries SET state = 'in_doubt', in_doubt_since_ms = $1, lease_until_ms = NULL \
             WHERE state = 'attempting' AND lease_until_ms <= $2",
        )
        .bind(now.as_ms())
        .bind(expired_at)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// Deliveries of a campaign, oldest lead first.
    pub async fn list_deliveries(
        &self,
        campaign: &CampaignId,
        state: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {VIEW} WHERE d.campaign_id = $1 AND ($2 = '' OR d.state = $2) \
             ORDER BY l.position, d.step LIMIT $3"
        )))
        .bind(campaign.to_string())
        .bind(state.unwrap_or_default().to_owned())
        .bind(i64::from(limit.min(LIST_AT_MOST)))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(view).collect()
    }

    /// One delivery.
    pub async fn load_delivery(&self, id: &DeliveryId) -> Result<Delivery, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {VIEW} WHERE d.id = $1"
        )))
        .bind(id.to_string())
        .fetch_optional(&self.reader)
        .await?
        .ok_or_else(|| not_found(id))?;
        view(&row)
    }

    /// A person's word on an unsettled delivery.
    pub async fn decide_delivery(
        &self,
        id: &DeliveryId,
        decision: Decision,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        decide(&mut tx, id, decision, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A person's word on an unsettled delivery, inside a transaction.
pub(super) async fn decide(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    decision: Decision,
    now: Timestamp,
) -> Result<(), StoreError> {
    transition(tx, id, Event::Decided { decision, at: now }, now).await?;
    if decision == Decision::Cancel {
        let lead = load_lead_id(tx, id).await?;
        lead::stop(tx, &lead, Suppression::Person, now).await?;
    }
    Ok(())
}

async fn claim_in(tx: &mut AnyConnection, claim: &Claim) -> Result<Option<Job>, StoreError> {
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM deliveries WHERE inbox_id = $1 AND state = 'attempting'",
    )
    .bind(claim.inbox.to_string())
    .fetch_one(&mut *tx)
    .await?;
    if number(&row, "n")? >= ATTEMPTING_AT_MOST {
        return Ok(None);
    }
    let row = standing::choose(tx, claim).await?;
    let Some(row) = row else { return Ok(None) };
    let id = DeliveryId::new(text(&row, "id")?);
    let before: u32 = small(&row, "attempt")?;
    let attempt = before.saturating_add(1);
    let event = Event::Claimed {
        at: claim.now,
        lease_until: claim.lease_until,
        attempt,
    };
    let state = state_from(&row)?
        .apply(event)
        .map_err(|refused| StoreError::Conflict(refused.to_string()))?;
    let message_id = text_or_null(&row, "message_id")?
        .unwrap_or_else(|| format!("{}@{}", random_text(), claim.domain));
    put_state(tx, &id, before, &state, Some(attempt)).await?;
    sqlx::query("UPDATE deliveries SET message_id = $1, sent_uid_validity = $2, sent_uid_next = $3, claimed_due_ms = $4, is_held = 0 WHERE id = $5")
        .bind(message_id.clone())
        .bind(claim.sent.map(|position| i64::from(position.uid_validity)))
        .bind(claim.sent.map(|position| i64::from(position.uid_next)))
        .bind(number(&row, "due_at_ms")?)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
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
        campaign: CampaignId::new(text(&row, "campaign_id")?),
        lead,
        id,
    }))
}

/// The ids of the steps before `step`, oldest first: for each what we wrote, then what the server made of
/// it where that differs.
async fn list_thread(
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

/// Answers whether the inbox became suspect by it.
async fn finish_in(
    tx: &mut AnyConnection,
    job: &Job,
    ended: &Ended,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let before = load_state(tx, &job.id).await?;
    let fenced = matches!(before, State::Attempting { attempt, .. } if attempt == job.attempt);
    if !fenced {
        return Err(fence_lost(job));
    }
    let row = sqlx::query("SELECT inbox_id, claimed_due_ms FROM deliveries WHERE id = $1")
        .bind(job.id.to_string())
        .fetch_one(&mut *tx)
        .await?;
    let inbox = InboxId::new(text(&row, "inbox_id")?);
    let claimed_due = number_or_null(&row, "claimed_due_ms")?.map_or(now, Timestamp::from_ms);
    let (mut others, mut own, mut outcome) = (Vec::new(), ended.event.clone(), ended.event.name());
    if let Some(Told { tried, rests }) = &ended.told {
        let mut standing = standing::load(tx, &inbox).await?;
        for effect in standing.note(tried, rests, now) {
            match effect {
                Effect::Hold(id) if id == job.id => {
                    own = Event::PutBack {
                        due_at: claimed_due,
                    };
                    outcome = "refused";
                    standing::set_held(tx, &id, true).await?;
                }
                Effect::PutBack(id) if id == job.id => {
                    own = Event::PutBack {
                        due_at: claimed_due,
                    };
                    outcome = own.name();
                }
                Effect::SetAside { delivery, refusal } if delivery == job.id => {
                    own = Event::Rejected {
                        cause: refusal.cause,
                    };
                    outcome = own.name();
                }
                other => others.push(other),
            }
        }
        match &tried.end {
            End::Accepted => {
                standing::note_accepted(tx, &inbox, tried, standing.n_sent(), now).await?;
            }
            End::Refused(refusal) | End::Deferred { refusal, .. } => {
                standing::note_alike(tx, &job.id, refusal.alike).await?;
            }
            End::Doubted => {}
        }
        standing::put(tx, &inbox, &standing).await?;
    }
    // Every try keeps its distance to the next, whatever became of it.
    if ended.told.is_some() || matches!(ended.event, Event::PutBack { .. }) {
        note_sent(tx, &job.id, now).await?;
    }
    let state = before
        .apply(own)
        .map_err(|refused| StoreError::Conflict(refused.to_string()))?;
    put_state(tx, &job.id, job.attempt, &state, None).await?;
    sqlx::query("UPDATE deliveries SET words = $1, wire_id = COALESCE($2, wire_id) WHERE id = $3")
        .bind(ended.words.clone())
        .bind(ended.wire_id.clone())
        .bind(job.id.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO attempts (delivery_id, attempt, outcome, words, ended_at_ms) VALUES ($1, $2, $3, $4, $5)")
        .bind(job.id.to_string())
        .bind(i64::from(job.attempt))
        .bind(outcome)
        .bind(ended.words.clone())
        .bind(now.as_ms())
        .execute(&mut *tx)
        .await?;
    follow(tx, &job.id, &state, now).await?;
    standing::apply(tx, &inbox, &others, now).await?;
    Ok(others.contains(&Effect::Suspect))
}

/// Moves a delivery by an event that is no attempt's, and does what follows from its new state.
pub(super) async fn transition(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    event: Event,
    now: Timestamp,
) -> Result<State, StoreError> {
    let attempt = load_attempt(tx, id).await?;
    let state = load_state(tx, id)
        .await?
        .apply(event)
        .map_err(|refused| StoreError::Conflict(refused.to_string()))?;
    put_state(tx, id, attempt, &state, None).await?;
    follow(tx, id, &state, now).await?;
    Ok(state)
}

/// What a new state means for the lead and the campaign: an accepted step plans the next, a rejected one
/// stops the lead, the last one finishes it.
async fn follow(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    state: &State,
    now: Timestamp,
) -> Result<(), StoreError> {
    match state {
        State::Accepted { at } => {
            note_sent(tx, id, *at).await?;
            plan_next(tx, id, *at, now).await
        }
        // It may have been sent, so the inbox keeps its distance to it.
        State::InDoubt { since } => note_sent(tx, id, *since).await,
        State::Rejected { .. } => {
            let lead = load_lead_id(tx, id).await?;
            lead::stop(tx, &lead, Suppression::Rejected, now).await?;
            Ok(())
        }
        State::Planned { .. } | State::Deferred { .. } => suppress_if_stopped(tx, id, now).await,
        _ => Ok(()),
    }
}

async fn note_sent(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE inboxes SET last_sent_at_ms = $1 WHERE id = (SELECT inbox_id FROM deliveries WHERE id = $2)",
    )
    .bind(at.as_ms())
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// Plans the step after an accepted one, its wait counted from the acceptance; after the last step the
/// lead is done.
async fn plan_next(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    accepted_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT d.lead_id AS lead_id, d.campaign_id AS campaign_id, d.inbox_id AS inbox_id, d.step AS step, \
         l.state AS lead_state, c.steps AS steps FROM deliveries d JOIN leads l ON l.id = d.lead_id \
         JOIN campaigns c ON c.id = d.campaign_id WHERE d.id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    let campaign = CampaignId::new(text(&row, "campaign_id")?);
    let step: usize = small(&row, "step")?;
    let steps: Vec<Step> = json(&row, "steps")?;
    let lead = LeadId::new(text(&row, "lead_id")?);
    if text(&row, "lead_state")? == "active" {
        // Steps are numbered from 1, so the next one stands at the index `step`.
        if let Some(next) = steps.get(step) {
            let new = campaign::NewDelivery {
                campaign,
                lead,
                inbox: InboxId::new(text(&row, "inbox_id")?),
                step: number(&row, "step")? + 1,
            };
            let wait = std::time::Duration::from_millis(next.wait_ms);
            let due_at = accepted_at + wait;
            // It has a row where it was tried before the step in front of it came back.
            let known = sqlx::query("SELECT id FROM deliveries WHERE lead_id = $1 AND step = $2")
                .bind(new.lead.to_string())
                .bind(new.step)
                .fetch_optional(&mut *tx)
                .await?;
            let Some(known) = known else {
                campaign::plan(tx, &new, due_at).await?;
                return Ok(());
            };
            let known = DeliveryId::new(text(&known, "id")?);
            let attempt = load_attempt(tx, &known).await?;
            if let Ok(state) = load_state(tx, &known)
                .await?
                .apply(Event::Returned { due_at })
            {
                put_state(tx, &known, attempt, &state, None).await?;
            }
            return Ok(());
        }
        sqlx::query("UPDATE leads SET state = 'done' WHERE id = $1")
            .bind(lead.to_string())
            .execute(&mut *tx)
            .await?;
    }
    campaign::finish_if_done(tx, &campaign, now).await
}

/// A delivery that is due again although its lead was stopped meanwhile is suppressed like the others.
async fn suppress_if_stopped(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT l.state AS state, l.campaign_id AS campaign_id, (SELECT MIN(o.why) FROM deliveries o \
         WHERE o.lead_id = l.id AND o.state = 'suppressed') AS why \
         FROM deliveries d JOIN leads l ON l.id = d.lead_id WHERE d.id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    if text(&row, "state")? != "stopped" {
        return Ok(());
    }
    // The last step of a lead has no suppressed sibling; only an answer stops a lead at that point.
    let why =
        text_or_null(&row, "why")?.map_or(Ok(Suppression::Replied), |why| lead::parse_why(&why))?;
    let attempt = load_attempt(tx, id).await?;
    put_state(tx, id, attempt, &State::Suppressed { why }, None).await?;
    sqlx::query("UPDATE deliveries SET suppressed_at_ms = $1 WHERE id = $2")
        .bind(now.as_ms())
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
) -> Result<(), StoreError> {
    let mut columns = Columns::default();
    match state {
        State::Planned { due_at } => columns.due_at = Some(*due_at),
        State::Attempting { lease_until, .. } => columns.lease_until = Some(*lease_until),
        State::Accepted { at } | State::Bounced { accepted_at: at } => {
            columns.accepted_at = Some(*at);
        }
        State::Deferred { cause, due_at } => {
            columns.cause = Some(*cause);
            columns.due_at = Some(*due_at);
        }
        State::Rejected { cause } => columns.cause = Some(*cause),
        State::InDoubt { since } | State::Unsettled { since } => {
            columns.in_doubt_since = Some(*since);
        }
        State::Suppressed { why } => columns.why = Some(*why),
        State::Cancelled => {}
    }
    let done = sqlx::query(
        "UPDATE deliveries SET state = $1, due_at_ms = $2, lease_until_ms = $3, accepted_at_ms = $4, \
         in_doubt_since_ms = $5, cause = $6, why = $7, attempt = $8 WHERE id = $9 AND attempt = $10",
    )
    .bind(state.name())
    .bind(columns.due_at.map(Timestamp::as_ms))
    .bind(columns.lease_until.map(Timestamp::as_ms))
    .bind(columns.accepted_at.map(Timestamp::as_ms))
    .bind(columns.in_doubt_since.map(Timestamp::as_ms))
    .bind(columns.cause.map(|cause| cause.code().to_owned()))
    .bind(columns.why.map(|why| lead::why_name(why).to_owned()))
    .bind(i64::from(raised.unwrap_or(attempt)))
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
    due_at: Option<Timestamp>,
    lease_until: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    in_doubt_since: Option<Timestamp>,
    cause: Option<Cause>,
    why: Option<Suppression>,
}

async fn load_state(tx: &mut AnyConnection, id: &DeliveryId) -> Result<State, StoreError> {
    let row = sqlx::query(
        "SELECT state, due_at_ms, lease_until_ms, accepted_at_ms, in_doubt_since_ms, cause, why, attempt \
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

pub(super) async fn load_lead_id(
    tx: &mut AnyConnection,
    id: &DeliveryId,
) -> Result<LeadId, StoreError> {
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
    let cause = || -> Result<Cause, StoreError> {
        let code = text_or_null(row, "cause")?.ok_or(StoreError::Corrupt { what: "cause" })?;
        // A cause that a newer or older version knew is shown as unrecognised rather than lost.
        Ok(serde_json::from_value(serde_json::Value::String(code)).unwrap_or(Cause::Unrecognised))
    };
    Ok(match text(row, "state")?.as_str() {
        "planned" => State::Planned {
            due_at: instant("due_at_ms")?,
        },
        "attempting" => State::Attempting {
            attempt: small(row, "attempt")?,
            lease_until: instant("lease_until_ms")?,
        },
        "accepted" => State::Accepted {
            at: instant("accepted_at_ms")?,
        },
        "deferred" => State::Deferred {
            cause: cause()?,
            due_at: instant("due_at_ms")?,
        },
        "rejected" => State::Rejected { cause: cause()? },
        "in_doubt" => State::InDoubt {
            since: instant("in_doubt_since_ms")?,
        },
        "unsettled" => State::Unsettled {
            since: instant("in_doubt_since_ms")?,
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

const VIEW: &str = "d.id AS id, d.lead_id AS lead_id, d.step AS step, d.state AS state, \
     d.due_at_ms AS due_at_ms, d.lease_until_ms AS lease_until_ms, d.accepted_at_ms AS accepted_at_ms, \
     d.in_doubt_since_ms AS in_doubt_since_ms, d.cause AS cause, d.why AS why, d.attempt AS attempt, \
     d.message_id AS message_id, d.wire_id AS wire_id, d.words AS words, d.alike AS alike, l.address AS address \
     FROM deliveries d JOIN leads l ON l.id = d.lead_id";

fn view(row: &AnyRow) -> Result<Delivery, StoreError> {
    let status = state_from(row)?;
    let cause = match &status {
        State::Deferred { cause, .. } | State::Rejected { cause } => Some(*cause),
        _ => None,
    };
    Ok(Delivery {
        id: DeliveryId::new(text(row, "id")?),
        lead: LeadId::new(text(row, "lead_id")?),
        to: text(row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?,
        step: small(row, "step")?,
        status,
        message_id: text_or_null(row, "message_id")?,
        wire_id: text_or_null(row, "wire_id")?,
        attempts: small(row, "attempt")?,
        cause,
        words: text_or_null(row, "words")?,
        alike: text_or_null(row, "alike")?,
    })
}

fn fence_lost(job: &Job) -> StoreError {
    StoreError::FenceLost {
        delivery: job.id.to_string(),
        attempt: job.attempt,
    }
}

fn not_found(id: &DeliveryId) -> StoreError {
    StoreError::NotFound {
        what: "delivery",
        id: id.to_string(),
    }
}
