//! Receipts: the totals in one row, the lines in rows of their own, which are written in slices and read by page.

use protocol::id::{AccountId, CampaignId, DeliveryId, LeadId, ReceiptId, ReconnectId};
use protocol::receipt::{Fate, Line, Receipt};
use protocol::request::reconnect::Since;
use protocol::timestamp::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, QueryBuilder};

use super::held::{Held, Kind, Lost, Stop};
use super::lead::{SLICE, parse_why};
use super::{Store, StoreError, json, number, number_or_null, small, text, text_or_null, to_json};

/// Lines that stand in the answer that has the totals.
const FIRST_LINES: u32 = 100;
/// Receipts in one answer.
const PAGE: i64 = 100;
/// Lines that are written with one statement.
const AT_ONCE: usize = 50;
/// Before every row of a kind.
const START: (i64, i64, i64) = (i64::MIN, 0, 0);

/// A line, and the campaign that it is about.
#[derive(Clone, Debug)]
pub struct LineOf {
    /// The campaign.
    pub campaign: CampaignId,
    /// The address of its lead.
    pub to: String,
    /// The line.
    pub line: Line,
    /// What has become of it since; `None` where its delivery is gone.
    pub since: Option<Since>,
}

/// The lines of a receipt that is being written: one kind of one campaign after the other.
#[derive(Debug)]
pub(super) struct Writing {
    receipt: ReceiptId,
    lost: Lost,
    now: Timestamp,
    kind_idx: usize,
    stop_idx: usize,
    /// The last row of them that was written, by what orders them.
    behind: (i64, i64, i64),
    /// What would still have left: of all campaigns together, and of each.
    room: u64,
    rooms: Vec<u64>,
    written: Held,
}

impl Writing {
    pub(super) fn new(receipt: ReceiptId, lost: Lost, now: Timestamp) -> Self {
        let kind_idx = if lost.is_outage { 0 } else { Kind::ALL.len() };
        Self {
            receipt,
            room: lost.room,
            rooms: lost.missed.iter().map(|missed| missed.room).collect(),
            lost,
            now,
            kind_idx,
            stop_idx: 0,
            behind: START,
            written: Held::default(),
        }
    }

    /// What has been written.
    pub(super) fn written(&self) -> Held {
        self.written
    }

    /// Writes the next lines, a slice at the most; answers whether there may be more.
    pub(super) async fn write_slice(&mut self, tx: &mut AnyConnection) -> Result<bool, StoreError> {
        let mut left = SLICE;
        while let Some(kind) = Kind::ALL.get(self.kind_idx).copied() {
            let missed = self.lost.missed.get(self.stop_idx).copied();
            let stop = self.lost.stops.get(self.stop_idx).cloned();
            let (Some(stop), Some(missed)) = (stop, missed) else {
                (self.kind_idx, self.stop_idx) = (self.kind_idx + 1, 0);
                continue;
            };
            let takes_room = !matches!(kind, Kind::InDoubt | Kind::Attempting);
            let of_campaign = self.rooms.get(self.stop_idx).copied().unwrap_or(0);
            let room = usize::try_from(self.room.min(of_campaign)).unwrap_or(usize::MAX);
            let at_most = if takes_room { left.min(room) } else { left };
            let rows = self
                .list_next(tx, kind, (&stop, missed.last), at_most)
                .await?;
            let lines = rows
                .iter()
                .map(|row| self.line(row, kind, &stop))
                .collect::<Result<Vec<_>, _>>()?;
            insert_lines(tx, &self.receipt, self.written.total(), &lines).await?;
            let n = lines.len() as u64;
            match kind {
                Kind::InDoubt | Kind::Attempting => self.written.in_doubt += n,
                Kind::Skipped => self.written.skipped += n,
                Kind::FollowUp | Kind::Rested | Kind::First => self.written.to_send += n,
            }
            if takes_room {
                self.room -= n;
                if let Some(room) = self.rooms.get_mut(self.stop_idx) {
                    *room -= n;
                }
            }
            left -= lines.len();
            if left == 0 {
                if let Some(last) = rows.last() {
                    self.behind = (
                        number(last, "key_ms")?,
                        number(last, "place")?,
                        number(last, "step")?,
                    );
                }
                return Ok(true);
            }
            self.stop_idx += 1;
            self.behind = START;
        }
        Ok(false)
    }

