//! How an inbox stands with its server, kept beside its ledger: which delivery may be claimed next, and what the end
//! of an attempt, a bounce or a person's answer does to others. What is decided stands in `protocol::standing`.

use protocol::cause::Cause;
use protocol::delivery::{Decision, Event, State, Suppression};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::reading::Reading;
use protocol::standing::{Alike, Answer, DAY, Effect, End, Refusal, Rests, Standing, Tried, Wish};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::clocks::{Moment, Of, Pair, settle_clocks};
use super::delivery::{self, Ended};
use super::{
    Store, StoreError, campaign, json, lead, number, number_or_null, person, text, text_or_null,
    to_json,
};

mod choice;
mod gate;

use gate::{blocked_until, list_open_doubts};

pub(super) use choice::{Chosen, choose};

/// An attempt's end as the standing learns it, and how long the inbox rests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// The attempt.
    pub tried: Tried,
    /// The rests.
    pub rests: Rests,
}

/// Which deliveries a person puts back; what is `None` chooses nothing.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// This one.
    pub delivery: Option<DeliveryId>,
    /// Those that were set aside for this.
    pub cause: Option<Cause>,
    /// Those that met this, as in `rcpt-550-5.1.1`.
    pub alike: Option<String>,
}

/// The lower-case domain of an address.
pub fn domain_of(address: &Address) -> String {
    address.domain().to_ascii_lowercase()
}

impl Store {
    /// How an inbox stands with its server.
    pub async fn load_standing(&self, inbox: &InboxId) -> Result<Standing, StoreError> {
        let mut reader = self.reader.acquire().await?;
        load(&mut reader, inbox).await
    }

    /// A person puts back what was set aside or bounced in a campaign: one delivery, those of a cause, those that met
    /// the same, or all. Answers how many are due again.
    pub async fn put_back_deliveries(
        &self,
        campaign: &CampaignId,
        which: &Which,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut tx = self.writer.begin().await?;
        let rows = sqlx::query(
            "SELECT id FROM deliveries WHERE campaign_id = $1 AND state IN ('rejected', 'bounced') \
             AND ($2 = '' OR id = $2) AND ($3 = '' OR cause = $3) AND ($4 = '' OR alike = $4) ORDER BY id",
        )
        .bind(campaign.to_string())
        .bind(which.delivery.as_ref().map(ToString::to_string).unwrap_or_default())
        .bind(which.cause.map(|cause| cause.code().to_owned()).unwrap_or_default())
        .bind(which.alike.clone().unwrap_or_default())
        .fetch_all(&mut *tx)
        .await?;
        let now = self.moment(now);
        let mut n = 0;
        for row in &rows {
            n += u64::from(put_back(&mut tx, &DeliveryId::new(text(row, "id")?), now).await?);
        }
        tx.commit().await?;
        Ok(n)
    }

    /// A person decides every unsettled delivery of a campaign. Answers how many.
    pub async fn decide_deliveries(
        &self,
        campaign: &CampaignId,
        decision: Decision,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut tx = self.writer.begin().await?;
        let rows = sqlx::query(
            "SELECT id FROM deliveries WHERE campaign_id = $1 AND state = 'unsettled' ORDER BY id",
        )
        .bind(campaign.to_string())
        .fetch_all(&mut *tx)
        .await?;
        let moment = self.moment(now);
        let mut leads = Vec::new();
        for row in &rows {
            let id = DeliveryId::new(text(row, "id")?);
            delivery::decide(&mut tx, &id, decision, moment).await?;
            if decision == Decision::Cancel {
                leads.push(delivery::load_lead_id(&mut tx, &id).await?);
            }
        }
        tx.commit().await?;
        for lead in &leads {
            self.note_stop(lead, Suppression::Person, now).await;
        }
        Ok(rows.len() as u64)
    }

