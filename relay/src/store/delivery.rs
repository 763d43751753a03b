//! Deliveries: the ledger. Intent is committed before the first byte, the outcome after the reply, and
//! nothing durable says in between whether the body left. Every write of an attempt names its number.

use std::time::Duration;

use protocol::campaign::Step;
use protocol::cause::Cause;
use protocol::delivery::{Decision, Event, State, Suppression};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::lead::{Event as LeadEvent, State as LeadState};
use protocol::reading::Reading;
use protocol::standing::Effect;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::budget::note_lost_attempt;
use super::clocks::{Moment, PairClock, note_running_time, rest_from};
use super::sending::Windows;
use super::standing::{self, Told};
use super::{
    Store, StoreError, away, campaign, inbox, json, lead, number, number_or_null, restored, small,
    text, text_or_null,
};
use crate::schedule::wait_from;

mod claim;
mod due;
pub(super) mod many;
mod view;

use claim::claim_in;
pub(super) use claim::list_thread;
pub use claim::{Claim, Job};
pub(super) use due::find_due;

/// Attempts of one inbox at a time: one on the wire, and one whose outcome is being written.
pub const ATTEMPTING_AT_MOST: i64 = 2;
/// What the clock of a row of `deliveries` shows at the running time `$1`.
pub(super) const READING: &str = "(SELECT p.ran_ms + CASE WHEN p.since_r_ms IS NULL THEN 0 ELSE $1 - p.since_r_ms END \
     FROM campaign_inboxes p \
     WHERE p.campaign_id = deliveries.campaign_id AND p.inbox_id = deliveries.inbox_id)";

/// The order of a row of `deliveries` that waits for its due and its turn alone; `NULL` where it is held, its lead is
/// paused, it waits for its domain or for its person to be back, or an earlier step of it came back.
const RANK: &str = "CASE WHEN is_held = 1 OR parked_for IS NOT NULL OR away_ms IS NOT NULL OR EXISTS (SELECT 1 FROM deliveries e \
     WHERE e.lead_id = deliveries.lead_id AND e.step < deliveries.step AND e.state <> 'accepted') \
     OR (SELECT l.state FROM leads l WHERE l.id = deliveries.lead_id) = 'paused' THEN NULL \
     WHEN is_first = 1 THEN place ELSE due_ms END";

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

impl Store {
    /// Writes how an attempt ended and, in the same commit, claims the next delivery.
    pub async fn finish_delivery(
        &self,
        job: &Job,
        ended: &Ended,
        now: Timestamp,
        next: Option<&Claim>,
    ) -> Result<Finished, StoreError> {
        let mut tx = self.begin().await?;
        let is_suspect = finish_in(&mut tx, &job.id, job.attempt, ended, self.moment(now)).await?;
        let next = match next {
            Some(claim) => claim_in(&mut tx, claim, self.moment(claim.now)).await?,
            None => None,
        };
        tx.commit().await?;
        Ok(Finished { next, is_suspect })
    }

