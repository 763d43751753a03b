//! The relay processes that work on a ledger, one after the other: which one wrote last, which is told of others, and
//! what a restore has left open. The mark outside the database is `mark`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::alert::What;
use protocol::id::InboxId;
use protocol::request::ledger::{Ledger, WrittenTo};
use protocol::timestamp::{Timestamp, duration_ms};

use super::{Store, StoreError, alert, backup, number, number_or_null, small, text, text_or_null};

/// People who are named in one answer, at most.
const WRITTEN_TO_AT_MOST: i64 = 1_000;

/// The relay process that last wrote into the ledger.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id; `None` before the first one that kept a mark.
    pub run: Option<String>,
    /// How long relays had lived on the ledger.
    pub r_ms: i64,
    /// When it last wrote, by the wall.
    pub at: Option<Timestamp>,
    /// How many attempts of each inbox were begun.
    pub attempts: BTreeMap<InboxId, u64>,
    /// Their addresses, in small letters.
    pub addresses: BTreeMap<InboxId, String>,
    /// Whether it is a backup that no relay was started on yet.
    pub is_put_back: bool,
}

impl Store {
    /// The relay process that last wrote here.
    pub async fn load_run(&self) -> Result<Run, StoreError> {
        let row = sqlx::query("SELECT run, r_ms, at_ms FROM running_time WHERE id = 1")
            .fetch_one(&self.reader)
            .await?;
        let rows = sqlx::query(
            "SELECT i.id AS id, i.address AS address, (SELECT CAST(COALESCE(MAX(d.claim_no), 0) AS BIGINT) FROM deliveries d \
             WHERE d.inbox_id = i.id) AS attempts FROM inboxes i",
        )
        .fetch_all(&self.reader)
        .await?;
        let (mut attempts, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        for row in &rows {
            let inbox = InboxId::new(text(row, "id")?);
            addresses.insert(inbox.clone(), text(row, "address")?.to_lowercase());
            attempts.insert(inbox, small(row, "attempts")?);
        }
        Ok(Run {
            run: text_or_null(&row, "run")?,
            r_ms: number(&row, "r_ms")?,
            at: number_or_null(&row, "at_ms")?.map(Timestamp::from_ms),
            attempts,
            addresses,
            is_put_back: self.is_put_back().await?,
        })
    }

    /// Whether the database is a backup that no relay was started on yet.
    pub async fn is_put_back(&self) -> Result<bool, StoreError> {
        Ok(self.find_meta(backup::NOTE).await?.is_some())
    }

    /// A relay process begins; `run` is `None` where it keeps no mark. `missing` says of which inboxes the ledger was
    /// put back, and how many attempts are missing (-1 where nobody knows); `lost` is the time on the wall that is.
    pub async fn begin_run(
        &self,
        run: Option<&str>,
        missing: &BTreeMap<InboxId, i64>,
        lost: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE running_time SET run = COALESCE($1, run), at_ms = $2, bridged_at_ms = NULL WHERE id = 1")
            .bind(run.map(str::to_owned))
            .bind(now.as_ms())
            .execute(&mut *tx)
            .await?;
        for (inbox, missing) in missing {
            sqlx::query(
                "UPDATE inboxes SET restored_missing = $1, restored_gap_ms = $2 WHERE id = $3",
            )
            .bind(*missing)
            .bind(duration_ms(lost))
            .bind(inbox.to_string())
            .execute(&mut *tx)
            .await?;
        }
        // From here on it is a relay's own again; what it does not know is on record with its inboxes.
        sqlx::query("DELETE FROM meta WHERE name = $1")
            .bind(backup::NOTE)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The mark of this relay process is written now, later than it began.
    pub async fn note_run(&self, run: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE running_time SET run = $1 WHERE id = 1")
            .bind(run.to_owned())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// An inbox was added again that this ledger has forgotten: whom its campaigns wrote to is not known.
    pub async fn note_forgotten(&self, inbox: &InboxId, gap: Duration) -> Result<(), StoreError> {
        sqlx::query("UPDATE inboxes SET forgotten_ms = $1 WHERE id = $2")
            .bind(duration_ms(gap))
            .bind(inbox.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Another relay works on the same ledger: an inbox's sent folder shows it, or the mark where `inbox` is `None`.
    pub async fn meet_another_relay(
        &self,
        inbox: Option<&InboxId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let known = sqlx::query("SELECT 1 FROM other_relays LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO other_relays (inbox_id, met_at_ms) VALUES ($1, $2) ON CONFLICT (inbox_id) DO NOTHING",
        )
        .bind(inbox.map(ToString::to_string).unwrap_or_default())
        .bind(now.as_ms())
        .execute(&mut *tx)
        .await?;
        if known.is_none() {
            alert::tell(&mut tx, "", What::AnotherRelay {}, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Since when another relay is known to work on the same ledger; `None` where none is, or a person has said that
    /// this one stays.
    pub async fn find_another_relay(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("SELECT MIN(met_at_ms) AS at_ms FROM other_relays")
            .fetch_one(&self.reader)
            .await?;
        Ok(number_or_null(&row, "at_ms")?.map(Timestamp::from_ms))
    }

    /// A person says that this relay stays and the other one is ended; whether one was known.
    pub async fn stay(&self) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM other_relays")
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// What a restore has left open.
    pub async fn load_ledger(&self) -> Result<Ledger, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM inboxes WHERE restored_missing IS NOT NULL ORDER BY address",
        )
        .fetch_all(&self.reader)
        .await?;
        let mut comparing = Vec::new();
        for row in &rows {
            comparing.push(InboxId::new(text(row, "id")?));
        }
        let rows = sqlx::query(
            "SELECT address, inbox_id, found_at_ms FROM strays ORDER BY found_at_ms DESC, tag LIMIT $1",
        )
        .bind(WRITTEN_TO_AT_MOST)
        .fetch_all(&self.reader)
        .await?;
        let mut written_to = Vec::new();
        for row in &rows {
            written_to.push(WrittenTo {
                address: text(row, "address")?,
                inbox: InboxId::new(text(row, "inbox_id")?),
                found_at: Timestamp::from_ms(number(row, "found_at_ms")?),
            });
        }
        Ok(Ledger {
            attempts_before: 0,
            another_relay_since: self.find_another_relay().await?,
            comparing,
            written_to,
        })
    }

    /// How long relays have lived on the ledger, until now.
    pub fn lived_ms(&self, now: Timestamp) -> i64 {
        self.moment(now).r_ms
    }
}
