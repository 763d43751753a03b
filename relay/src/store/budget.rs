//! How fast inboxes may send, and what they have tried lately.

use std::time::Duration;

use protocol::budget::{Budget, Ramp};
use protocol::id::{DeliveryId, InboxId};
use protocol::provider::{Provider, ProviderId};
use protocol::timestamp::{Timestamp, duration_ms};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::clocks::Moment;
use super::{Store, StoreError, number, number_or_null, text};
use crate::record::{Budgets, LastTry, organisation_of};

/// A cap counts the tries of as long a time.
const DAY: Duration = Duration::from_hours(24);

/// What a claim asks of its inbox, in one statement.
pub(super) struct Allowance {
    /// How fast it may send.
    pub(super) budgets: Budgets,
    /// Attempts that are under way.
    pub(super) n_attempting: i64,
    /// The last turn that was taken.
    pub(super) served: i64,
    /// The columns `served`, `standing` and `standing_rests` of the inbox.
    pub(super) row: AnyRow,
}

impl Store {
    /// How fast an inbox may send now.
    pub async fn load_budgets(&self, id: &InboxId, now: Timestamp) -> Result<Budgets, StoreError> {
        let mut reader = self.reader.acquire().await?;
        Ok(load_allowance(&mut reader, id, self.moment(now))
            .await?
            .budgets)
    }

    /// How many messages an inbox has tried in the last 24 hours: those that relays lived, and between them those on the
    /// wall.
    pub async fn count_tried(&self, id: &InboxId, now: Timestamp) -> Result<u64, StoreError> {
        let since = day_before(self.moment(now));
        let row = sqlx::query(
            "SELECT (SELECT CAST(COUNT(*) AS BIGINT) FROM attempts WHERE inbox_id = $1 AND tried_r_ms > $2) \
             + (SELECT CAST(COUNT(*) AS BIGINT) FROM canaries WHERE inbox_id = $1 AND begun_r_ms > $2) AS n",
        )
        .bind(id.to_string())
        .bind(since)
        .fetch_one(&self.reader)
        .await?;
        super::small(&row, "n")
    }

    /// Gives an inbox a ramp, which begins with its next message, or takes it away.
    pub async fn update_ramp(&self, id: &InboxId, ramp: Option<Ramp>) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE inboxes SET ramp_first = $1, ramp_more = $2, ramp_ms = 0, ramp_at_r_ms = NULL WHERE id = $3",
        )
        .bind(ramp.map(|ramp| i64::from(ramp.first)))
        .bind(ramp.map(|ramp| i64::from(ramp.more)))
        .bind(id.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Caps what all inboxes of an inbox's organisation try in a day; `None`: as many as there are.
    pub async fn update_organisation(
        &self,
        id: &InboxId,
        daily_cap: Option<u32>,
    ) -> Result<(), StoreError> {
        let statement = match daily_cap {
            None => {
                "DELETE FROM organisations WHERE domain = (SELECT organisation FROM inboxes WHERE id = $1)"
            }
            Some(_) => {
                "INSERT INTO organisations (domain, daily_cap) SELECT organisation, $2 FROM inboxes WHERE id = $1 \
                 ON CONFLICT (domain) DO UPDATE SET daily_cap = excluded.daily_cap"
            }
        };
        let mut query = sqlx::query(statement).bind(id.to_string());
        if let Some(cap) = daily_cap {
            query = query.bind(i64::from(cap));
        }
        query.execute(&self.writer).await?;
        Ok(())
    }

    /// The inboxes of an inbox's organisation: what one waits for may be another's to change.
    pub async fn list_organisation(&self, id: &InboxId) -> Result<Vec<InboxId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM inboxes WHERE organisation = (SELECT organisation FROM inboxes WHERE id = $1)",
        )
        .bind(id.to_string())
        .fetch_all(&self.reader)
        .await?;
        let ids = rows.iter().map(|row| Ok(InboxId::new(text(row, "id")?)));
        ids.collect()
    }

    /// Notes the organisations of the last version's inboxes.
    pub(super) async fn carry_organisations_over(&self) -> Result<(), StoreError> {
        let rows = sqlx::query("SELECT id, address FROM inboxes WHERE organisation IS NULL")
            .fetch_all(&self.writer)
            .await?;
        for row in &rows {
            let address = text(row, "address")?
                .parse()
                .map_err(|_| StoreError::Corrupt { what: "address" })?;
            sqlx::query("UPDATE inboxes SET organisation = $1 WHERE id = $2")
                .bind(organisation_of(&address))
                .bind(text(row, "id")?)
                .execute(&self.writer)
                .await?;
        }
        Ok(())
    }

    /// Changes how fast an inbox may send; what is under way goes on, and the next claim asks the new one.
    pub async fn update_budget(&self, id: &InboxId, budget: Budget) -> Result<(), StoreError> {
        let done = sqlx::query("UPDATE inboxes SET gap_ms = $1, daily_cap = $2 WHERE id = $3")
            .bind(duration_ms(budget.distance))
            .bind(budget.daily_cap.map(i64::from))
            .bind(id.to_string())
            .execute(&self.writer)
            .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(super::inbox::not_found(id))
        }
    }
}

