//! The audit log: who did what, when and from where. An entry is written before what it names is performed, and ended
//! afterwards; one that was never ended says that the relay was. Which calls are written down is the API's to decide.

use std::time::Duration;

use protocol::account::AccountName;
use protocol::id::{AccountId, RequestId};
use protocol::request::audit::{AuditEntry, Way};
use protocol::timestamp::Timestamp;
use serde_json::{Map, Value};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::access::{Doors, all_or};
use super::{StoreError, json, number, number_or_null, small, text, text_or_null, to_json};

/// The outcome of what was done.
pub const DONE: &str = "done";
/// How long what was done is kept: longer than a year, so that a year can be looked at.
const KEPT_FOR: Duration = Duration::from_hours(24 * 400);
/// How long it is kept whom nobody knew was refused.
const REFUSALS_KEPT_FOR: Duration = Duration::from_hours(24 * 30);
/// Within which time a refusal that comes again from the same place is counted at the first.
const COUNTED_WITHIN: Duration = Duration::from_hours(1);
/// Entries of refusals of those whom nobody knows, within that time: more of them are counted together, for each account
/// that is meant, so that whoever knocks from many addresses fills no disk, and hides nobody who guesses.
const PLACES_AT_MOST: i64 = 60;

/// An entry that is to be written.
#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    /// The endpoint's name.
    pub action: &'static str,
    /// By what the caller came in.
    pub way: Way,
    /// The session, device or key.
    pub by: Option<String>,
    /// The account, where one is known.
    pub account: Option<&'a AccountId>,
    /// The address of the other side; empty for the operator.
    pub peer: String,
    /// What the other side said of itself.
    pub browser: Option<&'a str>,
    /// The request.
    pub request_id: &'a RequestId,
    /// On what, and how.
    pub fields: &'a Map<String, Value>,
}

/// Which entries are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of this account alone.
    pub account: Option<&'a AccountId>,
    /// Of this endpoint alone.
    pub action: Option<&'a str>,
    /// None that is older.
    pub since: Timestamp,
    /// Those before this one; `i64::MAX` is before none.
    pub before: i64,
    /// At most so many.
    pub limit: u32,
}

impl Doors {
    /// Writes an entry that has not ended, and answers its number. What is too old is dropped.
    pub async fn begin_entry(&self, new: &NewEntry<'_>, now: Timestamp) -> Result<i64, StoreError> {
        let mut tx = self.0.begin().await?;
        let no = insert(&mut tx, new, None, now).await?;
        tx.commit().await?;
        Ok(no)
    }