    /// Writes how an attempt ended that an earlier process made.
    pub(super) async fn finish_attempt(
        &self,
        id: &DeliveryId,
        attempt: u32,
        ended: &Ended,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        finish_in(&mut tx, id, attempt, ended, self.moment(now)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether the end of this attempt is on record, as it was read.
    pub async fn has_ended(&self, job: &Job) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM attempts WHERE delivery_id = $1 AND attempt = $2 AND outcome <> 'lost'",
        )
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
        let mut orphans = Vec::new();
        for row in &rows {
            let id = DeliveryId::new(text(row, "id")?);
            if !self.holds.contains(&id) {
                orphans.push(id);
            }
        }
        if orphans.is_empty() {
            // A database that takes no writes is not asked for one.
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let moment = self.moment(now);
        let mut n_doubts = 0;
        for id in &orphans {
            // Whoever was at it may have ended it meanwhile.
            let state = load_state(&mut tx, id).await?;
            let is_orphan = matches!(
                state,
                State::Attempting { lease_until, .. } if lease_until.as_ms() <= expired_at
            );
            if !is_orphan {
                continue;
            }
            transition(&mut tx, id, Event::Doubted { at: now }, moment).await?;
            note_lost_attempt(&mut tx, id, moment).await?;
            n_doubts += 1;
        }
        tx.commit().await?;
        Ok(n_doubts)
    }

    /// A person's word on an unsettled delivery.
    pub async fn record_decision(
        &self,
        id: &DeliveryId,
        decision: Decision,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        record_decision_in(&mut tx, id, decision, self.moment(now)).await?;
        let lead = load_lead_id(&mut tx, id).await?;
        tx.commit().await?;
        if decision == Decision::Cancel {
            self.note_stop(&lead, Suppression::Person, now).await;
        }
        Ok(())
    }
}

/// A person's word on a delivery that is in doubt or unsettled, inside a transaction.
pub(super) async fn record_decision_in(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    decision: Decision,
    now: Moment,
) -> Result<(), StoreError> {
    let event = Event::Decided {
        decision,
        at: now.at,
    };
    transition(tx, id, event, now).await?;
    restored::follow_decision(tx, id, decision, now).await?;
    if decision == Decision::Cancel {
        let lead = load_lead_id(tx, id).await?;
        lead::stop(tx, &lead, Suppression::Person, now).await?;
    }
    Ok(())
}

/// What the end of an attempt leaves on its row beside the state; `None` leaves what is there.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The server's words.
    pub(super) words: Option<String>,
    /// What the server made of the id.
    pub(super) wire_id: Option<String>,
    /// Its number among the accepted messages of its inbox: nothing that it met before counts any more.
    pub(super) sent_no: Option<i64>,
    /// What its refusal is like.
    pub(super) alike: Option<String>,
}

/// Everything that the end of an attempt asks for: the delivery `$1` with its lead, its campaign, its clock, its inbox,
/// and when the domain `$2` last took mail from that.
const ENDING: &str = "SELECT d.inbox_id AS inbox_id, d.lead_id AS lead_id, d.campaign_id AS campaign_id, d.step AS step, \
     d.place AS place, d.state AS state, d.due_ms AS due_ms, d.rest_until_ms AS rest_until_ms, \
     d.lease_until_ms AS lease_until_ms, d.accepted_at_ms AS accepted_at_ms, d.in_doubt_since_ms AS in_doubt_since_ms, \
     d.cause AS cause, d.why AS why, d.attempt AS attempt, d.doubted_ms AS doubted_ms, l.state AS lead_state, \
     l.away_until_ms AS away_until_ms, \
     c.steps AS steps, c.schedule AS schedule, d.to_domain AS to_domain, p.ran_ms AS ran_ms, p.since_r_ms AS since_r_ms, i.standing AS standing, \
     i.standing_rests AS standing_rests, a.accepted_at_ms AS domain_accepted_at_ms, \
     (SELECT COUNT(*) FROM deliveries n WHERE n.lead_id = d.lead_id AND n.step > d.step) AS n_later \
     FROM deliveries d JOIN leads l ON l.id = d.lead_id JOIN campaigns c ON c.id = d.campaign_id \
     JOIN campaign_inboxes p ON p.campaign_id = d.campaign_id AND p.inbox_id = d.inbox_id \
     JOIN inboxes i ON i.id = d.inbox_id \
     LEFT JOIN accepting_domains a ON a.inbox_id = d.inbox_id AND a.domain = $2 WHERE d.id = $1";

async fn load_ending(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    domain: &str,
) -> Result<AnyRow, StoreError> {
    sqlx::query(ENDING)
        .bind(id.to_string())
        .bind(domain.to_owned())
        .fetch_optional(tx)
        .await?
        .ok_or_else(|| not_found(id))
}