    /// A person's answer to what an inbox asks; a conflict where it asks nothing.
    pub async fn answer_standing(
        &self,
        inbox: &InboxId,
        answer: Answer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin().await?;
        let mut standing = load(&mut tx, inbox).await?;
        if !standing.asks() {
            return Err(StoreError::Conflict(
                "this inbox asks nothing: its mail is taken, or it still tries by itself"
                    .to_owned(),
            ));
        }
        let effects = standing.answer(answer, now);
        let now = self.moment(now);
        apply(&mut tx, inbox, &effects, now).await?;
        put(&mut tx, inbox, &standing, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// How an inbox stands, read inside a transaction.
pub(super) async fn load(tx: &mut AnyConnection, inbox: &InboxId) -> Result<Standing, StoreError> {
    let row = sqlx::query("SELECT body FROM standings WHERE inbox_id = $1")
        .bind(inbox.to_string())
        .fetch_optional(tx)
        .await?;
    row.as_ref()
        .map_or_else(|| Ok(Standing::default()), |row| json(row, "body"))
}

/// Stores how an inbox stands; while it may try nothing, the clocks of its campaigns stand.
pub(super) async fn put(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    standing: &Standing,
    now: Moment,
) -> Result<(), StoreError> {
    let body = to_json("standing", standing)?;
    let done = sqlx::query("UPDATE standings SET body = $1 WHERE inbox_id = $2")
        .bind(body.clone())
        .bind(inbox.to_string())
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        sqlx::query("INSERT INTO standings (inbox_id, body) VALUES ($1, $2)")
            .bind(inbox.to_string())
            .bind(body)
            .execute(&mut *tx)
            .await?;
    }
    settle_rest(tx, inbox, standing, now).await
}

async fn settle_rest(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    standing: &Standing,
    now: Moment,
) -> Result<(), StoreError> {
    let rests = matches!(standing.wish(now.at), Wish::Nothing { .. });
    let done = sqlx::query(
        "UPDATE inboxes SET standing_rests = $1 WHERE id = $2 AND standing_rests <> $1",
    )
    .bind(i64::from(rests))
    .bind(inbox.to_string())
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() > 0 {
        settle_clocks(tx, Of::Inbox(inbox), now).await?;
    }
    Ok(())
}

/// Lets the clocks of an inbox that has rested run.
pub(super) async fn wake(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<(), StoreError> {
    if is_resting_on_record(tx, inbox).await? {
        let standing = load(tx, inbox).await?;
        settle_rest(tx, inbox, &standing, now).await?;
    }
    Ok(())
}

async fn is_resting_on_record(
    reader: &mut AnyConnection,
    inbox: &InboxId,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT standing_rests FROM inboxes WHERE id = $1")
        .bind(inbox.to_string())
        .fetch_optional(reader)
        .await?;
    row.map_or(Ok(false), |row| Ok(number(&row, "standing_rests")? != 0))
}

/// When the inbox may try something, where the next of its deliveries that is not held is due at `due`.
pub(super) async fn hold_up(
    reader: &mut AnyConnection,
    inbox: &InboxId,
    rests: &Rests,
    pairs: &[Pair],
    due: Option<Timestamp>,
    now: Moment,
) -> Result<Option<Timestamp>, StoreError> {
    let standing = load(reader, inbox).await?;
    let can_send = pairs.iter().any(|pair| pair.clock.runs());
    let is_resting_on_record = is_resting_on_record(reader, inbox).await?;
    let at = match standing.wish(now.at) {
        // The clocks stand, so nothing is due before it is over.
        Wish::Nothing { until } => until.filter(|_| !pairs.is_empty()),
        // It has rested, and the clocks do not know it yet.
        _ if is_resting_on_record => (!pairs.is_empty()).then_some(now.at),
        Wish::Again(_) => can_send.then_some(now.at),
        Wish::Next | Wish::Control { .. } if standing.holds() && can_send => {
            // Where nothing comes soon, what is held has to be decided without it.
            let late = now.at + rests.longest();
            Some(due.filter(|due| *due <= late).unwrap_or(now.at))
        }
        Wish::Next | Wish::Control { .. } => due,
    };
    let doubts = list_open_doubts(reader, inbox, rests, now.at).await?;
    let blocked = blocked_until(&doubts, rests, now.at);
    Ok(at.map(|at| blocked.map_or(at, |until| at.max(until))))
}

/// What an attempt's end does, to its own delivery and to others.
pub(super) struct Verdict {
    pub(super) inbox: InboxId,
    /// What the delivery is told.
    pub(super) own: Event,
    /// How the attempt stands on record.
    pub(super) outcome: &'static str,
    /// What is done once the delivery has moved.
    pub(super) others: Vec<Effect>,
}

/// Feeds the standing of its inbox with an attempt's end.
pub(super) async fn judge(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    ended: &Ended,
    now: Moment,
) -> Result<Verdict, StoreError> {
    let row = sqlx::query("SELECT inbox_id FROM deliveries WHERE id = $1")
        .bind(id.to_string())
        .fetch_one(&mut *tx)
        .await?;
    let inbox = InboxId::new(text(&row, "inbox_id")?);
    let mut verdict = Verdict {
        inbox,
        own: ended.event.clone(),
        outcome: ended.event.name(),
        others: Vec::new(),
    };
    let Some(Told { tried, rests }) = &ended.told else {
        return Ok(verdict);
    };
    let mut standing = load(tx, &verdict.inbox).await?;
    for effect in standing.note(tried, rests, now.at) {
        match effect {
            Effect::Hold(held) if held == *id => {
                verdict.own = Event::PutBack;
                verdict.outcome = "refused";
                set_held(tx, id, true).await?;
            }
            Effect::PutBack(back) if back == *id => {
                verdict.own = Event::PutBack;
                verdict.outcome = verdict.own.name();
            }
            Effect::SetAside { delivery, refusal } if delivery == *id => {
                verdict.own = Event::Rejected {
                    cause: refusal.cause,
                };
                verdict.outcome = verdict.own.name();
            }
            other => verdict.others.push(other),
        }
    }
    match &tried.end {
        End::Accepted => {
            note_accepted(tx, &verdict.inbox, tried, standing.n_sent(), now.at).await?;
        }
        End::Refused(refusal) | End::Deferred { refusal, .. } => {
            note_alike(tx, id, refusal.alike).await?;
        }
        End::Doubted => {}
    }
    put(tx, &verdict.inbox, &standing, now).await?;
    Ok(verdict)
}

/// An inbox that was reconnected begins anew with its server.
pub(super) async fn renew(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<(), StoreError> {
    let mut standing = load(tx, inbox).await?;
    let effects = standing.renew();
    apply(tx, inbox, &effects, now).await?;
    put(tx, inbox, &standing, now).await
}

/// Does what the standing decided to other deliveries than the one whose attempt has just ended.
pub(super) async fn apply(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    effects: &[Effect],
    now: Moment,
) -> Result<(), StoreError> {
    for effect in effects {
        match effect {
            Effect::Hold(_) | Effect::Defer(_) | Effect::Suspect => {}
            Effect::PutBack(delivery) => {
                put_back(tx, delivery, now).await?;
            }
            Effect::SetAside { delivery, refusal } => {
                set_aside(tx, delivery, refusal.cause, now).await?;
            }
            Effect::Bounce(delivery) => bounce(tx, delivery, now).await?,
            Effect::SendAgain(alike) => {
                let from = now.at - DAY;
                for delivery in list_alike(tx, inbox, *alike, "bounced", Some(from)).await? {
                    put_back(tx, &delivery, now).await?;
                }
            }
            Effect::SetAsideAlike(refusal) => set_aside_alike(tx, inbox, refusal, now).await?,
        }
    }
    Ok(())
}

async fn set_aside_alike(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    refusal: &Refusal,
    now: Moment,
) -> Result<(), StoreError> {
    for delivery in list_alike(tx, inbox, refusal.alike, "planned", None).await? {
        set_aside(tx, &delivery, refusal.cause, now).await?;
    }
    Ok(())
}

async fn list_alike(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    alike: Alike,
    state: &'static str,
    accepted_from: Option<Timestamp>,
) -> Result<Vec<DeliveryId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM deliveries WHERE inbox_id = $1 AND state = $2 AND alike = $3 \
         AND COALESCE(accepted_at_ms, 0) >= $4 ORDER BY sent_no, id",
    )
    .bind(inbox.to_string())
    .bind(state)
    .bind(alike.key())
    .bind(accepted_from.map_or(0, Timestamp::as_ms))
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| Ok(DeliveryId::new(text(row, "id")?)))
        .collect()
}

/// A refusal that was the lead's own.
async fn set_aside(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    cause: Cause,
    now: Moment,
) -> Result<(), StoreError> {
    set_held(tx, delivery, false).await?;
    ignore_conflict(delivery::transition(tx, delivery, Event::Rejected { cause }, now).await)?;
    if met_no_such_address(tx, delivery).await? {
        let lead = delivery::load_lead_id(tx, delivery).await?;
        person::note_suppressed(tx, &lead, Suppression::Bounced, now).await?;
    }
    Ok(())
}

/// Whether what a delivery met says by its code that there is no such address, now and for every campaign (RFC 3463
/// §3.2: x.1.1 no such mailbox, x.1.2 no such domain, x.1.6 moved away, x.1.10 takes no mail, RFC 7505 §4.2).
async fn met_no_such_address(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT alike FROM deliveries WHERE id = $1")
        .bind(delivery.to_string())
        .fetch_one(tx)
        .await?;
    let alike = text_or_null(&row, "alike")?.unwrap_or_default();
    Ok(["5.1.1", "5.1.2", "5.1.6", "5.1.10"]
        .iter()
        .any(|code| alike.rsplit('-').next() == Some(code)))
}

/// A bounce that is the lead's own: the lead stops. A delivery in doubt is thereby found, since nobody bounces what
/// was never accepted.
async fn bounce(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    now: Moment,
) -> Result<(), StoreError> {
    let lead = delivery::load_lead_id(tx, delivery).await?;
    lead::stop(tx, &lead, Suppression::Bounced, now).await?;
    if met_no_such_address(tx, delivery).await? {
        person::note_suppressed(tx, &lead, Suppression::Bounced, now).await?;
    }
    for event in [Event::Found { at: now.at }, Event::Bounced] {
        ignore_conflict(delivery::transition(tx, delivery, event, now).await)?;
    }
    Ok(())
}

/// Puts a delivery back that met what was not its lead's: its due and its place are what they were, its lead and its
/// campaign go on. One whose lead answered, or that a person ended, stays as it is. Answers whether it is due again.
pub(super) async fn put_back(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    now: Moment,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT d.state AS state, d.due_ms AS due_ms, d.lead_id AS lead_id, \
         d.campaign_id AS campaign_id, l.state AS lead_state, c.state AS campaign_state, \
         (SELECT COUNT(*) FROM deliveries o WHERE o.lead_id = d.lead_id AND o.state = 'suppressed' \
           AND o.why IN ('replied', 'person')) AS n_ended \
         FROM deliveries d JOIN leads l ON l.id = d.lead_id JOIN campaigns c ON c.id = d.campaign_id \
         WHERE d.id = $1",
    )
    .bind(delivery.to_string())
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| StoreError::NotFound {
        what: "delivery",
        id: delivery.to_string(),
    })?;
    let state = text(&row, "state")?;
    let is_over = matches!(state.as_str(), "rejected" | "bounced");
    let is_ended = number_or_null(&row, "n_ended")?.unwrap_or_default() > 0;
    if is_over && (is_ended || text(&row, "campaign_state")? == "cancelled") {
        return Ok(false);
    }
    let due = Reading::from_ms(number(&row, "due_ms")?);
    set_held(tx, delivery, false).await?;
    if is_over {
        let lead = LeadId::new(text(&row, "lead_id")?);
        let campaign = CampaignId::new(text(&row, "campaign_id")?);
        lead::revive(tx, &lead).await?;
        campaign::reopen(tx, &campaign, now).await?;
    }
    // What it met counts as no attempt of the lead's.
    sqlx::query(
        "UPDATE attempts SET outcome = 'put_back' WHERE delivery_id = $1 AND outcome IN ('deferred', 'refused') \
         AND attempt = (SELECT attempt FROM deliveries WHERE id = $1)",
    )
    .bind(delivery.to_string())
    .execute(&mut *tx)
    .await?;
    match delivery::transition(tx, delivery, Event::Returned { due }, now).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a delivery is held. One that only waits for its due and its turn has its place again when it is not.
