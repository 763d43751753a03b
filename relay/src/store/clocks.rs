//! The clock of each campaign at each of its inboxes: it runs while the campaign runs and the inbox can send, and
//! what is due is a reading of it. Stopping and starting them is one function, called by every transaction that
//! changes what they depend on; none is ever dated back, and no due is ever rewritten.

use std::time::Duration;

use protocol::campaign::State as CampaignState;
use protocol::connection::Connection;
use protocol::id::{CampaignId, InboxId};
use protocol::reading::Reading;
use protocol::timestamp::{Timestamp, duration_ms};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::sending::{Gates, load_gates};
use super::{Store, StoreError, json, number, number_or_null, text};
use crate::record::Queue;

/// One instant by two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// By the clock on the wall.
    pub(super) at: Timestamp,
    /// By the running time, in milliseconds.
    pub(super) r_ms: i64,
}

impl Moment {
    /// How long until the running time shows so much; nothing where it does.
    pub(super) fn until(self, r_ms: i64) -> Duration {
        let left = r_ms.saturating_sub(self.r_ms);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

/// Whose clocks are meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    /// Those of one inbox.
    Inbox(&'a InboxId),
    /// Those of one campaign.
    Campaign(&'a CampaignId),
    /// All.
    Everybody,
}

/// The clock of a campaign at an inbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairClock {
    ran_ms: i64,
    since_r_ms: Option<i64>,
}

/// A running campaign at an inbox, with what of it is due.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) campaign: CampaignId,
    pub(super) clock: PairClock,
    /// The due of the follow-up that is due first; `None` where none is planned.
    pub(super) follow_up_due: Option<Reading>,
    pub(super) queue: Queue,
    /// What of the campaign itself may keep it from sending.
    pub(super) gates: Gates,
}

impl PairClock {
    /// The clock in the columns `ran_ms` and `since_r_ms`.
    pub(super) fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            ran_ms: number(row, "ran_ms")?,
            since_r_ms: number_or_null(row, "since_r_ms")?,
        })
    }

    /// Whether it runs.
    pub(super) fn runs(self) -> bool {
        self.since_r_ms.is_some()
    }

    /// What it shows.
    pub(super) fn read(self, now: Moment) -> Reading {
        let since = self.since_r_ms.unwrap_or(now.r_ms);
        Reading::from_ms(self.ran_ms.saturating_add(now.r_ms.saturating_sub(since)))
    }

    /// When it shows `due`, should it go on running; `None` while it stands.
    pub(super) fn comes_at(self, due: Reading, now: Moment) -> Option<Timestamp> {
        self.runs().then(|| now.at + due.since(self.read(now)))
    }
}

impl Store {
    /// The present instant by the running time too.
    pub(super) fn moment(&self, at: Timestamp) -> Moment {
        let lived = self.clock.lived().saturating_sub(self.lived_at_open);
        Moment {
            at,
            r_ms: self.r_ms_at_open.saturating_add(duration_ms(lived)),
        }
    }

    /// The relay lives: what it lived is kept, so that a crash loses no more than the time since the last beat.
    pub async fn beat(&self) -> Result<(), StoreError> {
        self.clock.beat();
        let mut connection = self.writer.acquire().await?;
        note_running_time(&mut connection, self.moment(self.clock.now())).await
    }