/// What a claim asks of its inbox.
pub(super) async fn load_allowance(
    connection: &mut AnyConnection,
    id: &InboxId,
    now: Moment,
) -> Result<Allowance, StoreError> {
    let since = day_before(now);
    // What no cap asks for is not counted; under a cap there are no more rows than it lets through.
    let row = sqlx::query(
        "SELECT i.provider AS provider, i.gap_ms AS gap_ms, i.daily_cap AS daily_cap, i.served AS served, \
         i.last_tried_at_ms AS last_tried_at_ms, i.last_tried_r_ms AS last_tried_r_ms, \
         i.standing AS standing, i.standing_rests AS standing_rests, \
         (SELECT COUNT(*) FROM deliveries d WHERE d.inbox_id = i.id AND d.state = 'attempting') AS n_attempting, \
         i.ramp_first AS ramp_first, i.ramp_more AS ramp_more, i.ramp_ms AS ramp_ms, i.ramp_at_r_ms AS ramp_at_r_ms, \
         o.daily_cap AS organisation_cap, \
         CASE WHEN o.daily_cap IS NULL THEN 0 ELSE \
           (SELECT COUNT(*) FROM inboxes m CROSS JOIN attempts a WHERE m.organisation = i.organisation \
             AND a.inbox_id = m.id AND a.tried_r_ms > $2) \
           + (SELECT COUNT(*) FROM inboxes m CROSS JOIN canaries k WHERE m.organisation = i.organisation \
             AND k.inbox_id = m.id AND k.begun_r_ms > $2) \
           + (SELECT COUNT(*) FROM inboxes m CROSS JOIN deliveries t WHERE m.organisation = i.organisation \
             AND m.id <> i.id AND t.inbox_id = m.id AND t.state = 'attempting') END AS n_of_organisation, \
         CASE WHEN i.daily_cap IS NULL AND i.ramp_first IS NULL THEN 0 ELSE \
           (SELECT COUNT(*) FROM attempts a WHERE a.inbox_id = i.id AND a.tried_r_ms > $2) \
           + (SELECT COUNT(*) FROM canaries k WHERE k.inbox_id = i.id AND k.begun_r_ms > $2) END AS n_tried \
         FROM inboxes i LEFT JOIN organisations o ON o.domain = i.organisation WHERE i.id = $1",
    )
    .bind(id.to_string())
    .bind(since)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| super::inbox::not_found(id))?;
    let budget = budget_from(&row)?;
    let ramp = ramp_from(&row, budget.daily_cap, now)?;
    let ramp_cap = ramp.map(|(ramp, come)| ramp.cap(come));
    let organisation_daily_cap = number_or_null(&row, "organisation_cap")?
        .map(|_| super::small(&row, "organisation_cap"))
        .transpose()?;
    let organisation_full_for = match organisation_daily_cap {
        Some(cap) if number(&row, "n_of_organisation")? >= i64::from(cap) => {
            organisation_full_for(connection, id, cap, now).await?
        }
        _ => Duration::ZERO,
    };
    let full_for = match [budget.daily_cap, ramp_cap].into_iter().flatten().min() {
        Some(cap) if number(&row, "n_tried")? >= i64::from(cap) => {
            full_for(connection, id, cap, now).await?
        }
        _ => Duration::ZERO,
    };
    let provider = ProviderId::new(text(&row, "provider")?);
    Ok(Allowance {
        budgets: Budgets {
            inbox: id.clone(),
            budget,
            least_distance: Provider::find(&provider)
                .map_or(Duration::ZERO, |known| known.usual.least_distance),
            last_try: last_try_from(&row, now)?,
            is_at_half_pace: super::standing::from_row(&row)?.is_at_half_pace(now.at),
            full_for,
            organisation_full_for,
            ramp,
            organisation_daily_cap,
        },
        n_attempting: number(&row, "n_attempting")?,
        served: number(&row, "served")?,
        row,
    })
}

