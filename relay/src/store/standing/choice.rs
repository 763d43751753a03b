//! Which delivery is claimed next: where the standing asks for a particular one, it goes out of its turn, among those
//! that are due; where it does not, turns decide.

use std::collections::HashSet;
use std::time::Duration;

use protocol::id::{CampaignId, DeliveryId};
use protocol::inbox::Address;
use protocol::standing::{Candidate, Wish, choose_control};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::super::clocks::{Moment, Pair, list_pairs, put_queues};
use super::super::delivery::{Claim, find_due};
use super::super::{StoreError, number, text, text_or_null};
use super::{
    apply, blocked_until, domain_of, from_row, list_open_doubts, note_rest, put, set_held,
};
use crate::record::{Class, Queue, Turn};

/// Deliveries that are looked at for a control, from either end of what is due.
const CANDIDATES: i64 = 200;
/// How lately a domain took mail that counts as known.
const KNOWN_FOR: Duration = Duration::from_hours(24 * 30);
/// Domains that are known at a time.
const KNOWN_AT_MOST: i64 = 1_000;
/// Steps by which a claim may change the standing before it is given up until the next look.
const CHANGES_AT_MOST: usize = 8;

/// What a claim needs of a delivery.
const CLAIMED: &str = "SELECT d.id AS id, d.campaign_id AS campaign_id, d.lead_id AS lead_id, d.step AS step, \
     d.attempt AS attempt, d.resends AS resends, d.message_id AS message_id, d.state AS state, d.due_ms AS due_ms, \
     d.rest_until_ms AS rest_until_ms, d.lease_until_ms AS lease_until_ms, d.accepted_at_ms AS accepted_at_ms, \
     d.in_doubt_since_ms AS in_doubt_since_ms, d.cause AS cause, d.why AS why, \
     l.address AS address, l.fields AS fields, c.steps AS steps, c.domain_daily_cap AS domain_daily_cap, c.unsubscribe AS unsubscribe, \
     c.sender AS sender, \
     (SELECT COUNT(*) FROM attempts a WHERE a.delivery_id = d.id AND a.outcome = 'deferred') AS n_deferrals, \
     (SELECT MIN(s.why) FROM suppressions s WHERE s.whom IN (l.person, l.domain)) AS suppressed_why \
     FROM deliveries d JOIN campaigns c ON c.id = d.campaign_id JOIN leads l ON l.id = d.lead_id";

/// The delivery that is to be claimed.
pub(in crate::store) struct Chosen {
    /// Its columns, with those of its lead and its campaign that its message is made of.
    pub(in crate::store) row: AnyRow,
    /// Its campaign at its inbox.
    pub(in crate::store) pair: Pair,
    /// The turn that it takes; `None` where it goes out of its turn.
    pub(in crate::store) turn: Option<Turn>,
}

/// Chooses the delivery that is to be claimed; `row` has the last turn that was taken and how the inbox stands.
pub(in crate::store) async fn choose(
    tx: &mut AnyConnection,
    claim: &Claim,
    row: &AnyRow,
    now: Moment,
) -> Result<Option<Chosen>, StoreError> {
    let doubts = list_open_doubts(tx, &claim.inbox, &claim.rests, now.at).await?;
    if blocked_until(&doubts, &claim.rests, now.at).is_some() {
        return Ok(None);
    }
    let served = number(row, "served")?;
    let mut standing = from_row(row)?;
    let did_rest = number(row, "standing_rests")? != 0;
    note_rest(tx, &claim.inbox, &standing, did_rest, now).await?;
    for _ in 0..CHANGES_AT_MOST {
        let pairs = list_pairs(tx, &claim.inbox, now).await?;
        if !pairs.iter().any(|pair| pair.may_send(now)) {
            return Ok(None);
        }
        let chosen = match standing.wish(now.at) {
            Wish::Nothing { .. } => return Ok(None),
            Wish::Next => choose_by_turn(tx, claim, &pairs, served, now).await?,
            Wish::Control { avoid } => {
                match choose_for_control(tx, claim, &pairs, &avoid, now).await? {
                    // What is left goes to the own domain: it shows nothing, and need not wait for it.
                    None => choose_by_turn(tx, claim, &pairs, served, now).await?,
                    chosen => chosen,
                }
            }
            Wish::Again(delivery) => {
                let Some(row) = fetch_held(tx, claim, &delivery).await? else {
                    standing.forget(&delivery);
                    set_held(tx, &delivery, false).await?;
                    put(tx, &claim.inbox, &standing, now).await?;
                    continue;
                };
                // Where its campaign may not send just now it waits with it, and nobody else does.
                match out_of_turn(row, &pairs, now)? {
                    None => choose_by_turn(tx, claim, &pairs, served, now).await?,
                    chosen => return Ok(chosen),
                }
            }
        };
        if chosen.is_some() || !standing.holds() {
            return Ok(chosen);
        }
        let soon = now.at + claim.rests.longest();
        if find_due(tx, &claim.inbox, &pairs, now)
            .await?
            .is_some_and(|due| due <= soon)
        {
            return Ok(None);
        }
        let effects = standing.note_nothing_left(&claim.rests, now.at);
        apply(tx, &claim.inbox, &effects, now).await?;
        put(tx, &claim.inbox, &standing, now).await?;
    }
    Ok(None)
}