    async fn list_next(
        &self,
        tx: &mut AnyConnection,
        kind: Kind,
        (stop, last): (&Stop, Timestamp),
        at_most: usize,
    ) -> Result<Vec<AnyRow>, StoreError> {
        if at_most == 0 {
            return Ok(Vec::new());
        }
        let key = kind.key();
        let condition = kind.condition(
            &self.lost.from(stop).as_ms().to_string(),
            &self.lost.until_ms(stop, last).to_string(),
            &last.as_ms().to_string(),
        );
        let (behind, place, step_no) = self.behind;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT d.id AS id, d.lead_id AS lead_id, d.step AS step, d.place AS place, d.due_ms AS due_ms, \
             d.rest_until_ms AS rest_until_ms, d.why AS why, {key} AS key_ms FROM deliveries d \
             WHERE d.inbox_id = $1 AND d.campaign_id = $2 AND {condition} \
             AND ({key}, d.place, d.step) > ($3, $4, $5) ORDER BY {key}, d.place, d.step LIMIT $6"
        )))
        .persistent(false)
        .bind(stop.inbox.to_string())
        .bind(stop.campaign.to_string())
        .bind(behind)
        .bind(place)
        .bind(step_no)
        .bind(i64::try_from(at_most).unwrap_or(i64::MAX))
        .fetch_all(tx)
        .await?;
        Ok(rows)
    }

    fn line(&self, row: &AnyRow, kind: Kind, stop: &Stop) -> Result<Line, StoreError> {
        let fate = match kind {
            Kind::InDoubt | Kind::Attempting => Fate::InDoubt,
            Kind::Skipped => Fate::Skipped {
                why: parse_why(&text_or_null(row, "why")?.unwrap_or_default())?,
            },
            Kind::FollowUp | Kind::Rested | Kind::First => {
                // What was left of its wait when its clock stopped; overdue ones have none left.
                let left_ms = number(row, "due_ms")?.saturating_sub(stop.ran_ms);
                let at =
                    |from: Timestamp, ms: i64| Timestamp::from_ms(from.as_ms().saturating_add(ms));
                Fate::Shifted {
                    was_due_at: at(self.lost.from(stop), left_ms),
                    due_at: at(self.now, left_ms.max(0)),
                }
            }
        };
        Ok(Line {
            delivery: DeliveryId::new(text(row, "id")?),
            lead: LeadId::new(text(row, "lead_id")?),
            step: small(row, "step")?,
            fate,
        })
    }
}

