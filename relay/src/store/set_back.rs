//! What a clock that ran ahead has written, brought back: without it everything would stand still for as long as
//! the clock was wrong. Dues are no instants of that clock, so no message comes earlier or later by it.

use std::time::Duration;

use protocol::delivery::Latest;
use protocol::timestamp::Timestamp;

use super::{Store, StoreError, delivery, number_or_null};

/// How far ahead of the clock what is on record may lie without a word: the clocks of two processes on one
/// machine are the same, and time services set a clock by little.
const AHEAD_AT_MOST: Duration = Duration::from_mins(1);

/// The longest that something may be off, by what it waits for.
#[derive(Clone, Copy, Debug)]
pub struct Longest {
    /// An attempt's lease.
    pub lease: Duration,
    /// The right to refresh a token.
    pub refresh: Duration,
    /// The wait after a transient refusal.
    pub deferral: Duration,
}

impl Store {
    /// Whether the last signs of life on record lie in the future: the clock was set back while no relay ran.
    pub async fn is_ahead_of(&self, now: Timestamp) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT MAX(last_read_at_ms) AS read_at_ms, MAX(last_tried_at_ms) AS tried_at_ms FROM inboxes",
        )
        .fetch_one(&self.reader)
        .await?;
        let last = number_or_null(&row, "read_at_ms")?.max(number_or_null(&row, "tried_at_ms")?);
        Ok(last.is_some_and(|last| Timestamp::from_ms(last) > now + AHEAD_AT_MOST))
    }

    /// Brings everything back that lies farther in the future than it can by a clock that is right: what has
    /// happened lies no later than now, and what waits is off by no more than its wait.
    pub async fn set_back(&self, now: Timestamp, longest: Longest) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (text, latest) in [
            (
                "UPDATE inboxes SET last_tried_at_ms = $1 WHERE last_tried_at_ms > $1",
                now,
            ),
            (
                "UPDATE inboxes SET last_read_at_ms = $1 WHERE last_read_at_ms > $1",
                now,
            ),
            (
                "UPDATE inboxes SET failing = NULL, failing_since_ms = NULL WHERE failing_since_ms > $1",
                now,
            ),
            (
                "UPDATE inboxes SET refresh_until_ms = $1 WHERE refresh_until_ms > $1",
                now + longest.refresh,
            ),
        ] {
            sqlx::query(text)
                .bind(latest.as_ms())
                .execute(&mut *tx)
                .await?;
        }
        let latest = Latest {
            happened: now,
            lease_until: now + longest.lease,
            rest_until: now + longest.deferral,
        };
        delivery::many::set_back(&mut tx, &latest).await?;
        tx.commit().await?;
        Ok(())
    }
}
