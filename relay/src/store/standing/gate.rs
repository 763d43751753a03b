//! The gate that doubts are: while messages of an inbox are on their way of which nobody knows whether they arrived,
//! not many more follow them.

use std::time::Duration;

use protocol::id::InboxId;
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::super::{Store, StoreError, number, number_or_null};
use crate::record::OPEN_DOUBTS_AT_MOST;

/// For how many of the first rests the gate is shut once so many are open, where nothing is accepted meanwhile: a day.
const SHUT_FOR_RESTS: u32 = 24 * 60;

impl Store {
    /// Since when as many doubts as may be open keep an inbox from trying more: the oldest of them; `None` where they
    /// do not.
    pub async fn find_gate(
        &self,
        inbox: &InboxId,
        rests: &Rests,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let doubts = list_open_doubts(&mut reader, inbox, rests, now).await?;
        let is_shut = shut_until(&doubts, rests, now).is_some();
        Ok(doubts.last().copied().filter(|_| is_shut))
    }
}

/// When the newest open doubts began, newest first. One that nobody can settle any more is open for as long as nothing
/// was accepted after it, of a lead's or of the inbox's to itself: an acceptance shows that the way out is good again.
///
/// A refusal of what the inbox writes to itself is an answer too: the server is there, and whether it takes the mail
/// of others nobody knows. What came into doubt before it counts as one doubt, so that one message may show it; where
/// that ends in doubt as well, as many are open as may be.
pub(super) async fn list_open_doubts(
    reader: &mut AnyConnection,
    inbox: &InboxId,
    rests: &Rests,
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.in_doubt_since_ms AS since_ms, CASE WHEN COALESCE(d.claim_no, 0) < (SELECT MAX(r.claim_no) \
           FROM canaries r WHERE r.inbox_id = $1 AND r.refused_at_ms IS NOT NULL) THEN 1 ELSE 0 END AS is_answered \
         FROM deliveries d WHERE d.inbox_id = $1 AND d.may_be_sent_ms IS NULL \
           AND d.state IN ('in_doubt', 'unsettled') AND (d.state = 'in_doubt' \
           OR d.state = 'unsettled' AND d.in_doubt_since_ms >= $2 \
             AND NOT EXISTS (SELECT 1 FROM deliveries a WHERE a.inbox_id = d.inbox_id \
               AND a.claim_no > d.claim_no AND a.state = 'accepted') \
             AND NOT EXISTS (SELECT 1 FROM canaries k WHERE k.inbox_id = d.inbox_id \
               AND k.claim_no > COALESCE(d.claim_no, 0) AND k.accepted_at_ms IS NOT NULL)) \
         ORDER BY d.in_doubt_since_ms DESC LIMIT $3",
    )
    .bind(inbox.to_string())
    .bind((now - rests.first_doubt() * SHUT_FOR_RESTS).as_ms())
    .bind(i64::try_from(OPEN_DOUBTS_AT_MOST).unwrap_or(i64::MAX))
    .fetch_all(reader)
    .await?;
    let mut doubts = Vec::new();
    let mut has_answered = false;
    for row in &rows {
        let since = number_or_null(row, "since_ms")?.ok_or(StoreError::Corrupt {
            what: "in_doubt_since_ms",
        })?;
        let is_answered = number(row, "is_answered")? != 0;
        if !(is_answered && has_answered) {
            doubts.push(Timestamp::from_ms(since));
        }
        has_answered |= is_answered;
    }
    Ok(doubts)
}

/// Until when doubts keep the inbox from trying more: as many as may be open are, or one is of the last minute.
pub(super) fn blocked_until(
    doubts: &[Timestamp],
    rests: &Rests,
    now: Timestamp,
) -> Option<Timestamp> {
    let newest = ends_at(doubts.first(), rests.first_doubt(), now);
    newest.max(shut_until(doubts, rests, now))
}

fn shut_until(doubts: &[Timestamp], rests: &Rests, now: Timestamp) -> Option<Timestamp> {
    let last = doubts.get(OPEN_DOUBTS_AT_MOST - 1);
    ends_at(last, rests.first_doubt() * SHUT_FOR_RESTS, now)
}

/// When so long after its beginning is; `None` where that is past.
fn ends_at(since: Option<&Timestamp>, after: Duration, now: Timestamp) -> Option<Timestamp> {
    // What lies ahead was noted by a clock that was set back since.
    let since = since.filter(|since| **since <= now)?;
    Some(*since + after).filter(|until| *until > now)
}