/// Answers whether the inbox became suspect by it.
async fn finish_in(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    attempt: u32,
    ended: &Ended,
    now: Moment,
) -> Result<bool, StoreError> {
    let domain = ended.told.as_ref().map(|told| told.tried.domain.as_str());
    let row = load_ending(tx, id, domain.unwrap_or_default()).await?;
    let before = state_from(&row)?;
    let fenced = matches!(before, State::Attempting { attempt: held, .. } if held == attempt);
    if !fenced {
        return Err(fence_lost(id, attempt));
    }
    let verdict = standing::judge(&row, id, ended, now)?;
    let state = before.apply(verdict.own.clone())?;
    let put = Put {
        attempt,
        raised: None,
        holds: verdict.holds_own,
        said: Some(&verdict.said),
    };
    put_state_and(tx, id, put, &state, now).await?;
    // A connection that took nothing is no try; an answer of the server is one, also where the delivery is due again.
    let is_try = ended.told.is_some() || !matches!(state, State::Planned { .. });
    sqlx::query(
        "INSERT INTO attempts (delivery_id, attempt, outcome, words, ended_at_ms, inbox_id, tried_r_ms, \
         campaign_id, to_domain) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.to_string())
    .bind(i64::from(attempt))
    .bind(verdict.outcome)
    .bind(ended.words.clone())
    .bind(now.at.as_ms())
    .bind(verdict.inbox.to_string())
    .bind(is_try.then_some(now.r_ms))
    .bind(text_or_null(&row, "campaign_id")?.filter(|_| is_try))
    .bind(text_or_null(&row, "to_domain")?.filter(|_| is_try))
    .execute(&mut *tx)
    .await?;
    let (lead, ahead) = (LeadId::new(text(&row, "lead_id")?), Ahead::from_row(&row)?);
    follow(tx, id, &state, (&lead, &ahead), Base::Now, now).await?;
    standing::note_end(tx, &verdict, is_try, now).await?;
    standing::apply(tx, &verdict.inbox, &verdict.others, now).await?;
    Ok(verdict.others.contains(&Effect::Suspect))
}

/// From when the wait of the next step counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// From now: the server has just answered, or a person has just decided.
    Now,
    /// From when it came into doubt: a copy shows that it was taken by then, whenever it was found.
    Doubt,
    /// From now: it was sent after the ledger had been saved, and nothing was tried now.
    Restore,
}

/// Moves a delivery by an event that is no attempt's, and does what follows from its new state.
pub(super) async fn transition(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    event: Event,
    now: Moment,
) -> Result<State, StoreError> {
    let base = match &event {
        Event::Found { .. } => Base::Doubt,
        Event::Copied { .. } => Base::Restore,
        _ => Base::Now,
    };
    let row = load_ending(tx, id, "").await?;
    let before = state_from(&row)?;
    let is_sent_anew = matches!(
        (&before, &event),
        (State::Bounced { .. }, Event::Returned { .. })
    );
    let state = before.apply(event)?;
    put_state(tx, id, small(&row, "attempt")?, &state, None, now).await?;
    if is_sent_anew {
        restored::note_resend(tx, id).await?;
    }
    let (lead, ahead) = (LeadId::new(text(&row, "lead_id")?), Ahead::from_row(&row)?);
    follow(tx, id, &state, (&lead, &ahead), base, now).await?;
    if is_try(&state) && base == Base::Now {
        inbox::note_tried(tx, &ahead.inbox, now).await?;
    }
    Ok(state)
}

/// Whether a delivery that came into this state was tried: its inbox keeps its distance to it.
fn is_try(state: &State) -> bool {
    matches!(
        state,
        State::Accepted { .. }
            // It may have been sent.
            | State::InDoubt { .. }
            | State::Rejected { .. }
            | State::Deferred { .. }
    )
}

/// What a new state means for the lead and the campaign: an accepted step plans the next, a rejected one
/// stops the lead, the last one finishes it.
async fn follow(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    state: &State,
    (lead, ahead): (&LeadId, &Ahead),
    base: Base,
    now: Moment,
) -> Result<(), StoreError> {
    match state {
        State::Accepted { .. } => plan_next(tx, lead, ahead, base, now).await,
        State::InDoubt { .. } => note_doubt(tx, id, now).await,
        State::Rejected { .. } => {
            lead::stop(tx, lead, Suppression::Rejected, now).await?;
            Ok(())
        }
        State::Deferred { .. } | State::Planned { .. } => suppress_if_stopped(tx, id, now).await,
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

/// What the step after a delivery is planned by.
struct Ahead {
    campaign: CampaignId,
    inbox: InboxId,
    /// Of the delivery, from 1.
    step: i64,
    place: i64,
    clock: PairClock,
    /// What the clock showed when it came into doubt.
    doubted: Option<Reading>,
    lead_state: LeadState,
    steps: Vec<Step>,
    windows: Option<Windows>,
    /// Whether a later step has a row: it was tried before this one came back.
    has_later: bool,
    /// Whether the lead's person is away.
    is_away: bool,
}

impl Ahead {
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            campaign: CampaignId::new(text(row, "campaign_id")?),
            inbox: InboxId::new(text(row, "inbox_id")?),
            step: number(row, "step")?,
            place: number(row, "place")?,
            clock: PairClock::from_row(row)?,
            doubted: number_or_null(row, "doubted_ms")?.map(Reading::from_ms),
            lead_state: lead::state_from(row, "lead_state")?,
            steps: json(row, "steps")?,
            windows: Windows::from_row(row)?,
            has_later: number(row, "n_later")? > 0,
            is_away: number_or_null(row, "away_until_ms")?.is_some(),
        })
    }
}

