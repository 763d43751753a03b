//! What an outage holds: the deliveries that would have left between the loss of their inbox and now, each once. The
//! same count stands on the card, in the list of inboxes and, when it is over, in the receipt. A campaign that a person
//! paused holds nothing, and neither does an inbox that was never connected.
//!
//! No more would have left than fit into the outage, first the follow-ups, then the first messages: a campaign sends
//! while its windows are open, an inbox keeps a distance between its messages, and each has its cap of a day. What
//! became due while no window was open, and none has opened since, would have waited anyhow.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::campaign::{PausedBy, State as CampaignState};
use protocol::connection::Connection;
use protocol::id::{CampaignId, InboxId};
use protocol::timestamp::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::resume::Outage;
use super::sending::Windows;
use super::{Store, StoreError, json, number, number_or_null, small, text};
use crate::schedule::{Span, fit_into, list_open, unite};

/// How long before the loss was met a delivery may have come into doubt by it.
const BEFORE_LOSS: Duration = Duration::from_mins(1);

/// Kinds of deliveries that an outage holds. Each is found along an index of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In doubt, or unsettled, since the loss.
    InDoubt,
    /// On its way when the loss was met.
    Attempting,
    /// Planned, and not sent any more: its lead answered or its message came back.
    Skipped,
    /// Waiting for its due and its turn alone.
    FollowUp,
    /// Deferred, and rested by now.
    Rested,
    /// Waiting for its turn alone.
    First,
}

impl Kind {
    /// In the order of the receipt.
    pub(super) const ALL: [Self; 6] = [
        Self::InDoubt,
        Self::Attempting,
        Self::Skipped,
        Self::FollowUp,
        Self::Rested,
        Self::First,
    ];

    /// The condition on a row `d` of a campaign that stands since `from_ms`, could have sent until `last_ms` and would
    /// have come to the reading `until_ms` by then. A step that had no plan yet has no due either.
    pub(super) fn condition(self, from_ms: &str, until_ms: &str, last_ms: &str) -> String {
        match self {
            Self::InDoubt => format!(
                "d.state IN ('in_doubt', 'unsettled') AND d.in_doubt_since_ms >= {from_ms} - {}",
                BEFORE_LOSS.as_millis()
            ),
            Self::Attempting => "d.state = 'attempting'".to_owned(),
            Self::Skipped => format!(
                "d.state = 'suppressed' AND d.suppressed_at_ms >= {from_ms} AND d.due_ms <= {until_ms} \
                 AND (d.is_first = 1 OR d.due_ms > 0)"
            ),
            Self::FollowUp => {
                format!("d.is_first = 0 AND d.rank IS NOT NULL AND d.rank <= {until_ms}")
            }
            Self::Rested => {
                format!("d.rest_until_ms IS NOT NULL AND d.rest_until_ms <= {last_ms}")
            }
            Self::First => "d.is_first = 1 AND d.rank IS NOT NULL".to_owned(),
        }
    }

    /// What orders its rows, before their places.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::InDoubt => "d.in_doubt_since_ms",
            Self::Attempting => "d.lease_until_ms",
            Self::Skipped => "d.suppressed_at_ms",
            Self::FollowUp | Self::First => "d.rank",
            Self::Rested => "d.rest_until_ms",
        }
    }
}

/// How many deliveries an outage holds, by what becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Still to be sent.
    pub(super) to_send: u64,
    /// Not sent any more: answered, bounced or stopped by a person meanwhile.
    pub(super) skipped: u64,
    /// Neither: their fate is being settled.
    pub(super) in_doubt: u64,
}

impl Held {
    pub(super) fn total(self) -> u64 {
        self.to_send + self.skipped + self.in_doubt
    }
}

/// A campaign that an outage of an inbox stopped.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) inbox: InboxId,
    pub(super) campaign: CampaignId,
    pub(super) status: CampaignState,
    /// What its clock shows.
    pub(super) ran_ms: i64,
    /// Since when it stands; `None` in a database of the last version.
    stood_since: Option<Timestamp>,
    distance: Duration,
    /// The cap of a day of its inbox.
    inbox_cap: Option<u64>,
    /// Its own cap of a day.
    cap: Option<u64>,
    windows: Option<Windows>,
    outage: Outage,
    n_first: u64,
}

