//! What an inbox that is connected fails with, for as long as nothing works. What follows from a failure is decided in
//! `protocol::stall`.

use std::time::Duration;

use protocol::alert::What;
use protocol::evidence::Evidence;
use protocol::id::InboxId;
use protocol::stall::{Failing, Obstacle, Stall, Worked};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::{Moment, list_pairs};
use super::{Store, StoreError, alert, json, text_or_null, to_json};

/// How often it is noted that what shuts an inbox goes on.
const NOTED_EVERY: Duration = Duration::from_mins(5);

impl Store {
    /// Notes a failure that passes, or may. Answers what it fails with now, and what people are told of it, each once.
    pub async fn note_failing(
        &self,
        id: &InboxId,
        evidence: Evidence,
        now: Timestamp,
    ) -> Result<(Failing, Option<Stall>), StoreError> {
        let mut tx = self.begin().await?;
        let before = load(&mut tx, id).await?;
        let waits = has_waiting(&mut tx, id, self.moment(now)).await?;
        let (failing, news) = Failing::note(before, evidence, waits, now);
        put(&mut tx, id, Some(&failing)).await?;
        tell(&mut tx, id, &failing, news, now).await?;
        tx.commit().await?;
        Ok((failing, news))
    }

    /// Doubts keep the inbox from trying anything since `shut_since`: what it failed with then goes on, however long ago
    /// that was met; `unless_known` says it where nothing is on record. Answers as [`Store::note_failing`] does, and
    /// nothing where it was noted a short while ago.
    pub async fn note_shut(
        &self,
        id: &InboxId,
        shut_since: Timestamp,
        unless_known: Evidence,
        now: Timestamp,
    ) -> Result<Option<(Failing, Option<Stall>)>, StoreError> {
        let mut tx = self.begin().await?;
        let before = load(&mut tx, id).await?;
        let of_this = before.filter(|failing| failing.evidence.seen_at >= shut_since);
        let is_fresh = |failing: &Failing| now.since(failing.evidence.seen_at) < NOTED_EVERY;
        if of_this.as_ref().is_some_and(is_fresh) {
            return Ok(None);
        }
        let of_this = of_this.map(|failing| failing.seen_again(now));
        let evidence = of_this
            .as_ref()
            .map_or(unless_known, |failing| failing.evidence.clone());
        let waits = has_waiting(&mut tx, id, self.moment(now)).await?;
        let (failing, news) = Failing::note(of_this, evidence, waits, now);
        put(&mut tx, id, Some(&failing)).await?;
        tell(&mut tx, id, &failing, news, now).await?;
        tx.commit().await?;
        Ok(Some((failing, news)))
    }

    /// Something worked: what it ends is over.
    pub async fn note_worked(&self, id: &InboxId, worked: Worked) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if load(&mut tx, id)
            .await?
            .is_some_and(|failing| failing.is_over(worked))
        {
            put(&mut tx, id, None).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What an inbox fails with, and for how long nothing has come through that waits.
    pub async fn find_stall(
        &self,
        id: &InboxId,
        now: Timestamp,
    ) -> Result<Option<(Failing, Stall)>, StoreError> {
        let mut reader = self.reader.acquire().await?;
        let Some(failing) = load(&mut reader, id).await? else {
            return Ok(None);
        };
        let waits = has_waiting(&mut reader, id, self.moment(now)).await?;
        let stall = failing.stall(waits, now);
        Ok(stall.map(|stall| (failing, stall)))
    }
}

/// Whether a message of a running campaign would leave through the inbox now, or is put off, if only it worked.
async fn has_waiting(
    connection: &mut AnyConnection,
    id: &InboxId,
    now: Moment,
) -> Result<bool, StoreError> {
    let pairs = list_pairs(connection, id, now).await?;
    if pairs.iter().any(|pair| pair.would_send(now)) {
        return Ok(true);
    }
    let put_off = sqlx::query(
        "SELECT 1 FROM deliveries WHERE inbox_id = $1 AND rest_until_ms IS NOT NULL LIMIT 1",
    )
    .bind(id.to_string())
    .fetch_optional(connection)
    .await?;
    Ok(!pairs.is_empty() && put_off.is_some())
}

/// Writes what people are told of it, where that is new.
async fn tell(
    tx: &mut AnyConnection,
    id: &InboxId,
    failing: &Failing,
    news: Option<Stall>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (obstacle, since) = (Obstacle::of(&failing.evidence), failing.since);
    let what = match news {
        None => return Ok(()),
        Some(Stall::Waits) => What::Waiting { obstacle, since },
        Some(Stall::Asks) => What::Asks { obstacle, since },
    };
    alert::tell_of_inbox(tx, id, what, now).await
}

async fn load(connection: &mut AnyConnection, id: &InboxId) -> Result<Option<Failing>, StoreError> {
    let row = sqlx::query("SELECT failing FROM inboxes WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| super::inbox::not_found(id))?;
    failing_from(&row)
}

/// What stands in the column `failing`.
fn failing_from(row: &AnyRow) -> Result<Option<Failing>, StoreError> {
    text_or_null(row, "failing")?
        .map(|_| json(row, "failing"))
        .transpose()
}

async fn put(
    tx: &mut AnyConnection,
    id: &InboxId,
    failing: Option<&Failing>,
) -> Result<(), StoreError> {
    let body = failing
        .map(|failing| to_json("failing", failing))
        .transpose()?;
    sqlx::query("UPDATE inboxes SET failing = $1, failing_since_ms = $2 WHERE id = $3")
        .bind(body)
        .bind(failing.map(|failing| failing.since.as_ms()))
        .bind(id.to_string())
        .execute(tx)
        .await?;
    Ok(())
}