    /// The server of an inbox is given time after a failure, or has had it: its campaigns' clocks stand meanwhile.
    pub async fn put_resting(
        &self,
        inbox: &InboxId,
        is_resting: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE inboxes SET resting = $1 WHERE id = $2")
            .bind(i64::from(is_resting))
            .bind(inbox.to_string())
            .execute(&mut *tx)
            .await?;
        update_clocks(&mut tx, Of::Inbox(inbox), self.moment(now)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// How long relays have lived on this database when this one opened it.
    pub(super) async fn load_running_time(writer: &sqlx::AnyPool) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT r_ms FROM running_time WHERE id = 1")
            .fetch_one(writer)
            .await?;
        number(&row, "r_ms")
    }

    /// Distances, rests and the day of a cap go on while no relay lives: what passed on the wall since the last sign of
    /// life counts for them, once. While a relay lives only what it lives counts, so that no setting of a clock ends one early. To be
    /// called when a relay begins to work, and by nothing that only opens the database.
    pub async fn bridge_absence(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let row = sqlx::query("SELECT at_ms, bridged_at_ms FROM running_time WHERE id = 1")
            .fetch_one(&mut *tx)
            .await?;
        let last = number_or_null(&row, "bridged_at_ms")?.or(number_or_null(&row, "at_ms")?);
        let absent = last.map_or(Duration::ZERO, |last| now.since(Timestamp::from_ms(last)));
        for bridges in [
            "UPDATE deliveries SET rest_until_r_ms = rest_until_r_ms - $1 WHERE rest_until_r_ms IS NOT NULL",
            "UPDATE inboxes SET last_tried_r_ms = last_tried_r_ms - $1 WHERE last_tried_r_ms IS NOT NULL",
            "UPDATE domain_waits SET until_r_ms = until_r_ms - $1",
            "UPDATE inboxes SET ramp_at_r_ms = ramp_at_r_ms - $1 WHERE ramp_at_r_ms IS NOT NULL",
            "UPDATE campaigns SET catch_up_until_r_ms = catch_up_until_r_ms - $1 WHERE catch_up_until_r_ms IS NOT NULL",
        ] {
            sqlx::query(bridges)
                .bind(duration_ms(absent))
                .execute(&mut *tx)
                .await?;
        }
        // Of the tries, those that a cap may still count. $1 is what passed, $2 a day ago by the running time.
        for bridges in [
            "UPDATE attempts SET tried_r_ms = tried_r_ms - $1 \
             WHERE inbox_id IN (SELECT id FROM inboxes) AND tried_r_ms > $2",
            "UPDATE canaries SET begun_r_ms = begun_r_ms - $1 \
             WHERE inbox_id IN (SELECT id FROM inboxes) AND begun_r_ms > $2",
        ] {
            sqlx::query(bridges)
                .bind(duration_ms(absent))
                .bind(super::budget::day_before(self.moment(now)))
                .execute(&mut *tx)
                .await?;
        }
        // Older versions knew the wall alone. $1 is now by the running time, $2 by the wall.
        for carries_over in [
            "UPDATE deliveries SET rest_until_r_ms = $1 + rest_until_ms - $2 \
             WHERE rest_until_ms IS NOT NULL AND rest_until_r_ms IS NULL",
            "UPDATE inboxes SET last_tried_r_ms = $1 - CASE WHEN last_tried_at_ms < $2 THEN $2 - last_tried_at_ms \
             ELSE 0 END WHERE last_tried_at_ms IS NOT NULL AND last_tried_r_ms IS NULL",
        ] {
            sqlx::query(carries_over)
                .bind(self.moment(now).r_ms)
                .bind(now.as_ms())
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("UPDATE running_time SET bridged_at_ms = $1 WHERE id = 1")
            .bind(now.as_ms())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives the clocks of the last version's rows their first reading. Dues were instants there, so a clock shows the
    /// instant at which it was stopped: the loss of the inbox, the pause of the campaign, or the last sign of life,
    /// whichever came first.
    pub(super) async fn carry_clocks_over(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "SELECT p.campaign_id AS campaign_id, p.inbox_id AS inbox_id, c.status AS status, \
             i.connection AS connection, i.last_read_at_ms AS read_at_ms, i.last_tried_at_ms AS tried_at_ms, \
             i.created_at_ms AS created_at_ms FROM campaign_inboxes p JOIN campaigns c ON c.id = p.campaign_id \
             JOIN inboxes i ON i.id = p.inbox_id WHERE p.ran_ms IS NULL",
        )
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let instant =
                |column| Ok::<_, StoreError>(number_or_null(row, column)?.map(Timestamp::from_ms));
            let alive = instant("read_at_ms")?.max(instant("tried_at_ms")?);
            let alive = alive.max(instant("created_at_ms")?);
            let connection: Connection = json(row, "connection")?;
            let lost = match connection {
                Connection::Connected { .. } => None,
                lost => Some(lost.since()),
            };
            let paused = match json(row, "status")? {
                CampaignState::Paused { since, .. } => Some(since),
                _ => None,
            };
            let stopped = [alive, lost, paused].into_iter().flatten().min();
            sqlx::query(
                "UPDATE campaign_inboxes SET ran_ms = $1 WHERE campaign_id = $2 AND inbox_id = $3",
            )
            .bind(stopped.map_or(0, Timestamp::as_ms))
            .bind(text(row, "campaign_id")?)
            .bind(text(row, "inbox_id")?)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Stops the clocks that may not run any more and starts those that may, at `now`.
pub(super) async fn update_clocks(
    tx: &mut AnyConnection,
    of: Of<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    const MAY_RUN: &str = "EXISTS (SELECT 1 FROM campaigns c JOIN inboxes i ON i.id = campaign_inboxes.inbox_id \
         WHERE c.id = campaign_inboxes.campaign_id AND c.state = 'running' \
         AND i.connection_state = 'connected' AND i.gap_open = 0 AND i.resting = 0 \
         AND i.standing_rests = 0)";
    let (whose, id) = match of {
        Of::Inbox(id) => ("inbox_id = $2", id.to_string()),
        Of::Campaign(id) => ("campaign_id = $2", id.to_string()),
        Of::Everybody => ("$2 = ''", String::new()),
    };
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE campaign_inboxes SET ran_ms = ran_ms + COALESCE($1 - since_r_ms, 0), since_r_ms = NULL, \
         stood_since_ms = $3 WHERE {whose} AND (since_r_ms IS NOT NULL OR stood_since_ms IS NULL) AND NOT {MAY_RUN}"
    )))
    .bind(now.r_ms)
    .bind(id.clone())
    .bind(now.at.as_ms())
    .execute(&mut *tx)
    .await?;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE campaign_inboxes SET since_r_ms = $1, stood_since_ms = NULL \
         WHERE {whose} AND since_r_ms IS NULL AND {MAY_RUN}"
    )))
    .bind(now.r_ms)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    note_running_time(tx, now).await
}