/// Writes lines behind so many others.
async fn insert_lines(
    tx: &mut AnyConnection,
    receipt: &ReceiptId,
    behind: u64,
    lines: &[Line],
) -> Result<(), StoreError> {
    let mut line_no = i64::try_from(behind).unwrap_or(i64::MAX);
    for some in lines.chunks(AT_ONCE) {
        let mut insert = QueryBuilder::<Any>::new(
            "INSERT INTO receipt_lines (receipt_id, line_no, delivery_id, lead_id, step, fate, was_due_at_ms, \
             due_at_ms, why) ",
        );
        insert.push_values(some, |mut row, line| {
            line_no += 1;
            let (fate, was_due_at, due_at, why) = match &line.fate {
                Fate::Shifted { was_due_at, due_at } => {
                    ("shifted", Some(*was_due_at), Some(*due_at), None)
                }
                Fate::Skipped { why } => ("skipped", None, None, Some(why.code())),
                Fate::InDoubt => ("in_doubt", None, None, None),
            };
            row.push_bind(receipt.to_string())
                .push_bind(line_no)
                .push_bind(line.delivery.to_string())
                .push_bind(line.lead.to_string())
                .push_bind(i64::from(line.step))
                .push_bind(fate)
                .push_bind(was_due_at.map(Timestamp::as_ms))
                .push_bind(due_at.map(Timestamp::as_ms))
                .push_bind(why.map(str::to_owned));
        });
        insert.build().persistent(false).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Stores the totals of a receipt whose lines are written.
pub(super) async fn put(tx: &mut AnyConnection, receipt: &Receipt) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO receipts (id, inbox_id, body, n_lines, created_at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET body = excluded.body, n_lines = excluded.n_lines, \
         created_at_ms = excluded.created_at_ms, open_for = NULL",
    )
    .bind(receipt.id.to_string())
    .bind(receipt.inbox.to_string())
    .bind(to_json("receipt", receipt)?)
    .bind(i64::try_from(receipt.held).unwrap_or(i64::MAX))
    .bind(receipt.resumed_at.as_ms())
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    /// Begins the receipt of a reconnect whose lines are more than one transaction should write. What an earlier
    /// process wrote of it is removed.
    pub(super) async fn open_receipt(
        &self,
        receipt: &ReceiptId,
        reconnect: &ReconnectId,
        inbox: &protocol::id::InboxId,
        now: Timestamp,
    ) -> Result<ReceiptId, StoreError> {
        let known = sqlx::query("SELECT id FROM receipts WHERE open_for = $1")
            .bind(reconnect.to_string())
            .fetch_optional(&self.writer)
            .await?;
        let Some(known) = known else {
            sqlx::query(
                "INSERT INTO receipts (id, inbox_id, body, open_for, n_lines, created_at_ms) \
                 VALUES ($1, $2, '', $3, 0, $4)",
            )
            .bind(receipt.to_string())
            .bind(inbox.to_string())
            .bind(reconnect.to_string())
            .bind(now.as_ms())
            .execute(&self.writer)
            .await?;
            return Ok(receipt.clone());
        };
        let known = ReceiptId::new(text(&known, "id")?);
        loop {
            let done = sqlx::query(
                "DELETE FROM receipt_lines WHERE receipt_id = $1 AND line_no IN \
                 (SELECT r.line_no FROM receipt_lines r WHERE r.receipt_id = $1 LIMIT $2)",
            )
            .bind(known.to_string())
            .bind(i64::try_from(SLICE).unwrap_or(i64::MAX))
            .execute(&self.writer)
            .await?;
            if done.rows_affected() == 0 {
                return Ok(known);
            }
        }
    }

    /// One receipt with those of its first lines whose campaigns are seen.
    pub async fn load_receipt(
        &self,
        id: &ReceiptId,
        is_seen: impl Fn(&CampaignId) -> bool,
    ) -> Result<Receipt, StoreError> {
        let row = sqlx::query("SELECT body FROM receipts WHERE id = $1 AND open_for IS NULL")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?
            .ok_or_else(|| StoreError::NotFound {
                what: "receipt",
                id: id.to_string(),
            })?;
        let lines = self.list_receipt_lines(id, 0, FIRST_LINES).await?;
        let lines = lines.into_iter().filter(|line| is_seen(&line.campaign));
        let lines = lines.map(|line| line.line).collect();
        Ok(Receipt {
            lines,
            ..json(&row, "body")?
        })
    }

    /// The lines of a receipt behind so many, so many at the most.
    pub async fn list_receipt_lines(
        &self,
        id: &ReceiptId,
        behind: u32,
        limit: u32,
    ) -> Result<Vec<LineOf>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.delivery_id AS delivery_id, r.lead_id AS lead_id, r.step AS step, r.fate AS fate, \
             r.was_due_at_ms AS was_due_at_ms, r.due_at_ms AS due_at_ms, r.why AS why, d.campaign_id AS campaign_id, \
             d.state AS state, d.accepted_at_ms AS accepted_at_ms, l.address AS address FROM receipt_lines r \
             LEFT JOIN deliveries d ON d.id = r.delivery_id LEFT JOIN leads l ON l.id = r.lead_id \
             WHERE r.receipt_id = $1 AND r.line_no > $2 ORDER BY r.line_no LIMIT $3",
        )
        .bind(id.to_string())
        .bind(i64::from(behind))
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        let lines = rows.iter().map(|row| {
            let campaign = text_or_null(row, "campaign_id")?.unwrap_or_default();
            Ok(LineOf {
                campaign: CampaignId::new(campaign),
                to: text_or_null(row, "address")?.unwrap_or_default(),
                line: line_from(row)?,
                since: since_from(row)?,
            })
        });
        lines.collect()
    }

    /// Receipts without their lines, newest first; those behind this one. With an account, those of the inboxes that
    /// were given to it.
    pub async fn list_receipts(
        &self,
        of: Option<&AccountId>,
        behind: Option<&ReceiptId>,
    ) -> Result<Vec<Receipt>, StoreError> {
        let given = of.map_or(
            "",
            |_| "AND inbox_id IN (SELECT inbox_id FROM account_inboxes WHERE account_id = $4)",
        );
        let mut start = (i64::MAX, String::new());
        if let Some(id) = behind {
            let of_given = given.replace("$4", "$2");
            let statement = format!("SELECT created_at_ms FROM receipts WHERE id = $1 {of_given}");
            let mut query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id.to_string());
            if let Some(of) = of {
                query = query.bind(of.to_string());
            }
            let row =
                query
                    .fetch_optional(&self.reader)
                    .await?
                    .ok_or_else(|| StoreError::NotFound {
                        what: "receipt",
                        id: id.to_string(),
                    })?;
            start = (number(&row, "created_at_ms")?, id.to_string());
        }
        let statement = format!(
            "SELECT body FROM receipts WHERE open_for IS NULL AND (created_at_ms, id) < ($1, $2) {given} \
             ORDER BY created_at_ms DESC, id DESC LIMIT $3"
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(start.0)
            .bind(start.1)
            .bind(PAGE);
        if let Some(of) = of {
            query = query.bind(of.to_string());
        }
        let rows = query.fetch_all(&self.reader).await?;
        rows.iter().map(|row| json(row, "body")).collect()
    }

    /// Moves the lines of the last version's receipts out of their bodies.
    pub(super) async fn carry_receipts_over(&self) -> Result<(), StoreError> {
        loop {
            let mut tx = self.begin().await?;
            let row = sqlx::query(
                "SELECT id, body FROM receipts WHERE n_lines IS NULL ORDER BY id LIMIT 1",
            )
            .fetch_optional(&mut *tx)
            .await?;
            let Some(row) = row else { return Ok(()) };
            let mut receipt: Receipt = json(&row, "body")?;
            let lines = std::mem::take(&mut receipt.lines);
            insert_lines(&mut tx, &receipt.id, 0, &lines).await?;
            sqlx::query("UPDATE receipts SET body = $1, n_lines = $2 WHERE id = $3")
                .bind(to_json("receipt", &receipt)?)
                .bind(i64::try_from(lines.len()).unwrap_or(i64::MAX))
                .bind(text(&row, "id")?)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        }
    }
}

