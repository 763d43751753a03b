//! How an inbox stands with its server, kept beside its ledger: which delivery may be claimed next, and what the end
//! of an attempt, a bounce or a person's answer does to others. What is decided stands in `protocol::standing`.

use std::collections::HashSet;
use std::time::Duration;

use protocol::cause::Cause;
use protocol::delivery::{Decision, Event, State, Suppression};
use protocol::id::{CampaignId, DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::standing::{
    Alike, Answer, Candidate, DAY, Effect, Refusal, Rests, Standing, Tried, Wish, choose_control,
};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::delivery::{self, Claim};
use super::{Store, StoreError, campaign, json, lead, number_or_null, text, text_or_null, to_json};

/// Deliveries in doubt or unsettled of one inbox at which nothing more is attempted.
const OPEN_DOUBTS_AT_MOST: usize = 2;
/// Deliveries that are looked at for a control, from either end of what is due.
const CANDIDATES: i64 = 200;
/// How lately a domain took mail that counts as known.
const KNOWN_FOR: Duration = Duration::from_hours(24 * 30);
/// Domains that are known at a time.
const KNOWN_AT_MOST: i64 = 1_000;
/// Steps by which a claim may change the standing before it is given up until the next look.
const CHANGES_AT_MOST: usize = 8;

/// An attempt's end as the standing learns it, and how long the inbox rests.
#[derive(Clone, Debug)]
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

    /// When the inbox may try something next; `None` when nothing waits, or only a person's answer helps.
    pub async fn find_next_try(
        &self,
        inbox: &InboxId,
        rests: &Rests,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let standing = load(&mut reader, inbox).await?;
        let due = find_due(&mut reader, inbox).await?;
        let at = match standing.wish(now) {
            Wish::Nothing { until } => due.and(until),
            Wish::Again(_) => Some(now),
            Wish::Next | Wish::Control { .. } if standing.holds() => {
                // Where nothing comes soon, what is held has to be decided without it.
                let late = now + rests.longest();
                Some(due.filter(|due| *due <= late).unwrap_or(now))
            }
            Wish::Next | Wish::Control { .. } => due,
        };
        let doubts = list_open_doubts(&mut reader, inbox).await?;
        let blocked = blocked_until(&doubts, rests, now);
        Ok(at.map(|at| blocked.map_or(at, |until| at.max(until))))
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
        for row in &rows {
            delivery::decide(&mut tx, &DeliveryId::new(text(row, "id")?), decision, now).await?;
        }
        tx.commit().await?;
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
        apply(&mut tx, inbox, &effects, now).await?;
        put(&mut tx, inbox, &standing).await?;
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

/// Stores how an inbox stands.
pub(super) async fn put(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    standing: &Standing,
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
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// An inbox that was reconnected begins anew with its server.
pub(super) async fn renew(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut standing = load(tx, inbox).await?;
    let effects = standing.renew();
    apply(tx, inbox, &effects, now).await?;
    put(tx, inbox, &standing).await
}

/// The row of the delivery that is to be claimed, with the columns of [`delivery::CLAIMABLE`].
pub(super) async fn choose(
    tx: &mut AnyConnection,
    claim: &Claim,
) -> Result<Option<AnyRow>, StoreError> {
    let doubts = list_open_doubts(tx, &claim.inbox).await?;
    if blocked_until(&doubts, &claim.rests, claim.now).is_some() {
        return Ok(None);
    }
    let mut standing = load(tx, &claim.inbox).await?;
    for _ in 0..CHANGES_AT_MOST {
        let row = match standing.wish(claim.now) {
            Wish::Nothing { .. } => return Ok(None),
            Wish::Next => fetch(tx, claim, "AND d.is_held = 0", None).await?,
            Wish::Control { avoid } => match choose_for_control(tx, claim, &avoid).await? {
                // What is left goes to the own domain: it shows nothing, and need not wait for it.
                None => fetch(tx, claim, "AND d.is_held = 0", None).await?,
                row => row,
            },
            Wish::Again(delivery) => {
                let row = fetch(tx, claim, "AND d.id = $3", Some(&delivery)).await?;
                if row.is_none() {
                    standing.forget(&delivery);
                    set_held(tx, &delivery, false).await?;
                    put(tx, &claim.inbox, &standing).await?;
                    continue;
                }
                row
            }
        };
        if row.is_some() || !standing.holds() {
            return Ok(row);
        }
        let soon = claim.now + claim.rests.longest();
        if find_due(tx, &claim.inbox)
            .await?
            .is_some_and(|due| due <= soon)
        {
            return Ok(None);
        }
        let effects = standing.note_nothing_left(&claim.rests, claim.now);
        apply(tx, &claim.inbox, &effects, claim.now).await?;
        put(tx, &claim.inbox, &standing).await?;
    }
    Ok(None)
}

async fn choose_for_control(
    tx: &mut AnyConnection,
    claim: &Claim,
    avoid: &[String],
) -> Result<Option<AnyRow>, StoreError> {
    let rows = sqlx::query("SELECT domain FROM accepting_domains WHERE inbox_id = $1 AND accepted_at_ms >= $2 ORDER BY accepted_at_ms DESC LIMIT $3")
        .bind(claim.inbox.to_string())
        .bind((claim.now - KNOWN_FOR).as_ms())
        .bind(KNOWN_AT_MOST)
        .fetch_all(&mut *tx)
        .await?;
    let known: HashSet<String> = rows
        .iter()
        .map(|row| text(row, "domain"))
        .collect::<Result<_, _>>()?;
    let own = claim.domain.to_ascii_lowercase();
    let (mut ids, mut candidates) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for row in list_ends(tx, claim).await? {
        let id = text(&row, "id")?;
        if !seen.insert(id.clone()) {
            continue;
        }
        let address: Address = text(&row, "address")?
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "address" })?;
        let domain = domain_of(&address);
        let candidate = Candidate {
            is_known: known.contains(&domain),
            is_own: domain == own,
            was_refused: text_or_null(&row, "alike")?.is_some(),
            domain,
        };
        ids.push(id);
        candidates.push(candidate);
    }
    let chosen = choose_control(&candidates, avoid).and_then(|idx| ids.get(idx));
    let Some(id) = chosen else {
        return Ok(None);
    };
    fetch(
        tx,
        claim,
        "AND d.id = $3",
        Some(&DeliveryId::new(id.clone())),
    )
    .await
}

/// What is due and not held, from either end of the order of sending, in that order.
async fn list_ends(tx: &mut AnyConnection, claim: &Claim) -> Result<Vec<AnyRow>, StoreError> {
    let mut all = Vec::new();
    for (is_far, order) in [
        (false, "d.due_at_ms, l.position, d.step"),
        (true, "d.due_at_ms DESC, l.position DESC, d.step DESC"),
    ] {
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT d.id AS id, d.alike AS alike, l.address AS address {} AND d.is_held = 0 ORDER BY {order} LIMIT $3",
            delivery::CLAIMABLE
        )))
        .bind(claim.inbox.to_string())
        .bind(claim.now.as_ms())
        .bind(CANDIDATES)
        .fetch_all(&mut *tx)
        .await?;
        if is_far {
            rows.reverse();
        }
        all.extend(rows);
    }
    Ok(all)
}