/// The delivery that stands first where it is its campaign's turn.
async fn choose_by_turn(
    tx: &mut AnyConnection,
    claim: &Claim,
    pairs: &[Pair],
    served: i64,
    now: Moment,
) -> Result<Option<Chosen>, StoreError> {
    let mut queues: Vec<Queue> = pairs.iter().map(|pair| pair.queue_at(now)).collect();
    let turn = (claim.take_turn)(&mut queues, served);
    put_queues(tx, &claim.inbox, pairs, &queues).await?;
    let Some(turn) = turn else { return Ok(None) };
    let Some(pair) = pairs.get(turn.queue_idx) else {
        return Ok(None);
    };
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{CLAIMED} WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND d.is_first = $3 AND d.rank IS NOT NULL \
         ORDER BY d.rank, d.place LIMIT 1"
    )))
    .bind(claim.inbox.to_string())
    .bind(pair.campaign.to_string())
    .bind(i64::from(turn.class == Class::First))
    .fetch_one(tx)
    .await?;
    Ok(Some(Chosen {
        row,
        pair: pair.clone(),
        turn: Some(turn),
    }))
}

/// A held delivery that may be tried once more: its lead and its campaign go on.
async fn fetch_held(
    tx: &mut AnyConnection,
    claim: &Claim,
    delivery: &DeliveryId,
) -> Result<Option<AnyRow>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{CLAIMED} WHERE d.inbox_id = $1 AND d.id = $2 AND d.state IN ('planned', 'deferred') \
         AND d.rest_until_ms IS NULL AND d.parked_for IS NULL AND d.away_ms IS NULL AND c.state = 'running' AND l.state = 'active' AND NOT EXISTS ( \
           SELECT 1 FROM deliveries e WHERE e.lead_id = d.lead_id AND e.step < d.step AND e.state <> 'accepted')"
    )))
    .bind(claim.inbox.to_string())
    .bind(delivery.to_string())
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// `None` where its campaign cannot send just now.
fn out_of_turn(row: AnyRow, pairs: &[Pair], now: Moment) -> Result<Option<Chosen>, StoreError> {
    let campaign = CampaignId::new(text(&row, "campaign_id")?);
    let pair = pairs
        .iter()
        .find(|pair| pair.campaign == campaign && pair.may_send(now));
    Ok(pair.map(|pair| Chosen {
        row,
        pair: pair.clone(),
        turn: None,
    }))
}

async fn choose_for_control(
    tx: &mut AnyConnection,
    claim: &Claim,
    pairs: &[Pair],
    avoid: &[String],
    now: Moment,
) -> Result<Option<Chosen>, StoreError> {
    let rows = sqlx::query(
        "SELECT domain FROM accepting_domains WHERE inbox_id = $1 AND accepted_at_ms >= $2 \
         ORDER BY accepted_at_ms DESC LIMIT $3",
    )
    .bind(claim.inbox.to_string())
    .bind((now.at - KNOWN_FOR).as_ms())
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
    for row in list_ends(tx, claim, pairs, now).await? {
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
    let draw = now.at.as_ms().unsigned_abs();
    let chosen = choose_control(&candidates, avoid, draw).and_then(|idx| ids.get(idx));
    let Some(id) = chosen else {
        return Ok(None);
    };
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{CLAIMED} WHERE d.id = $1")))
        .bind(id.clone())
        .fetch_one(tx)
        .await?;
    out_of_turn(row, pairs, now)
}

/// What is due and waits for its turn alone, from either end: follow-ups before first messages, each in their order.
/// Each campaign's are read along their index, so many from either end.
async fn list_ends(
    tx: &mut AnyConnection,
    claim: &Claim,
    pairs: &[Pair],
    now: Moment,
) -> Result<Vec<AnyRow>, StoreError> {
    let running: Vec<_> = pairs.iter().filter(|pair| pair.may_send(now)).collect();
    let share = CANDIDATES / i64::try_from(running.len().max(1)).unwrap_or(CANDIDATES);
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for pair in running {
        for is_first in [0_i64, 1] {
            // First messages are due when they are planned, and their rank is their place.
            let up_to = if is_first == 1 {
                i64::MAX
            } else {
                pair.clock.read(now).as_ms()
            };
            for (rows, order) in [
                (&mut near, "d.rank, d.place"),
                (&mut far, "d.rank DESC, d.place DESC"),
            ] {
                let found = sqlx::query(sqlx::AssertSqlSafe(format!(
                    "SELECT d.id AS id, d.alike AS alike, d.rank AS rank, d.place AS place, l.address AS address \
                     FROM deliveries d JOIN leads l ON l.id = d.lead_id WHERE d.inbox_id = $1 AND d.campaign_id = $2 \
                     AND d.is_first = $3 AND d.rank IS NOT NULL AND d.rank <= $4 ORDER BY {order} LIMIT $5"
                )))
                .bind(claim.inbox.to_string())
                .bind(pair.campaign.to_string())
                .bind(is_first)
                .bind(up_to)
                .bind(share.max(1))
                .fetch_all(&mut *tx)
                .await?;
                for row in found {
                    let key = (is_first, number(&row, "rank")?, number(&row, "place")?);
                    rows.push((key, row));
                }
            }
        }
    }
    near.sort_by_key(|(key, _)| *key);
    near.truncate(usize::try_from(CANDIDATES).unwrap_or(usize::MAX));
    far.sort_by_key(|(key, _)| *key);
    let n_too_many = far
        .len()
        .saturating_sub(usize::try_from(CANDIDATES).unwrap_or(usize::MAX));
    let far = far.into_iter().skip(n_too_many);
    Ok(near.into_iter().chain(far).map(|(_, row)| row).collect())
}