/// Keeps the running time: every transaction that stores a reading of it does.
pub(super) async fn note_running_time(
    tx: &mut AnyConnection,
    now: Moment,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE running_time SET r_ms = $1, at_ms = $2, bridged_at_ms = NULL WHERE id = 1 AND r_ms <= $1")
        .bind(now.r_ms)
        .bind(now.at.as_ms())
        .execute(tx)
        .await?;
    Ok(())
}

/// The clock of a campaign at an inbox.
pub(super) async fn load_clock(
    tx: &mut AnyConnection,
    campaign: &CampaignId,
    inbox: &InboxId,
) -> Result<PairClock, StoreError> {
    let row = sqlx::query(
        "SELECT ran_ms, since_r_ms FROM campaign_inboxes WHERE campaign_id = $1 AND inbox_id = $2",
    )
    .bind(campaign.to_string())
    .bind(inbox.to_string())
    .fetch_one(tx)
    .await?;
    PairClock::from_row(&row)
}

/// The running campaigns of an inbox, each with what stands first in its two queues.
pub(super) async fn list_pairs(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    now: Moment,
) -> Result<Vec<Pair>, StoreError> {
    // What no cap asks for is not counted; under a cap there are no more rows than it lets through.
    let rows = sqlx::query(
        "SELECT p.campaign_id AS campaign_id, p.ran_ms AS ran_ms, p.since_r_ms AS since_r_ms, p.turn AS turn, \
         p.was_waiting AS was_waiting, p.follow_ups AS follow_ups, c.n_steps AS n_steps, \
         c.created_at_ms AS created_at_ms, c.schedule AS schedule, c.daily_cap AS daily_cap, \
         c.after_outage_cap AS after_outage_cap, c.catch_up_until_r_ms AS catch_up_until_r_ms, \
         CASE WHEN c.daily_cap IS NULL AND (c.catch_up_until_r_ms IS NULL OR c.catch_up_until_r_ms <= $3) THEN 0 ELSE \
           (SELECT COUNT(*) FROM attempts a WHERE a.campaign_id = c.id AND a.tried_r_ms > $2) \
           + (SELECT COUNT(*) FROM deliveries t WHERE t.campaign_id = c.id AND t.state = 'attempting') END AS n_tried, \
         (SELECT MIN(d.rank) FROM deliveries d WHERE d.inbox_id = p.inbox_id AND d.campaign_id = p.campaign_id \
           AND d.is_first = 0 AND d.rank IS NOT NULL) AS follow_up_due_ms, \
         (SELECT MIN(d.rank) FROM deliveries d WHERE d.inbox_id = p.inbox_id AND d.campaign_id = p.campaign_id \
           AND d.is_first = 1 AND d.rank IS NOT NULL) AS first_place \
         FROM campaign_inboxes p JOIN campaigns c ON c.id = p.campaign_id \
         WHERE p.inbox_id = $1 AND c.state = 'running'",
    )
    .bind(inbox.to_string())
    .bind(super::budget::day_before(now))
    .bind(now.r_ms)
    .fetch_all(&mut *tx)
    .await?;
    let mut pairs = Vec::with_capacity(rows.len());
    for row in &rows {
        let campaign = CampaignId::new(text(row, "campaign_id")?);
        let pair = Pair {
            gates: load_gates(tx, &campaign, row, now).await?,
            campaign,
            clock: PairClock::from_row(row)?,
            follow_up_due: number_or_null(row, "follow_up_due_ms")?.map(Reading::from_ms),
            queue: Queue {
                turn: number(row, "turn")?,
                was_waiting: number(row, "was_waiting")? != 0,
                follow_ups: number(row, "follow_ups")?,
                n_steps: number(row, "n_steps")?,
                has_follow_up: false,
                has_first: number_or_null(row, "first_place")?.is_some(),
            },
        };
        pairs.push((number(row, "created_at_ms")?, pair));
    }
    pairs.sort_by(|(a_ms, a), (b_ms, b)| (a_ms, &a.campaign).cmp(&(b_ms, &b.campaign)));
    Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
}