async fn fetch(
    tx: &mut AnyConnection,
    claim: &Claim,
    which: &'static str,
    delivery: Option<&DeliveryId>,
) -> Result<Option<AnyRow>, StoreError> {
    let sql = format!(
        "SELECT {} {} {which} ORDER BY d.due_at_ms, l.position, d.step LIMIT 1",
        delivery::CLAIMED,
        delivery::CLAIMABLE
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(claim.inbox.to_string())
        .bind(claim.now.as_ms());
    if let Some(delivery) = delivery {
        query = query.bind(delivery.to_string());
    }
    Ok(query.fetch_optional(tx).await?)
}

/// When the next delivery that is not held is due.
async fn find_due(
    reader: &mut AnyConnection,
    inbox: &InboxId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(
        "SELECT MIN(d.due_at_ms) AS due_at_ms FROM deliveries d \
         JOIN campaigns c ON c.id = d.campaign_id JOIN leads l ON l.id = d.lead_id \
         WHERE d.inbox_id = $1 AND d.state IN ('planned', 'deferred') AND d.is_held = 0 \
         AND c.state = 'running' AND l.state = 'active'",
    )
    .bind(inbox.to_string())
    .fetch_one(reader)
    .await?;
    Ok(number_or_null(&row, "due_at_ms")?.map(Timestamp::from_ms))
}

/// Since when the open doubts of an inbox are in doubt, newest first.
async fn list_open_doubts(
    reader: &mut AnyConnection,
    inbox: &InboxId,
) -> Result<Vec<Timestamp>, StoreError> {
    let rows = sqlx::query(
        "SELECT in_doubt_since_ms FROM deliveries WHERE inbox_id = $1 \
         AND state IN ('in_doubt', 'unsettled') ORDER BY in_doubt_since_ms DESC LIMIT $2",
    )
    .bind(inbox.to_string())
    .bind(i64::try_from(OPEN_DOUBTS_AT_MOST).unwrap_or(i64::MAX))
    .fetch_all(reader)
    .await?;
    rows.iter()
        .map(|row| {
            let since = number_or_null(row, "in_doubt_since_ms")?;
            since.map(Timestamp::from_ms).ok_or(StoreError::Corrupt {
                what: "in_doubt_since_ms",
            })
        })
        .collect()
}

/// Until when doubts keep the inbox from trying more: as many as may be open are, or one is of the last minute.
fn blocked_until(doubts: &[Timestamp], rests: &Rests, now: Timestamp) -> Option<Timestamp> {
    // What lies ahead was noted by a clock that was set back since.
    let ago = |since: &&Timestamp| **since <= now;
    let newest = doubts
        .first()
        .filter(ago)
        .map(|since| *since + rests.first_doubt());
    let full = doubts
        .get(OPEN_DOUBTS_AT_MOST - 1)
        .filter(ago)
        .map(|since| *since + rests.first_doubt() * 24 * 60);
    newest.max(full).filter(|until| *until > now)
}

/// Does what the standing decided to other deliveries than the one whose attempt has just ended.
pub(super) async fn apply(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    effects: &[Effect],
    now: Timestamp,
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
                let from = now - DAY;
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
    now: Timestamp,
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
    now: Timestamp,
) -> Result<(), StoreError> {
    set_held(tx, delivery, false).await?;
    ignore_conflict(delivery::transition(tx, delivery, Event::Rejected { cause }, now).await)
}

/// A bounce that is the lead's own: the lead stops. A delivery in doubt is thereby found, since nobody bounces what
/// was never accepted.
async fn bounce(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let lead = delivery::load_lead_id(tx, delivery).await?;
    lead::stop(tx, &lead, Suppression::Bounced, now).await?;
    for event in [Event::Found { at: now }, Event::Bounced] {
        ignore_conflict(delivery::transition(tx, delivery, event, now).await)?;
    }
    Ok(())
}

/// Puts a delivery back that met what was not its lead's: its due and its place are what they were, its lead and its
/// campaign go on. One whose lead answered, or that a person ended, stays as it is. Answers whether it is due again.
pub(super) async fn put_back(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT d.state AS state, d.step AS step, d.claimed_due_ms AS claimed_due_ms, d.lead_id AS lead_id, \
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
    let due_at = number_or_null(&row, "claimed_due_ms")?.map_or(now, Timestamp::from_ms);
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
    match delivery::transition(tx, delivery, Event::Returned { due_at }, now).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a delivery is held.
pub(super) async fn set_held(
    tx: &mut AnyConnection,
    delivery: &DeliveryId,
    is_held: bool,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET is_held = $1 WHERE id = $2")
        .bind(i64::from(is_held))
        .bind(delivery.to_string())
        .execute(tx)
        .await?;
    Ok(())
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