    /// Ends an entry of which nothing came; where the same caller was refused the same way within the last hour, it is
    /// counted there and this one goes, so that whoever asks again and again fills no disk.
    pub async fn end_refused(
        &self,
        no: i64,
        new: &NewEntry<'_>,
        outcome: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let since = (now - COUNTED_WITHIN).as_ms();
        let mut tx = self.0.begin().await?;
        if count_again(&mut tx, new, outcome, since, now).await? {
            sqlx::query("DELETE FROM audit WHERE no = $1")
                .bind(no)
                .execute(&mut *tx)
                .await?;
        } else {
            sqlx::query(
                "UPDATE audit SET outcome = $2, ended_at_ms = $3, fields = $4 WHERE no = $1",
            )
            .bind(no)
            .bind(outcome.to_owned())
            .bind(now.as_ms())
            .bind(to_json("fields", new.fields)?)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends an entry; `fields` are those of before with what was made.
    pub async fn end_entry(
        &self,
        no: i64,
        outcome: &str,
        fields: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE audit SET outcome = $2, ended_at_ms = $3, fields = $4 WHERE no = $1")
            .bind(no)
            .bind(outcome.to_owned())
            .bind(now.as_ms())
            .bind(to_json("fields", fields)?)
            .execute(&self.0.writer)
            .await?;
        Ok(())
    }

    /// Writes an entry of what has ended already.
    pub async fn write_entry(
        &self,
        new: &NewEntry<'_>,
        outcome: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        insert(&mut tx, new, Some(outcome), now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes down that somebody was refused, or counts it where that is written down of the last hour.
    pub async fn count_refusal(
        &self,
        new: &NewEntry<'_>,
        outcome: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        let since = (now - COUNTED_WITHIN).as_ms();
        if count_again(&mut tx, new, outcome, since, now).await? {
            tx.commit().await?;
            return Ok(());
        }
        if new.way == Way::Nobody {
            let row = sqlx::query(
                "SELECT COUNT(*) AS n FROM audit WHERE outcome <> 'done' AND way = $1 AND at_ms > $2",
            )
            .bind(Way::Nobody.code())
            .bind(since)
            .fetch_one(&mut *tx)
            .await?;
            if number(&row, "n")? >= PLACES_AT_MOST {
                let nothing = Map::new();
                let elsewhere = NewEntry {
                    peer: String::new(),
                    browser: None,
                    fields: &nothing,
                    ..new.clone()
                };
                if !count_again(&mut tx, &elsewhere, outcome, since, now).await? {
                    insert(&mut tx, &elsewhere, Some(outcome), now).await?;
                }
                tx.commit().await?;
                return Ok(());
            }
        }
        insert(&mut tx, new, Some(outcome), now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Entries, newest first, and the number before which the next page begins, where there is one.
    pub async fn list_audit(
        &self,
        wanted: Wanted<'_>,
    ) -> Result<(Vec<AuditEntry>, Option<i64>), StoreError> {
        let rows = sqlx::query(
            "SELECT no, at_ms, action, way, by_id, account_id, account, peer, browser, request_id, fields, outcome, \
             times, ended_at_ms FROM audit WHERE ($1 = '' OR account_id = $1) AND ($2 = '' OR action = $2) \
             AND at_ms >= $3 AND no < $4 ORDER BY no DESC LIMIT $5",
        )
        .bind(all_or(wanted.account))
        .bind(wanted.action.unwrap_or_default().to_owned())
        .bind(wanted.since.as_ms())
        .bind(wanted.before)
        .bind(i64::from(wanted.limit))
        .fetch_all(&self.0.reader)
        .await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|n| n == i64::from(wanted.limit));
        let next = match rows.last() {
            Some(last) if is_full => Some(number(last, "no")?),
            _ => None,
        };
        let entries = rows.iter().map(entry_from).collect::<Result<_, _>>()?;
        Ok((entries, next))
    }
}

/// Counts a refusal at the one of before; `false` where there is none.
async fn count_again(
    tx: &mut AnyConnection,
    new: &NewEntry<'_>,
    outcome: &str,
    since_ms: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let counted = sqlx::query(
        "UPDATE audit SET times = times + 1, ended_at_ms = $1 WHERE outcome <> 'done' AND way = $2 AND at_ms > $3 \
         AND outcome = $4 AND action = $5 AND COALESCE(by_id, '') = $6 AND COALESCE(account_id, '') = $7 AND peer = $8",
    )
    .bind(now.as_ms())
    .bind(new.way.code())
    .bind(since_ms)
    .bind(outcome.to_owned())
    .bind(new.action)
    .bind(new.by.clone().unwrap_or_default())
    .bind(all_or(new.account))
    .bind(new.peer.clone())
    .execute(tx)
    .await?;
    Ok(counted.rows_affected() > 0)
}

async fn insert(
    tx: &mut AnyConnection,
    new: &NewEntry<'_>,
    outcome: Option<&str>,
    now: Timestamp,
) -> Result<i64, StoreError> {
    sqlx::query("DELETE FROM audit WHERE at_ms < $1")
        .bind((now - KEPT_FOR).as_ms())
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM audit WHERE outcome <> 'done' AND way = $1 AND at_ms < $2")
        .bind(Way::Nobody.code())
        .bind((now - REFUSALS_KEPT_FOR).as_ms())
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query("SELECT CAST(COALESCE(MAX(no), 0) + 1 AS BIGINT) AS no FROM audit")
        .fetch_one(&mut *tx)
        .await?;
    let no = number(&row, "no")?;
    sqlx::query(
        "INSERT INTO audit (no, at_ms, action, way, by_id, account_id, account, peer, browser, request_id, fields, \
         outcome, times, ended_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, (SELECT name FROM accounts WHERE id = $6), $7, $8, $9, $10, $11, 1, $12)",
    )
    .bind(no)
    .bind(now.as_ms())
    .bind(new.action)
    .bind(new.way.code())
    .bind(new.by.clone())
    .bind(new.account.map(AccountId::to_string))
    .bind(new.peer.clone())
    .bind(new.browser.map(str::to_owned))
    .bind(new.request_id.to_string())
    .bind(to_json("fields", new.fields)?)
    .bind(outcome.map(str::to_owned))
    .bind(outcome.map(|_| now.as_ms()))
    .execute(tx)
    .await?;
    Ok(no)
}

fn entry_from(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    let way = Way::from_code(&text(row, "way")?).ok_or(StoreError::Corrupt { what: "way" })?;
    let account = text_or_null(row, "account")?
        .map(AccountName::try_from)
        .transpose();
    Ok(AuditEntry {
        at: Timestamp::from_ms(number(row, "at_ms")?),
        action: text(row, "action")?,
        way,
        by: text_or_null(row, "by_id")?,
        account_id: text_or_null(row, "account_id")?.map(AccountId::new),
        account: account.map_err(|_| StoreError::Corrupt { what: "account" })?,
        peer: Some(text(row, "peer")?).filter(|peer| !peer.is_empty()),
        browser: text_or_null(row, "browser")?,
        request_id: RequestId::new(text(row, "request_id")?),
        fields: json(row, "fields")?,
        outcome: text_or_null(row, "outcome")?,
        times: small(row, "times")?,
        ended_at: number_or_null(row, "ended_at_ms")?.map(Timestamp::from_ms),
    })
}