/// What an outage let a campaign not send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missed {
    /// The last instant at which it could have sent.
    pub(super) last: Timestamp,
    /// The messages that would have left of it meanwhile, at the most.
    pub(super) room: u64,
}

/// The outage of one inbox.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    /// When its campaigns stopped.
    pub(super) at: Timestamp,
    /// Whether anything was lost: an inbox that worked, or never did, holds nothing.
    pub(super) is_outage: bool,
    /// What would have left meanwhile, at the most, of all campaigns together.
    pub(super) room: u64,
    pub(super) stops: Vec<Stop>,
    /// What each of them missed.
    pub(super) missed: Vec<Missed>,
}

impl Lost {
    /// The outage that these campaigns of one inbox are in. A campaign may have waited for longer than since the last
    /// failure: an earlier reconnect that did not last did not let it go on.
    fn new(stops: Vec<Stop>, outage: &Outage, now: Timestamp) -> Self {
        let paused = stops.iter().filter_map(|stop| match &stop.status {
            CampaignState::Paused { since, .. } => Some(*since),
            _ => None,
        });
        let since = paused.chain(outage.since).min();
        let at = since.unwrap_or(now);
        let distance = stops.first().map_or(Duration::ZERO, |stop| stop.distance);
        let inbox_cap = stops.first().and_then(|stop| stop.inbox_cap);
        let room_in = |spans: &[Span], cap: Option<u64>| {
            let by_cap = cap.map_or(u64::MAX, |cap| cap.saturating_mul(days(now.since(at))));
            fit_into(spans, distance).min(by_cap)
        };
        let open: Vec<_> = stops
            .iter()
            .map(|stop| {
                let from = stop.stood_since.unwrap_or(at).max(at);
                match &stop.windows {
                    Some(windows) => list_open(&windows.schedule, &windows.zone, from, now),
                    None => vec![Span { from, last: now }],
                }
            })
            .collect();
        let missed = stops.iter().zip(&open).map(|(stop, spans)| Missed {
            last: spans.last().map_or(at, |span| span.last),
            room: room_in(spans, stop.cap),
        });
        Self {
            at,
            is_outage: since.is_some_and(|at| at < now),
            missed: missed.collect(),
            room: room_in(&unite(open.concat()), inbox_cap),
            stops,
        }
    }

    /// Since when this outage stops a campaign.
    pub(super) fn from(&self, stop: &Stop) -> Timestamp {
        stop.stood_since.unwrap_or(self.at).max(self.at)
    }

    /// The reading up to which a campaign's deliveries would have left that could have sent until `last`.
    pub(super) fn until_ms(&self, stop: &Stop, last: Timestamp) -> i64 {
        let stood = protocol::timestamp::duration_ms(last.since(self.from(stop)));
        stop.ran_ms.saturating_add(stood)
    }

    fn count(&self, counts: &[Counts]) -> Held {
        let (mut skipped, mut to_send) = (0_u64, 0_u64);
        for ((stop, missed), counts) in self.stops.iter().zip(&self.missed).zip(counts) {
            let skips = counts.skipped.min(missed.room);
            skipped = skipped.saturating_add(skips);
            let sends = counts.due.saturating_add(stop.n_first);
            to_send = to_send.saturating_add(sends.min(missed.room - skips));
        }
        let skipped = skipped.min(self.room);
        Held {
            to_send: to_send.min(self.room - skipped),
            skipped,
            in_doubt: counts.iter().map(|counts| counts.in_doubt).sum(),
        }
    }
}

/// Days that have begun in so long a time.
fn days(time: Duration) -> u64 {
    const DAY: Duration = Duration::from_hours(24);
    time.as_secs() / DAY.as_secs() + 1
}

/// What of a campaign is counted along its indexes.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    due: u64,
    skipped: u64,
    in_doubt: u64,
}

/// What waits for an inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// What an outage holds; 0 while it can send.
    pub held: u64,
    /// What a person must decide.
    pub unsettled: u64,
}