/// Plans the step after an accepted one; after the last step the lead is done.
async fn plan_next(
    tx: &mut AnyConnection,
    lead: &LeadId,
    ahead: &Ahead,
    base: Base,
    now: Moment,
) -> Result<(), StoreError> {
    if let Ok(after) = ahead.lead_state.apply(LeadEvent::Finished) {
        let reading = ahead.clock.read(now);
        let from = match base {
            Base::Now | Base::Restore => reading,
            Base::Doubt => ahead.doubted.unwrap_or(reading),
        };
        let mut new = campaign::NewDelivery {
            campaign: ahead.campaign.clone(),
            lead: lead.clone(),
            inbox: ahead.inbox.clone(),
            step: ahead.step,
            place: ahead.place,
        };
        // Steps are numbered from 1, so the next one stands at the index `step`.
        let behind = usize::try_from(ahead.step).unwrap_or(usize::MAX);
        for next in ahead.steps.iter().skip(behind) {
            new.step += 1;
            let plain = Duration::from_millis(next.wait_ms);
            // Days are days of the schedule's zone, made milliseconds once, here.
            let wait = ahead.windows.as_ref().map_or(plain, |windows| {
                wait_from(&windows.zone, now.at, next.wait_ms)
            });
            let due = from + wait;
            if !ahead.has_later {
                campaign::plan(tx, &new, due).await?;
                return note_planned(tx, ahead, lead, base, now).await;
            }
            if plan_or_return(tx, &new, due, now).await? {
                return note_planned(tx, ahead, lead, base, now).await;
            }
        }
        lead::put_state(tx, lead, after).await?;
    }
    campaign::finish_if_done(tx, &ahead.campaign, now).await
}

/// The next step is planned; it waits for its lead's person where they are away.
async fn note_planned(
    tx: &mut AnyConnection,
    ahead: &Ahead,
    lead: &LeadId,
    base: Base,
    now: Moment,
) -> Result<(), StoreError> {
    if ahead.is_away {
        away::join(tx, lead, now).await?;
    }
    note_reading(tx, base, now).await
}

/// Keeps the running time that a due was read from; where it is a try's, that is done with it.
async fn note_reading(tx: &mut AnyConnection, base: Base, now: Moment) -> Result<(), StoreError> {
    match base {
        Base::Now => Ok(()),
        Base::Doubt | Base::Restore => note_running_time(tx, now).await,
    }
}

/// Plans a step. It has a row where it was tried before a step in front of it came back: then it is due again. Answers
/// whether it is open; one that was accepted is not.
async fn plan_or_return(
    tx: &mut AnyConnection,
    new: &campaign::NewDelivery,
    due: Reading,
    now: Moment,
) -> Result<bool, StoreError> {
    let known = sqlx::query("SELECT id FROM deliveries WHERE lead_id = $1 AND step = $2")
        .bind(new.lead.to_string())
        .bind(new.step)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(known) = known else {
        campaign::plan(tx, new, due).await?;
        return Ok(true);
    };
    let known = DeliveryId::new(text(&known, "id")?);
    let attempt = load_attempt(tx, &known).await?;
    let before = load_state(tx, &known).await?;
    let is_open = !matches!(before, State::Accepted { .. });
    if matches!(before, State::Suppressed { .. }) {
        // It was no longer to be sent, so this is its plan.
        sqlx::query("UPDATE deliveries SET due_ms = $1, is_held = 0 WHERE id = $2")
            .bind(due.as_ms())
            .bind(known.to_string())
            .execute(&mut *tx)
            .await?;
    }
    if let Ok(state) = before.apply(Event::Returned { due }) {
        put_state(tx, &known, attempt, &state, None, now).await?;
    }
    Ok(is_open)
}