/// What has become of a delivery, by its columns `state` and `accepted_at_ms`.
fn since_from(row: &AnyRow) -> Result<Option<Since>, StoreError> {
    let Some(state) = text_or_null(row, "state")? else {
        return Ok(None);
    };
    Ok(Some(match state.as_str() {
        "accepted" | "bounced" => Since::Sent {
            at: number_or_null(row, "accepted_at_ms")?.map(Timestamp::from_ms),
        },
        "planned" | "deferred" | "attempting" => Since::Waits,
        "in_doubt" | "unsettled" => Since::InDoubt,
        _ => Since::NotSent,
    }))
}

fn line_from(row: &AnyRow) -> Result<Line, StoreError> {
    let instant = |column: &'static str| {
        let ms = number_or_null(row, column)?;
        ms.map(Timestamp::from_ms)
            .ok_or(StoreError::Corrupt { what: column })
    };
    let fate = match text(row, "fate")?.as_str() {
        "shifted" => Fate::Shifted {
            was_due_at: instant("was_due_at_ms")?,
            due_at: instant("due_at_ms")?,
        },
        "skipped" => Fate::Skipped {
            why: parse_why(&text_or_null(row, "why")?.unwrap_or_default())?,
        },
        "in_doubt" => Fate::InDoubt,
        _ => return Err(StoreError::Corrupt { what: "fate" }),
    };
    Ok(Line {
        delivery: DeliveryId::new(text(row, "delivery_id")?),
        lead: LeadId::new(text(row, "lead_id")?),
        step: small(row, "step")?,
        fate,
    })
}

#[cfg(test)]
mod tests {

    use protocol::delivery::Suppression;
    use protocol::id::{CampaignId, InboxId};

    use super::*;
    use crate::clock::Clock;
    use crate::store::tests::open_older;

