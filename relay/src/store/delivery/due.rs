//! When something of an inbox may be tried next, and what has rested until then.

use protocol::id::InboxId;
use protocol::standing::Rests;
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;

use super::super::clocks::{Moment, Pair, list_pairs};
use super::super::{Store, StoreError, away, number_or_null, sending, standing};

impl Store {
    /// When the next delivery of an inbox may be tried, as things stand; `None` when nothing waits in a campaign that
    /// can send through it, or only a person's answer helps.
    pub async fn find_next_due(
        &self,
        inbox: &InboxId,
        rests: &Rests,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.moment(now);
        let mut reader = self.reader.acquire().await?;
        let pairs = list_pairs(&mut reader, inbox, now).await?;
        let due = find_due(&mut reader, inbox, &pairs, now).await?;
        standing::hold_up(&mut reader, inbox, rests, &pairs, due, now).await
    }

    /// Lets the deliveries of an inbox that have rested long enough, whose domains have room, or whose people are back, wait
    /// for their turn again, and the clocks of an inbox that has rested run. Answers how many deliveries.
    pub async fn wake_rested(&self, inbox: &InboxId, now: Timestamp) -> Result<u64, StoreError> {
        let now = self.moment(now);
        let n_woken = super::many::rest(&self.writer, inbox, now).await?;
        let mut tx = self.begin().await?;
        standing::wake(&mut tx, inbox, now).await?;
        let n_unparked = sending::unpark(&mut tx, inbox, now).await?;
        let n_back = away::wake(&mut tx, inbox, now).await?;
        tx.commit().await?;
        Ok(n_woken + n_unparked + n_back)
    }
}

/// When the next delivery of an inbox that is not held is due; `None` when nothing waits in a campaign that can send
/// through it.
pub(in crate::store) async fn find_due(
    reader: &mut AnyConnection,
    inbox: &InboxId,
    pairs: &[Pair],
    now: Moment,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(
        "SELECT MIN(d.rest_until_r_ms) AS until_r_ms FROM deliveries d WHERE d.inbox_id = $1 \
         AND d.rest_until_r_ms IS NOT NULL",
    )
    .bind(inbox.to_string())
    .fetch_one(&mut *reader)
    .await?;
    let rested_at = number_or_null(&row, "until_r_ms")?.map(|until| now.at + now.until(until));
    let room_at = sending::find_room_at(reader, inbox, now).await?;
    let back_at = away::find_return(reader, inbox).await?;
    let can_send = pairs.iter().any(|pair| pair.clock.runs());
    let due_at = pairs.iter().filter_map(|pair| pair.next_due_at(now));
    let waits = [rested_at, room_at, back_at].into_iter().flatten();
    Ok(due_at.chain(waits.filter(|_| can_send)).min())
}