impl Store {
    /// What waits for each inbox, or for this one; those for which nothing does are missing.
    pub async fn list_waits(
        &self,
        of: Option<&InboxId>,
    ) -> Result<BTreeMap<InboxId, Waits>, StoreError> {
        let now = self.clock.now();
        let mut waits: BTreeMap<InboxId, Waits> = BTreeMap::new();
        let mut reader = self.reader.acquire().await?;
        let rows = sqlx::query(
            "SELECT t.inbox_id AS inbox_id, t.n AS n FROM tallies t JOIN campaigns c ON c.id = t.campaign_id \
             WHERE t.what = 'unsettled' AND t.n > 0 AND c.state IN ('running', 'paused')",
        )
        .fetch_all(&mut *reader)
        .await?;
        for row in &rows {
            let inbox = InboxId::new(text(row, "inbox_id")?);
            waits.entry(inbox).or_default().unsettled += small::<u64>(row, "n")?;
        }
        let mut by_inbox: BTreeMap<InboxId, Vec<Stop>> = BTreeMap::new();
        for stop in list_stops(&mut reader, of).await? {
            by_inbox.entry(stop.inbox.clone()).or_default().push(stop);
        }
        let lost: Vec<Lost> = by_inbox
            .into_values()
            .filter_map(|stops| {
                let outage = stops.first()?.outage.clone();
                let lost = Lost::new(stops, &outage, now);
                lost.is_outage.then_some(lost)
            })
            .collect();
        let mut counts = count(&mut reader, &lost).await?.into_iter();
        for lost in &lost {
            let of_inbox: Vec<_> = counts.by_ref().take(lost.stops.len()).collect();
            if let Some(first) = lost.stops.first() {
                let held = lost.count(&of_inbox).total();
                waits.entry(first.inbox.clone()).or_default().held = held;
            }
        }
        Ok(waits)
    }
}

/// The outage that a reconnect of an inbox ends, and what it holds.
pub(super) async fn load(
    tx: &mut AnyConnection,
    inbox: &InboxId,
    outage: &Outage,
    now: Timestamp,
) -> Result<(Lost, Held), StoreError> {
    let stops = list_stops_of(tx, inbox).await?;
    let lost = Lost::new(stops, outage, now);
    if !lost.is_outage {
        return Ok((lost, Held::default()));
    }
    let counts = count(tx, std::slice::from_ref(&lost)).await?;
    let held = lost.count(&counts);
    Ok((lost, held))
}

const STOPS: &str = "SELECT p.inbox_id AS inbox_id, p.campaign_id AS campaign_id, p.ran_ms AS ran_ms, \
     p.stood_since_ms AS stood_since_ms, c.status AS status, i.gap_ms AS gap_ms, i.connection AS connection, \
     i.daily_cap AS inbox_cap, c.daily_cap AS cap, c.schedule AS schedule, \
     COALESCE(t.n, 0) AS n_first FROM campaign_inboxes p JOIN campaigns c ON c.id = p.campaign_id \
     JOIN inboxes i ON i.id = p.inbox_id LEFT JOIN tallies t ON t.campaign_id = p.campaign_id \
     AND t.inbox_id = p.inbox_id AND t.what = 'first' \
     WHERE c.state IN ('running', 'paused') AND p.since_r_ms IS NULL";

/// The campaigns that inboxes cannot send for because they are not connected, oldest first.
async fn list_stops(
    reader: &mut AnyConnection,
    of: Option<&InboxId>,
) -> Result<Vec<Stop>, StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{STOPS} AND i.connection_state <> 'connected' AND ($1 = '' OR i.id = $1) ORDER BY c.created_at_ms, c.id"
    )))
    .bind(of.map(ToString::to_string).unwrap_or_default())
    .fetch_all(reader)
    .await?;
    stops_from(&rows)
}

/// The campaigns that go on when an inbox does.
async fn list_stops_of(tx: &mut AnyConnection, inbox: &InboxId) -> Result<Vec<Stop>, StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{STOPS} AND p.inbox_id = $1 ORDER BY c.created_at_ms, c.id"
    )))
    .bind(inbox.to_string())
    .fetch_all(tx)
    .await?;
    stops_from(&rows)
}