    /// A receipt of the last version, with all its lines in it.
    fn old_receipt() -> Receipt {
        let at = Timestamp::from_ms(1_795_417_920_123);
        let fates = [
            Fate::Shifted {
                was_due_at: at,
                due_at: at + std::time::Duration::from_millis(7),
            },
            Fate::Skipped {
                why: Suppression::Replied,
            },
            Fate::InDoubt,
        ];
        let lines: Vec<_> = (0..240)
            .map(|n| Line {
                delivery: DeliveryId::new(format!("dlv_{n}")),
                lead: LeadId::new(format!("led_{n}")),
                step: 2,
                fate: fates[n % 3].clone(),
            })
            .collect();
        Receipt {
            id: ReceiptId::new("rcp_1"),
            reconnect: ReconnectId::new("rec_1"),
            inbox: InboxId::new("inb_1"),
            campaigns: vec![CampaignId::new("cmp_1")],
            cause: protocol::cause::Cause::PermissionEnded,
            lost_at: at,
            resumed_at: at,
            shifted_by_ms: 0,
            held: 240,
            to_send: 80,
            skipped: 80,
            in_doubt: 80,
            lines,
        }
    }

    #[tokio::test]
    async fn what_the_last_version_stored_is_carried_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.db");
        let before = open_older(&path, 11).await;
        let receipt = old_receipt();
        let server = r#"{"host":"h","port":1,"tls":"implicit"}"#;
        let connected = r#"{"state":"connected","since":"2026-11-29T00:00:00Z"}"#;
        let mut rows = vec![
            format!(
                "INSERT INTO inboxes (id, address, provider, smtp, imap, gap_ms, connection, connection_state, \
                 credentials_fence, refresh_until_ms, gap_open, created_at_ms) VALUES ('inb_1', 'jane@acme.example', \
                 'imap', '{server}', '{server}', 0, '{connected}', 'connected', 0, 0, 0, 1)"
            ),
            "INSERT INTO campaigns (id, name, steps, n_steps, state, status, created_at_ms, leads_up_to) VALUES \
             ('cmp_1', 'Old', '[{\"subject\":\"a\",\"body\":\"b\"}]', 1, 'running', '{\"state\":\"running\"}', 1, 3)"
                .to_owned(),
            "INSERT INTO campaign_inboxes (campaign_id, inbox_id, position, ran_ms) \
             VALUES ('cmp_1', 'inb_1', 0, 0)"
                .to_owned(),
            format!(
                "INSERT INTO standings (inbox_id, body) VALUES ('inb_1', '{}')",
                to_json("standing", &protocol::standing::Standing::default()).unwrap()
            ),
            format!(
                "INSERT INTO receipts (id, inbox_id, body, created_at_ms) VALUES ('rcp_1', 'inb_1', '{}', 1)",
                to_json("receipt", &receipt).unwrap()
            ),
        ];
        for (n, state) in [(1, "accepted"), (2, "accepted"), (3, "planned")] {
            let rank = if state == "planned" { "3" } else { "NULL" };
            rows.push(format!(
                "INSERT INTO leads (id, campaign_id, inbox_id, position, address, fields, state) \
                 VALUES ('led_{n}', 'cmp_1', 'inb_1', {n}, 'l{n}@lead.example', '{{}}', 'active')"
            ));
            rows.push(format!(
                "INSERT INTO deliveries (id, campaign_id, lead_id, inbox_id, step, state, attempt, due_ms, is_first, \
                 place, rank, accepted_at_ms) \
                 VALUES ('dlv_{n}', 'cmp_1', 'led_{n}', 'inb_1', 1, '{state}', 0, 0, 1, {n}, {rank}, 5)"
            ));
        }
        for row in rows {
            sqlx::query(sqlx::AssertSqlSafe(row))
                .execute(&before)
                .await
                .unwrap();
        }
        before.close().await;

        let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
        let store = Store::open(&path, &clock).await.unwrap();
        let listed = store.list_receipts(None, None).await.unwrap();
        let bare = Receipt {
            lines: Vec::new(),
            ..receipt.clone()
        };
        assert_eq!(listed, [bare]);
        let loaded = store.load_receipt(&receipt.id, |_| true).await.unwrap();
        assert_eq!(loaded.lines[..], receipt.lines[..100]);
        let rest = store.list_receipt_lines(&receipt.id, 100, 1_000).await;
        let rest: Vec<Line> = rest.unwrap().into_iter().map(|of| of.line).collect();
        assert_eq!(rest[..], receipt.lines[100..]);
        let campaign = store.load_campaign(&CampaignId::new("cmp_1")).await;
        let counts = campaign.unwrap().counts;
        assert_eq!((counts.leads, counts.accepted, counts.waiting), (3, 2, 1));
        let inbox = store.load_inbox(&InboxId::new("inb_1")).await.unwrap();
        assert_eq!(inbox.standing, protocol::standing::Standing::default());
        store.close().await;
    }
}
