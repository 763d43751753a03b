//! Leads whose person is away until an instant that is known: nothing is sent to them before, and no wait passes
//! meanwhile. What a delivery's clock showed when it began to wait for its person stands beside its due; once the person
//! is back, the due of one that was not due yet is as far off as it was then. A person is away in every campaign.

use protocol::id::{DeliveryId, InboxId, LeadId};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::clocks::{Moment, note_running_time};
use super::delivery::{READING, put_rank};
use super::{Store, StoreError, number_or_null, text};

/// Deliveries that may still have to be sent.
const OPEN: &str = "('planned', 'deferred', 'attempting', 'in_doubt', 'unsettled')";

/// Leads that come back in one transaction.
const AT_ONCE: i64 = 100;

impl Store {
    /// The person of a lead is away until then: every lead of theirs in a campaign that is started waits, and so does one
    /// that is written to later or again. What was said before counts no more. Answers how many.
    pub async fn hold_person(
        &self,
        lead: &LeadId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "SELECT o.id AS id FROM leads l JOIN leads o ON o.person = l.person JOIN campaigns c ON c.id = o.campaign_id \
             WHERE l.id = $1 AND o.state <> 'deleted' AND c.state <> 'draft' AND o.position <= c.leads_up_to",
        )
        .bind(lead.to_string())
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            hold(&mut tx, &LeadId::new(text(row, "id")?), until, moment).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }
}

/// A lead waits until then.
pub(super) async fn hold(
    tx: &mut AnyConnection,
    lead: &LeadId,
    until: Timestamp,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE leads SET away_until_ms = $1 WHERE id = $2")
        .bind(until.as_ms())
        .bind(lead.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE deliveries SET away_ms = COALESCE(away_ms, {READING}), rank = NULL \
         WHERE lead_id = $2 AND state IN {OPEN}"
    )))
    .bind(now.r_ms)
    .bind(lead.to_string())
    .execute(&mut *tx)
    .await?;
    note_running_time(tx, now).await
}

/// A delivery that was planned for a lead whose person is away waits like the others.
pub(super) async fn join(
    tx: &mut AnyConnection,
    lead: &LeadId,
    now: Moment,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT away_until_ms FROM leads WHERE id = $1")
        .bind(lead.to_string())
        .fetch_one(&mut *tx)
        .await?;
    match number_or_null(&row, "away_until_ms")? {
        Some(until_ms) => hold(tx, lead, Timestamp::from_ms(until_ms), now).await,
        None => Ok(()),
    }
}

/// The leads of an inbox whose people are back go on. Answers how many.
pub(super) async fn wake(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<u64, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM leads WHERE inbox_id = $1 AND away_until_ms IS NOT NULL AND away_until_ms <= $2 \
         ORDER BY away_until_ms LIMIT $3",
    )
    .bind(inbox.to_string())
    .bind(now.at.as_ms())
    .bind(AT_ONCE)
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        end(tx, &LeadId::new(text(row, "id")?), now).await?;
    }
    Ok(rows.len() as u64)
}

/// A lead goes on: what was left of its wait when its person went away is waited from now.
pub(super) async fn end(
    tx: &mut AnyConnection,
    lead: &LeadId,
    now: Moment,
) -> Result<(), StoreError> {
    let waiting =
        sqlx::query("SELECT id FROM deliveries WHERE lead_id = $1 AND away_ms IS NOT NULL")
            .bind(lead.to_string())
            .fetch_all(&mut *tx)
            .await?;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE deliveries SET due_ms = CASE WHEN due_ms > away_ms THEN due_ms + {READING} - away_ms ELSE due_ms END, \
         away_ms = NULL WHERE lead_id = $2 AND away_ms IS NOT NULL"
    )))
    .bind(now.r_ms)
    .bind(lead.to_string())
    .execute(&mut *tx)
    .await?;
    for row in &waiting {
        put_rank(tx, &DeliveryId::new(text(row, "id")?)).await?;
    }
    sqlx::query("UPDATE leads SET away_until_ms = NULL WHERE id = $1")
        .bind(lead.to_string())
        .execute(&mut *tx)
        .await?;
    note_running_time(tx, now).await
}

/// When the first of an inbox's people who are away is back; `None` where none is.
pub(super) async fn find_return(
    reader: &mut AnyConnection,
    inbox: &InboxId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(
        "SELECT MIN(away_until_ms) AS until_ms FROM leads WHERE inbox_id = $1 AND away_until_ms IS NOT NULL",
    )
    .bind(inbox.to_string())
    .fetch_one(reader)
    .await?;
    Ok(number_or_null(&row, "until_ms")?.map(Timestamp::from_ms))
}