/// The budget in the columns `gap_ms` and `daily_cap`.
pub(super) fn budget_from(row: &AnyRow) -> Result<Budget, StoreError> {
    let daily_cap = number_or_null(row, "daily_cap")?
        .map(|_| super::small(row, "daily_cap"))
        .transpose()?;
    Ok(Budget {
        distance: Duration::from_millis(super::small(row, "gap_ms")?),
        daily_cap,
    })
}

/// The last try in the columns `last_tried_at_ms` and `last_tried_r_ms`.
fn last_try_from(row: &AnyRow, now: Moment) -> Result<Option<LastTry>, StoreError> {
    let Some(at) = number_or_null(row, "last_tried_at_ms")? else {
        return Ok(None);
    };
    let passed = number_or_null(row, "last_tried_r_ms")?.map_or(Duration::ZERO, |r_ms| {
        Duration::from_millis(u64::try_from(now.r_ms.saturating_sub(r_ms)).unwrap_or(0))
    });
    Ok(Some(LastTry {
        at: Timestamp::from_ms(at),
        passed,
    }))
}

/// How long until fewer than `cap` tries lie in the last day. An inbox's messages to itself, which are few, take their
/// places for as long as any of them is younger than that.
async fn full_for(
    connection: &mut AnyConnection,
    id: &InboxId,
    cap: u32,
    now: Moment,
) -> Result<Duration, StoreError> {
    let since = day_before(now);
    let own = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n, MIN(begun_r_ms) AS r_ms FROM canaries \
         WHERE inbox_id = $1 AND begun_r_ms > $2",
    )
    .bind(id.to_string())
    .bind(since)
    .fetch_one(&mut *connection)
    .await?;
    let left = i64::from(cap).saturating_sub(number(&own, "n")?);
    let freed_by = if left <= 0 {
        number_or_null(&own, "r_ms")?
    } else {
        // The index gives them newest first, and the cap is how many are looked at.
        sqlx::query(
            "SELECT tried_r_ms FROM attempts WHERE inbox_id = $1 AND tried_r_ms > $2 \
             ORDER BY tried_r_ms DESC LIMIT 1 OFFSET $3",
        )
        .bind(id.to_string())
        .bind(since)
        .bind(left - 1)
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| number(&row, "tried_r_ms"))
        .transpose()?
    };
    let wait_ms = freed_by.map_or(0, |r_ms| r_ms.saturating_sub(since));
    Ok(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
}