/// Without those that a person paused.
fn stops_from(rows: &[AnyRow]) -> Result<Vec<Stop>, StoreError> {
    let mut stops = Vec::new();
    for row in rows {
        let status: CampaignState = json(row, "status")?;
        let by_person = matches!(
            &status,
            CampaignState::Paused {
                by: PausedBy::Person,
                ..
            }
        );
        if by_person {
            continue;
        }
        let connection: Connection = json(row, "connection")?;
        stops.push(Stop {
            inbox: InboxId::new(text(row, "inbox_id")?),
            campaign: CampaignId::new(text(row, "campaign_id")?),
            status,
            ran_ms: number(row, "ran_ms")?,
            stood_since: number_or_null(row, "stood_since_ms")?.map(Timestamp::from_ms),
            distance: Duration::from_millis(small(row, "gap_ms")?),
            inbox_cap: cap(row, "inbox_cap")?,
            cap: cap(row, "cap")?,
            windows: Windows::from_row(row)?,
            outage: Outage::of(&connection),
            n_first: small(row, "n_first")?,
        });
    }
    Ok(stops)
}

fn cap(row: &AnyRow, column: &'static str) -> Result<Option<u64>, StoreError> {
    let is_set = number_or_null(row, column)?.is_some();
    is_set.then(|| small(row, column)).transpose()
}

/// What each stopped campaign holds, in one statement: along an index, and no more than would have left.
async fn count(reader: &mut AnyConnection, lost: &[Lost]) -> Result<Vec<Counts>, StoreError> {
    let pairs: Vec<_> = lost
        .iter()
        .flat_map(|lost| {
            let stops = lost.stops.iter().zip(&lost.missed);
            stops.map(move |(stop, missed)| (lost, stop, missed.last))
        })
        .collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let room = lost.iter().map(|lost| lost.room).max().unwrap_or_default();
    let mut values = Vec::new();
    for (idx, (lost, stop, last)) in pairs.iter().enumerate() {
        let (inbox, campaign) = (2 + 2 * idx, 3 + 2 * idx);
        let (from_ms, until_ms) = (lost.from(stop).as_ms(), lost.until_ms(stop, *last));
        let last_ms = last.as_ms();
        values.push(format!(
            "({idx}, ${inbox}, ${campaign}, {from_ms}, {until_ms}, {last_ms})"
        ));
    }
    let values = values.join(", ");
    let n = |kind: Kind| {
        // What was on its way takes no room: it had left.
        let limit = match kind {
            Kind::InDoubt | Kind::Attempting => "",
            _ => "LIMIT $1",
        };
        format!(
            "(SELECT COUNT(*) FROM (SELECT 1 FROM deliveries d WHERE d.inbox_id = v.inbox_id \
             AND d.campaign_id = v.campaign_id AND {} {limit}))",
            kind.condition("v.from_ms", "v.until_ms", "v.last_ms")
        )
    };
    let statement = format!(
        "WITH v (idx, inbox_id, campaign_id, from_ms, until_ms, last_ms) AS (VALUES {values}) \
         SELECT v.idx AS idx, {} + {} AS n_due, {} AS n_skipped, {} + {} AS n_doubted FROM v",
        n(Kind::FollowUp),
        n(Kind::Rested),
        n(Kind::Skipped),
        n(Kind::InDoubt),
        n(Kind::Attempting),
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement))
        .persistent(false)
        .bind(i64::try_from(room).unwrap_or(i64::MAX));
    for (_, stop, _) in &pairs {
        query = query
            .bind(stop.inbox.to_string())
            .bind(stop.campaign.to_string());
    }
    let rows = query.fetch_all(reader).await?;
    let mut counts = rows
        .iter()
        .map(|row| {
            let counts = Counts {
                due: small(row, "n_due")?,
                skipped: small(row, "n_skipped")?,
                in_doubt: small(row, "n_doubted")?,
            };
            Ok((number(row, "idx")?, counts))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    counts.sort_by_key(|(idx, _)| *idx);
    Ok(counts.into_iter().map(|(_, counts)| counts).collect())
}
