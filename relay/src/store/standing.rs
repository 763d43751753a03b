//! How an inbox stands with its server, kept beside its ledger: which delivery may be claimed next, and what the end
//! of an attempt, a bounce or a person's answer does to others. What is decided stands in `protocol::standing`.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::cause::Cause;
use protocol::delivery::{Decision, Event, State, Suppression};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::reading::Reading;
use protocol::standing::{Alike, Answer, DAY, Effect, End, Refusal, Rests, Standing, Tried, Wish};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::{Moment, Of, Pair, update_clocks};
use super::conflict::Conflict;
use super::delivery::{self, Ended, Said};
use super::inbox::{self, Noted};
use super::lead::SLICE;
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

/// What became of deliveries that were to be put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBack {
    /// How many are due again.
    pub moved: u64,
    /// Why others stay as they are: what was heard of their leads, and of how many.
    pub kept: Vec<(Suppression, u64)>,
}

impl PutBack {
    fn note(&mut self, back: Back) {
        match back {
            Back::Due => self.moved += 1,
            Back::Kept(why) => match self.kept.iter_mut().find(|(known, _)| *known == why) {
                Some((_, n)) => *n += 1,
                None => self.kept.push((why, 1)),
            },
            Back::Not => {}
        }
    }
}

/// Whether a delivery was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// It is due again.
    Due,
    /// Its lead was heard of.
    Kept(Suppression),
    /// It has moved meanwhile, or its campaign is over for good.
    Not,
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
    /// A person puts back what was set aside or bounced in a campaign: one delivery, those of a cause, those that met
    /// the same, or all. Answers how many are due again, and why others are not: who was heard of is never put back.
    pub async fn put_back_deliveries(
        &self,
        campaign: &CampaignId,
        which: &Which,
        now: Timestamp,
    ) -> Result<PutBack, StoreError> {
        let (at, now) = (now, self.moment(now));
        let mut all = PutBack::default();
        for state in ["rejected", "bounced"] {
            let mut behind = (i64::MIN, 0);
            loop {
                let mut tx = self.begin().await?;
                let rows = sqlx::query(
                    "SELECT id, place, step FROM deliveries WHERE campaign_id = $1 AND state = $2 \
                     AND (place, step) > ($3, $4) AND ($5 = '' OR id = $5) AND ($6 = '' OR cause = $6) \
                     AND ($7 = '' OR alike = $7) ORDER BY place, step LIMIT $8",
                )
                .bind(campaign.to_string())
                .bind(state)
                .bind(behind.0)
                .bind(behind.1)
                .bind(which.delivery.as_ref().map(ToString::to_string).unwrap_or_default())
                .bind(which.cause.map(|cause| cause.code().to_owned()).unwrap_or_default())
                .bind(which.alike.clone().unwrap_or_default())
                .bind(i64::try_from(SLICE).unwrap_or(i64::MAX))
                .fetch_all(&mut *tx)
                .await?;
                let Some(last) = rows.last() else { break };
                behind = (number(last, "place")?, number(last, "step")?);
                let mut revived = Vec::new();
                for row in &rows {
                    let id = DeliveryId::new(text(row, "id")?);
                    let back = put_back(&mut tx, &id, now).await?;
                    all.note(back);
                    if back == Back::Due && state == "bounced" {
                        revived.push(delivery::load_lead_id(&mut tx, &id).await?);
                    }
                }
                tx.commit().await?;
                self.note_returned(&revived, at).await;
            }
        }
        Ok(all)
    }

    /// A person decides every unsettled delivery of a campaign. Answers how many.
    pub async fn record_decisions(
        &self,
        campaign: &CampaignId,
        decision: Decision,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let moment = self.moment(now);
        let mut n = 0;
        loop {
            let mut tx = self.begin().await?;
            // Those that are decided are no longer among them.
            let rows = sqlx::query(
                "SELECT id FROM deliveries WHERE campaign_id = $1 AND state = 'unsettled' \
                 ORDER BY place, step LIMIT $2",
            )
            .bind(campaign.to_string())
            .bind(i64::try_from(SLICE).unwrap_or(i64::MAX))
            .fetch_all(&mut *tx)
            .await?;
            if rows.is_empty() {
                return Ok(n);
            }
            let mut leads = Vec::new();
            for row in &rows {
                let id = DeliveryId::new(text(row, "id")?);
                delivery::record_decision_in(&mut tx, &id, decision, moment).await?;
                if decision == Decision::Cancel {
                    leads.push(delivery::load_lead_id(&mut tx, &id).await?);
                }
            }
            tx.commit().await?;
            for lead in &leads {
                self.note_stop(lead, Suppression::Person, now).await;
            }
            n += rows.len() as u64;
        }
    }

    /// A person's answer to what an inbox asks; a conflict where it asks nothing.
    pub async fn answer_standing(
        &self,
        inbox: &InboxId,
        answer: Answer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let mut standing = load(&mut tx, inbox).await?;
        if !standing.asks() {
            return Err(Conflict::AsksNothing.into());
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
    let row = sqlx::query("SELECT standing FROM inboxes WHERE id = $1")
        .bind(inbox.to_string())
        .fetch_optional(tx)
        .await?;
    row.as_ref()
        .map_or_else(|| Ok(Standing::default()), from_row)
}

/// How an inbox stands, as the column `standing` says; `NULL` before its first try.
pub(super) fn from_row(row: &AnyRow) -> Result<Standing, StoreError> {
    if text_or_null(row, "standing")?.is_none() {
        return Ok(Standing::default());
    }
    json(row, "standing")
}

/// Stores how an inbox stands; while it may try nothing, the clocks of its campaigns stand.
pub(super) async fn put(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    standing: &Standing,
    now: Moment,
) -> Result<(), StoreError> {
    let did_rest = is_resting_on_record(tx, inbox).await?;
    put_over(tx, inbox, standing, did_rest, None, now).await
}

/// Stores how an inbox stands that rested by its row, or did not; with it, in the same statement, that something was
/// `tried` through it.
async fn put_over(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    standing: &Standing,
    did_rest: bool,
    tried: Option<Moment>,
    now: Moment,
) -> Result<(), StoreError> {
    let rests = matches!(standing.wish(now.at), Wish::Nothing { .. });
    let standing = Some((to_json("standing", standing)?, rests));
    inbox::note(tx, inbox, Noted { tried, standing }).await?;
    if rests != did_rest {
        update_clocks(tx, Of::Inbox(inbox), now).await?;
    }
    Ok(())
}

/// Lets the clocks follow a rest that began or is over, where its row does not say so yet.
async fn note_rest(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    standing: &Standing,
    did_rest: bool,
    now: Moment,
) -> Result<(), StoreError> {
    let rests = matches!(standing.wish(now.at), Wish::Nothing { .. });
    if rests == did_rest {
        return Ok(());
    }
    put_over(tx, inbox, standing, did_rest, None, now).await
}

/// Lets the clocks of an inbox that has rested run.
pub(super) async fn wake(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<(), StoreError> {
    if is_resting_on_record(tx, inbox).await? {
        let standing = load(tx, inbox).await?;
        note_rest(tx, inbox, &standing, true, now).await?;
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
    let can_send = pairs.iter().any(|pair| pair.may_send(now));
    let is_resting_on_record = is_resting_on_record(reader, inbox).await?;
    let at = match standing.wish(now.at) {
        // The clocks stand, so nothing is due before it is over.
        Wish::Nothing { until } => until.filter(|_| !pairs.is_empty()),
        // It has rested, and the clocks do not know it yet.
        _ if is_resting_on_record => (!pairs.is_empty()).then_some(now.at),
        Wish::Again(delivery) => {
            // It waits for its campaign's windows and caps; others do not wait with it.
            let opens_at = opens_at(reader, &delivery, pairs, now).await?;
            [opens_at, due].into_iter().flatten().min()
        }
        Wish::Next | Wish::Control { .. } if standing.holds() && can_send => {
            // Where nothing comes soon, what is held has to be decided without it.
            let late = now.at + rests.longest();
            Some(due.filter(|due| *due <= late).unwrap_or(now.at))
        }
        Wish::Next | Wish::Control { .. } => due,
    };
    let blocked = find_block(reader, inbox, rests, now.at).await?;
    Ok(at.map(|at| blocked.map_or(at, |until| at.max(until))))
}

/// Until when doubts keep an inbox from trying more.
pub(super) async fn find_block(
    reader: &mut AnyConnection,
    inbox: &InboxId,
    rests: &Rests,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let doubts = list_open_doubts(reader, inbox, rests, now).await?;
    Ok(blocked_until(&doubts, rests, now))
}

/// When the campaign of a delivery may send; at once where it does not run any more, and the delivery is let go.
async fn opens_at(
    reader: &mut AnyConnection,
    delivery: &DeliveryId,
    pairs: &[Pair],
    now: Moment,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query("SELECT campaign_id FROM deliveries WHERE id = $1")
        .bind(delivery.to_string())
        .fetch_optional(reader)
        .await?;
    let campaign = row.map(|row| text(&row, "campaign_id")).transpose()?;
    let of_it = |pair: &&Pair| Some(pair.campaign.as_str()) == campaign.as_deref();
    Ok(match pairs.iter().find(of_it) {
        Some(pair) if pair.clock.runs() => pair.gates.next(now.at),
        Some(_) => None,
        None => pairs
            .iter()
            .any(|pair| pair.may_send(now))
            .then_some(now.at),
    })
}

/// What an attempt's end does, to its own delivery and to others.
pub(super) struct Verdict {
    pub(super) inbox: InboxId,
    /// What the delivery is told.
    pub(super) own: Event,
    /// How the attempt stands on record.
    pub(super) outcome: &'static str,
    /// Whether the delivery is held.
    pub(super) holds_own: bool,
    /// What is noted of the delivery.
    pub(super) said: Said,
    /// What is done once the delivery has moved.
    pub(super) others: Vec<Effect>,
    /// How the inbox stands now, and whether its row says that it rests; `None` where no server answered.
    standing: Option<(Standing, bool)>,
    /// The domain that has just taken mail, where that is not on record.
    accepting: Option<String>,
}

/// How precisely it is on record when a domain last took mail. It is asked for by the month.
const ACCEPTING_WITHIN: Duration = Duration::from_hours(1);

/// Feeds the standing of its inbox with an attempt's end. `row` has the inbox, its standing and when the domain last
/// took mail.
pub(super) fn judge(
    row: &AnyRow,
    id: &DeliveryId,
    ended: &Ended,
    now: Moment,
) -> Result<Verdict, StoreError> {
    let mut verdict = Verdict {
        inbox: InboxId::new(text(row, "inbox_id")?),
        own: ended.event.clone(),
        outcome: ended.event.name(),
        holds_own: false,
        said: Said {
            words: Some(ended.words.clone()),
            wire_id: ended.wire_id.clone(),
            ..Said::default()
        },
        others: Vec::new(),
        standing: None,
        accepting: None,
    };
    let Some(Told { tried, rests }) = &ended.told else {
        return Ok(verdict);
    };
    let mut standing = from_row(row)?;
    for effect in standing.note(tried, rests, now.at) {
        match effect {
            Effect::Hold(held) if held == *id => {
                verdict.own = Event::PutBack;
                verdict.outcome = "refused";
                verdict.holds_own = true;
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
            verdict.said.sent_no = Some(i64::try_from(standing.n_sent()).unwrap_or(i64::MAX));
            let known = number_or_null(row, "domain_accepted_at_ms")?.map(Timestamp::from_ms);
            let is_known =
                known.is_some_and(|at| at <= now.at && now.at.since(at) < ACCEPTING_WITHIN);
            verdict.accepting = (!is_known).then(|| tried.domain.clone());
        }
        End::Refused(refusal) | End::Deferred { refusal, .. } => {
            verdict.said.alike = Some(refusal.alike.key());
        }
        End::Doubted => {}
    }
    verdict.standing = Some((standing, number(row, "standing_rests")? != 0));
    Ok(verdict)
}

/// Stores what an attempt's end did to its inbox, and whether something was tried through it.
pub(super) async fn note_end(
    tx: &mut AnyConnection,
    verdict: &Verdict,
    is_try: bool,
    now: Moment,
) -> Result<(), StoreError> {
    let tried = is_try.then_some(now);
    if let Some((standing, did_rest)) = &verdict.standing {
        put_over(tx, &verdict.inbox, standing, *did_rest, tried, now).await?;
    } else if is_try {
        inbox::note_tried(tx, &verdict.inbox, now).await?;
    }
    if let Some(domain) = &verdict.accepting {
        note_accepting(tx, &verdict.inbox, domain, now.at).await?;
    }
    Ok(())
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

/// The leads that effects stop because something came back, and those that they let go on.
pub(super) async fn list_returned(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    effects: &[Effect],
    now: Timestamp,
) -> Result<Vec<LeadId>, StoreError> {
    let mut deliveries = Vec::new();
    for effect in effects {
        match effect {
            Effect::Bounce(delivery) => deliveries.push(delivery.clone()),
            Effect::SendAgain(alike) => {
                deliveries.extend(list_alike(tx, inbox, *alike, "bounced", Some(now - DAY)).await?);
            }
            _ => {}
        }
    }
    let mut leads = BTreeSet::new();
    for delivery in &deliveries {
        leads.insert(delivery::load_lead_id(tx, delivery).await?);
    }
    Ok(leads.into_iter().collect())
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
/// campaign go on. One whose lead was heard of stays as it is.
pub(super) async fn put_back(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    now: Moment,
) -> Result<Back, StoreError> {
    let row = sqlx::query(
        "SELECT d.state AS state, d.due_ms AS due_ms, d.lead_id AS lead_id, \
         d.campaign_id AS campaign_id, c.state AS campaign_state FROM deliveries d JOIN campaigns c ON c.id = d.campaign_id \
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
    if is_over && text(&row, "campaign_state")? == "cancelled" {
        return Ok(Back::Not);
    }
    let due = Reading::from_ms(number(&row, "due_ms")?);
    if is_over {
        let lead = LeadId::new(text(&row, "lead_id")?);
        if let Some(why) = lead::revive(tx, &lead).await? {
            return Ok(Back::Kept(why));
        }
    }
    set_held(tx, delivery, false).await?;
    if is_over {
        let campaign = CampaignId::new(text(&row, "campaign_id")?);
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
        Ok(_) => Ok(Back::Due),
        Err(StoreError::Conflict(Conflict::Delivery(_))) => Ok(Back::Not),
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

/// Notes that a domain takes mail from an inbox.
async fn note_accepting(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    domain: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO accepting_domains (inbox_id, domain, accepted_at_ms) VALUES ($1, $2, $3) \
         ON CONFLICT (inbox_id, domain) DO UPDATE SET accepted_at_ms = excluded.accepted_at_ms",
    )
    .bind(inbox.to_string())
    .bind(domain.to_owned())
    .bind(now.as_ms())
    .execute(tx)
    .await?;
    Ok(())
}

/// What moved meanwhile stays as it is.
fn ignore_conflict(moved: Result<State, StoreError>) -> Result<(), StoreError> {
    match moved {
        Ok(_) | Err(StoreError::Conflict(Conflict::Delivery(_))) => Ok(()),
        Err(error) => Err(error),
    }
}