pub(super) async fn set_held(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    is_held: bool,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET is_held = $1 WHERE id = $2")
        .bind(i64::from(is_held))
        .bind(delivery.to_string())
        .execute(&mut *tx)
        .await?;
    delivery::put_rank(tx, delivery).await
}

/// Notes what a refusal or a bounce of a delivery is like.
pub(super) async fn note_alike(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    alike: Alike,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET alike = $1 WHERE id = $2")
        .bind(alike.key())
        .bind(delivery.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes what a bounce of a delivery is like, and its words.
pub(super) async fn note_bounced(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    refusal: &Refusal,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET words = $1 WHERE id = $2")
        .bind(refusal.words.clone())
        .bind(delivery.to_string())
        .execute(&mut *tx)
        .await?;
    note_alike(tx, delivery, refusal.alike).await
}

/// Notes that a message was accepted as the `sent_no`-th of its inbox, and that its domain takes mail.
pub(super) async fn note_accepted(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    tried: &Tried,
    sent_no: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET sent_no = $1, alike = NULL WHERE id = $2")
        .bind(i64::try_from(sent_no).unwrap_or(i64::MAX))
        .bind(tried.delivery.to_string())
        .execute(&mut *tx)
        .await?;
    let done = sqlx::query(
        "UPDATE accepting_domains SET accepted_at_ms = $1 WHERE inbox_id = $2 AND domain = $3",
    )
    .bind(now.as_ms())
    .bind(inbox.to_string())
    .bind(tried.domain.clone())
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        sqlx::query(
            "INSERT INTO accepting_domains (inbox_id, domain, accepted_at_ms) VALUES ($1, $2, $3)",
        )
        .bind(inbox.to_string())
        .bind(tried.domain.clone())
        .bind(now.as_ms())
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// What moved meanwhile stays as it is.
fn ignore_conflict(moved: Result<State, StoreError>) -> Result<(), StoreError> {
    match moved {
        Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