impl Pair {
    /// Whether it may send at `now`: its clock runs, and nothing of the campaign itself is shut.
    pub(super) fn may_send(&self, now: Moment) -> bool {
        self.clock.runs() && self.gates.shut(now.at).is_none()
    }

    /// Its queue as it stands at `now`: what may not send has nothing due.
    pub(super) fn queue_at(&self, now: Moment) -> Queue {
        let reading = self.clock.read(now);
        let may_send = self.may_send(now);
        Queue {
            has_follow_up: may_send && self.follow_up_due.is_some_and(|due| due <= reading),
            has_first: may_send && self.queue.has_first,
            ..self.queue
        }
    }

    /// Whether something of it would leave if its inbox could send: due, whether or not its clock runs.
    pub(super) fn would_send(&self, now: Moment) -> bool {
        let reading = self.clock.read(now);
        let is_due = self.queue.has_first || self.follow_up_due.is_some_and(|due| due <= reading);
        is_due && self.gates.shut(now.at).is_none()
    }

    /// When something of it may leave next; `None` while it stands, where nothing is planned, and where its schedule is
    /// over.
    pub(super) fn next_due_at(&self, now: Moment) -> Option<Timestamp> {
        if !self.clock.runs() {
            return None;
        }
        let due_at = if self.queue.has_first {
            now.at
        } else {
            self.clock.comes_at(self.follow_up_due?, now)?
        };
        self.gates.next(due_at)
    }
}

