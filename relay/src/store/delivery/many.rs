//! The events that many deliveries take in one statement, as [`protocol::delivery`] names them. A property here holds
//! each equal to the function there, applied row by row. Whatever else happens to a delivery is [`super::transition`]'s.

use protocol::delivery::{Latest, Suppression};
use protocol::id::{InboxId, LeadId};
use sqlx::{AnyConnection, AnyPool};

use super::super::StoreError;
use super::super::clocks::Moment;
use super::super::lead::SLICE;
use super::RANK;

/// `suppressed`: what waits of a lead is not sent.
pub(in crate::store) async fn suppress(
    tx: &mut AnyConnection,
    lead: &LeadId,
    why: Suppression,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE deliveries SET state = 'suppressed', why = $1, suppressed_at_ms = $2, rank = NULL, \
         rest_until_ms = NULL, rest_until_r_ms = NULL, cause = NULL \
         WHERE lead_id = $3 AND state IN ('planned', 'deferred')",
    )
    .bind(why.code())
    .bind(now.at.as_ms())
    .bind(lead.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// `rested`: what of an inbox has rested long enough, by what was lived, waits for its turn again. In slices; answers
/// how many.
pub(super) async fn rest(
    writer: &AnyPool,
    inbox: &InboxId,
    now: Moment,
) -> Result<u64, StoreError> {
    let mut n_rested = 0;
    loop {
        let done = sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE deliveries SET rest_until_ms = NULL, rest_until_r_ms = NULL, rank = {RANK} \
             WHERE id IN (SELECT r.id FROM deliveries r WHERE r.inbox_id = $1 AND r.rest_until_r_ms IS NOT NULL \
             AND r.rest_until_r_ms <= $2 ORDER BY r.rest_until_r_ms LIMIT $3)"
        )))
        .bind(inbox.to_string())
        .bind(now.r_ms)
        .bind(i64::try_from(SLICE).unwrap_or(i64::MAX))
        .execute(writer)
        .await?;
        n_rested += done.rows_affected();
        if done.rows_affected() < SLICE as u64 {
            return Ok(n_rested);
        }
    }
}

/// `set_back`: no instant on record lies later than a clock that is right can have written it.
pub(in crate::store) async fn set_back(
    tx: &mut AnyConnection,
    latest: &Latest,
) -> Result<(), StoreError> {
    for (text, latest) in [
        (
            "UPDATE deliveries SET in_doubt_since_ms = $1 \
             WHERE state IN ('in_doubt', 'unsettled') AND in_doubt_since_ms > $1",
            latest.happened,
        ),
        (
            "UPDATE deliveries SET lease_until_ms = $1 WHERE state = 'attempting' AND lease_until_ms > $1",
            latest.lease_until,
        ),
        (
            "UPDATE deliveries SET rest_until_ms = $1 WHERE state = 'deferred' AND rest_until_ms > $1",
            latest.rest_until,
        ),
    ] {
        sqlx::query(text)
            .bind(latest.as_ms())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