/// How long until fewer than `cap` tries of all inboxes of an inbox's organisation lie in the last day. Where tries that
/// are under way are among them, that is soon known.
async fn organisation_full_for(
    connection: &mut AnyConnection,
    id: &InboxId,
    cap: u32,
    now: Moment,
) -> Result<Duration, StoreError> {
    let since = day_before(now);
    // No more rows than the cap lets through.
    let row = sqlx::query(
        "SELECT r_ms FROM (SELECT a.tried_r_ms AS r_ms FROM inboxes m CROSS JOIN attempts a \
           WHERE m.organisation = (SELECT organisation FROM inboxes WHERE id = $1) \
           AND a.inbox_id = m.id AND a.tried_r_ms > $2 \
         UNION ALL SELECT k.begun_r_ms AS r_ms FROM inboxes m CROSS JOIN canaries k \
           WHERE m.organisation = (SELECT organisation FROM inboxes WHERE id = $1) \
           AND k.inbox_id = m.id AND k.begun_r_ms > $2) AS tries \
         ORDER BY r_ms DESC LIMIT 1 OFFSET $3",
    )
    .bind(id.to_string())
    .bind(since)
    .bind(i64::from(cap) - 1)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else {
        return Ok(super::sending::SOON);
    };
    let wait_ms = number(&row, "r_ms")?.saturating_sub(since);
    Ok(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
}

/// The ramp in a row, and how far it has come.
fn ramp_from(
    row: &AnyRow,
    top: Option<u32>,
    now: Moment,
) -> Result<Option<(Ramp, Duration)>, StoreError> {
    if number_or_null(row, "ramp_first")?.is_none() {
        return Ok(None);
    }
    let ramp = Ramp {
        first: super::small(row, "ramp_first")?,
        more: super::small(row, "ramp_more")?,
    };
    let before = Duration::from_millis(super::small(row, "ramp_ms")?);
    // It begins with its first message.
    let come = number_or_null(row, "ramp_at_r_ms")?.map_or(Duration::ZERO, |at| {
        let idle = u64::try_from(now.r_ms.saturating_sub(at)).unwrap_or(0);
        ramp.come(before, Duration::from_millis(idle), top)
    });
    Ok(Some((ramp, come)))
}

/// Notes how far the ramp of an inbox has come at a claim.
pub(super) async fn note_ramp(
    tx: &mut AnyConnection,
    budgets: &Budgets,
    now: Moment,
) -> Result<(), StoreError> {
    let Some((_, come)) = budgets.ramp else {
        return Ok(());
    };
    sqlx::query("UPDATE inboxes SET ramp_ms = $1, ramp_at_r_ms = $2 WHERE id = $3")
        .bind(duration_ms(come))
        .bind(now.r_ms)
        .bind(budgets.inbox.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// What the running time showed a day ago: later tries count under a cap.
pub(super) fn day_before(now: Moment) -> i64 {
    now.r_ms.saturating_sub(duration_ms(DAY))
}

/// Notes a try whose end nobody saw: it may have been a message, so it counts as one.
pub(super) async fn note_lost_attempt(
    tx: &mut AnyConnection,
    id: &DeliveryId,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO attempts (delivery_id, attempt, outcome, words, ended_at_ms, inbox_id, tried_r_ms, \
         campaign_id, to_domain) \
         SELECT d.id, d.attempt, 'lost', '', $1, d.inbox_id, $2, d.campaign_id, d.to_domain FROM deliveries d WHERE d.id = $3",
    )
    .bind(now.at.as_ms())
    .bind(now.r_ms)
    .bind(id.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::clock::Clock;
    use crate::store::tests::open_older;

    /// An upgrade makes nobody slower: an inbox keeps its distance, and has no cap until one is asked for.
    #[tokio::test]
    async fn inboxes_of_the_last_version_keep_their_pace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let before = open_older(&path, 13).await;
        for (name, gap_ms) in [("jane", 0), ("john", 42_000)] {
            let row = format!(
                "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
                 credentials_fence, refresh_until_ms, gap_open, created_at_ms) VALUES ('{name}', \
                 '{name}@acme.example', 'google', '{{\"host\":\"h\",\"port\":1,\"tls\":\"implicit\"}}', \
                 '{{\"host\":\"h\",\"port\":1,\"tls\":\"implicit\"}}', {gap_ms}, \
                 '{{\"state\":\"connected\",\"since\":\"2026-11-01T00:00:00Z\"}}', 'connected', 0, 0, 0, 1)"
            );
            sqlx::query(sqlx::AssertSqlSafe(row))
                .execute(&before)
                .await
                .unwrap();
        }
        before.close().await;
        let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
        let store = Store::open(&path, &clock).await.unwrap();
        for (name, gap_ms) in [("jane", 0), ("john", 42_000)] {
            let budget = store.load_inbox(&InboxId::new(name)).await.unwrap().budget;
            let as_before = Budget {
                distance: Duration::from_millis(gap_ms),
                daily_cap: None,
            };
            assert_eq!(budget, as_before);
            let id = InboxId::new(name);
            assert_eq!(store.count_tried(&id, clock.now()).await.unwrap(), 0);
        }
        store.close().await;
    }

    /// What passed while no relay lived counts for the distance, once however often one is started; what the wall says
    /// while one lives does not.
    #[tokio::test]
    async fn an_older_database_keeps_its_last_try_and_absence_counts_for_the_distance_once() {
        const ALIVE_MS: i64 = 1_795_417_920_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let before = open_older(&path, 17).await;
        let server = r#"{"host":"h","port":1,"tls":"implicit"}"#;
        for row in [
            format!(
                "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
                 credentials_fence, refresh_until_ms, gap_open, created_at_ms, last_tried_at_ms, last_tried_r_ms) \
                 VALUES ('jane', 'jane@acme.example', 'google', '{server}', '{server}', 600000, \
                 '{{\"state\":\"connected\",\"since\":\"2026-11-01T00:00:00Z\"}}', 'connected', 0, 0, 0, 1, \
                 {ALIVE_MS}, 1000)"
            ),
            format!("UPDATE running_time SET r_ms = 5000, at_ms = {ALIVE_MS}"),
            format!(
                "INSERT INTO canaries (id, inbox_id, message_id, adoption, claim_no, begun_at_ms) \
                 VALUES ('c', 'jane', 'm', 0, 1, {ALIVE_MS})"
            ),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(row))
                .execute(&before)
                .await
                .unwrap();
        }
        before.close().await;
        let absent = Duration::from_mins(3);
        let clock = Clock::manual(Timestamp::from_ms(ALIVE_MS) + absent);
        let jane = InboxId::new("jane");
        for _ in 0..2 {
            let store = Store::open(&path, &clock).await.unwrap();
            store.bridge_absence().await.unwrap();
            clock.set(clock.now() + Duration::from_hours(5));
            let now = clock.now();
            let last = store.load_budgets(&jane, now).await.unwrap().last_try;
            assert_eq!(last.unwrap().passed, Duration::from_secs(4) + absent);
            let canary = store.find_last_canary(&jane).await.unwrap();
            assert_eq!(canary, Some(Timestamp::from_ms(ALIVE_MS)));
            store.beat().await.unwrap();
            store.close().await;
        }
        // A relay that ends between a try and its next beat was away since the try, and not since the beat before.
        let store = Store::open(&path, &clock).await.unwrap();
        store.bridge_absence().await.unwrap();
        clock.advance(Duration::from_secs(20));
        let mut tx = store.begin().await.unwrap();
        crate::store::inbox::note_tried(&mut tx, &jane, store.moment(clock.now()))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        drop(store);
        clock.sleep(Duration::from_secs(1));
        let store = Store::open(&path, &clock).await.unwrap();
        store.bridge_absence().await.unwrap();
        let last = store.load_budgets(&jane, clock.now()).await.unwrap();
        assert_eq!(last.last_try.unwrap().passed, Duration::from_secs(1));
        store.close().await;
    }

    /// A relay that runs from 9 to 17: the cap counts the last 24 hours on the wall, nights in which nothing ran included.
    #[tokio::test]
    async fn a_cap_counts_a_day_on_the_wall_also_where_no_relay_lived_in_it() {
        const MIDNIGHT_MS: i64 = 1_795_392_000_000;
        let at =
            |hours: f64| Timestamp::from_ms(MIDNIGHT_MS) + Duration::from_secs_f64(hours * 3_600.0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let clock = Clock::manual(at(9.0));
        let server = r#"{"host":"h","port":1,"tls":"implicit"}"#;
        let jane = InboxId::new("jane");
        let mut tried: Vec<Timestamp> = Vec::new();
        for day in 0..3 {
            let morning = f64::from(day) * 24.0 + 9.0;
            // Nobody lived since the evening.
            clock.sleep(at(morning).since(clock.now()));
            // Started twice: the night counts once.
            for _ in 0..2 {
                let store = Store::open(&path, &clock).await.unwrap();
                store.bridge_absence().await.unwrap();
                store.close().await;
            }
            let store = Store::open(&path, &clock).await.unwrap();
            store.bridge_absence().await.unwrap();
            if day == 0 {
                let row = format!(
                    "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, daily_cap, connection, \
                     connection_state, credentials_fence, refresh_until_ms, gap_open, created_at_ms) \
                     VALUES ('jane', 'jane@acme.example', 'google', '{server}', '{server}', 0, 4, \
                     '{{\"state\":\"connected\",\"since\":\"2026-11-01T00:00:00Z\"}}', 'connected', 0, 0, 0, 1)"
                );
                sqlx::query(sqlx::AssertSqlSafe(row))
                    .execute(&store.writer)
                    .await
                    .unwrap();
            }
            for half_hour in 0..16 {
                let now = clock.now();
                let of_a_day = tried.iter().filter(|try_at| **try_at + DAY > now).count();
                let counted = store.count_tried(&jane, now).await.unwrap();
                assert_eq!(counted, of_a_day as u64, "day {day}, half hour {half_hour}");
                let full_for = store.load_budgets(&jane, now).await.unwrap().full_for;
                if of_a_day < 4 {
                    assert_eq!(full_for, Duration::ZERO);
                    // One of them the inbox writes to itself.
                    let (table, columns, more) = if tried.len() == 1 {
                        (
                            "canaries",
                            "id, inbox_id, message_id, adoption, claim_no, begun_at_ms, begun_r_ms",
                            ", 'm', 0, 1, 0",
                        )
                    } else {
                        (
                            "attempts",
                            "delivery_id, inbox_id, attempt, outcome, words, ended_at_ms, tried_r_ms",
                            ", 1, 'accepted', '', 0",
                        )
                    };
                    let row = format!(
                        "INSERT INTO {table} ({columns}) VALUES ('d{}', 'jane'{more}, {})",
                        tried.len(),
                        store.moment(now).r_ms
                    );
                    let mut writer = store.writer.acquire().await.unwrap();
                    sqlx::query("PRAGMA foreign_keys = OFF")
                        .execute(&mut *writer)
                        .await
                        .unwrap();
                    sqlx::query(sqlx::AssertSqlSafe(row))
                        .execute(&mut *writer)
                        .await
                        .unwrap();
                    tried.push(now);
                } else {
                    let frees = tried
                        .iter()
                        .map(|try_at| *try_at + DAY)
                        .filter(|at| *at > now)
                        .min();
                    // A message to itself keeps its place for as long as it is younger than a day.
                    assert!(now + full_for >= frees.unwrap(), "{full_for:?}");
                    assert!(full_for <= DAY, "{full_for:?}");
                }
                clock.advance(Duration::from_mins(30));
                store.beat().await.unwrap();
            }
            store.close().await;
        }
        // As many a day as the cap lets through, and never more in any 24 hours.
        assert_eq!(tried.len(), 12, "{tried:?}");
        for try_at in &tried {
            let within = tried
                .iter()
                .filter(|other| **other <= *try_at && **other + DAY > *try_at);
            assert!(within.count() <= 4);
        }
    }
}