/// Notes what a turn left of the queues, where that changed.
pub(super) async fn put_queues(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    pairs: &[Pair],
    queues: &[Queue],
) -> Result<(), StoreError> {
    for (pair, queue) in pairs.iter().zip(queues) {
        let is_changed = pair.queue.turn != queue.turn
            || pair.queue.was_waiting != queue.was_waiting
            || pair.queue.follow_ups != queue.follow_ups;
        if !is_changed {
            continue;
        }
        sqlx::query(
            "UPDATE campaign_inboxes SET turn = $1, was_waiting = $2, follow_ups = $3 \
             WHERE campaign_id = $4 AND inbox_id = $5",
        )
        .bind(queue.turn)
        .bind(i64::from(queue.was_waiting))
        .bind(queue.follow_ups)
        .bind(pair.campaign.to_string())
        .bind(inbox.to_string())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Milliseconds of a rest that begins at `now`, by both clocks.
pub(super) fn rest_from(now: Moment, until: Timestamp) -> (i64, i64) {
    let rest: Duration = until.since(now.at);
    (until.as_ms(), now.r_ms.saturating_add(duration_ms(rest)))
}

#[cfg(test)]
mod tests {

    use protocol::delivery::State;

    use super::*;
    use crate::clock::Clock;
    use crate::store::tests::open_older;

    const HOUR_MS: i64 = 3_600_000;
    /// When the last version ended.
    const ENDED_MS: i64 = 1_795_417_920_000;

    fn campaign(name: &str, state: &str, status: &str) -> String {
        format!(
            "INSERT INTO campaigns (id, name, steps, n_steps, state, status, created_at_ms) \
             VALUES ('{name}', '{name}', '[]', 2, '{state}', '{status}', 1)"
        )
    }

    /// An inbox that was last read when the version ended.
    fn inbox(name: &str, state: &str, connection: &str) -> String {
        format!(
            "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
             credentials_fence, refresh_until_ms, gap_open, last_read_at_ms, created_at_ms) \
             VALUES ('{name}', '{name}@acme.example', 'imap', \
             '{{\"host\":\"h\",\"port\":1,\"tls\":\"implicit\"}}', '{{\"host\":\"h\",\"port\":1,\"tls\":\"implicit\"}}', \
             0, '{connection}', '{state}', 0, 0, 0, {ENDED_MS}, 1)"
        )
    }

    /// A delivery that was due an hour after the version ended.
    fn delivery(campaign: &str, inbox: &str) -> [String; 3] {
        let id = format!("{campaign}_{inbox}");
        [
            format!(
                "INSERT INTO campaign_inboxes (campaign_id, inbox_id, position) VALUES ('{campaign}', '{inbox}', 0)"
            ),
            format!(
                "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
                 VALUES ('{id}', '{campaign}', '{inbox}', 7, '{id}@lead.example', '{{}}', 'active')"
            ),
            format!(
                "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, due_at_ms, attempt) \
                 VALUES ('{id}', '{campaign}', '{id}', '{inbox}', 2, 'planned', {}, 0)",
                ENDED_MS + HOUR_MS
            ),
        ]
    }

    #[tokio::test]
    async fn what_waited_in_the_last_version_waits_for_as_long_as_it_would_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let before = open_older(&path, 9).await;
        let instant = |ms| Timestamp::from_ms(ms).to_string();
        let lost = format!(
            r#"{{"state":"disconnected","cause":"permission_ended","evidence":null,"since":"{}"}}"#,
            instant(ENDED_MS - 3 * HOUR_MS)
        );
        let paused = format!(
            r#"{{"state":"paused","by":{{"by":"person"}},"since":"{}"}}"#,
            instant(ENDED_MS - 2 * HOUR_MS)
        );
        let connected = r#"{"state":"connected","since":"2026-01-01T00:00:00Z"}"#;
        let mut rows = vec![
            campaign("runs", "running", r#"{"state":"running"}"#),
            campaign("paused", "paused", &paused),
            inbox("works", "connected", connected),
            inbox("lost", "disconnected", &lost),
        ];
        for campaign in ["runs", "paused"] {
            for inbox in ["works", "lost"] {
                rows.extend(delivery(campaign, inbox));
            }
        }
        for row in rows {
            sqlx::query(sqlx::AssertSqlSafe(row))
                .execute(&before)
                .await
                .unwrap();
        }
        before.close().await;

        // The relay was off for a day.
        let clock = Clock::manual(Timestamp::from_ms(ENDED_MS + 24 * HOUR_MS));
        let store = Store::open(&path, &clock).await.unwrap();
        let mut reader = store.reader.acquire().await.unwrap();
        let now = store.moment(clock.now());
        for (campaign, inbox, hours_left) in [
            ("runs", "works", 1),
            // The wait stood since the loss, since the pause, and since whichever came first.
            ("runs", "lost", 4),
            ("paused", "works", 3),
            ("paused", "lost", 4),
        ] {
            let id = protocol::id::DeliveryId::new(format!("{campaign}_{inbox}"));
            let delivery = store.load_delivery(&id).await.unwrap();
            let State::Planned { due } = delivery.status else {
                panic!("{delivery:?}")
            };
            let pair = (CampaignId::new(campaign), InboxId::new(inbox));
            let pair = load_clock(&mut reader, &pair.0, &pair.1).await.unwrap();
            assert!(!pair.runs(), "nothing was read yet");
            let left = due.since(pair.read(now));
            assert_eq!(left, Duration::from_hours(hours_left), "{id}");
        }
        drop(reader);
        store.close().await;
    }
}