/// A delivery that is due again although its lead was stopped meanwhile is suppressed like the others.
async fn suppress_if_stopped(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    now: Moment,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT l.state AS state, l.campaign_id AS campaign_id, COALESCE(l.heard, (SELECT MIN(o.why) FROM deliveries o \
         WHERE o.lead_id = l.id AND o.state = 'suppressed'), (SELECT MIN(o.state) FROM deliveries o \
         WHERE o.lead_id = l.id AND o.state IN ('bounced', 'rejected'))) AS why \
         FROM deliveries d JOIN leads l ON l.id = d.lead_id WHERE d.id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    if !lead::state_from(&row, "state")?.is_ended_early() {
        return Ok(());
    }
    // The last step of a lead has no suppressed sibling. What stopped it there is on record beside it but for an answer
    // that an earlier version heard.
    let why =
        text_or_null(&row, "why")?.map_or(Ok(Suppression::Replied), |why| lead::parse_why(&why))?;
    let attempt = load_attempt(tx, id).await?;
    let state = load_state(tx, id).await?.apply(Event::Suppressed(why))?;
    put_state(tx, id, attempt, &state, None, now).await?;
    sqlx::query("UPDATE deliveries SET suppressed_at_ms = $1 WHERE id = $2")
        .bind(now.at.as_ms())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    campaign::finish_if_done(tx, &CampaignId::new(text(&row, "campaign_id")?), now).await
}

/// How a state is written.
#[derive(Clone, Copy, Debug)]
struct Put<'a> {
    /// The number of the attempt that left the state before.
    attempt: u32,
    /// The new number of a claim.
    raised: Option<u32>,
    /// It is held from now on.
    holds: bool,
    /// What else is known by the end of an attempt.
    said: Option<&'a Said>,
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
    let put = Put {
        attempt,
        raised,
        holds: false,
        said: None,
    };
    put_state_and(tx, id, put, state, now).await
}

async fn put_state_and(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    put: Put<'_>,
    state: &State,
    now: Moment,
) -> Result<(), StoreError> {
    let Put {
        attempt,
        raised,
        holds,
        said,
    } = put;
    let mut columns = Columns::default();
    match state {
        State::Planned { .. } => columns.is_ready = !holds,
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
    let done = sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE deliveries SET state = $1, lease_until_ms = $2, accepted_at_ms = $3, in_doubt_since_ms = $4, \
         cause = $5, why = $6, attempt = $7, rest_until_ms = $8, rest_until_r_ms = $9, \
         rank = CASE WHEN $10 = 0 THEN NULL ELSE {RANK} END, is_held = CASE WHEN $11 = 1 THEN 1 ELSE is_held END, \
         words = COALESCE($12, words), wire_id = COALESCE($13, wire_id), sent_no = COALESCE($14, sent_no), \
         alike = CASE WHEN $14 IS NULL THEN COALESCE($15, alike) ELSE NULL END WHERE id = $16 AND attempt = $17"
    )))
    .bind(state.name())
    .bind(columns.lease_until.map(Timestamp::as_ms))
    .bind(columns.accepted_at.map(Timestamp::as_ms))
    .bind(columns.in_doubt_since.map(Timestamp::as_ms))
    .bind(columns.cause.map(|cause| cause.code().to_owned()))
    .bind(columns.why.map(Suppression::code))
    .bind(i64::from(raised.unwrap_or(attempt)))
    .bind(columns.rest_until.map(|(by_wall, _)| by_wall))
    .bind(columns.rest_until.map(|(_, by_running_time)| by_running_time))
    .bind(i64::from(columns.is_ready))
    .bind(i64::from(holds))
    .bind(said.and_then(|said| said.words.clone()))
    .bind(said.and_then(|said| said.wire_id.clone()))
    .bind(said.and_then(|said| said.sent_no))
    .bind(said.and_then(|said| said.alike.clone()))
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

/// Gives a delivery its place among those that wait for their due and their turn, where it waits for nothing else.
pub(super) async fn put_rank(tx: &mut AnyConnection, id: &DeliveryId) -> Result<(), StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE deliveries SET rank = CASE WHEN state = 'planned' OR (state = 'deferred' AND rest_until_ms IS NULL) \
         THEN {RANK} ELSE NULL END WHERE id = $1"
    )))
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
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
